package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/match"
)

// envClients is how many clients the benchmarks' tenant has.
const envClients = "CLIENTELE_BENCH_CLIENTS"

// Each client of the crowd has a conversation of so many messages, and so many
// events, those of the messages included.
const (
	messagesEach = 3
	eventsEach   = 8
)

// crowd is a tenant of many people: each with an address, a number, a note, a
// conversation, and the events of all that. A few names are as common as in life.
type crowd struct {
	*world
	size   int
	merged int // pairs that mergeNext has taken
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
	start := time.Now()
	conn := c.connect(b)
	again := bare(b, conn)
	var filling sync.WaitGroup
	fill := func(by func(context.Context, *pgx.Conn) error) {
		conn := c.connect(b)
		filling.Go(func() {
			if err := by(b.Context(), conn); err != nil {
				b.Errorf("make clients: %v", err)
			}
		})
	}
	fill(c.copyPeople)
	for _, sql := range crowdSQL {
		fill(func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, sql, c.admin.Tenant, c.size-1)
			return err
		})
	}
	if filling.Wait(); b.Failed() {
		b.FailNow()
	}
	for _, sql := range again {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
	if _, err := conn.Exec(b.Context(), `VACUUM ANALYZE`); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d clients were made in %s", c.size, time.Since(start).Round(time.Second))
	return c
}

// connect opens a connection of the owner, who may COPY and change the schema.
func (c *crowd) connect(b *testing.B) *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), c.owner)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(b.Context(), `SET maintenance_work_mem = '512MB'`); err != nil {
		b.Fatal(err)
	}
	return conn
}

