package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

func TestMergeJoinsWhatPointsToBoth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.create(client.Edit{
		Fields: map[string]string{"first_name": "Ann", "city": "Toronto", "metadata": `{"a": 1,  "deep": {"x":1}}`},
		Email:  ptr("ann@x.com"), Tags: &[]string{"vip"}, Note: "first",
	})
	lee := w.create(client.Edit{
		Fields: map[string]string{"first_name": "Ann", "last_name": "Lee", "city": "toronto", "zip": "M5V", "company": "Acme", "metadata": `{"a":2,"b":[1],"deep":{"y":2}}`},
		Email:  ptr("ann@acme.com"), Phone: ptr("+14165550100"), Tags: &[]string{"vip", "boat"}, Note: "second",
	})
	w.exec(`UPDATE client SET sensitive = true, human_review_required = true, contact_windows = '[{"days":["mon"]}]', timezone = 'America/Toronto' WHERE id = $1`, lee.ID)
	talk := w.talk(lee, "email", "ann@acme.com")
	crm := w.connect("crm")
	w.inCRM(crm, ann, "1")
	w.inCRM(crm, lee, "2")
	w.changed = changes{}

	preview, err := w.clients.PreviewMerge(t.Context(), w.admin, request(ann, lee))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.get(lee.ID); got.Deleted() || got.ID != lee.ID || len(w.get(ann.ID).Identifiers) != 1 {
		t.Fatal("a preview changed the clients")
	}
	w.changed = changes{}
	m := w.merge(ann, lee)
	if m.Moved["conversations"] != 1 || m.Moved["notes"] != 1 || m.Moved["identifiers"] != 2 || m.Moved["CRM records"] != 1 {
		t.Errorf("moved %v", m.Moved)
	}
	if len(preview.Moved) != len(m.Moved) || len(preview.Differences) != len(m.Differences) || !slices.Equal(preview.Effects, m.Effects) {
		t.Errorf("the preview said %+v, the merge did %+v", preview, m)
	}
	c := w.get(lee.ID)
	if c.ID != ann.ID {
		t.Fatalf("the old id leads to %s, want %s", c.ID, ann.ID)
	}
	if c.LastName != "Lee" || c.City != "Toronto" || c.Zip != "M5V" || c.Company != "Acme" || c.Email() != "ann@x.com" || c.Phone() != "+14165550100" {
		t.Errorf("survivor %+v", c)
	}
	if want := `{"a": 1,  "deep": {"x":1,"y":2},"b":[1]}`; c.Metadata != want {
		t.Errorf("metadata %s, want %s", c.Metadata, want)
	}
	if !c.Sensitive || !c.HumanReviewRequired || c.Timezone != "America/Toronto" || !slices.Equal(c.Tags, []string{"vip", "boat"}) {
		t.Errorf("sensitive %v, review %v, zone %s, tags %v", c.Sensitive, c.HumanReviewRequired, c.Timezone, c.Tags)
	}
	if !slices.Contains(w.changed.conversations, talk) || !slices.Equal(w.changed.clients, []client.ID{ann.ID}) {
		t.Errorf("the sync engine heard of %v", w.changed)
	}
	if n := w.count(`SELECT count(*) FROM crm_link WHERE client_id = $1`, ann.ID); n != 2 {
		t.Errorf("%d CRM records, want both", n)
	}
	if n := w.count(`SELECT count(*) FROM crm_link WHERE client_id = $1 AND is_primary AND crm_id = '1'`, ann.ID); n != 1 {
		t.Errorf("the survivor's own CRM record is not the primary one")
	}
	if n := w.count(`SELECT count(*) FROM sync_item WHERE client_id = $1 AND state = 'excluded' AND reason LIKE 'merged into client %' AND due_at IS NULL`, lee.ID); n != 1 {
		t.Error("the merged client's sync item is not excluded with its reason")
	}
	if notes, err := w.clients.Notes(t.Context(), w.admin, lee.ID); err != nil || len(notes) != 2 {
		t.Errorf("notes %v, %v, want both", notes, err)
	}

	undone := w.undo(m)
	a, l := undone.Survivor, undone.Restored[0]
	for name, pair := range map[string][2]*client.Client{"survivor": {ann, w.get(a.ID)}, "restored": {lee, w.get(l.ID)}} {
		before, after := pair[0], pair[1]
		for _, f := range client.Fields() {
			if f.Get(before) != f.Get(after) {
				t.Errorf("%s: %s is %q after the undo, was %q", name, f.Name, f.Get(after), f.Get(before))
			}
		}
		if !slices.Equal(before.Tags, after.Tags) || before.Email() != after.Email() || before.Phone() != after.Phone() || len(before.Identifiers) != len(after.Identifiers) {
			t.Errorf("%s: %+v, was %+v", name, after, before)
		}
	}
	if a.Sensitive || !l.Sensitive || a.Timezone != "" {
		t.Errorf("after the undo sensitive: %v and %v, zone %q", a.Sensitive, l.Sensitive, a.Timezone)
	}
	if n := w.count(`SELECT count(*) FROM crm_link WHERE is_primary AND (client_id = $1 AND crm_id = '1' OR client_id = $2 AND crm_id = '2')`, ann.ID, lee.ID); n != 2 {
		t.Error("the CRM records are not back where they were")
	}
}

func TestUndoKeepsWhatCameAfterTheMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.named("Ann", "", "ann@x.com"), w.named("Ann", "Lee", "ann@acme.com")
	m := w.merge(ann, bob)
	if _, err := w.clients.Update(t.Context(), w.admin, ann.ID, client.Edit{Fields: map[string]string{"last_name": "Leigh", "city": "Bath"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.clients.AddNote(t.Context(), w.admin, ann.ID, "later"); err != nil {
		t.Fatal(err)
	}
	mine, theirs := w.talk(ann, "email", "ann@x.com"), w.talk(ann, "email", "ann@acme.com")
	w.undo(m)
	if c := w.get(ann.ID); c.LastName != "Leigh" || c.City != "Bath" {
		t.Errorf("the survivor lost what was edited after the merge: %+v", c)
	}
	if c := w.get(bob.ID); c.LastName != "Lee" || c.LastContactAt == nil {
		t.Errorf("restored client %+v", c)
	}
	for id, want := range map[string]client.ID{mine.String(): ann.ID, theirs.String(): bob.ID} {
		if n := w.count(`SELECT count(*) FROM conversation WHERE id = $1 AND client_id = $2`, id, want); n != 1 {
			t.Errorf("conversation %s is not with %s", id, want)
		}
	}
	if n := w.count(`SELECT count(*) FROM client_note WHERE client_id = $1`, ann.ID); n != 1 {
		t.Errorf("%d notes with the survivor, want the later one", n)
	}
}

func TestMergesThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob, gone := w.named("Ann", "Lee", ""), w.named("Bob", "Roe", ""), w.named("Gone", "", "")
	if err := w.clients.Delete(t.Context(), w.admin, gone.ID, client.Mistake); err != nil {
		t.Fatal(err)
	}
	stranger := w.newTenant()
	many := make([]*client.Client, client.MaxMerged)
	for i := range many {
		many[i] = w.named("Same", "", "")
	}
	viewer := person(w.admin.Tenant, actor.Viewer, "Vic")
	for name, test := range map[string]struct {
		as      actor.Actor
		request client.MergeRequest
		want    string
	}{
		"with itself":       {w.admin, request(ann, ann), "one client already"},
		"nobody":            {w.admin, request(ann), "2 to 20"},
		"too many":          {w.admin, request(ann, many...), "2 to 20"},
		"twice the same":    {w.admin, request(many[0], many[1], many[1]), "one client already"},
		"a deleted one":     {w.admin, request(ann, gone), "restore it first"},
		"another tenant's":  {stranger, request(ann, bob), "does not exist"},
		"contradictions":    {w.admin, request(ann, bob), "first_name contradicts"},
		"unknown field":     {w.admin, client.MergeRequest{Survivor: ann.ID, Others: []client.ID{bob.ID}, Choices: client.Choices{"shoe": ann.ID}}, "no field"},
		"choice of another": {w.admin, client.MergeRequest{Survivor: ann.ID, Others: []client.ID{bob.ID}, Choices: client.Choices{"city": gone.ID}}, "not part of the merge"},
		"a viewer":          {viewer, request(ann, bob), "may not merge"},
	} {
		if _, err := w.clients.Merge(t.Context(), test.as, test.request); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if n := w.count(`SELECT count(*) FROM merge_event`); n != 0 {
		t.Errorf("%d merges were made", n)
	}
	if n := w.count(`SELECT count(*) FROM event WHERE kind = 'refused' AND actor_id = 'Vic'`); n != 1 {
		t.Errorf("the viewer's attempt is %d times in the audit, want once", n)
	}
	preview, err := w.clients.PreviewMerge(t.Context(), w.admin, request(ann, bob))
	if err != nil || !slices.ContainsFunc(preview.Differences, func(d client.Difference) bool { return d.Field == "first_name" && d.Ask }) {
		t.Errorf("the preview doesn't ask about the names: %+v, %v", preview, err)
	}
}

func TestChoicesDecideFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.named("Ann", "Lee", "ann@x.com"), w.named("Bob", "Roe", "bob@x.com")
	r := request(ann, bob)
	r.Choices = client.Choices{"first_name": bob.ID, "last_name": ann.ID, "email": bob.ID}
	m, err := w.clients.Merge(t.Context(), w.admin, r)
	if err != nil {
		t.Fatal(err)
	}
	if c := w.get(ann.ID); c.FirstName != "Bob" || c.LastName != "Lee" || c.Email() != "bob@x.com" {
		t.Errorf("merged: %s, %s", c.DisplayName(), c.Email())
	}
	w.undo(m)
	if a, b := w.get(ann.ID), w.get(bob.ID); a.FirstName != "Ann" || a.Email() != "ann@x.com" || b.Email() != "bob@x.com" {
		t.Errorf("undone: %s %s, %s %s", a.DisplayName(), a.Email(), b.DisplayName(), b.Email())
	}
}

func TestSeveralClientsMergeAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.named("Ann", "", "")
	old, second := w.named("Ann", "", "old@x.com"), w.create(client.Edit{Fields: map[string]string{"first_name": "Ann", "company": "Acme"}, Phone: ptr("+14165550100")})
	if _, err := w.clients.AddIdentifier(t.Context(), w.admin, old.ID, client.NewIdentifier{Kind: client.Email, Value: "new@x.com", Primary: true}); err != nil {
		t.Fatal(err)
	}
	m := w.merge(ann, old, second)
	if c := w.get(second.ID); c.ID != ann.ID || c.Email() != "new@x.com" || c.Phone() != "+14165550100" || c.Company != "Acme" || m.Moved["identifiers"] != 3 {
		t.Errorf("merged %+v, moved %v", c, m.Moved)
	}
	undone := w.undo(m)
	if len(undone.Restored) != 2 || len(w.get(ann.ID).Identifiers) != 0 || w.get(ann.ID).Company != "" {
		t.Errorf("undone %+v", undone)
	}
	if c := w.get(old.ID); c.ID != old.ID || c.Email() != "new@x.com" || len(c.Identifiers) != 2 {
		t.Errorf("restored %+v", c)
	}
}

