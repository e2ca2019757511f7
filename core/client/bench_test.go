package client_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

// envClients is how many clients the benchmarks' tenant has. The figures of
// issue 3 are for 1,000,000, which takes some minutes to make.
const envClients = "CLIENTELE_BENCH_CLIENTS"

// crowd is a tenant of many clients: each with an address, a number, a
// conversation of three messages, a note, and the events of all that.
type crowd struct {
	*world
	size int
}

func newCrowd(b *testing.B) *crowd {
	b.Helper()
	c := &crowd{world: newWorld(b), size: 20_000}
	if text := os.Getenv(envClients); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			b.Fatalf("%s=%s: want a number of clients, 1000 or more", envClients, text)
		}
		c.size = n
	}
	conn, err := pgx.Connect(b.Context(), c.owner)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.Background())
	const chunk = 50_000
	for from := 0; from < c.size; from += chunk {
		for _, sql := range crowdSQL {
			if _, err := conn.Exec(b.Context(), sql, c.admin.Tenant, from, min(from+chunk, c.size)-1); err != nil {
				b.Fatalf("make clients: %v", err)
			}
		}
	}
	if _, err := conn.Exec(b.Context(), `VACUUM ANALYZE`); err != nil {
		b.Fatal(err)
	}
	return c
}

// id is that of the i-th client; crowdSQL makes the same.
func (c *crowd) id(i int) client.ID {
	return client.ID{UUID: uuid.MustParse(fmt.Sprintf("01900000-0000-7000-8000-%012x", i))}
}

// crowdSQL makes clients $2 to $3 of tenant $1. Ids are made of the number: 8 a
// client, 9 its conversation, a its messages, b its events.
var crowdSQL = []string{
	`INSERT INTO client (id, tenant_id, kind, first_name, last_name, company, source, search_text, created_at, updated_at)
 SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, $1, 'person', 'Ann', 'Lee' || i, 'Firm ' || i % 1000, 'email',
        'ann lee' || i, '2026-01-01'::timestamptz + i * interval '1 second', now() FROM generate_series($2::int, $3::int) i`,
	`INSERT INTO client_identifier (id, tenant_id, client_id, kind, value, normal, is_primary, source, created_at)
 SELECT gen_random_uuid(), $1, ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, kind, value, value, true, 'channel', now()
   FROM generate_series($2::int, $3::int) i, LATERAL (VALUES ('email', 'ann' || i || '@x.com'), ('phone', '+1' || 2000000000 + i)) AS v (kind, value)`,
	`INSERT INTO client_note (id, tenant_id, client_id, author, text, created_at, updated_at)
 SELECT gen_random_uuid(), $1, ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'Ada', 'a note', now(), now() FROM generate_series($2::int, $3::int) i`,
	`INSERT INTO conversation (id, tenant_id, channel, client_id, link_method, link_certain, message_count, started_at, last_message_at, idle_at, created_at)
 SELECT ('01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid, $1, 'email', ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
        'channel', true, 3, now(), now(), now(), now() FROM generate_series($2::int, $3::int) i`,
	`INSERT INTO message (id, tenant_id, conversation_id, direction, own_words, sent_at, created_at)
 SELECT ('01900000-0000-7000-a' || lpad(n::text, 3, '0') || '-' || lpad(to_hex(i), 12, '0'))::uuid, $1, ('01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid,
        'inbound', repeat('I need a truck. ', 20), now(), now() FROM generate_series($2::int, $3::int) i, generate_series(1, 3) n`,
	`INSERT INTO event (id, tenant_id, kind, client_id, conversation_id, actor_kind, actor_name, payload, digest, at)
 SELECT ('01900000-0000-7000-b' || lpad(n::text, 3, '0') || '-' || lpad(to_hex(i), 12, '0'))::uuid, $1,
        CASE WHEN n <= 3 THEN 'message' ELSE 'field changed' END,
        CASE WHEN n > 3 THEN ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid END,
        CASE WHEN n <= 3 THEN ('01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid END, 'system', 'intake',
        CASE WHEN n <= 3 THEN jsonb_build_object('message', '01900000-0000-7000-a' || lpad(n::text, 3, '0') || '-' || lpad(to_hex(i), 12, '0'))
             ELSE jsonb_build_object('field', 'city', 'after', 'Bath') END,
        '\x00', now() + n * interval '1 second' FROM generate_series($2::int, $3::int) i, generate_series(1, 8) n`,
}

// BenchmarkRecords reports the 95th percentile of a merge of two ordinary clients
// and of a timeline page, beside a read by primary key as the floor.
func BenchmarkRecords(b *testing.B) {
	c := newCrowd(b)
	each := func(name string, fn func(b *testing.B, i int)) {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				fn(b, i)
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(c.size), "clients")
		})
	}
	spread := func(i int) int { return (i * 7919) % (c.size / 2) }
	each("read by primary key", func(b *testing.B, i int) {
		c.sql(func(ctx context.Context, tx pgx.Tx) error {
			var name string
			return tx.QueryRow(ctx, `SELECT last_name FROM client WHERE id = $1`, c.id(spread(i))).Scan(&name)
		})
	})
	each("timeline page", func(b *testing.B, i int) {
		events, err := c.clients.Timeline(b.Context(), c.admin, c.id(spread(i)), event.Page{})
		if err != nil || len(events) == 0 {
			b.Fatalf("%d events, %v", len(events), err)
		}
	})
	merged := 0
	each("merge of two", func(b *testing.B, _ int) {
		into, from := c.size/2+2*merged, c.size/2+2*merged+1
		merged++
		if from >= c.size {
			b.Fatalf("%d clients are too few for this many merges: raise %s or lower -benchtime", c.size, envClients)
		}
		r := client.MergeRequest{Survivor: c.id(into), Others: []client.ID{c.id(from)}, Choices: client.Choices{"last_name": c.id(into)}}
		if _, err := c.clients.Merge(b.Context(), c.admin, r); err != nil {
			b.Fatal(err)
		}
	})
}
