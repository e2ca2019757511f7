package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/match"
)

func typed(first, last, email, phone string) client.Edit {
	e := client.Edit{Fields: map[string]string{"first_name": first, "last_name": last}}
	if email != "" {
		e.Email = &email
	}
	if phone != "" {
		e.Phone = &phone
	}
	return e
}

// scan compares everything that is due and insists that it ends.
func (w *world) scan() {
	w.t.Helper()
	for range 100 {
		n, err := w.clients.ScanDuplicates(w.t.Context(), actor.ForSystem(w.admin.Tenant, "duplicates"), 50)
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("clients stay due however often they are compared")
}

func (w *world) queue(q client.DuplicateQuery) client.DuplicateQueue {
	w.t.Helper()
	found, err := w.clients.DuplicateQueue(w.t.Context(), w.admin, q)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func TestLikelyDuplicatesAreShownBeforeCreating(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	robert := w.create(typed("Robert", "Halloran", "robert.halloran@gmail.com", "+14165550101"))
	w.create(typed("Karen", "Tremblay", "karen@acme.example", "+14165550102"))
	for _, c := range []struct {
		name, reason string
		band         match.Band
		edit         client.Edit
	}{
		{"taken phone, nickname", "same phone, short form of the same first name, same last name", match.Strong, typed("Bob", "Halloran", "", "(416) 555-0101")},
		{"typo domain", "same email but for a typo in its domain, same name", match.Strong, typed("Robert", "Halloran", "robert.halloran@gmial.com", "")},
		{"+tag, no name", "same email but for a +tag", match.Possible, typed("", "", "robert.halloran+truck@gmail.com", "")},
		{"swapped digits", "phone with two digits swapped, short form of the same first name, same last name", match.Strong, typed("Rob", "Halloran", "", "416-555-0110")},
		{"wrong digit", "phone with one other digit, same name", match.Possible, typed("Robert", "Halloran", "", "416 555 0191")},
		{"family name first", "same name", match.Possible, typed("Halloran", "Robert", "", "")},
	} {
		got, err := w.clients.LikelyDuplicates(t.Context(), w.admin, c.edit)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Similar) != 1 || got.Similar[0].Client.ID != robert.ID {
			t.Errorf("%s: found %d clients, want Robert: %+v", c.name, len(got.Similar), got.Similar)
			continue
		}
		if s := got.Similar[0]; s.Band == match.Low || c.name != "swapped digits" && (s.Band != c.band || s.String() != c.reason) {
			t.Errorf("%s: %s %q, want %s %q", c.name, s.Band, s.Scored, c.band, c.reason)
		}
	}
	for _, e := range []client.Edit{typed("Robert", "Nowak", "", ""), typed("Zoe", "Halloran", "zoe@web.de", ""), typed("", "", "", "+14165550199")} {
		got, err := w.clients.LikelyDuplicates(t.Context(), w.admin, e)
		if err != nil || len(got.Similar) > 0 {
			t.Errorf("%v: %v, found %+v, want nobody", e.Fields, err, got.Similar)
		}
	}
}

func TestBadFormIsNotCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.clients.LikelyDuplicates(t.Context(), w.admin, typed("Ann", "Lee", "nonsense", ""))
	if wrong, ok := errors.AsType[client.FieldErrors](err); !ok || wrong[0].Field != "email" {
		t.Errorf("got %v, want the email's error", err)
	}
}

func TestDeletedMergedAndForeignClientsAreNobodysDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kept := w.create(typed("Ann", "Szymborska", "ann@x.com", ""))
	gone := w.create(typed("Ann", "Szymborska", "ann@y.com", ""))
	merged := w.create(typed("Ann", "Szymborska", "ann@z.com", ""))
	if err := w.clients.Delete(t.Context(), w.admin, gone.ID, client.Mistake); err != nil {
		t.Fatal(err)
	}
	w.merge(kept, merged)
	w.scan()
	other := newWorldIn(t, w.db, w.owner)
	for _, x := range []struct {
		w    *world
		want int
	}{{w, 1}, {other, 0}} {
		got, err := x.w.clients.LikelyDuplicates(t.Context(), x.w.admin, typed("Ann", "Szymborska", "", ""))
		if err != nil || len(got.Similar) != x.want {
			t.Errorf("%v: found %d, want %d", err, len(got.Similar), x.want)
		}
	}
	if q := w.queue(client.DuplicateQuery{}); q.Total != 0 {
		t.Errorf("the queue has %+v, want nothing", q.Clusters)
	}
	if q := other.queue(client.DuplicateQuery{}); q.Total+q.Waiting != 0 {
		t.Errorf("another tenant's queue: %+v", q)
	}
	if _, err := w.clients.Restore(t.Context(), w.admin, gone.ID, false); err != nil {
		t.Fatal(err)
	}
	w.scan()
	if q := w.queue(client.DuplicateQuery{}); q.Total != 1 {
		t.Errorf("after the restore the queue has %d clusters, want 1", q.Total)
	}
}

func TestFindSimilarFollowsEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.create(typed("Persephone", "Vanderschaaf", "p@x.com", ""))
	b := w.create(typed("Somebody", "Else", "s@y.com", ""))
	similar := func() []client.Similar {
		found, err := w.clients.FindSimilar(t.Context(), w.admin, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return found.Similar
	}
	if got := similar(); len(got) != 0 {
		t.Fatalf("found %+v, want nobody", got)
	}
	rename := func(first, last string) {
		if _, err := w.clients.Update(t.Context(), w.admin, b.ID, typed(first, last, "", "")); err != nil {
			t.Fatal(err)
		}
	}
	rename("Persephone", "Vanderschaff")
	if got := similar(); len(got) != 1 || got[0].Client.ID != b.ID || got[0].Band != match.Possible {
		t.Fatalf("found %+v, want the renamed one as possible", got)
	}
	rename("Somebody", "Else")
	if got := similar(); len(got) != 0 {
		t.Fatalf("found %+v after the name went back, want nobody", got)
	}
}

func TestQueueShowsPairsAndClustersWithTheirWeakestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.create(typed("Bartholomew", "Quincannon", "bart.quincannon@gmail.com", ""))
	b := w.create(typed("Bartholomew", "Quincannon", "bart.quincannon@gmial.com", ""))
	c := w.create(typed("Bart", "Quincannon", "", "+14165550101"))
	d := w.create(typed("Xiomara", "Echeverria", "x@one.example", ""))
	e := w.create(typed("Xiomara", "Echeverria", "x@two.example", ""))
	if q := w.queue(client.DuplicateQuery{}); q.Waiting != 5 || q.Total != 0 {
		t.Fatalf("before the scan %d wait and %d clusters are there, want 5 and 0", q.Waiting, q.Total)
	}
	w.scan()
	q := w.queue(client.DuplicateQuery{})
	if q.Waiting != 0 || q.Total != 2 || q.TotalMore || q.Next != nil {
		t.Fatalf("queue %+v, want two clusters", q)
	}
	three, two := q.Clusters[0], q.Clusters[1]
	if len(three.Clients) != 3 || len(three.Pairs) != 3 || three.Pairs[0].Band != match.Strong {
		t.Fatalf("first cluster %+v, want the three Quincannons", three)
	}
	if weakest := three.Weakest(); weakest.Bits >= three.Pairs[0].Bits || weakest.Client != c.ID && weakest.Other != c.ID {
		t.Errorf("weakest link %+v, want one with Bart", weakest)
	}
	if !slices.Equal([]client.ID{two.Clients[0].ID, two.Clients[1].ID}, []client.ID{d.ID, e.ID}) {
		t.Errorf("second cluster %+v, want the two Xiomaras", two.Clients)
	}
	if q := w.queue(client.DuplicateQuery{Band: match.Possible}); q.Total != 1 {
		t.Errorf("%d possible clusters, want 1", q.Total)
	}
	first := w.queue(client.DuplicateQuery{Limit: 1})
	if first.Next == nil || len(first.Clusters) != 1 {
		t.Fatalf("first page %+v, want one cluster and a next page", first)
	}
	second := w.queue(client.DuplicateQuery{Limit: 1, After: *first.Next})
	if len(second.Clusters) != 1 || second.Next != nil || second.Clusters[0].Clients[0].ID != d.ID || second.Total != 2 {
		t.Errorf("second page %+v, want the Xiomaras", second)
	}
	w.merge(a, b, c)
	w.scan()
	if q := w.queue(client.DuplicateQuery{}); q.Total != 1 || q.Clusters[0].Clients[0].ID != d.ID {
		t.Errorf("after the merge the queue is %+v, want the Xiomaras", q.Clusters)
	}
}