// bare takes away what makes filling slow, indexes and foreign keys, and answers
// the statements that bring it back.
func bare(b *testing.B, conn *pgx.Conn) (again []string) {
	b.Helper()
	rows, err := conn.Query(b.Context(), `WITH filled (t) AS (SELECT unnest($1::text[])::regclass)
SELECT 1 AS step, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE conrelid IN (SELECT t FROM filled) AND contype = 'f'
UNION ALL
SELECT 2, format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid) FROM pg_index i
 WHERE indrelid IN (SELECT t FROM filled) AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)
UNION ALL
SELECT 3, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint c WHERE conrelid IN (SELECT t FROM filled) AND contype IN ('p', 'u')
   AND NOT EXISTS (SELECT 1 FROM pg_constraint f WHERE f.conindid = c.conindid AND f.contype = 'f')
 ORDER BY step`, []string{"client", "client_identifier", "client_block", "client_note", "conversation", "message", "event"})
	if err != nil {
		b.Fatal(err)
	}
	var step int
	var drop, add string
	var drops []string
	if _, err := pgx.ForEachRow(rows, []any{&step, &drop, &add}, func() error {
		drops, again = append(drops, drop), append([]string{add}, again...)
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for _, sql := range drops {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
	return again
}

// copyPeople fills what is made of names: clients, identifiers, blocking keys.
func (c *crowd) copyPeople(ctx context.Context, conn *pgx.Conn) error {
	const chunk = 20_000
	now := time.Now()
	for from := 0; from < c.size; from += chunk {
		var clients, identifiers, keys [][]any
		for i := from; i < min(from+chunk, c.size); i++ {
			p := c.person(i)
			clients = append(clients, []any{p.id, c.admin.Tenant, "person", p.first, p.last, p.company, match.CompanyKey(p.company), p.zip, "email",
				p.first + " " + p.last + "\n" + p.email, noon.Add(time.Duration(i) * time.Second), now})
			profile := match.Profile{First: p.first, Last: p.last, Company: p.company, Zip: p.zip}
			for kind, normal := range map[string]string{match.KindEmail: p.email, match.KindPhone: p.phone} {
				identifiers = append(identifiers, []any{uuid.Must(uuid.NewV7()), c.admin.Tenant, p.id, kind, normal, normal, true, "channel", now})
				profile.Held = append(profile.Held, match.Held{Identifier: match.Identifier{Kind: kind, Normal: normal}})
			}
			for _, key := range match.Keys(profile) {
				keys = append(keys, []any{c.admin.Tenant, p.id, key})
			}
		}
		for _, t := range []struct {
			table   string
			columns []string
			rows    [][]any
		}{
			{"client", []string{"id", "tenant_id", "kind", "first_name", "last_name", "company", "company_key", "zip", "source", "search_text", "created_at", "updated_at"}, clients},
			{"client_identifier", []string{"id", "tenant_id", "client_id", "kind", "value", "normal", "is_primary", "source", "created_at"}, identifiers},
			{"client_block", []string{"tenant_id", "client_id", "key"}, keys},
		} {
			if _, err := conn.CopyFrom(ctx, pgx.Identifier{t.table}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
				return fmt.Errorf("fill %s: %w", t.table, err)
			}
		}
	}
	return nil
}

// crowdSQL fills what hangs on clients 0 to $2 of tenant $1. Ids are made of the
// number: 8 a client (as somebody's), 9 its conversation, a its messages, b its
// events.
var crowdSQL = []string{
	`INSERT INTO client_note (id, tenant_id, client_id, author, text, created_at, updated_at)
 SELECT gen_random_uuid(), $1, ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'Ada', 'a note', now(), now() FROM generate_series(0, $2::int) i`,
	`INSERT INTO conversation (id, tenant_id, channel, client_id, link_method, link_certain, message_count, started_at, last_message_at, idle_at, created_at)
 SELECT ('01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid, $1, 'email', ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
        'channel', true, 3, now(), now(), now(), now() FROM generate_series(0, $2::int) i`,
	`INSERT INTO message (id, tenant_id, conversation_id, direction, own_words, sent_at, created_at)
 SELECT ('01900000-0000-7000-a' || lpad(n::text, 3, '0') || '-' || lpad(to_hex(i), 12, '0'))::uuid, $1, ('01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid,
        'inbound', repeat('I need a truck. ', 10), now(), now() FROM generate_series(0, $2::int) i, generate_series(1, ` + strconv.Itoa(messagesEach) + `) n`,
	`INSERT INTO event (id, tenant_id, kind, client_id, conversation_id, actor_kind, actor_name, payload, digest, at)
 SELECT ('01900000-0000-7000-b' || lpad(n::text, 3, '0') || '-' || lpad(to_hex(i), 12, '0'))::uuid, $1,
        CASE WHEN n <= 3 THEN 'message' ELSE 'field changed' END,
        CASE WHEN n > 3 THEN ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid END,
        CASE WHEN n <= 3 THEN ('01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'))::uuid END, 'system', 'intake',
        CASE WHEN n <= 3 THEN jsonb_build_object('message', '01900000-0000-7000-a' || lpad(n::text, 3, '0') || '-' || lpad(to_hex(i), 12, '0'))
             ELSE '{"field": "city", "after": "Bath"}' END,
        '\x00', now() + n * interval '1 second' FROM generate_series(0, $2::int) i, generate_series(1, ` + strconv.Itoa(eventsEach) + `) n`,
}

// somebody is one of the crowd.
type somebody struct {
	id                                      client.ID
	first, last, email, phone, company, zip string
}

// person makes the i-th one, always the same.
func (c *crowd) person(i int) somebody {
	random := rand.New(rand.NewPCG(7, uint64(i)))
	p := somebody{
		id:    client.ID{UUID: uuid.MustParse(fmt.Sprintf("01900000-0000-7000-8000-%012x", i))},
		first: invented(random, 2_000), last: invented(random, 60_000), phone: fmt.Sprintf("+1416%07d", 2_000_000+i),
		company: fmt.Sprintf("Firm %d", i%5000), zip: fmt.Sprintf("%05d", random.IntN(30_000)),
	}
	p.email = fmt.Sprintf("%s.%s%d@firm%d.example", p.first, p.last, i, i%5000)
	return p
}

// invented makes a pronounceable name; its frequency falls with its rank.
func invented(random *rand.Rand, names int) string {
	rank := int(float64(names) * random.Float64() * random.Float64() * random.Float64())
	const consonants, vowels = "bdfgklmnprstvz", "aeiou"
	name := []byte{}
	for rest := rank + 50; rest > 0 || len(name) < 4; rest /= len(consonants) * len(vowels) {
		pair := rest % (len(consonants) * len(vowels))
		name = append(name, consonants[pair/len(vowels)], vowels[pair%len(vowels)])
	}
	return string(name)
}
