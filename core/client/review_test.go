package client_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
)

// taking adds an intake to the world.
func (w *world) taking() func(from, text string) intake.Result {
	tenants := &tenant.Service{DB: w.db, Now: w.now}
	in := &intake.Service{DB: w.db, Tenants: tenants, Now: w.now, Clients: &w.changed, Conversations: &w.changed}
	return func(from, text string) intake.Result {
		w.t.Helper()
		r, err := in.Take(w.t.Context(), actor.ForSystem(w.admin.Tenant, "test"), intake.Message{
			Channel: "email", ExternalID: from + text, Text: text,
			Participants: []intake.Participant{{Role: "from", Address: from}, {Role: "to", Address: "help@own.com"}},
		})
		if err != nil || r.State != "done" {
			w.t.Fatalf("take %s: %+v, %v", from, r, err)
		}
		return r
	}
}

func TestNewClientsWaitForReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	take := w.taking()
	take("ann@x.com", "Hello, my name is Ann Lee and I need a truck.")
	first := w.clock
	take("bob@x.com", "Hello, my name is Bob Roe.")
	w.named("Made", "By hand", "")
	q, err := w.clients.ReviewQueue(t.Context(), w.admin, client.Cursor{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if q.Count != 2 || q.Oldest == nil || q.Oldest.After(first) || first.Sub(*q.Oldest) > time.Minute || len(q.Clients) != 1 || q.Next == nil {
		t.Fatalf("queue %+v", q)
	}
	ann := q.Clients[0]
	i := slices.IndexFunc(ann.Values, func(v client.SourcedValue) bool { return v.Field == "last_name" })
	if i < 0 || ann.Values[i].Value != "Lee" || ann.Values[i].Sentence == "" {
		t.Errorf("values %+v, want the last name with its sentence", ann.Values)
	}
	if _, err := w.clients.ConfirmReview(t.Context(), w.member("Mia"), ann.Client.ID); err != nil {
		t.Fatal(err)
	}
	if q, err = w.clients.ReviewQueue(t.Context(), w.admin, client.Cursor{}, 0); err != nil || q.Count != 1 || q.Clients[0].Client.FirstName != "Bob" {
		t.Errorf("after confirming the first: %+v, %v", q, err)
	}
}

func TestNotANameClearsAndTeaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	take := w.taking()
	text := "Hello, my name is Rex Boxer."
	c := w.get(client.ID{UUID: take("one@x.com", text).ClientID.UUID})
	if c.FirstName+c.LastName != "Rex" {
		t.Fatalf("the sample yields %q, want Rex: the test proves nothing", c.DisplayName())
	}
	if _, _, err := w.clients.NotAName(t.Context(), w.admin, c.ID, []string{"Truck"}); !errors.As(err, new(client.FieldErrors)) {
		t.Errorf("a word that isn't in the name was taught: %v", err)
	}
	c, learnt, err := w.clients.NotAName(t.Context(), w.member("Mia"), c.ID, nil)
	if err != nil || c.FirstName != "" || !slices.Equal(learnt, []string{"Rex"}) {
		t.Fatalf("%+v, %v, %v", c, learnt, err)
	}
	take("one@x.com", text+" Again.")
	if got := w.get(c.ID); got.FirstName+got.LastName != "" {
		t.Errorf("the name came back: %q", got.DisplayName())
	}
	if other := w.get(client.ID{UUID: take("two@x.com", text).ClientID.UUID}); other.FirstName+other.LastName != "" {
		t.Errorf("the next message still yields %q", other.DisplayName())
	}
	own, err := (&tenant.Service{DB: w.db, Now: w.now}).Get(t.Context(), w.admin.Tenant)
	if err != nil || !slices.Equal(own.Settings.Extraction.NotNames, []string{"Rex"}) {
		t.Errorf("taught %v, %v", own.Settings.Extraction.NotNames, err)
	}
}

func TestSuggestionsAreAcceptedOrDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.named("Ann", "", "ann@x.com"), w.named("Ann", "Lee", "bob@x.com")
	suggest := func(s client.Suggestion) {
		t.Helper()
		w.sql(func(ctx context.Context, tx pgx.Tx) error {
			u := client.Begin(tx, actor.ForSystem(w.admin.Tenant, "intake"), w.now(), nil, "intake")
			if err := u.Suggest(ctx, s); err != nil {
				return err
			}
			return u.Flush(ctx)
		})
	}
	suggest(client.Suggestion{Kind: client.SuggestValue, Client: valid(ann), Field: "city", Value: "Bath", Reason: "not sure", Sentence: "I live in Bath"})
	suggest(client.Suggestion{Kind: client.SuggestValue, Client: valid(ann), Field: "email", Value: "ann@y.com", Reason: "not sure"})
	suggest(client.Suggestion{Kind: client.SuggestValue, Client: valid(ann), Field: "zip", Value: "1", Reason: "not sure"})
	suggest(client.Suggestion{Kind: client.SuggestMerge, Client: valid(ann), Other: valid(bob), Reason: "one message names both"})
	list := func() []client.SuggestionRecord {
		t.Helper()
		found, _, err := w.clients.Suggestions(t.Context(), w.admin, client.SuggestionQuery{Client: &ann.ID})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	open := list()
	if len(open) != 4 {
		t.Fatalf("%d suggestions, want 4", len(open))
	}
	for _, g := range open {
		if g.Field == "zip" {
			if err := w.clients.DismissSuggestion(t.Context(), w.admin, g.ID); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := w.clients.AcceptSuggestion(t.Context(), w.admin, g.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := w.get(bob.ID)
	if c.ID != ann.ID || c.City != "Bath" || c.Zip != "" || c.LastName != "Lee" || !c.Has(client.Email, "ann@y.com") || !c.Has(client.Email, "bob@x.com") {
		t.Errorf("accepted: %+v", c)
	}
	if left := list(); len(left) != 0 {
		t.Errorf("still open: %+v", left)
	}
	if err := w.clients.DismissSuggestion(t.Context(), w.admin, open[0].ID); !errors.As(err, new(*client.SuggestionNotFoundError)) {
		t.Errorf("a suggestion was decided twice: %v", err)
	}
}
