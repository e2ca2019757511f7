package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// Sweep processes messages that were accepted but not processed for longer than
// patience, in all tenants: a host died between the two, or the database said
// no. It tells how many it processed, at most most.
func (s *Service) Sweep(ctx context.Context, patience time.Duration, most int) (int, error) {
	type waiting struct {
		TenantID   actor.TenantID
		AcceptedID uuid.UUID
	}
	var found []waiting
	err := s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, accepted_id FROM messages_waiting($1, $2)`, s.Now().Add(-patience), most)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[waiting])
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("find waiting messages: %w", err)
	}
	for i, w := range found {
		if _, err := s.Process(ctx, w.TenantID, w.AcceptedID); err != nil {
			return i, err
		}
	}
	return len(found), nil
}
