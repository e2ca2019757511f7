package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/policy"
)

// MaxReplyGrace is the longest time that a reply may follow an inbound message
// outside the client's windows.
const MaxReplyGrace = 24 * time.Hour

// Policy is a tenant's part in what may be sent, and when.
type Policy struct {
	QuietHours []policy.Window `json:"quiet_hours,omitempty"`
	Autonomy   policy.Autonomy `json:"ai_autonomy,omitempty"`
	// ReplyGraceMinutes is 0 to 1440; 0 holds replies as everything else (R58).
	ReplyGraceMinutes int `json:"reply_grace_minutes,omitempty"`
	policy.Set
}

// In is the policy as the evaluator takes it, for a tenant in a time zone.
func (p Policy) In(timezone string) policy.TenantSettings {
	return policy.TenantSettings{
		Timezone: timezone, QuietHours: p.QuietHours, Autonomy: p.Autonomy,
		ReplyGrace: time.Duration(p.ReplyGraceMinutes) * time.Minute, Set: p.Set,
	}
}

// ReadPolicy reads a tenant's policy in the caller's transaction.
func ReadPolicy(ctx context.Context, tx pgx.Tx, t actor.TenantID) (policy.TenantSettings, error) {
	var p Policy
	var timezone string
	err := tx.QueryRow(ctx, `SELECT coalesce(settings->'policy', '{}'), timezone FROM tenant WHERE id = $1`, t).Scan(&p, &timezone)
	if err != nil {
		return policy.TenantSettings{}, fmt.Errorf("read the tenant's policy: %w", err)
	}
	return p.In(timezone), nil
}

// SetPolicy stores a tenant's policy in the caller's transaction. Who may, and
// what follows for messages that wait, is the caller's business.
func SetPolicy(ctx context.Context, tx pgx.Tx, t actor.TenantID, p Policy) error {
	_, err := tx.Exec(ctx, `UPDATE tenant SET settings = settings || jsonb_build_object('policy', $2::jsonb) WHERE id = $1`, t, p)
	if err != nil {
		return fmt.Errorf("store the tenant's policy: %w", err)
	}
	return nil
}
