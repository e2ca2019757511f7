package crmsync

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
)

// ConnectionAdded marks everything the tenant has for a new connection: its first
// backfill.
func (m *Marker) ConnectionAdded(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID) error {
	_, err := m.markAll(ctx, tx, a, id)
	return err
}

// ConnectionChanged marks everything for a connection whose mapping or policy is
// another now. A run under way works by what was chosen before: it is fenced off,
// and what it had in flight is read back or written again.
func (m *Marker) ConnectionChanged(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID) error {
	if _, err := tx.Exec(ctx, `UPDATE sync_lease SET epoch = epoch + 1, expires_at = '-infinity' WHERE connection_id = $1`, id); err != nil {
		return fmt.Errorf("fence the connection's run: %w", err)
	}
	_, err := m.markAll(ctx, tx, a, id)
	return err
}

// markAll puts everything the tenant has into a connection's backfill lane, and
// notes it as a backfill. New clients on their way keep their lane.
func (m *Marker) markAll(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID) (*Backfill, error) {
	b := &Backfill{ID: uuid.Must(uuid.NewV7()), ConnectionID: id, StartedBy: a.Name}
	var err error
	b.Clients, err = m.mark(ctx, tx, a.Tenant, `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT tenant_id, $1, 'client', id, revision, 'backfill', now() FROM client WHERE kind <> 'anonymous' AND deleted_at IS NULL
ON CONFLICT (tenant_id, connection_id, kind, source_id) DO UPDATE SET desired_revision = excluded.desired_revision, state = 'due', due_at = now(),
  attempts = 0, class = '', reason = '', lane = CASE WHEN i.synced_revision = 0 AND i.state = 'due' THEN i.lane ELSE 'backfill' END`, id)
	if err != nil {
		return nil, err
	}
	b.Conversations, err = m.mark(ctx, tx, a.Tenant, `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT tenant_id, $1, 'conversation', id, revision, 'backfill', now() FROM conversation WHERE client_id IS NOT NULL AND state = 'ended'`+dueAgain, id)
	if err != nil {
		return nil, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO sync_backfill (id, tenant_id, connection_id, started_by, started_at, clients, conversations)
VALUES ($1, $2, $3, $4, now(), $5, $6) RETURNING started_at`, b.ID, a.Tenant, id, b.StartedBy, b.Clients, b.Conversations).Scan(&b.StartedAt)
	if err != nil {
		return nil, fmt.Errorf("note the backfill: %w", err)
	}
	return b, nil
}
