package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.clients.Create(t.Context(), w.admin, client.Edit{
		Fields: map[string]string{"first_name": strings.Repeat("x", 201), "date_of_birth": "2999-01-01", "metadata": "[]", "shoe": "9"},
		Email:  ptr("nobody"), Tags: &[]string{strings.Repeat("t", 51)}, Note: strings.Repeat("n", client.MaxNote+1),
	})
	wrong, ok := errors.AsType[client.FieldErrors](err)
	if !ok {
		t.Fatalf("got %v, want FieldErrors", err)
	}
	var fields []string
	for _, f := range wrong {
		fields = append(fields, f.Field)
		if f.Rule == "" || f.WayOut == "" {
			t.Errorf("%s says no rule or no way out", f.Field)
		}
	}
	slices.Sort(fields)
	if want := []string{"date_of_birth", "email", "first_name", "metadata", "note", "shoe", "tags"}; !slices.Equal(fields, want) {
		t.Errorf("wrong fields %v, want %v", fields, want)
	}
	if n := w.count(`SELECT count(*) FROM client`); n != 0 {
		t.Errorf("%d clients were made", n)
	}
}

func TestStaleEditIsAnsweredFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create(client.Edit{Fields: map[string]string{"first_name": "Ann", "city": "Bath"}, Email: ptr("ann@x.com")})
	read := c.Revision
	for _, e := range []client.Edit{
		{Fields: map[string]string{"city": "Bristol"}},
		{Fields: map[string]string{"city": "York"}, Email: ptr("ann@y.com"), Tags: &[]string{"vip"}},
	} {
		if _, err := w.clients.Update(t.Context(), w.admin, c.ID, e); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.clients.Update(t.Context(), w.admin, c.ID, client.Edit{
		Revision: read, Fields: map[string]string{"first_name": "Anna", "city": "Leeds"}, Email: ptr("ann@z.com"), Tags: &[]string{"boat"},
	})
	conflict, ok := errors.AsType[*client.ConflictError](err)
	if !ok {
		t.Fatalf("got %v, want a conflict", err)
	}
	want := []client.FieldConflict{
		{Field: "first_name", Yours: "Anna", Theirs: "Ann", Base: "Ann"},
		{Field: "city", Yours: "Leeds", Theirs: "York", Base: "Bath"},
		{Field: "email", Yours: "ann@z.com", Theirs: "ann@y.com", Base: "ann@x.com"},
		{Field: "tags", Yours: "boat", Theirs: "vip", Base: ""},
	}
	if !slices.Equal(conflict.Fields, want) {
		t.Errorf("conflict %+v, want %+v", conflict.Fields, want)
	}
	if got := w.get(c.ID); got.City != "York" {
		t.Errorf("the stale edit was stored: %s", got.City)
	}
}

func TestMetadataIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	odd := "{ \"b\" : 1.0,\n\t\"a\":\"\\u00e9 é\", \"a\": 2, \"n\":1e5 }"
	c := w.create(client.Edit{Fields: map[string]string{"first_name": "Ann", "metadata": odd}})
	if _, err := w.clients.Update(t.Context(), w.admin, c.ID, client.Edit{Fields: map[string]string{"city": "Bath"}}); err != nil {
		t.Fatal(err)
	}
	if got := w.get(c.ID).Metadata; got != odd {
		t.Errorf("metadata %q, want %q", got, odd)
	}
}

func TestSeveralIdentifiersOfOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.named("Ann", "", "ann@x.com")
	add := func(n client.NewIdentifier) *client.Client {
		t.Helper()
		c, err := w.clients.AddIdentifier(t.Context(), w.admin, c.ID, n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	add(client.NewIdentifier{Kind: client.Email, Value: "ann@y.com", Primary: true})
	add(client.NewIdentifier{Kind: client.Phone, Value: "(416) 555-0100"})
	got := add(client.NewIdentifier{Kind: client.Phone, Value: "ring twice"})
	if got.Email() != "ann@y.com" || got.Phone() != "+14165550100" || len(got.Identifiers) != 4 {
		t.Errorf("identifiers %+v", got.Identifiers)
	}
	id := func(value string) client.Identifier {
		t.Helper()
		for _, i := range w.get(c.ID).Identifiers {
			if i.Value == value {
				return i
			}
		}
		t.Fatalf("no identifier %s", value)
		return client.Identifier{}
	}
	if _, err := w.clients.ChangeIdentifier(t.Context(), w.admin, c.ID, id("ann@x.com").ID, client.IdentifierChange{Primary: true, Verified: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	if i := id("ann@x.com"); !i.IsPrimary || !i.Verified {
		t.Errorf("identifier %+v", i)
	}
	got, err := w.clients.DropIdentifier(t.Context(), w.admin, c.ID, id("ann@x.com").ID)
	if err != nil || got.Email() != "ann@y.com" {
		t.Errorf("after dropping the primary: %s, %v", got.Email(), err)
	}
	if _, err := w.clients.DropIdentifier(t.Context(), w.admin, c.ID, id("ring twice").ID); err != nil {
		t.Error(err)
	}
}

func TestSharedAddressIsMarkedOnBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.create(client.Edit{Fields: map[string]string{"first_name": "Ann"}, Phone: ptr("+14165550100")})
	bob := client.Edit{Fields: map[string]string{"first_name": "Bob"}, Phone: ptr("416-555-0100")}
	_, err := w.clients.Create(t.Context(), w.admin, bob)
	if taken, ok := errors.AsType[*client.TakenError](err); !ok || taken.Owner != ann.ID {
		t.Fatalf("got %v, want it to be Ann's", err)
	}
	bob.Share = true
	b := w.create(bob)
	for _, c := range []*client.Client{w.get(ann.ID), w.get(b.ID)} {
		if !c.Identifiers[0].Shared {
			t.Errorf("the number is not marked as shared on %s", c.DisplayName())
		}
	}
	shared := w.get(b.ID).Identifiers[0]
	_, err = w.clients.ChangeIdentifier(t.Context(), w.admin, b.ID, shared.ID, client.IdentifierChange{Shared: ptr(false)})
	if _, ok := errors.AsType[*client.StateError](err); !ok {
		t.Errorf("a number that two have is shared no more: %v", err)
	}
}

func TestNotesHaveAuthorsAndTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create(client.Edit{Fields: map[string]string{"first_name": "Ann"}, Note: "first"})
	second, err := w.clients.AddNote(t.Context(), w.member("Mia"), c.ID, "  second ")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.clients.EditNote(t.Context(), w.admin, c.ID, second.ID, "2nd"); err != nil {
		t.Fatal(err)
	}
	notes, err := w.clients.Notes(t.Context(), w.admin, c.ID)
	if err != nil || len(notes) != 2 || notes[0].Text != "2nd" || notes[0].Author != "Mia" || notes[1].Author != "Ada" || !notes[0].UpdatedAt.After(notes[0].CreatedAt) {
		t.Fatalf("notes %+v, %v", notes, err)
	}
	other := w.named("Bob", "", "")
	if err := w.clients.DeleteNote(t.Context(), w.admin, other.ID, second.ID); !errors.As(err, new(*client.NoteNotFoundError)) {
		t.Errorf("another client's note was deleted: %v", err)
	}
	if err := w.clients.DeleteNote(t.Context(), w.admin, c.ID, second.ID); err != nil {
		t.Fatal(err)
	}
	if notes, _ := w.clients.Notes(t.Context(), w.admin, c.ID); len(notes) != 1 {
		t.Errorf("%d notes after deleting one of two", len(notes))
	}
	if _, err := w.clients.AddNote(t.Context(), person(w.admin.Tenant, actor.Viewer, "Vic"), c.ID, "x"); !errors.As(err, new(*actor.Refusal)) {
		t.Errorf("a viewer wrote a note: %v", err)
	}
}

func TestClearedFieldStaysClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, other := w.create(client.Edit{Fields: map[string]string{"first_name": "Ann", "city": "Bath"}}), w.create(client.Edit{Fields: map[string]string{"first_name": "Ann", "city": "York"}})
	if _, err := w.clients.Update(t.Context(), w.admin, c.ID, client.Edit{Fields: map[string]string{"city": ""}}); err != nil {
		t.Fatal(err)
	}
	w.merge(c, other)
	if got := w.get(c.ID); got.City != "" {
		t.Errorf("a merge filled %q into a field that a person emptied", got.City)
	}
}

func TestDeletedClientsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crm := w.connect("crm")
	ann := w.named("Ann", "", "ann@x.com")
	w.inCRM(crm, ann, "1")
	mia, max := w.member("Mia"), w.member("Max")
	if err := w.clients.Delete(t.Context(), mia, ann.ID, client.Spam); err != nil {
		t.Fatal(err)
	}
	if n := w.count(`SELECT count(*) FROM sync_item WHERE state = 'excluded' AND reason <> ''`); n != 1 {
		t.Error("the deleted client's sync item is not excluded with a reason")
	}
	list, _, err := w.clients.Deleted(t.Context(), w.admin, client.DeletedCursor{}, 10)
	if err != nil || len(list) != 1 || list[0].ID != ann.ID {
		t.Errorf("deleted clients %v, %v", list, err)
	}
	if s, err := w.clients.Suppressions(t.Context(), w.admin); err != nil || len(s) != 1 || s[0].Normal != "ann@x.com" {
		t.Errorf("suppressed %v, %v", s, err)
	}
	if all, _ := w.clients.List(t.Context(), w.admin, client.Query{}); all.Total != 0 {
		t.Errorf("%d clients in the list", all.Total)
	}
	if _, err := w.clients.Restore(t.Context(), max, ann.ID, false); !errors.As(err, new(*actor.Refusal)) {
		t.Errorf("a member restored what another deleted: %v", err)
	}
	newer := w.named("Anna", "", "ann@x.com") // free while Ann is deleted
	_, err = w.clients.Restore(t.Context(), mia, ann.ID, false)
	if held, ok := errors.AsType[*client.HeldError](err); !ok || held.Owner != newer.ID {
		t.Fatalf("got %v, want that Anna has the address", err)
	}
	merged, err := w.clients.Restore(t.Context(), mia, ann.ID, true)
	if err != nil || merged.ID != newer.ID || w.get(ann.ID).ID != newer.ID {
		t.Fatalf("restored into %v, %v", merged, err)
	}
	if s, _ := w.clients.Suppressions(t.Context(), w.admin); len(s) != 0 {
		t.Errorf("still suppressed: %v", s)
	}
	merges, err := w.clients.Merges(t.Context(), w.admin, ann.ID)
	if err != nil || len(merges) != 1 {
		t.Fatalf("merges %v, %v", merges, err)
	}
	if _, err := w.clients.UndoMerge(t.Context(), w.admin, merges[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := w.get(ann.ID); got.ID != ann.ID || !got.Deleted() || got.DeletedReason != "spam" {
		t.Errorf("the undo left %+v, want the deleted client it was", got)
	}
	if err := w.clients.Delete(t.Context(), w.admin, newer.ID, client.Mistake); err != nil {
		t.Fatal(err)
	}
	back, err := w.clients.Restore(t.Context(), w.admin, ann.ID, false)
	if err != nil || back.Deleted() || !back.Identifiers[0].Active {
		t.Errorf("restored %+v, %v", back, err)
	}
}

func TestReadsOfSensitiveClientsAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, plain := w.named("Ann", "", ""), w.named("Bob", "", "")
	w.exec(`UPDATE client SET sensitive = true WHERE id = $1`, c.ID)
	mia := w.member("Mia")
	reads := map[string]func(client.ID) error{
		"record":   func(id client.ID) error { _, err := w.clients.Get(t.Context(), mia, id); return err },
		"notes":    func(id client.ID) error { _, err := w.clients.Notes(t.Context(), mia, id); return err },
		"sources":  func(id client.ID) error { _, err := w.clients.Sources(t.Context(), mia, id); return err },
		"timeline": func(id client.ID) error { _, err := w.clients.Timeline(t.Context(), mia, id, event.Page{}); return err },
	}
	for what, read := range reads {
		w.clock = w.clock.Add(time.Hour)
		before := w.count(`SELECT count(*) FROM event WHERE kind = 'read' AND actor_id = 'Mia'`)
		for _, id := range []client.ID{c.ID, c.ID, plain.ID} { // two looks within a minute are one
			if err := read(id); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count(`SELECT count(*) FROM event WHERE kind = 'read' AND actor_id = 'Mia' AND client_id = $1`, c.ID); n != before+1 {
			t.Errorf("reading the %s: %d reads are in the audit, want one more than %d", what, n, before)
		}
	}
	if n := w.count(`SELECT count(*) FROM event WHERE kind = 'read' AND client_id = $1`, plain.ID); n != 0 {
		t.Error("the read of a plain client was written down")
	}
}
