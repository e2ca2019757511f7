package crmsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// Retry makes a failed item due again: one, when source is given, all of a class,
// or all of a connection. It answers how many.
func (s *Status) Retry(ctx context.Context, a actor.Actor, id connection.ID, source *uuid.UUID, class sdk.Class) (int64, error) {
	return s.makeDue(ctx, a, id, `UPDATE sync_item SET state = 'due', due_at = now(), attempts = 0
 WHERE connection_id = $1 AND (state = 'parked' OR state = 'due' AND class <> '') AND ($2::uuid IS NULL OR source_id = $2) AND ($3 = '' OR class = $3)`,
		source, class)
}

// RunNow makes everything due that waits for the schedule or for a retry. It
// answers how many.
func (s *Status) RunNow(ctx context.Context, a actor.Actor, id connection.ID) (int64, error) {
	return s.makeDue(ctx, a, id, `UPDATE sync_item SET due_at = now() WHERE connection_id = $1 AND state = 'due' AND due_at > now()`)
}

func (s *Status) makeDue(ctx context.Context, a actor.Actor, id connection.ID, sql string, args ...any) (n int64, err error) {
	if err := a.Require(actor.Administer); err != nil {
		return 0, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if err := mustExist(ctx, tx, id); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sql, append([]any{id}, args...)...)
		if err != nil {
			return err
		}
		n = tag.RowsAffected()
		return s.wake(ctx, tx, a, id)
	})
	if err != nil {
		return 0, fmt.Errorf("make items due: %w", err)
	}
	return n, nil
}

func (s *Status) wake(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID) error {
	return s.DB.InsertJob(ctx, tx, Wake{TenantID: a.Tenant.String(), ConnectionID: id.String()}, nil)
}

// Choose says which of the CRM's records an ambiguous client is: one of its
// candidates. The next write goes there. Errors:
// *connection.InvalidError, *connection.NotFoundError, *actor.Refusal.
func (s *Status) Choose(ctx context.Context, a actor.Actor, id connection.ID, of client.ID, crmID string) error {
	if err := a.Require(actor.Administer); err != nil {
		return err
	}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if err := mustExist(ctx, tx, id); err != nil {
			return err
		}
		var candidates []string
		err := tx.QueryRow(ctx, `SELECT candidates FROM sync_item WHERE connection_id = $1 AND kind = 'client' AND source_id = $2 FOR UPDATE`, id, of).Scan(&candidates)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if !slices.Contains(candidates, crmID) {
			return &connection.InvalidError{Field: "crm_id", Rule: fmt.Sprintf("%q is no candidate of this client", crmID), WayOut: "take one of those that the client's state lists"}
		}
		tag, err := tx.Exec(ctx, `INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, linked_at)
SELECT $1, id, 'client', $3, client_object, $4, now() FROM connection WHERE id = $2
ON CONFLICT (tenant_id, connection_id, object, crm_id) DO NOTHING`, a.Tenant, id, of, crmID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return &connection.InvalidError{Field: "crm_id", Rule: fmt.Sprintf("%q belongs to another client", crmID), WayOut: "merge the two clients, or choose another record"}
		}
		if _, err := tx.Exec(ctx, `UPDATE sync_item SET state = 'due', due_at = now(), attempts = 0, class = '', reason = '', candidates = '{}'
 WHERE connection_id = $1 AND kind = 'client' AND source_id = $2`, id, of); err != nil {
			return err
		}
		return s.wake(ctx, tx, a, id)
	})
	if err != nil {
		return fmt.Errorf("choose a record: %w", err)
	}
	return nil
}
