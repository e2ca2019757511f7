package crmsync

import (
	"context"
	"fmt"

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
	return m.mark(ctx, tx, t, `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT c.tenant_id, n.id, 'client', c.id, c.revision, 'new', now()
  FROM client c JOIN connection n ON n.tenant_id = c.tenant_id
 WHERE c.id = ANY($1) AND c.kind <> 'anonymous' AND c.deleted_at IS NULL
ON CONFLICT (tenant_id, connection_id, kind, source_id) DO UPDATE SET
  desired_revision = excluded.desired_revision, state = 'due',
  attempts = CASE WHEN i.state = 'parked' THEN 0 ELSE i.attempts END,
  lane = CASE WHEN i.synced_revision = 0 THEN i.lane ELSE 'update' END,
  due_at = CASE WHEN i.due_at IS NOT NULL THEN i.due_at WHEN i.synced_revision = 0 THEN now()
    ELSE (SELECT n.created_at + n.update_every * ceil(extract(epoch FROM now() - n.created_at) / extract(epoch FROM n.update_every))
            FROM connection n WHERE n.id = i.connection_id) END
RETURNING connection_id, due_at <= now()`, ids)
}

// ConversationsChanged marks conversations whose activity should be in the CRMs:
// ended ones of a client that syncs. A sensitive client's conversations stay out
// (R171).
func (m *Marker) ConversationsChanged(ctx context.Context, tx pgx.Tx, t actor.TenantID, ids []conversation.ID, _ string) error {
	return m.mark(ctx, tx, t, markConversations+` WHERE v.id = ANY($1)`+markConversationsOnce, ids)
}

// ConnectionAdded marks everything the tenant has for a new connection, in the
// backfill lane.
func (m *Marker) ConnectionAdded(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID) error {
	err := m.mark(ctx, tx, a.Tenant, `INSERT INTO sync_item (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT tenant_id, $1, 'client', id, revision, 'backfill', now() FROM client WHERE kind <> 'anonymous' AND deleted_at IS NULL
RETURNING connection_id, true`, id)
	if err != nil {
		return err
	}
	return m.mark(ctx, tx, a.Tenant, markConversations+` WHERE n.id = $1`+markConversationsOnce, id)
}

const (
	markConversations = `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, state, reason, due_at)
SELECT v.tenant_id, n.id, 'conversation', v.id, v.revision, 'activity',
       CASE WHEN c.sensitive THEN 'excluded' ELSE 'due' END,
       CASE WHEN c.sensitive THEN 'conversations of sensitive clients stay out of the CRM' ELSE '' END,
       CASE WHEN c.sensitive THEN NULL ELSE now() END
  FROM conversation v
  JOIN client c ON c.tenant_id = v.tenant_id AND c.id = v.client_id AND c.deleted_at IS NULL AND c.kind <> 'anonymous'
  JOIN connection n ON n.tenant_id = v.tenant_id`
	markConversationsOnce = ` AND v.state = 'ended'
ON CONFLICT (tenant_id, connection_id, kind, source_id) DO UPDATE SET
  desired_revision = excluded.desired_revision, state = excluded.state, reason = excluded.reason, due_at = excluded.due_at, attempts = 0
RETURNING connection_id, due_at <= now()`
)

// mark runs one marking statement and wakes each connection it made due.
func (m *Marker) mark(ctx context.Context, tx pgx.Tx, t actor.TenantID, sql string, arg any) error {
	rows, err := tx.Query(ctx, sql, arg)
	if err != nil {
		return fmt.Errorf("mark for the CRMs: %w", err)
	}
	due := map[connection.ID]bool{}
	var id connection.ID
	var now *bool
	if _, err := pgx.ForEachRow(rows, []any{&id, &now}, func() error {
		if now != nil && *now {
			due[id] = true
		}
		return nil
	}); err != nil {
		return fmt.Errorf("mark for the CRMs: %w", err)
	}
	for id := range due {
		if err := m.DB.InsertJob(ctx, tx, Wake{TenantID: t.String(), ConnectionID: id.String()}, nil); err != nil {
			return err
		}
	}
	return nil
}
