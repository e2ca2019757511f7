package client_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/match"
)

// benchClients is how many clients the benchmarks' tenant has; the product's
// promise is about a million: CLIENTELE_BENCH_CLIENTS=1000000.
func benchClients(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("CLIENTELE_BENCH_CLIENTS"))
	if err != nil {
		return 20_000
	}
	return n
}

// BenchmarkDuplicateCheck measures the answer to "who may this be already?" at
// create time, beside a read by primary key as the floor of this machine and
// database: p50, p95 and worst in milliseconds. Half of the forms are of clients
// that are there, with a typo; the others are new people with common names.
func BenchmarkDuplicateCheck(b *testing.B) {
	w := newWorld(b)
	n := benchClients(b)
	people := w.populate(n)
	const rounds = 300
	random := rand.New(rand.NewPCG(1, 2))
	var checks, floors []time.Duration
	found, expected := 0, 0
	for b.Loop() {
		for i := range rounds {
			p := people[random.IntN(len(people))]
			edit := typed(p.first, p.last, "new."+strconv.Itoa(i)+"@nowhere.example", "")
			if i%2 == 0 {
				edit = typed(p.first, p.last, p.email[:len(p.email)-len("example")]+"exmaple", p.phone)
				expected++
			}
			start := time.Now()
			got, err := w.clients.LikelyDuplicates(b.Context(), w.admin, edit)
			checks = append(checks, time.Since(start))
			if err != nil {
				b.Fatal(err)
			}
			if i%2 == 0 && slices.ContainsFunc(got.Similar, func(s client.Similar) bool { return s.Client.ID == p.id }) {
				found++
			}
			start = time.Now()
			w.sql(func(ctx context.Context, tx pgx.Tx) error {
				var name string
				return tx.QueryRow(ctx, `SELECT last_name FROM client WHERE id = $1`, p.id).Scan(&name)
			})
			floors = append(floors, time.Since(start))
		}
	}
	if found < expected {
		b.Errorf("found %d of %d clients that were typed in again", found, expected)
	}
	b.ReportMetric(float64(n), "clients")
	report(b, checks, "check")
	report(b, floors, "pkread")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDuplicateScan measures how many changed clients are compared a second.
func BenchmarkDuplicateScan(b *testing.B) {
	w := newWorld(b)
	w.populate(min(benchClients(b), 100_000))
	const clients = 200
	var took []time.Duration
	for b.Loop() {
		w.exec(`DELETE FROM duplicate_due`)
		w.exec(`INSERT INTO duplicate_due (tenant_id, client_id, since) SELECT tenant_id, id, now() FROM client ORDER BY id LIMIT $1`, clients)
		start := time.Now()
		w.scan()
		took = append(took, time.Since(start))
	}
	b.ReportMetric(clients/took[len(took)/2].Seconds(), "clients/s")
}

func report(b *testing.B, took []time.Duration, what string) {
	slices.Sort(took)
	at := func(share float64) float64 { return took[int(float64(len(took)-1)*share)].Seconds() * 1000 }
	b.ReportMetric(at(0.5), what+"-p50-ms")
	b.ReportMetric(at(0.95), what+"-p95-ms")
	b.ReportMetric(at(1), what+"-max-ms")
}

type somebody struct {
	id                        client.ID
	first, last, email, phone string
}

// populate fills the tenant with n people, among whom a few names are as common
// as in life: the more common, the more often it is drawn. It answers a sample.
func (w *world) populate(n int) []somebody {
	w.t.Helper()
	const chunk = 5_000
	random := rand.New(rand.NewPCG(7, 11))
	var sample []somebody
	for done := 0; done < n; done += chunk {
		var c bulk
		for i := done; i < min(done+chunk, n); i++ {
			p := somebody{id: client.NewID(), first: invented(random, 2_000), last: invented(random, 60_000)}
			p.email = fmt.Sprintf("%s.%s%d@firm%d.example", p.first, p.last, i, i%5000)
			p.phone = fmt.Sprintf("+1416%07d", 2_000_000+i)
			c.add(p, i, random)
			if i%max(1, n/5_000) == 0 {
				sample = append(sample, p)
			}
		}
		w.sql(func(ctx context.Context, tx pgx.Tx) error { return c.insert(ctx, tx, w.admin.Tenant.UUID) })
	}
	w.analyze()
	return sample
}

// analyze gathers the statistics that a living database has.
func (w *world) analyze() {
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(w.t.Context()))
	if _, err := conn.Exec(w.t.Context(), `VACUUM ANALYZE client, client_identifier, client_block`); err != nil {
		w.t.Fatal(err)
	}
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

// bulk is a chunk of clients as columns.
type bulk struct {
	ids                       []client.ID
	first, last, company, zip []string
	of                        []client.ID
	kinds, normals            []string
	keyOf                     []client.ID
	keys                      []string
}

func (c *bulk) add(p somebody, i int, random *rand.Rand) {
	zip, company := fmt.Sprintf("%05d", random.IntN(30_000)), fmt.Sprintf("Firm %d", i%5000)
	c.ids, c.first, c.last = append(c.ids, p.id), append(c.first, p.first), append(c.last, p.last)
	c.company, c.zip = append(c.company, company), append(c.zip, zip)
	profile := match.Profile{First: p.first, Last: p.last, Company: company, Zip: zip}
	for kind, normal := range map[string]string{match.KindEmail: p.email, match.KindPhone: p.phone} {
		c.of, c.kinds, c.normals = append(c.of, p.id), append(c.kinds, kind), append(c.normals, normal)
		profile.Held = append(profile.Held, match.Held{Identifier: match.Identifier{Kind: kind, Normal: normal}})
	}
	for _, key := range match.Keys(profile) {
		c.keyOf, c.keys = append(c.keyOf, p.id), append(c.keys, key)
	}
}

func (c *bulk) insert(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error {
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO client (id, tenant_id, kind, first_name, last_name, company, zip, source, created_at, updated_at)
SELECT id, $1, 'person', f, l, c, z, 'import', now(), now() FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) AS x(id, f, l, c, z)`,
		tenant, c.ids, c.first, c.last, c.company, c.zip)
	batch.Queue(`INSERT INTO client_identifier (id, tenant_id, client_id, kind, value, normal, is_primary, source, created_at)
SELECT gen_random_uuid(), $1, id, k, n, n, true, 'human', now() FROM unnest($2::uuid[], $3::text[], $4::text[]) AS x(id, k, n)`, tenant, c.of, c.kinds, c.normals)
	batch.Queue(`INSERT INTO client_block (tenant_id, client_id, key) SELECT $1, id, k FROM unnest($2::uuid[], $3::text[]) AS x(id, k)`, tenant, c.keyOf, c.keys)
	return tx.SendBatch(ctx, batch).Close()
}
