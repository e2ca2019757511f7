package match_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/core/match"
)

// sent is one message with the identifiers that its channel proves.
type sent struct {
	channel string
	own     []match.Identifier
}

// people draws some people and what they sent: each has addresses, numbers (in
// each national spelling), chat sessions, and an id that the tenant's site may
// vouch for in any of them.
func people(t *rapid.T) []sent {
	var all []sent
	for p := range rapid.IntRange(1, 6).Draw(t, "people") {
		for range rapid.IntRange(1, 8).Draw(t, "messages") {
			switch rapid.SampledFrom([]string{"email", "sms", "voice", "chat", "chat"}).Draw(t, "channel") {
			case "email":
				address := fmt.Sprintf("p%d.%d@x.com", p, rapid.IntRange(1, 2).Draw(t, "address"))
				all = append(all, sent{"email", []match.Identifier{{Kind: match.KindEmail, Normal: address}}})
			case "sms":
				number := rapid.SampledFrom([]string{"+551187654%d21", "+5511987654%d21"}).Draw(t, "spelling")
				all = append(all, sent{"sms", []match.Identifier{{Kind: match.KindPhone, Normal: fmt.Sprintf(number, p)}}})
			case "voice":
				ext := rapid.SampledFrom([]string{"", "12"}).Draw(t, "extension")
				all = append(all, sent{"voice", []match.Identifier{{Kind: match.KindPhone, Normal: fmt.Sprintf("+551187654%d21", p), Extension: ext}}})
			case "chat":
				session := match.Identifier{Kind: match.KindChat, Normal: fmt.Sprintf("s%d.%d", p, rapid.IntRange(1, 3).Draw(t, "session"))}
				own := []match.Identifier{session}
				if rapid.Bool().Draw(t, "vouched") {
					own = append(own, match.Identifier{Kind: match.KindExternal, Normal: fmt.Sprint("v", p)})
				}
				all = append(all, sent{"chat", own})
			}
		}
	}
	return all
}

// With identifiers that channels prove, who is who does not depend on the order
// in which messages arrive: 100 populations, ten orders of each.
func TestPartitionDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		messages := people(t)
		order := make([]int, len(messages))
		for i := range order {
			order[i] = i
		}
		want := partition(messages, order)
		for range 10 {
			other := rapid.Permutation(order).Draw(t, "order")
			if got := partition(messages, other); got != want {
				t.Fatalf("order %v parts the messages as %s, order %v as %s\n%v", order, want, other, got, messages)
			}
		}
	})
}

// partition lets messages arrive in an order and tells which of them came to
// share a client.
func partition(messages []sent, order []int) string {
	w := &registry{links: make([]uuid.UUID, len(messages))}
	for _, i := range order {
		w.take(i, messages[i])
	}
	groups := map[uuid.UUID][]string{}
	for i, id := range w.links {
		groups[id] = append(groups[id], fmt.Sprint(i))
	}
	var parts []string
	for _, g := range groups {
		parts = append(parts, strings.Join(g, ","))
	}
	slices.Sort(parts)
	return strings.Join(parts, " | ")
}

// registry applies decisions as intake does, in memory.
type registry struct {
	clients []*match.Candidate
	links   []uuid.UUID
	made    byte
}

func (r *registry) take(index int, m sent) {
	var candidates []match.Candidate
	for _, c := range r.clients {
		candidates = append(candidates, *c)
	}
	d := match.Decide(match.Facts{Channel: m.channel, Own: m.own, MayCreate: true, At: time.Unix(1e9, 0)}, candidates)
	id := d.Client
	if d.Action == match.Create {
		r.made++
		id = uuid.UUID{15: r.made}
		r.clients = append(r.clients, &match.Candidate{ID: id, Anonymous: true})
	}
	r.links[index] = id
	c := r.client(id)
	for _, gone := range d.Absorb {
		if gone == id {
			continue
		}
		c.Held = append(c.Held, r.client(gone).Held...)
		r.clients = slices.DeleteFunc(r.clients, func(c *match.Candidate) bool { return c.ID == gone })
		for i := range r.links {
			if r.links[i] == gone {
				r.links[i] = id
			}
		}
	}
	defer func() {
		c.Anonymous = !slices.ContainsFunc(c.Held, func(h match.Held) bool { return h.Kind != match.KindChat })
	}()
	for _, own := range m.own {
		if !slices.ContainsFunc(r.clients, func(c *match.Candidate) bool {
			return slices.ContainsFunc(c.Held, func(h match.Held) bool { return h.Identifier == own })
		}) {
			c.Held = append(c.Held, match.Held{Identifier: own, Proved: true})
		}
	}
}

func (r *registry) client(id uuid.UUID) *match.Candidate {
	return r.clients[slices.IndexFunc(r.clients, func(c *match.Candidate) bool { return c.ID == id })]
}
