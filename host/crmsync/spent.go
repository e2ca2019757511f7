package crmsync

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// Spent books calls that were made for somebody who waits, beside the engine's own.
func (m *Marker) Spent(ctx context.Context, a actor.Actor, id connection.ID, purpose string, u sdk.Usage) error {
	return m.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		for _, c := range u.Calls {
			_, err := tx.Exec(ctx, `INSERT INTO crm_usage AS u (tenant_id, connection_id, day, bucket, purpose, calls)
VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, $3, $4, $5)
ON CONFLICT (tenant_id, connection_id, day, bucket, purpose) DO UPDATE SET calls = u.calls + excluded.calls`, a.Tenant, id, c.Bucket, purpose, c.N)
			if err != nil {
				return fmt.Errorf("book calls: %w", err)
			}
		}
		return nil
	})
}