func TestLateWritersLandOnTheSurvivor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crm := w.connect("crm")
	ann, bob := w.named("Ann", "", "ann@x.com"), w.named("Ann", "Lee", "bob@x.com")
	w.inCRM(crm, ann, "1")
	w.merge(ann, bob)
	w.exec(`INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, linked_at) VALUES ($1, $2, 'client', $3, 'Contact', '2', now())`,
		w.admin.Tenant, crm, bob.ID) // the CRM answered a call that began before the merge
	if n := w.count(`SELECT count(*) FROM crm_link WHERE client_id = $1 AND (crm_id = '1') = is_primary`, ann.ID); n != 2 {
		t.Errorf("the survivor has %d CRM records, want its own as the primary one and the late one", n)
	}
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		u := client.Begin(tx, actor.ForSystem(w.admin.Tenant, "intake"), w.now(), nil, "intake")
		if err := u.Suggest(ctx, client.Suggestion{Kind: client.SuggestValue, Client: valid(bob), Field: "city", Value: "Bath", Reason: "late"}); err != nil {
			return err
		}
		c, err := u.Client(ctx, bob.ID)
		if err != nil || c.ID != ann.ID {
			t.Errorf("the old id is locked as %v, %v, want the survivor", c, err)
		}
		return u.Flush(ctx)
	})
	if n := w.count(`SELECT count(*) FROM suggestion WHERE client_id = $1`, ann.ID); n != 1 {
		t.Errorf("the late suggestion is not with the survivor")
	}
}

func TestOldMergesForgetWhatAnUndoNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.named("Ann", "", "ann@x.com"), w.named("Ann", "Lee", "bob@x.com")
	w.merge(ann, bob)
	purger := &client.MergePurger{DB: w.db, Now: w.now}
	if n, err := purger.Purge(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("purged %d fresh merges, %v", n, err)
	}
	w.clock = w.clock.Add(client.UndoFor)
	if n, err := purger.Purge(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("purged %d old merges, %v", n, err)
	}
	if n := w.count(`SELECT (SELECT count(*) FROM merge_row) + (SELECT count(*) FROM merge_event WHERE changes <> '{}')`); n != 0 {
		t.Errorf("%d rows of undo data are left", n)
	}
	if got := w.get(bob.ID); got.ID != ann.ID {
		t.Error("the old id leads nowhere")
	}
}

func TestUndoHasItsLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mia, max := w.member("Mia"), w.member("Max")
	a, b, c := w.named("Ann", "", "a@x.com"), w.named("Ann", "", "b@x.com"), w.named("Ann", "", "c@x.com")
	first, err := w.clients.Merge(t.Context(), mia, request(b, a))
	if err != nil {
		t.Fatal(err)
	}
	second := w.merge(c, b)
	if got := w.get(a.ID); got.ID != c.ID {
		t.Fatalf("a chain of merges leads to %s, want %s in one step", got.ID, c.ID)
	}
	state := func(err error, want string) {
		t.Helper()
		if e, ok := errors.AsType[*client.StateError](err); !ok || !strings.Contains(e.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, err = w.clients.UndoMerge(t.Context(), w.admin, first.ID)
	state(err, "undo that one first")
	w.undo(second)
	if got := w.get(a.ID); got.ID != b.ID {
		t.Errorf("after the undo the chain leads to %s, want %s", got.ID, b.ID)
	}
	if _, err = w.clients.UndoMerge(t.Context(), max, first.ID); !errors.As(err, new(*actor.Refusal)) {
		t.Errorf("a member undid another's merge: %v", err)
	}
	w.clock = w.clock.Add(client.UndoFor + time.Hour)
	_, err = w.clients.UndoMerge(t.Context(), mia, first.ID)
	state(err, "older than 30 days")
	w.clock = noon.Add(time.Hour)
	if _, err = w.clients.UndoMerge(t.Context(), mia, first.ID); err != nil {
		t.Error(err)
	}
	_, err = w.clients.UndoMerge(t.Context(), mia, first.ID)
	state(err, "undone already")
}

// A→B while B→C, many times at once: whatever comes first, everything ends in
// one client and every old id leads there.
func TestConcurrentMergesSettle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := noon
	w.clients.Now = func() time.Time { return now }
	w.clients.Changes = nil
	const clients = 6
	all := make([]*client.Client, clients)
	for i := range all {
		all[i] = w.create(client.Edit{Fields: map[string]string{"first_name": "Ann"}, Email: ptr(string(rune('a'+i)) + "@x.com")})
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			_, err := w.clients.Merge(t.Context(), w.admin, request(all[(i+1)%clients], all[i]))
			if _, settled := errors.AsType[*client.StateError](err); err != nil && !settled {
				t.Errorf("merge %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	last := w.get(all[0].ID)
	for _, c := range all {
		if got := w.get(c.ID); got.ID != last.ID {
			t.Errorf("%s leads to %s, want %s", c.ID, got.ID, last.ID)
		}
	}
	if len(last.Identifiers) != clients {
		t.Errorf("the last client has %d identifiers, want all %d", len(last.Identifiers), clients)
	}
	if n := w.count(`SELECT count(*) FROM client c JOIN client s ON s.id = c.merged_into WHERE s.merged_into IS NOT NULL`); n != 0 {
		t.Errorf("%d redirects need a second step", n)
	}
}