func TestKeepSeparateLapsesWhenTheFactsChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, change := range []struct {
		name   string
		lapses bool
		edit   client.Edit
	}{
		{"street", false, client.Edit{Fields: map[string]string{"street": "12 King St"}}},
		{"note", false, client.Edit{Note: "they are cousins"}},
		{"name's case", false, client.Edit{Fields: map[string]string{"first_name": "AURELIA"}}},
		{"name", true, client.Edit{Fields: map[string]string{"last_name": "Montgomery"}}},
		{"email", true, client.Edit{Email: ptr("aurelia.m@web.example")}},
		{"phone", true, client.Edit{Phone: ptr("+14165550177")}},
	} {
		w.admin = w.newTenant()
		a := w.create(typed("Aurelia", "Montgomerie", "aurelia@one.example", ""))
		b := w.create(typed("Aurelia", "Montgomerie", "aurelia@two.example", ""))
		w.scan()
		if q := w.queue(client.DuplicateQuery{}); q.Total != 1 {
			t.Fatalf("the queue has %d clusters, want the pair", q.Total)
		}
		for range 2 { // deciding again is no error
			if err := w.clients.KeepSeparate(t.Context(), w.admin, b.ID, a.ID); err != nil {
				t.Fatal(err)
			}
		}
		w.scan()
		if q := w.queue(client.DuplicateQuery{}); q.Total != 0 {
			t.Fatalf("%d clusters after the decision, want none", q.Total)
		}
		if found, err := w.clients.FindSimilar(t.Context(), w.admin, a.ID); err != nil || len(found.Similar) != 1 || !found.Similar[0].Separate {
			t.Errorf("%v: find similar says %+v, want the other, marked as kept separate", err, found.Similar)
		}
		if _, err := w.clients.Update(t.Context(), w.admin, a.ID, change.edit); err != nil {
			t.Fatal(err)
		}
		w.scan()
		if lapsed := w.queue(client.DuplicateQuery{}).Total == 1; lapsed != change.lapses {
			t.Errorf("%s changed: decision lapsed %v, want %v", change.name, lapsed, change.lapses)
		}
	}
}

func TestKeepSeparateSplitsAClusterAndCanBeTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ids []client.ID
	for i := range 3 {
		ids = append(ids, w.create(typed("Aurelia", "Montgomerie", fmt.Sprintf("aurelia%d@one%d.example", i, i), "")).ID)
	}
	w.scan()
	if q := w.queue(client.DuplicateQuery{}); q.Total != 1 || len(q.Clusters[0].Clients) != 3 {
		t.Fatalf("queue %+v, want one cluster of three", q.Clusters)
	}
	if err := w.clients.KeepSeparate(t.Context(), w.admin, ids[0], ids[2]); err != nil {
		t.Fatal(err)
	}
	if q := w.queue(client.DuplicateQuery{}); q.Total != 2 {
		t.Errorf("%d clusters, want two pairs: nobody is joined with a client he is kept separate from", q.Total)
	}
	if err := w.clients.Reconsider(t.Context(), w.admin, ids[2], ids[0]); err != nil {
		t.Fatal(err)
	}
	if q := w.queue(client.DuplicateQuery{}); q.Total != 1 {
		t.Errorf("%d clusters after taking it back, want one", q.Total)
	}
	if n := w.count(`SELECT count(*) FROM event WHERE kind = $1`, client.KeptSeparate); n != 4 {
		t.Errorf("%d events of the decisions, want 2 for each", n)
	}
}

func TestPairsThatCannotBeDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, gone := w.named("Ann", "Lee", ""), w.named("Ann", "Lee", ""), w.named("Cy", "Poe", "")
	m := w.merge(a, b)
	if err := w.clients.Delete(t.Context(), w.admin, gone.ID, client.Mistake); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]client.ID{{a.ID, a.ID}, {a.ID, m.Retired[0]}, {a.ID, gone.ID}} {
		if err := w.clients.KeepSeparate(t.Context(), w.admin, pair[0], pair[1]); !isState(err) {
			t.Errorf("got %v, want a *StateError", err)
		}
	}
	stranger := newWorldIn(t, w.db, w.owner).named("Dee", "Coe", "")
	if err := w.clients.KeepSeparate(t.Context(), w.admin, a.ID, stranger.ID); err == nil {
		t.Error("another tenant's client could be decided on")
	} else if _, ok := errors.AsType[*client.NotFoundError](err); !ok {
		t.Errorf("got %v, want a *NotFoundError", err)
	}
}

func isState(err error) bool { _, ok := errors.AsType[*client.StateError](err); return ok }

func TestWhoMayLookForDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.create(typed("Ann", "Szymborska", "a@x.com", "")), w.create(typed("Ann", "Szymborska", "b@y.com", ""))
	key := func(scopes ...actor.Scope) actor.Actor {
		return actor.Actor{Tenant: w.admin.Tenant, Kind: actor.Automation, Name: "key", Scopes: scopes}
	}
	for _, c := range []struct {
		name                string
		by                  actor.Actor
		see, decide, change bool
	}{
		{"admin", w.admin, true, true, true},
		{"member", w.member("Mem"), true, true, false},
		{"viewer", person(w.admin.Tenant, actor.Viewer, "Vi"), true, false, false},
		{"key that writes", key(actor.ScopeWrite), false, false, false},
		{"key that reads", key(actor.ScopeRead), true, false, false},
		{"admin key", key(actor.ScopeAdmin, actor.ScopeRead), true, true, true},
		{"operator", actor.ForOperator("op"), false, false, false},
	} {
		_, likely := w.clients.LikelyDuplicates(t.Context(), c.by, typed("Ann", "Szymborska", "", ""))
		_, similar := w.clients.FindSimilar(t.Context(), c.by, a.ID)
		_, queue := w.clients.DuplicateQueue(t.Context(), c.by, client.DuplicateQuery{})
		_, crowded := w.clients.CrowdedIdentifiers(t.Context(), c.by)
		separate := w.clients.KeepSeparate(t.Context(), c.by, a.ID, b.ID)
		reconsider := w.clients.Reconsider(t.Context(), c.by, a.ID, b.ID)
		_, scan := w.clients.ScanDuplicates(t.Context(), c.by, 1)
		for _, x := range []struct {
			what string
			err  error
			may  bool
		}{
			{"likely", likely, c.see}, {"similar", similar, c.see}, {"queue", queue, c.see}, {"crowded", crowded, c.see},
			{"keep separate", separate, c.decide}, {"reconsider", reconsider, c.decide}, {"scan", scan, c.change},
		} {
			_, refused := errors.AsType[*actor.Refusal](x.err)
			if x.may && x.err != nil || !x.may && !refused {
				t.Errorf("%s, %s: %v, want it allowed: %v", c.name, x.what, x.err, x.may)
			}
		}
	}
}

// Fifty-one clients behind one switchboard are not compared by its number, but
// reported.
func TestCrowdedIdentifiersAreSkippedAndReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 52 {
		c := w.create(typed(string(rune('A'+i%26))+"lo"+string(rune('a'+i/26)), fmt.Sprintf("Person%c%c", 'a'+i%26, 'a'+i/26), "", ""))
		w.exec(`INSERT INTO client_identifier (id, tenant_id, client_id, kind, value, normal, source, shared, created_at)
VALUES (gen_random_uuid(), $1, $2, 'phone', '416 555 0100', '+14165550100', 'human', true, now())`, w.admin.Tenant, c.ID)
		if _, err := w.clients.Update(t.Context(), w.admin, c.ID, client.Edit{Note: "hello"}); err != nil {
			t.Fatal(err)
		}
	}
	touchAll(w)
	w.scan()
	crowded, err := w.clients.CrowdedIdentifiers(t.Context(), w.admin)
	if err != nil || len(crowded) != 1 || crowded[0].Normal != "+14165550100" || crowded[0].Kind != match.KindPhone || crowded[0].Clients != 52 {
		t.Fatalf("%v: crowded %+v, want the number with 52 clients", err, crowded)
	}
	likely, err := w.clients.LikelyDuplicates(t.Context(), w.admin, typed("Zed", "Newcomer", "", "+14165550100"))
	if err != nil || len(likely.Similar) != 0 || len(likely.Crowded) != 1 || likely.Crowded[0].Normal != "+14165550100" {
		t.Errorf("%v: %+v, want nobody and the number as crowded", err, likely)
	}
	other := newWorldIn(t, w.db, w.owner)
	if theirs, err := other.clients.CrowdedIdentifiers(t.Context(), other.admin); err != nil || len(theirs) != 0 {
		t.Errorf("%v: another tenant sees %+v", err, theirs)
	}
}

// touchAll has every client compared again, as a new release does.
func touchAll(w *world) {
	w.exec(`DELETE FROM client_block`)
	w.exec(`INSERT INTO duplicate_due (tenant_id, client_id, since) SELECT tenant_id, id, now() FROM client ON CONFLICT DO NOTHING`)
}

// Clients from before there were keys get theirs by the scan.
func TestScanIndexesOldClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(typed("Xiomara", "Echeverria", "x@one.example", ""))
	w.create(typed("Xiomara", "Echeverria", "x@two.example", ""))
	touchAll(w)
	w.scan()
	if q := w.queue(client.DuplicateQuery{}); q.Total != 1 {
		t.Errorf("%d clusters, want the pair", q.Total)
	}
	tenants, err := client.TenantsWithDuplicatesDue(t.Context(), w.db)
	if err != nil || len(tenants) != 0 {
		t.Errorf("%v: tenants %v have something due, want none", err, tenants)
	}
}

