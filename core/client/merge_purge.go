package client

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

// MergePurger takes away what an undo would need when its 30 days are over, in
// all tenants: images hold personal data. That the merge was, and where old ids
// lead, stays.
type MergePurger struct {
	DB  *db.DB
	Now func() time.Time
}

// Purge purges up to most merges and tells how many.
func (p *MergePurger) Purge(ctx context.Context, most int) (int, error) {
	type old struct {
		TenantID actor.TenantID
		MergeID  uuid.UUID
	}
	var found []old
	err := p.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, merge_id FROM merges_old($1, $2)`, p.Now().Add(-UndoFor), most)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[old])
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("find old merges: %w", err)
	}
	for i, f := range found {
		a := actor.ForSystem(f.TenantID, "retention")
		err := p.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error { return purgeMerge(ctx, tx, f.MergeID, p.Now()) })
		if err != nil {
			return i, err
		}
	}
	return len(found), nil
}

func purgeMerge(ctx context.Context, tx pgx.Tx, merge uuid.UUID, now time.Time) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM merge_row WHERE merge_id = $1`, merge)
	batch.Queue(`UPDATE merge_event SET changes = '{}', purged_at = $2 WHERE id = $1`, merge, now)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("purge merge %s: %w", merge, err)
	}
	return nil
}
