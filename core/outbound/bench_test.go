package outbound_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/core/tenant"
)

// BenchmarkRetime changes the tenant's quiet hours while 100,000 messages to 10,000
// clients are held, and with it the time of every one of them. The floor is one
// UPDATE that writes the same rows. The bar is 10 s (issue 8, line 7).
func BenchmarkRetime(b *testing.B) {
	const clients, each = 10_000, 10
	w := newWorld(b)
	monday := []policy.Window{{Days: []policy.Day{"mon"}, AllDay: true}}
	w.quietly(monday)
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO client (id, tenant_id, kind, source, created_at, updated_at)
SELECT gen_random_uuid(), $1, 'person', 'import', $2, $2 FROM generate_series(1, $3)`, w.admin.Tenant, noon, clients)
		return err
	})
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO outbound_message (id, tenant_id, client_id, kind, channel, origin, author_name, address, address_normal, text, state, decision, due_at, created_at, updated_at)
SELECT gen_random_uuid(), $1, c.id, 'campaign', 'email', 'automation', 'key', 'ann@x.example', 'ann@x.example', 'News', 'held',
       '{"outcome":"hold","proof":[]}', $2::timestamptz + interval '12 hours', $2, $2 FROM client c, generate_series(1, $3)`, w.admin.Tenant, noon, each)
		return err
	})
	for b.Loop() {
		floor := w.timed(func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE outbound_message SET due_at = due_at + interval '1 second', revision = revision + 1`)
			return err
		})
		var effect client.PolicyEffect
		took := w.timed(func(ctx context.Context, tx pgx.Tx) error {
			mondayAndTuesday := []policy.Window{{Days: []policy.Day{"mon", "tue"}, AllDay: true}}
			err := tenant.SetPolicy(ctx, tx, w.admin.Tenant, tenant.Policy{QuietHours: mondayAndTuesday})
			if err == nil {
				effect, err = w.out.PolicyChanged(ctx, tx, w.admin, client.PolicyScope{Tenant: true})
			}
			return err
		})
		if effect.Retimed != clients*each {
			b.Fatalf("%+v: want all of them retimed", effect)
		}
		b.ReportMetric(took.Seconds(), "s/100k")
		b.ReportMetric(float64(took)/float64(floor), "x-floor")
		if took > 10*time.Second {
			b.Errorf("retiming took %s (one UPDATE of the same rows: %s), want under 10 s", took, floor)
		}
		w.quietly(monday)
	}
}

// timed runs a transaction and tells how long it took, its commit included.
func (w *world) timed(fn func(ctx context.Context, tx pgx.Tx) error) time.Duration {
	w.t.Helper()
	start := time.Now()
	w.sql(fn)
	return time.Since(start)
}

// quietly sets quiet hours without telling anybody.
func (w *world) quietly(hours []policy.Window) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		return tenant.SetPolicy(ctx, tx, w.admin.Tenant, tenant.Policy{QuietHours: hours})
	})
}
