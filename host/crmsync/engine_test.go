package crmsync_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// While a backfill holds every call it may have, a new client lands: the last slot
// is his.
func TestNewClientDoesNotWaitForABackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.create(200)
	if _, err := w.backfills.Start(t.Context(), w.actor, w.connection.ID); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE sync_item SET lane = 'backfill'`)
	gate := make(chan struct{})
	w.crm.before = func(_ string, ids []string) error {
		if slices.Contains(ids, old[0].String()) || len(ids) > 1 {
			<-gate
		}
		return nil
	}
	w.start()
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	w.until("the backfill to hold all slots but one", func() bool { return w.crm.count("find") == 3 })
	id := w.client("new@example.org")
	w.until("the new client to land", func() bool { return w.state(id).CRMID != "" })
	if held := len(w.crm.held()); held != 1 {
		t.Errorf("%d clients landed before the new one", held-1)
	}
	open()
	w.settle()
	if held := len(w.crm.held()); held != 201 {
		t.Errorf("the CRM holds %d clients, want 201", held)
	}
	if len(w.crm.overlap) > 0 {
		t.Errorf("two calls had the same client at once: %v", w.crm.overlap)
	}
}

// Edits come while calls fly: no call has a client that another one has, and the
// last value stands in the CRM.
func TestAClientNeverOvertakesHimself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crm.about.Batch = sdk.BatchLimits{Min: 1, Start: 2, Max: 2}
	ids := w.create(10)
	w.start()
	for round := range 20 {
		for i, id := range ids {
			w.edit(id, "city", fmt.Sprint("Town ", i, " ", round))
		}
		w.soon()
	}
	w.until("all to be synced", func() bool {
		w.soon()
		return w.counts().Synced == len(ids)
	})
	for i, id := range ids {
		if got := w.crm.held()[id.String()].fields["town"].Text(); got != fmt.Sprint("Town ", i, " ", 19) {
			t.Errorf("client %d ended in %q", i, got)
		}
	}
	if len(w.crm.overlap) > 0 {
		t.Errorf("two calls had the same client at once: %v", w.crm.overlap)
	}
}

// One bad record makes the CRM refuse whole batches: the others land, and it is
// parked alone, after halving only.
func TestRefusedBatchIsHalvedToTheBadRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.create(20)
	bad := ids[13].String()
	w.crm.before = func(call string, in []string) error {
		if call == "write" && slices.Contains(in, bad) {
			return &sdk.Error{Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater, Message: "a row is broken"}
		}
		return nil
	}
	w.start()
	w.settle()
	if c := w.counts(); c.Synced != 19 || c.Parked != 1 || w.state(ids[13]).State != "parked" {
		t.Errorf("counts %+v", c)
	}
	// Twice the halvings of 20: each level sends the good half and the bad one.
	if n := w.crm.count("write"); n > 11 {
		t.Errorf("%d writes for 20 records with one bad", n)
	}
	if size := w.reload().BatchSize; size != 0 {
		t.Errorf("one bad record changed the batch size to %d", size)
	}
}

// A CRM that refuses batches for their size gets smaller ones from then on, which
// grow again while all goes well.
func TestBatchSizeAdapts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	most := 7
	w.crm.before = func(call string, in []string) error {
		if call == "write" && len(in) > most {
			return &sdk.Error{Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater, Message: "too large"}
		}
		return nil
	}
	w.create(60)
	w.start()
	w.settle()
	if c := w.counts(); c.Synced != 60 {
		t.Errorf("counts %+v", c)
	}
	small := w.reload().BatchSize
	if small == 0 || small > 10 {
		t.Errorf("the batch size is %d, want at most 10", small)
	}
	w.crm.set(func() { most = 100 })
	w.pause(true)
	w.create(120)
	w.pause(false)
	w.settle()
	if size := w.reload().BatchSize; size <= small {
		t.Errorf("the batch size is still %d after %d good writes", size, w.crm.count("write"))
	}
}

// A CRM that wants one set of fields a call gets one call for each set.
func TestUniformFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crm.about.UniformFields = true
	ids := w.create(6)
	for _, id := range ids[:3] {
		w.edit(id, "city", "Oslo")
	}
	w.start()
	w.settle()
	if n := w.crm.count("write"); n != 2 {
		t.Errorf("%d writes, want one for each of the two sets of fields", n)
	}
	if held := len(w.crm.held()); held != 6 {
		t.Errorf("the CRM holds %d", held)
	}
}

// A field that the CRM has lost is parked; every record still lands, and the values
// follow by themselves when it is back.
func TestDriftParksTheFieldAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.create(30)
	for _, id := range ids {
		w.edit(id, "city", "Oslo")
	}
	w.crm.live["town"] = sdk.No
	w.start()
	w.until("all records to land", func() bool { return w.counts().Synced == 30 })
	if problems, err := w.status.Problems(t.Context(), w.actor, w.connection.ID); err != nil || len(problems) != 1 || problems[0].Stops != "field" || problems[0].Records != 30 {
		t.Fatalf("problems %+v, %v", problems, err)
	}
	w.soon()
	w.until("the CRM to be asked", func() bool { return w.crm.count("describe") == 1 })
	if s := w.state(ids[0]); !slices.Equal(s.Held, []string{"town"}) {
		t.Errorf("held %v", s.Held)
	}
	w.crm.set(func() { delete(w.crm.live, "town") })
	w.until("the values to follow", func() bool {
		w.soon()
		for _, id := range ids {
			if w.crm.held()[id.String()].fields["town"].Text() != "Oslo" {
				return false
			}
		}
		return true
	})
}

// What is left of an allowance is kept for new clients.
func TestReserveForNewClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(1)
	w.start()
	w.settle()
	w.crm.set(func() { w.crm.quota = []sdk.Quota{{Bucket: "day", Limit: 1000, Remaining: 90, ResetSeconds: 3600}} })
	w.create(1)
	w.settle()
	old := w.client("old@example.org")
	w.until("the old one to land", func() bool { return w.state(old).State == "synced" })
	w.edit(old, "city", "Oslo")
	w.exec(`UPDATE sync_item SET due_at = now() WHERE due_at > now()`)
	fresh := w.client("fresh@example.org")
	w.until("the new client to land", func() bool { return w.state(fresh).State == "synced" })
	s := w.state(old)
	if s.State != "due" || !strings.Contains(s.Rests, "kept for new clients") || !strings.Contains(s.Why, "90 of 1000") {
		t.Errorf("the update: %+v", s)
	}
	w.crm.set(func() { w.crm.quota = nil })
	w.soon()
	w.until("the update to go on by itself", func() bool { return w.state(old).State == "synced" })
}

// One tenant's CRM answers nothing but 429, another's hangs: a third one's new
// client lands.
func TestTenantsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hang := make(chan struct{})
	storm, slow := newCRM(), newCRM()
	storm.before = func(string, []string) error {
		return &sdk.Error{Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 10 * time.Millisecond}
	}
	slow.before = func(call string, _ []string) error {
		if call == "find" {
			<-hang
		}
		return nil
	}
	of := map[string]*memoryCRM{w.actor.Tenant.String(): w.crm}
	for i := range 8 { // more calls in flight than the host has slots for
		a := w.newTenant(fmt.Sprint("slow", i))
		of[a.Tenant.String()] = slow
		w.fill(a, 100)
	}
	stormy := w.newTenant("stormy")
	of[stormy.Tenant.String()] = storm
	w.fill(stormy, 20)
	w.adapters(of)
	w.start()
	t.Cleanup(func() { close(hang) })
	w.until("the slow CRMs to hang", func() bool { return slow.count("find") >= 16 && storm.count("install") > 1 })
	id := w.client("new@example.org")
	w.until("the new client to land", func() bool { return w.state(id).CRMID != "" })
}

// The CRM merged the record into another: the next write goes there. It deleted
// another one: the client stays, unlinked, and says so.
func TestRecordsThatMoveInTheCRM(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, lost := w.client("ann@example.org"), w.client("lost@example.org")
	w.start()
	w.settle()
	survivor := ""
	w.crm.set(func() {
		survivor = w.crm.put("", "").id
		old := w.crm.people[w.state(id).CRMID]
		old.gone = true
		w.crm.people[w.state(lost).CRMID].gone = true
		w.crm.one = func(i sdk.WriteItem) (sdk.Outcome, bool) {
			if i.CRMID != old.id {
				return sdk.Outcome{}, false
			}
			o := sdk.Fail(i.ItemID, &sdk.Error{Class: sdk.ClassRemapped, Retry: sdk.RetryLater, Message: "merged"})
			o.CRMID = survivor
			return o, true
		}
	})
	w.edit(id, "city", "Oslo")
	w.edit(lost, "city", "Oslo")
	w.until("both writes", func() bool {
		w.soonUnparked()
		return w.state(id).State == "synced" && w.state(lost).State == "parked"
	})
	if got := w.crm.held()[id.String()]; got.id != survivor || got.fields["town"].Text() != "Oslo" {
		t.Errorf("the survivor holds %+v", got)
	}
	s := w.state(lost)
	if s.CRMID != "" || !strings.Contains(s.Why, "deleted in the CRM") || s.DueAt != nil {
		t.Errorf("the deleted one: %+v", s)
	}
	w.edit(lost, "city", "Bergen")
	w.until("it to be written again", func() bool {
		w.soon()
		return w.state(lost).State == "synced"
	})
}

// Several records of the CRM may be a client: it is parked with them, and a
// person's choice is what the next write goes to.
func TestAmbiguousClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.crm.put("", "ann@example.org")
	chosen := w.crm.put("", "ann@example.org").id
	id := w.client("ann@example.org")
	w.start()
	w.until("it to be parked", func() bool { return w.state(id).State == "parked" })
	s := w.state(id)
	if len(s.Candidates) != 2 || s.DueAt == nil || !strings.Contains(s.Match, chosen) || s.Advice.Who != "data_owner" {
		t.Errorf("%+v", s)
	}
	if err := w.status.Choose(t.Context(), w.actor, w.connection.ID, id, "crm-99"); err == nil {
		t.Error("a record that is no candidate was taken")
	}
	if err := w.status.Choose(t.Context(), w.actor, w.connection.ID, id, chosen); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got := w.crm.held(); len(got) != 1 || got[id.String()].id != chosen {
		t.Errorf("the CRM holds %+v", got)
	}
}

// What an admin chose: no call and a reason for those who stay out, and no record
// made or changed against the write mode.
func TestPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*connection.Policy)
		known  bool // the CRM holds the client already
		state  string
		why    string
		writes int
		object string
	}{
		"filter":                  {func(p *connection.Policy) { p.Filter = `client.city == "Oslo"` }, false, "excluded", "filter leaves the client out", 0, ""},
		"filter takes":            {func(p *connection.Policy) { p.Filter = `client.city == "Bergen"` }, false, "synced", "", 1, "contacts"},
		"update only, unknown":    {func(p *connection.Policy) { p.WriteMode = sdk.ModeUpdate }, false, "excluded", "only updates records", 0, ""},
		"update only, known":      {func(p *connection.Policy) { p.WriteMode = sdk.ModeUpdate }, true, "synced", "", 1, "contacts"},
		"create only, unknown":    {func(p *connection.Policy) { p.WriteMode = sdk.ModeCreate }, false, "synced", "", 1, "contacts"},
		"create only, known":      {func(p *connection.Policy) { p.WriteMode = sdk.ModeCreate }, true, "synced", "left as it is", 0, "contacts"},
		"another object":          {func(p *connection.Policy) { p.ClientObject = "contacts" }, false, "synced", "", 1, "contacts"},
		"sensitive ones stay out": {func(p *connection.Policy) { p.Sensitive = connection.SensitiveExclude }, false, "excluded", "leaves sensitive clients out", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if _, err := w.connections.Change(t.Context(), w.actor, w.connection.ID, connection.Edit{Policy: policy(tt.change)}); err != nil {
				t.Fatal(err)
			}
			if tt.known {
				w.crm.put("", "ann@example.org")
			}
			id := w.client("ann@example.org")
			w.edit(id, "city", "Bergen")
			if strings.HasPrefix(name, "sensitive") {
				w.exec(`UPDATE client SET sensitive = true`)
			}
			w.start()
			w.settle()
			s := w.state(id)
			if s.State != tt.state || !strings.Contains(s.Why, tt.why) || w.crm.count("write") != tt.writes || s.CRMObject != tt.object {
				t.Errorf("%d writes, %+v", w.crm.count("write"), s)
			}
		})
	}
}

func policy(change func(*connection.Policy)) *connection.Policy {
	p := connection.DefaultPolicy()
	change(&p)
	return &p
}

// A CRM may accept a value and keep another: that is told.
func TestAcceptedButNotApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.client("Ann@Example.org")
	w.edit(id, "city", "Oslo")
	w.crm.one = func(i sdk.WriteItem) (sdk.Outcome, bool) {
		o := sdk.Outcome{ItemID: i.ItemID, Done: sdk.Created, CRMID: "crm-1", Echo: map[string]sdk.Value{
			"mail": sdk.Text(" ANN@example.org"), "town": sdk.Text("Ruritania"), "first": i.Fields["first"],
		}}
		return o, true
	}
	w.start()
	w.settle()
	s := w.state(id)
	if s.State != "synced" || !strings.Contains(s.Why, "accepted, not applied: town") || strings.Contains(s.Why, "mail") {
		t.Errorf("why %q", s.Why)
	}
}

// A call that flies while its client is merged or deleted doesn't bring the client
// back into the sync.
func TestRetiredWhileACallFlies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.client("ann@example.org")
	w.crm.before = func(call string, _ []string) error {
		if call == "write" {
			if err := w.clients.Delete(context.WithoutCancel(t.Context()), w.actor, id, "mistake"); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	w.start()
	w.until("the write", func() bool { return len(w.crm.held()) == 1 })
	w.until("its outcome", func() bool { return len(w.state(id).Outcomes) == 1 })
	if s := w.state(id); s.State != "excluded" || s.DueAt != nil || s.CRMID == "" || !strings.Contains(s.Why, "deleted") {
		t.Errorf("%+v", s)
	}
}
