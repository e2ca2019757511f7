package crmsync_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/sdk"
)

// size is a benchmark's size: small for a look, larger by the environment.
func size(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// BenchmarkScanWithIdleConnections measures what looking for work costs with 3
// connections and with 3 of each of BENCH_TENANTS (1,000) tenants, all idle. The
// rate doesn't grow: it is one statement a second and host.
func BenchmarkScanWithIdleConnections(b *testing.B) {
	w := newWorld(b)
	look := func() time.Duration {
		var times []time.Duration
		for range 50 {
			begin := time.Now()
			err := w.db.Global(b.Context(), func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `SELECT * FROM connections_due()`)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(begin))
		}
		return median(times)
	}
	few := look()
	for i := range size("BENCH_TENANTS", 1000) {
		w.idle(fmt.Sprint("idle", i), 3)
	}
	w.analyze()
	var many time.Duration
	for b.Loop() {
		many = look()
	}
	b.ReportMetric(float64(few.Microseconds()), "us-3-connections")
	b.ReportMetric(float64(many.Microseconds()), "us-all-connections")
	b.ReportMetric(1, "statements/s")
	if ratio := float64(many) / float64(few); ratio > 5 {
		b.Errorf("a look with idle connections takes %.1f times as long as without", ratio)
	}
}

// analyze does what PostgreSQL does by itself a minute later.
func (w *world) analyze() {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(w.t.Context())
	if _, err := conn.Exec(w.t.Context(), `ANALYZE`); err != nil {
		w.t.Fatal(err)
	}
}

// idle gives a tenant connections with one synced client each.
func (w *world) idle(slug string, connections int) {
	w.t.Helper()
	own, err := w.tenants.Create(w.t.Context(), actor.ForOperator("test"), tenant.New{Slug: slug, Name: slug, Region: "US", Timezone: "UTC"})
	if err != nil {
		w.t.Fatal(err)
	}
	a := actor.ForSystem(own.ID, "test")
	err = w.db.Tenant(w.t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		client := uuid.New()
		if _, err := tx.Exec(ctx, `INSERT INTO client (id, tenant_id, kind, last_name, source, created_at, updated_at) VALUES ($1, $2, 'person', 'Lund', 'manual', now(), now())`, client, own.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `WITH made AS (
  INSERT INTO connection (id, tenant_id, adapter, name, created_at) SELECT gen_random_uuid(), $1, 'memory', 'crm ' || n, now() FROM generate_series(1, $3) AS n RETURNING id)
INSERT INTO sync_item (tenant_id, connection_id, kind, source_id, desired_revision, synced_revision, lane, state) SELECT $1, id, 'client', $2, 1, 1, 'update', 'synced' FROM made`,
			own.ID, client, connections)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// BenchmarkMemoryOfManyDueItems measures the host's heap while it works through
// due items, with 10,000 and with BENCH_ITEMS (100,000) of them waiting.
func BenchmarkMemoryOfManyDueItems(b *testing.B) {
	peak := func(items int) (heap uint64, perSecond float64) {
		w := newWorld(b)
		var landed atomic.Int64
		w.crm.about.Batch = sdk.BatchLimits{Min: 1, Start: 100, Max: 100}
		w.crm.one = func(i sdk.WriteItem) (sdk.Outcome, bool) { // it keeps nothing: its memory isn't the host's
			landed.Add(1)
			return sdk.Outcome{ItemID: i.ItemID, Done: sdk.Created, CRMID: i.ItemID}, true
		}
		for n := 0; n < items; n += 10_000 {
			w.more(w.actor, w.connection.ID, min(10_000, items-n))
		}
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		w.start()
		begin := time.Now()
		for landed.Load() < 5000 && time.Since(begin) < 3*time.Minute {
			runtime.ReadMemStats(&now)
			heap = max(heap, now.HeapAlloc-min(before.HeapAlloc, now.HeapAlloc))
			time.Sleep(20 * time.Millisecond) // sampling
		}
		return heap, float64(landed.Load()) / time.Since(begin).Seconds()
	}
	for b.Loop() {
		few, fast := peak(10_000)
		many, slow := peak(size("BENCH_ITEMS", 100_000))
		b.ReportMetric(float64(few)/1e6, "MB-10000-due")
		b.ReportMetric(float64(many)/1e6, "MB-all-due")
		b.ReportMetric(fast, "records/s-10000-due")
		b.ReportMetric(slow, "records/s-all-due")
		if many > 2*few+8e6 {
			b.Errorf("the heap grows with what is due: %d MB, then %d MB", few/1e6, many/1e6)
		}
	}
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
