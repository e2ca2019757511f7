package client_test

import (
	"slices"
	"testing"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

func TestTimelineTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.named("Ann", "", "ann@x.com"), w.named("Ann", "", "bob@x.com")
	w.talk(bob, "email", "bob@x.com")
	w.merge(ann, bob)
	moved := w.talk(ann, "email", "ann@x.com")
	other := w.named("Eve", "", "")
	if _, err := w.convs.LinkTo(t.Context(), w.admin, moved, other.ID); err != nil {
		t.Fatal(err)
	}
	kinds := func(id client.ID, p event.Page) (found []event.Kind) {
		t.Helper()
		events, err := w.clients.Timeline(t.Context(), w.admin, id, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			found = append(found, e.Kind)
		}
		return found
	}
	want := []event.Kind{
		event.ConversationMoved, event.Merged, event.Merged, event.Message, event.IdentifierAdded, event.FieldChanged, event.Created,
		event.IdentifierAdded, event.FieldChanged, event.Created,
	}
	newest := kinds(bob.ID, event.Page{})
	if !slices.Equal(newest, want) {
		t.Errorf("timeline %v, want %v", newest, want)
	}
	oldest := kinds(ann.ID, event.Page{OldestFirst: true})
	slices.Reverse(oldest)
	if !slices.Equal(oldest, newest) {
		t.Errorf("oldest first, turned round: %v", oldest)
	}
	if got := kinds(ann.ID, event.Page{Kinds: []event.Kind{event.Merged, event.Message}}); len(got) != 3 {
		t.Errorf("filtered %v, want two merges and a message", got)
	}
	want = []event.Kind{event.ConversationMoved, event.FieldChanged, event.Created, event.Message}
	if got := kinds(other.ID, event.Page{}); !slices.Equal(got, want) {
		t.Errorf("the other client's timeline %v", got)
	}
	var paged []event.Kind
	for page := (event.Page{Limit: 3}); ; {
		events, err := w.clients.Timeline(t.Context(), w.admin, ann.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			paged = append(paged, e.Kind)
			if e.Kind == event.Message && e.Excerpt != "Hello, I need a truck" {
				t.Errorf("the message's excerpt is %q", e.Excerpt)
			}
			page.Before, page.ID = e.At, e.ID
		}
		if len(events) < 3 {
			break
		}
	}
	if !slices.Equal(paged, newest) {
		t.Errorf("in pages %v, want %v", paged, newest)
	}
}
