package intake_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/intake"
)

// crowd is what three people send on all channels, with the identifiers that
// channels prove: sessions before and after the site vouches for somebody.
func crowd() []intake.Message {
	var all []intake.Message
	for p := range 3 {
		number, address := fmt.Sprintf("+1416555010%d", p), fmt.Sprintf("p%d@x.com", p)
		all = append(all, email(address, "Hello"), email(address, "Hello again"), sms(number, "Hello"), call(fmt.Sprint("c", p), number, "Hello"))
		for s := range 2 {
			session := fmt.Sprintf("s%d.%d", p, s)
			vouched := chat(session, "Hello")
			vouched.Session.VerifiedID = fmt.Sprint("v", p)
			all = append(all, chat(session, "Hello"), vouched, chat(session, "Still there?"))
		}
	}
	for i := range all {
		all[i].ExternalID = fmt.Sprint("crowd", i)
	}
	return all
}

// The same messages in other orders part into the same clients, in PostgreSQL as
// in match's own property test.
func TestPartitionDoesNotDependOnArrival(t *testing.T) {
	t.Parallel()
	messages := crowd()
	random := rand.New(rand.NewPCG(1, 2))
	want := ""
	for round := range 4 {
		order := random.Perm(len(messages))
		w := newWorld(t)
		for _, i := range order {
			w.take(messages[i])
		}
		got := w.partition()
		if round == 0 {
			want = got
		}
		if got != want || strings.Count(got, "|") != 8 {
			t.Errorf("order %v parts the messages as\n%s\nwant 9 clients as\n%s", order, got, want)
		}
	}
}

// partition lists which messages share a client.
func (w *world) partition() string {
	w.t.Helper()
	groups := map[string][]string{}
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT c.client_id::text, m.external_id FROM message m JOIN conversation c ON c.id = m.conversation_id`)
		if err != nil {
			return err
		}
		var id, message string
		_, err = pgx.ForEachRow(rows, []any{&id, &message}, func() error {
			groups[id] = append(groups[id], strings.TrimPrefix(message, "crowd"))
			return nil
		})
		return err
	})
	var parts []string
	for _, g := range groups {
		slices.Sort(g)
		parts = append(parts, strings.Join(g, ","))
	}
	slices.Sort(parts)
	return strings.Join(parts, " | ")
}
