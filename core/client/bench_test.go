package client_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

// BenchmarkRecords measures what issue 3 promises of a tenant with many clients:
// the answer to "who may this be already?" at create time, a page of a timeline
// and a merge of two ordinary clients, each beside a read by primary key as the
// floor of this machine and database. The promise is about a million clients:
// CLIENTELE_BENCH_CLIENTS=1000000, as `make bench` has it.
func BenchmarkRecords(b *testing.B) {
	c := newCrowd(b)
	c.measure(b, "duplicate check", 50*time.Millisecond, c.checkDuplicates)
	c.measure(b, "timeline page", 50*time.Millisecond, func(b *testing.B, i int) {
		events, err := c.clients.Timeline(b.Context(), c.admin, c.spread(i), event.Page{})
		if err != nil || len(events) != eventsEach {
			b.Fatalf("%d events, want %d, %v", len(events), eventsEach, err)
		}
	})
	c.measure(b, "merge of two", 100*time.Millisecond, c.mergeNext)
	b.Run("duplicate scan", func(b *testing.B) {
		const clients = 200
		var took []time.Duration
		for b.Loop() {
			c.exec(`DELETE FROM duplicate_due`)
			c.exec(`INSERT INTO duplicate_due (tenant_id, client_id, since) SELECT tenant_id, id, now() FROM client ORDER BY id LIMIT $1`, clients)
			start := time.Now()
			c.scan()
			took = append(took, time.Since(start))
		}
		b.ReportMetric(clients/took[len(took)/2].Seconds(), "clients/s")
		b.ReportMetric(0, "ns/op")
	})
}

// rounds is how often an operation runs in one round of a benchmark: enough for a
// 95th percentile also with -benchtime 1x.
const rounds = 200

// measure reports the 95th percentile of an operation and of the floor, in
// milliseconds, and fails over the bar.
func (c *crowd) measure(b *testing.B, name string, bar time.Duration, op func(b *testing.B, i int)) {
	b.Run(name, func(b *testing.B) {
		var took, floor []time.Duration
		n := 0
		for b.Loop() {
			for range rounds {
				start := time.Now()
				op(b, n)
				took = append(took, time.Since(start))
				start = time.Now()
				c.readByKey(n)
				floor = append(floor, time.Since(start))
				n++
			}
		}
		p95 := percentile(took, 95)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		b.ReportMetric(ms(percentile(took, 50)), "p50-ms")
		b.ReportMetric(ms(p95), "p95-ms")
		b.ReportMetric(ms(percentile(floor, 95)), "floor-p95-ms")
		b.ReportMetric(float64(p95)/float64(percentile(floor, 95)), "x-floor")
		b.ReportMetric(float64(c.size), "clients")
		b.ReportMetric(0, "ns/op")
		if p95 > bar {
			b.Errorf("p95 is %s, the bar is %s; p50 is %s, the floor's p95 %s", p95, bar, percentile(took, 50), percentile(floor, 95))
		}
	})
}

func percentile(took []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)-1)*p/100]
}

// readByKey is the floor.
func (c *crowd) readByKey(i int) {
	c.sql(func(ctx context.Context, tx pgx.Tx) error {
		var name string
		return tx.QueryRow(ctx, `SELECT last_name FROM client WHERE id = $1`, c.spread(i)).Scan(&name)
	})
}

// checkDuplicates asks about a form: every other time a client that is there, with
// a typo in the email, who must be found; else a new person with a common name.
func (c *crowd) checkDuplicates(b *testing.B, i int) {
	p := c.person(i * 7919 % c.size)
	edit := typed(p.first, p.last, "new@nowhere.example", "")
	again := i%2 == 0
	if again {
		edit = typed(p.first, p.last, p.email[:len(p.email)-len("example")]+"exmaple", p.phone)
	}
	got, err := c.clients.LikelyDuplicates(b.Context(), c.admin, edit)
	if err != nil {
		b.Fatal(err)
	}
	if again && !slices.ContainsFunc(got.Similar, func(s client.Similar) bool { return s.Client.ID == p.id }) {
		b.Errorf("client %d, typed in again, was not found", i)
	}
}

// mergeNext merges two clients of the upper half, which nothing else looks at.
func (c *crowd) mergeNext(b *testing.B, _ int) {
	into, from := c.size/2+2*c.merged, c.size/2+2*c.merged+1
	c.merged++
	if from >= c.size {
		b.Fatalf("%d clients are too few for this many merges: raise %s or lower -benchtime", c.size, envClients)
	}
	survivor := c.person(into).id
	r := client.MergeRequest{
		Survivor: survivor, Others: []client.ID{c.person(from).id}, Choices: client.Choices{"first_name": survivor, "last_name": survivor},
	}
	if _, err := c.clients.Merge(b.Context(), c.admin, r); err != nil {
		b.Fatal(err)
	}
}

// spread is a client of the lower half, another one each time.
func (c *crowd) spread(i int) client.ID { return c.person(i * 7919 % (c.size / 2)).id }
