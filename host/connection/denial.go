package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// Denial is an adapter that an operator has taken from a tenant (R204).
type Denial struct {
	Adapter  string    `json:"adapter"`
	Reason   string    `json:"reason"`
	DeniedBy string    `json:"denied_by"`
	DeniedAt time.Time `json:"denied_at"`
}

// maxReason bounds an operator's reason, in bytes.
const maxReason = 500

// Deny takes an adapter from a tenant: it is no longer offered, and the tenant's
// connections of it are parked with the reason; nothing of them is lost, and other
// tenants notice nothing. Errors: *actor.Refusal, *InvalidError.
func (s *Service) Deny(ctx context.Context, a actor.Actor, t actor.TenantID, adapter, reason string) error {
	if err := a.Require(actor.Operate); err != nil {
		return err
	}
	if adapter == "" || len(adapter) > 63 || len(reason) > maxReason {
		return &InvalidError{Field: "reason", Rule: fmt.Sprintf("is longer than %d bytes, or the adapter has no name", maxReason), WayOut: "shorten it, and name an adapter"}
	}
	said := "the operator has taken the adapter " + adapter + " from this tenant"
	if reason != "" {
		said += ": " + reason
	}
	err := s.DB.Tenant(ctx, actor.ForSystem(t, "operator"), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO adapter_denial (tenant_id, adapter, reason, denied_by, denied_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, adapter) DO UPDATE SET reason = excluded.reason, denied_by = excluded.denied_by, denied_at = excluded.denied_at`,
			t, adapter, reason, a.Name, s.Now())
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE connection SET hold = 'adapter', parked_until = NULL,
  state = CASE WHEN state = 'paused' THEN state ELSE 'parked' END, reason = CASE WHEN state = 'paused' THEN reason ELSE $2 END
 WHERE adapter = $1`, adapter, said)
		return err
	})
	if err != nil {
		return fmt.Errorf("take adapter %s from tenant %s: %w", adapter, t, err)
	}
	return nil
}

// Allow gives an adapter back to a tenant; its connections go on where they were.
// Errors: *actor.Refusal.
func (s *Service) Allow(ctx context.Context, a actor.Actor, t actor.TenantID, adapter string) error {
	if err := a.Require(actor.Operate); err != nil {
		return err
	}
	err := s.DB.Tenant(ctx, actor.ForSystem(t, "operator"), func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM adapter_denial WHERE tenant_id = $1 AND adapter = $2`, t, adapter); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE connection SET hold = '', state = CASE WHEN state = 'paused' THEN state ELSE 'active' END,
  reason = CASE WHEN state = 'paused' THEN reason ELSE '' END WHERE adapter = $1 AND hold = 'adapter'`, adapter)
		return err
	})
	if err != nil {
		return fmt.Errorf("allow adapter %s to tenant %s: %w", adapter, t, err)
	}
	return nil
}

// Denials lists the adapters that a tenant may not connect. An operator asks for
// any tenant, everybody else for their own. Errors: *actor.Refusal.
func (s *Service) Denials(ctx context.Context, a actor.Actor, t actor.TenantID) ([]Denial, error) {
	if a.Tenant != t {
		if err := a.Require(actor.Operate); err != nil {
			return nil, err
		}
	}
	var found []Denial
	err := s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT adapter, reason, denied_by, denied_at FROM adapter_denial WHERE tenant_id = $1 ORDER BY adapter`, t)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Denial])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the adapters taken from tenant %s: %w", t, err)
	}
	return found, nil
}

// allowed refuses an adapter that the tenant may not connect.
func (s *Service) allowed(ctx context.Context, t actor.TenantID, adapter string) error {
	denials, err := s.Denials(ctx, actor.ForSystem(t, "connection"), t)
	if err != nil {
		return err
	}
	for _, d := range denials {
		if d.Adapter == adapter {
			return &InvalidError{Field: "adapter", Rule: fmt.Sprintf("%q is not allowed to this tenant", adapter), WayOut: "ask the operator of this host"}
		}
	}
	return nil
}
