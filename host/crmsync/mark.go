package crmsync

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/host/connection"
)

// Marker marks what is due, in the transaction of the change. It implements
// client.Changes and conversation.Changes.
type Marker struct{ DB *db.DB }

var (
	_ client.Changes       = (*Marker)(nil)
	_ conversation.Changes = (*Marker)(nil)
)

// Wake asks whichever host gets it to look at a connection. Wake-ups may be lost
// or doubled: due items are also found by a scan.
type Wake struct {
	TenantID     string `json:"tenant_id"`
	ConnectionID string `json:"connection_id"`
}

// Kind names the job.
func (Wake) Kind() string { return "sync_wake" }

// InsertOpts: a wake-up is tried once.
func (Wake) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

// ClientsChanged marks the clients on every connection of the tenant: new ones at
// once (R165), known ones at the next tick of the connection's schedule (R166).
// Anonymous visitors and deleted clients don't sync (R11, R152).
func (m *Marker) ClientsChanged(ctx context.Context, tx pgx.Tx, t actor.TenantID, ids []client.ID, _ string) error {
	connections, err := connection.OfTenant(ctx, tx)
	if err != nil || len(connections) == 0 {
		return err
	}
	var now time.Time
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return fmt.Errorf("mark for the CRMs: %w", err)
	}
	on, tick := make([]connection.ID, len(connections)), make([]time.Time, len(connections))
	for i, c := range connections {
		on[i], tick[i] = c.ID, c.NextUpdate(now)
	}
	// What waits for its turn or its retry keeps its time: fifty edits are one write.
	_, err = m.mark(ctx, tx, t, `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT c.tenant_id, n.id, 'client', c.id, c.revision, 'new', now()
  FROM client c, unnest($2::uuid[]) AS n(id)
 WHERE c.id = ANY($1) AND c.kind <> 'anonymous' AND c.deleted_at IS NULL
ON CONFLICT (tenant_id, connection_id, kind, source_id) DO UPDATE SET
  desired_revision = excluded.desired_revision, state = 'due',
  attempts = CASE i.state WHEN 'parked' THEN 0 ELSE i.attempts END,
  lane = CASE WHEN i.synced_revision = 0 OR i.lane = 'backfill' AND i.state = 'due' THEN i.lane ELSE 'update' END,
  due_at = CASE WHEN i.due_at IS NOT NULL AND i.state = 'due' THEN i.due_at WHEN i.synced_revision = 0 THEN now()
    ELSE (SELECT at FROM unnest($2::uuid[], $3::timestamptz[]) AS tick(id, at) WHERE tick.id = i.connection_id) END`, ids, on, tick)
	return err
}

// ConversationsChanged marks conversations whose activity should be in the CRMs:
// ended ones, and those that stand in a CRM already, which may have been moved to
// another client or taken from theirs. Whether they go there is decided when their
// turn comes.
func (m *Marker) ConversationsChanged(ctx context.Context, tx pgx.Tx, t actor.TenantID, ids []conversation.ID, _ string) error {
	_, err := m.mark(ctx, tx, t, `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT v.tenant_id, n.id, 'conversation', v.id, v.revision, 'activity', now()
  FROM conversation v JOIN connection n ON n.tenant_id = v.tenant_id
 WHERE v.id = ANY($1) AND (v.client_id IS NOT NULL AND v.state = 'ended'
    OR EXISTS (SELECT FROM crm_link l WHERE l.tenant_id = v.tenant_id AND l.connection_id = n.id AND l.kind = 'conversation' AND l.source_id = v.id))`+dueAgain, ids)
	return err
}

// dueAgain makes an item that is there already due now.
const dueAgain = `
ON CONFLICT (tenant_id, connection_id, kind, source_id) DO UPDATE SET
  desired_revision = excluded.desired_revision, state = 'due', reason = '', due_at = excluded.due_at, attempts = 0, lane = excluded.lane`

// mark runs one marking statement and wakes each connection it made due. It
// answers how many items it marked.
func (m *Marker) mark(ctx context.Context, tx pgx.Tx, t actor.TenantID, sql string, args ...any) (marked int64, err error) {
	rows, err := tx.Query(ctx, `WITH marked AS (`+sql+` RETURNING connection_id, due_at <= now() AS due)
SELECT connection_id, coalesce(bool_or(due), false), count(*) FROM marked GROUP BY connection_id`, args...)
	if err != nil {
		return 0, fmt.Errorf("mark for the CRMs: %w", err)
	}
	var wake []connection.ID
	var id connection.ID
	var due bool
	var n int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &due, &n}, func() error {
		marked += n
		if due {
			wake = append(wake, id)
		}
		return nil
	}); err != nil {
		return 0, fmt.Errorf("mark for the CRMs: %w", err)
	}
	for _, id := range wake {
		if err := m.DB.InsertJob(ctx, tx, Wake{TenantID: t.String(), ConnectionID: id.String()}, nil); err != nil {
			return 0, err
		}
	}
	return marked, nil
}
