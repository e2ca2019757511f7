package crmsync

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
)

// ConnectionChanged marks everything for a connection whose mapping or policy is
// another now. A run under way works by what was chosen before: it is fenced off,
// and what it had in flight is read back or written again.
func (m *Marker) ConnectionChanged(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID) error {
	if _, err := tx.Exec(ctx, `UPDATE sync_lease SET epoch = epoch + 1, expires_at = '-infinity' WHERE connection_id = $1`, id); err != nil {
		return fmt.Errorf("fence the connection's run: %w", err)
	}
	err := m.mark(ctx, tx, a.Tenant, `INSERT INTO sync_item AS i (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT tenant_id, $1, 'client', id, revision, 'backfill', now() FROM client WHERE kind <> 'anonymous' AND deleted_at IS NULL
ON CONFLICT (tenant_id, connection_id, kind, source_id) DO UPDATE SET desired_revision = excluded.desired_revision, state = 'due', due_at = now(),
  attempts = 0, class = '', reason = '', lane = CASE WHEN i.synced_revision = 0 THEN i.lane ELSE 'backfill' END
RETURNING connection_id, true`, id)
	if err != nil {
		return err
	}
	return m.mark(ctx, tx, a.Tenant, markConversations+` WHERE n.id = $1`+markConversationsOnce, id)
}