// The keys are those of the record at every commit, so that a search right after
// it sees it; a change that is rolled back leaves none.
func TestKeysFollowTheTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := func() int { return w.count(`SELECT count(*) FROM client_block`) }
	rolledBack := errors.New("no")
	err := w.db.Tenant(t.Context(), w.admin, func(ctx context.Context, tx pgx.Tx) error {
		u := client.Begin(tx, w.admin, noon, nil, "test")
		c, err := u.Create(ctx, client.New{Kind: client.Person, Source: "manual", Review: client.Confirmed})
		if err != nil {
			return err
		}
		if err := u.Fill(ctx, c, []client.Filling{{Field: "last_name", Text: "Roe", Source: client.FromForm}}); err != nil {
			return err
		}
		return errors.Join(u.Flush(ctx), rolledBack)
	})
	if !errors.Is(err, rolledBack) || keys() != 0 {
		t.Fatalf("%v: %d keys of a client that never was", err, keys())
	}
	c := w.create(typed("Ann", "Roe", "ann.roe@x.com", ""))
	if keys() == 0 {
		t.Fatal("a new client has no keys")
	}
	w.exec(`INSERT INTO client_identifier (id, tenant_id, client_id, kind, value, normal, source, created_at)
VALUES (gen_random_uuid(), $1, $2, 'chat', 's1', 's1', 'channel', now())`, w.admin.Tenant, c.ID)
	if _, err := w.clients.Update(t.Context(), w.admin, c.ID, client.Edit{Fields: map[string]string{"first_name": "", "last_name": ""}, Email: ptr("")}); err != nil {
		t.Fatal(err)
	}
	if n := keys(); n != 0 {
		t.Errorf("a client that is known by a chat only has %d keys", n)
	}
	c = w.create(typed("Ann", "Roe", "ann.roe@x.com", ""))
	if err := w.clients.Delete(t.Context(), w.admin, c.ID, client.Mistake); err != nil {
		t.Fatal(err)
	}
	if n := keys(); n != 0 {
		t.Errorf("a deleted client has %d keys", n)
	}
}

// Edits and two scans at once: nobody fails, and in the end the queue says what
// the records say.
func TestScansRunBesideEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := &client.Service{DB: w.db, Region: w.clients.Region, Now: func() time.Time { return noon }}
	var ids []client.ID
	for i := range 6 {
		ids = append(ids, w.create(typed("Aurelia", "Montgomerie", fmt.Sprintf("a%d@one%d.example", i, i), "")).ID)
	}
	var group sync.WaitGroup
	failed := make(chan error, 100)
	for round := range 2 {
		group.Go(func() {
			for range 10 {
				if _, err := service.ScanDuplicates(t.Context(), actor.ForSystem(w.admin.Tenant, "duplicates"), 10); err != nil {
					failed <- err
				}
			}
		})
		group.Go(func() {
			for i := range 20 {
				name := []string{"Aurelia", "Bogdan"}[(i+round)%2]
				if _, err := service.Update(t.Context(), w.admin, ids[i%len(ids)], client.Edit{Fields: map[string]string{"first_name": name}}); err != nil {
					failed <- err
				}
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for i, id := range ids {
		name := "Aurelia"
		if i >= 2 {
			name = "Bogdan" + strings.Repeat("u", i) // nobody's near name
		}
		if _, err := service.Update(t.Context(), w.admin, id, client.Edit{Fields: map[string]string{"first_name": name}}); err != nil {
			t.Fatal(err)
		}
	}
	w.scan()
	q := w.queue(client.DuplicateQuery{})
	for _, c := range q.Clusters {
		for _, p := range c.Pairs {
			a, b := w.get(p.Client), w.get(p.Other)
			if a.FirstName[:1] != b.FirstName[:1] {
				t.Errorf("the queue joins %s and %s", a.DisplayName(), b.DisplayName())
			}
		}
	}
	if q.Waiting != 0 || !slices.ContainsFunc(q.Clusters, func(c client.DuplicateCluster) bool {
		return slices.ContainsFunc(c.Pairs, func(p client.DuplicatePair) bool { return p.Client == ids[0] && p.Other == ids[1] })
	}) {
		t.Errorf("%d wait; the two Aurelias are not in %+v", q.Waiting, q.Clusters)
	}
}
