package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
)

func TestAnUpsertCreatesOnceAndThenUpdates(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	first := r.write("Contact", person(1))
	if got := first.Outcomes[0]; got.Done != sdk.Created || !isID(got.CRMID) {
		t.Fatalf("first write: %+v", got)
	}
	change := person(1)
	change.Fields = map[string]sdk.Value{"Title": sdk.Text("CFO"), "FirstName": sdk.Clear()}
	second := r.write("Contact", change)
	if got := second.Outcomes[0]; got.Done != sdk.Updated || got.CRMID != first.Outcomes[0].CRMID {
		t.Errorf("second write: %+v", got)
	}
	contacts := r.records("Contact")
	if len(contacts) != 1 {
		t.Fatalf("the org holds %d contacts, want 1", len(contacts))
	}
	got := contacts[0]
	if got["Title"] != "CFO" || got["FirstName"] != nil || got["Email"] != "anna1@example.org" || got["Clientele_Id__c"] != key(1) {
		t.Errorf("contact: %v; want Title set, FirstName cleared, the rest left alone", got)
	}
	if want := (sdk.Quota{Bucket: bucketAPI, Limit: 100_000, Remaining: 100_000 - 2, ResetSeconds: -1}); second.Usage.Quotas[0] != want {
		t.Errorf("quota %+v, want %+v", second.Usage.Quotas[0], want)
	}
}

func TestModesAndKnownIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	id := r.create("Contact", `{"LastName":"Known","Email":"known@example.org"}`)
	account := r.create("Account", `{"Name":"Muster GmbH"}`)
	r.write("Contact", person(7))

	known := person(1)
	known.CRMID, known.AssociateCRMID = id, account
	fresh := person(2)
	fresh.Mode = sdk.ModeCreate
	taken := person(7)
	taken.ItemID, taken.Mode = "taken", sdk.ModeCreate
	absent := person(8)
	absent.ItemID, absent.Mode = "absent", sdk.ModeUpdate
	keyed := person(7)
	keyed.Mode, keyed.Fields = sdk.ModeUpdate, map[string]sdk.Value{"Title": sdk.Text("CTO")}
	unfit := person(9)
	unfit.Fields = map[string]sdk.Value{"Id": sdk.Text(id)}

	reply := r.write("Contact", known, fresh, taken, absent, keyed, unfit)
	got := byItem(t, reply.Outcomes)
	for item, want := range map[string]string{
		"item-1": "updated", "item-2": "created", "taken": "duplicate", "absent": "not_found", "item-7": "updated", "item-9": "validation",
	} {
		o := got[item]
		has := string(o.Done)
		if o.Err != nil {
			has = string(o.Err.Class)
		}
		if has != want {
			t.Errorf("%s: %s (%+v), want %s", item, has, o, want)
		}
	}
	if got["taken"].CRMID != got["item-7"].CRMID {
		t.Errorf("the duplicate names %q, want the record in the way %q", got["taken"].CRMID, got["item-7"].CRMID)
	}
	for _, c := range r.records("Contact") {
		if c["Id"] == id && (c["Clientele_Id__c"] != key(1) || c["AccountId"] != account) {
			t.Errorf("known record: %v; want our key and the account on it", c)
		}
	}
}

// Must show 3: every 10th record invalid, the other 900 land and 100 outcomes
// name field and reason.
func TestInvalidRecordsFailAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	failed := 0
	for start := 0; start < 1000; start += batchMax {
		items := people(start, batchMax)
		for i := range items {
			if (start+i)%10 == 0 {
				items[i].Fields["Email"] = sdk.Text("not an address")
			}
		}
		for _, o := range byItem(t, r.write("Contact", items...).Outcomes) {
			if o.Err == nil {
				continue
			}
			failed++
			if o.Err.Class != sdk.ClassValidation || o.Err.Field != "Email" || !strings.Contains(o.Err.Message, "invalid email address") {
				t.Errorf("%s: %+v", o.ItemID, o.Err)
			}
			if strings.Contains(o.Err.Error(), "not an address") {
				t.Errorf("the error quotes the value: %v", o.Err)
			}
		}
	}
	if held := r.counts().Held["Contact"]; failed != 100 || held != 900 {
		t.Errorf("%d failed and %d landed, want 100 and 900", failed, held)
	}
}

// Must show 3: every reply is dropped after the commit.
func TestLostRepliesMakeNoDuplicates(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("POST", "/faults", `{"method":"PATCH","path":"/services/data/v66.0/composite/sobjects/**","cut":"after"}`)
	items := people(0, 1000)
	for start := 0; start < len(items); start += batchMax {
		_, err := r.a.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: items[start : start+batchMax]})
		if e := asError(t, err); e.Class != sdk.ClassUnknownOutcome || e.Retry != sdk.RetryReadBack || calls(e.Usage) != 1 {
			t.Fatalf("lost reply: %+v", e)
		}
	}
	ids := r.findByKey("Contact", items)
	if len(ids) != 1000 {
		t.Fatalf("found %d of 1000 by key", len(ids))
	}
	contacts := make([]string, len(items))
	for i, item := range items {
		contacts[i] = ids[item.ItemID]
	}
	activities := conversations(contacts)
	for start := 0; start < len(activities); start += batchMax {
		_, err := r.a.LogActivities(t.Context(), sdk.LogActivitiesRequest{Connection: r.conn, Items: activities[start : start+batchMax]})
		if e := asError(t, err); e.Class != sdk.ClassUnknownOutcome {
			t.Fatalf("lost reply: %+v", e)
		}
	}
	r.admin("DELETE", "/faults", "")
	for start := 0; start < len(activities); start += batchMax {
		reply, err := r.a.LogActivities(t.Context(), sdk.LogActivitiesRequest{Connection: r.conn, Items: activities[start : start+batchMax]})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range reply.Outcomes {
			if o.Done != sdk.Updated || o.Object != "Task" {
				t.Fatalf("replayed activity: %+v", o)
			}
		}
	}
	c := r.counts()
	if c.Held["Contact"] != 1000 || c.Held["Task"] != 1000 || c.Duplicates["Contact"]+c.Duplicates["Task"] != 0 {
		t.Errorf("held %v, duplicates %v; want 1000 of each and none doubled", c.Held, c.Duplicates)
	}
}

// findByKey reads records back, 200 keys at a time.
func (r *rig) findByKey(object string, items []sdk.WriteItem) map[string]string {
	r.t.Helper()
	ids := map[string]string{}
	for start := 0; start < len(items); start += batchMax {
		var keys []sdk.FindKey
		for _, item := range items[start:min(start+batchMax, len(items))] {
			keys = append(keys, sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByExternalKey, Value: item.ExternalKey})
		}
		reply, err := r.a.Find(r.t.Context(), sdk.FindRequest{Connection: r.conn, Object: object, Keys: keys})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, hit := range reply.Hits {
			ids[hit.ItemID] = hit.Record.ID
		}
	}
	return ids
}

func TestABatchRefusedForOneRecordIsHalvedByTheHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.admin("PATCH", "/settings", `{"wrong_type_fails_call":true}`)
	items := people(0, 3)
	items[1].Fields["Birthdate"] = sdk.Text("19/02/1985")
	_, err := r.a.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: items})
	if e := asError(t, err); e.Class != sdk.ClassBatchRefused || strings.Contains(e.Message, "1985") {
		t.Errorf("batch: %+v", e)
	}
	alone := r.write("Contact", items[1])
	if e := alone.Outcomes[0].Err; e == nil || e.Class != sdk.ClassValidation {
		t.Errorf("alone: %+v", alone.Outcomes[0])
	}
	if held := r.counts().Held["Contact"]; held != 0 {
		t.Errorf("%d contacts were written", held)
	}
}

// One call's reply is lost and the next is refused: each record has its own fate.
func TestAMixedBatchKeepsItsFatesApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	known := person(1)
	known.CRMID = r.write("Contact", person(1)).Outcomes[0].CRMID
	r.admin("POST", "/faults", `{"path":"/services/data/v66.0/composite/sobjects","cut":"after"}`)
	r.admin("POST", "/faults", `{"path":"/services/data/v66.0/composite/sobjects/**","preset":"daily_limit"}`)
	got := byItem(t, r.write("Contact", known, person(2)).Outcomes)
	if got["item-1"].Err.Class != sdk.ClassUnknownOutcome || got["item-2"].Err.Class != sdk.ClassQuota {
		t.Errorf("got %+v", got)
	}
	r.admin("DELETE", "/faults", "")
	r.admin("POST", "/faults", `{"preset":"daily_limit"}`)
	_, err := r.a.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.WriteItem{known, person(2)}})
	if e := asError(t, err); e.Class != sdk.ClassQuota || calls(e.Usage) != 1 {
		t.Errorf("a used-up allowance: %+v; want the call to fail, after one request", e)
	}
}

// Two adapters write the same new client at once.
func TestTheSameNewKeyTwiceMakesOneRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			reply, err := newAdapter(nil).Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: people(1, 50)})
			if err != nil {
				t.Error(err)
			}
			for _, o := range reply.Outcomes {
				if o.Err != nil {
					t.Errorf("%+v", o)
				}
			}
		})
	}
	both.Wait()
	if c := r.counts(); c.Held["Contact"] != 50 {
		t.Errorf("held %v, want 50 contacts", c.Held)
	}
}

func TestDuplicateRulePolicies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		profile, policy string
		created         bool
		candidates      int
	}{
		{"dup-alert", "report", false, 1},
		{"dup-alert", "allow", true, 0},
		{"dup-alert", "block", false, 0},
		{"dup-block", "allow", false, 0},
		{"dup-block", "report", false, 1},
	} {
		t.Run(tc.profile+" "+tc.policy, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tc.profile, fmt.Sprintf(`{"duplicate_rules":%q}`, tc.policy))
			id := r.create("Contact", `{"LastName":"Fischer 1","Email":"anna1@example.org"}`)
			got := byItem(t, r.write("Contact", person(1), person(2)).Outcomes)
			if got["item-2"].Done != sdk.Created {
				t.Errorf("the innocent record: %+v", got["item-2"])
			}
			o := got["item-1"]
			if tc.created {
				if o.Done != sdk.Created {
					t.Errorf("got %+v, want created", o)
				}
				return
			}
			if o.Err == nil || o.Err.Class != sdk.ClassDuplicate || len(o.Candidates) != tc.candidates {
				t.Fatalf("got %+v, want a duplicate with %d candidates", o, tc.candidates)
			}
			if tc.candidates == 1 && (o.Candidates[0] != id || o.CRMID != id) {
				t.Errorf("candidates %v, want %s", o.Candidates, id)
			}
		})
	}
}

func TestRecordsThatWentElsewhereAreFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	made := byItem(t, r.write("Contact", people(1, 4)...).Outcomes)
	id := func(n int) string { return made[fmt.Sprint("item-", n)].CRMID }
	r.admin("POST", "/merge", fmt.Sprintf(`{"object":"Contact","winner":%q,"losers":[%q]}`, id(1), id(2)))
	r.rest("DELETE", "/services/data/v66.0/sobjects/Contact/"+id(3), "")

	items := people(1, 4)
	for i := range items {
		items[i].CRMID = id(i + 1)
	}
	missing := person(9)
	missing.CRMID = "003Si0000999999"
	got := byItem(t, r.write("Contact", append(items, missing)...).Outcomes)
	if o := got["item-2"]; o.Err == nil || o.Err.Class != sdk.ClassRemapped || o.CRMID != id(1) {
		t.Errorf("merged: %+v, want remapped to %s", o, id(1))
	}
	for _, item := range []string{"item-3", "item-9"} {
		if o := got[item]; o.Err == nil || o.Err.Class != sdk.ClassNotFound {
			t.Errorf("%s is gone: %+v", item, o)
		}
	}
	if got["item-1"].Done != sdk.Updated || got["item-4"].Done != sdk.Updated {
		t.Errorf("the others: %+v, %+v", got["item-1"], got["item-4"])
	}
}

func TestConvertedLeadsAreFollowed(t *testing.T) {
	t.Parallel()
	r := newRig(t, "leads-only", `{"client_object":"Lead"}`)
	lead := person(1)
	lead.Fields["Company"] = sdk.Text("Muster GmbH")
	made := r.write("Lead", lead).Outcomes[0]
	contact := r.admin("POST", "/convert", fmt.Sprintf(`{"lead":%q}`, made.CRMID))["contact"]

	known := lead
	known.ItemID, known.CRMID, known.AssociateCRMID = "known", made.CRMID, ""
	got := byItem(t, r.write("Lead", known, lead).Outcomes)
	for _, item := range []string{"known", "item-1"} {
		if o := got[item]; o.Err == nil || o.Err.Class != sdk.ClassRemapped || o.CRMID != contact || o.Object != "Contact" {
			t.Errorf("%s: %+v, want remapped to contact %v", item, o, contact)
		}
	}
	found, err := r.a.Find(t.Context(), sdk.FindRequest{Connection: r.conn, Object: "Lead", Keys: []sdk.FindKey{{ItemID: "x", By: sdk.FindByEmail, Value: "anna1@example.org"}}})
	if err != nil || len(found.Hits) != 1 || found.Hits[0].Record.Object != "Contact" || found.Hits[0].Record.ID != contact {
		t.Errorf("find: %+v, %v; want the contact", found.Hits, err)
	}
}

func TestPersonAccountsKeepTheirName(t *testing.T) {
	t.Parallel()
	r := newRig(t, "person-accounts", "")
	made := byItem(t, r.write("Contact", people(1, 2)...).Outcomes)
	r.admin("POST", "/set", fmt.Sprintf(`{"object":"Contact","id":%q,"fields":{"IsPersonAccount":true}}`, made["item-1"].CRMID))
	got := byItem(t, r.write("Contact", people(1, 2)...).Outcomes)
	if o := got["item-1"]; o.Err == nil || o.Err.Class != sdk.ClassValidation {
		t.Errorf("a person account's name: %+v; want it to be this record's matter", o)
	}
	if got["item-2"].Done != sdk.Updated {
		t.Errorf("another contact: %+v", got["item-2"])
	}
}

func TestAReadOnlyFieldIsDrift(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	item := person(1)
	item.Fields["PhotoUrl"] = sdk.Text("https://example.org")
	if o := r.write("Contact", item).Outcomes[0]; o.Err == nil || o.Err.Class != sdk.ClassSchema || o.Err.Field != "PhotoUrl" {
		t.Errorf("got %+v; want the field named", o)
	}
}

// The contact is there; its account, or the conversation's person, is not.
func TestTheOtherEndOfAnAssociationIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	made := byItem(t, r.write("Contact", people(1, 2)...).Outcomes)
	known := person(1)
	known.CRMID, known.AssociateCRMID = made["item-1"].CRMID, "001Si0000009999"
	gone := made["item-2"].CRMID
	r.rest("DELETE", "/services/data/v66.0/sobjects/Contact/"+gone, "")
	for name, o := range map[string]sdk.Outcome{
		"contact": r.write("Contact", known).Outcomes[0], "task": r.log(conversations([]string{gone})[0]).Outcomes[0],
	} {
		if o.Err == nil || o.Err.Class != sdk.ClassNotFound || o.Err.Field != fieldAssociation {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestPlanSendsNothingAndSaysWhatWriteWouldSend(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	r.write("Contact", person(1), person(2))
	changed := person(1)
	changed.Fields = map[string]sdk.Value{"LastName": sdk.Text("Weber")}
	items := []sdk.WriteItem{changed, person(2), person(3)}
	plan, err := r.a.Plan(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: items})
	if err != nil {
		t.Fatal(err)
	}
	actions := map[string]string{}
	for _, item := range plan.Items {
		actions[item.ItemID] = item.Action
	}
	if diff := cmp.Diff(map[string]string{"item-1": "update", "item-2": "unchanged", "item-3": "create"}, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if got := plan.Items[0].Before["LastName"]; got.Text() != "Fischer 1" {
		t.Errorf("before: %v", got)
	}
	if len(plan.Requests) != 1 || plan.Requests[0].Method != "PATCH" || !strings.Contains(plan.Requests[0].Body, "Weber") {
		t.Errorf("requests: %+v", plan.Requests)
	}
	if got := r.counts().Created["Contact"]; got != 2 {
		t.Errorf("planning wrote: %d contacts were created, want the 2 from before", got)
	}
}

func TestDeleteCountsWhatIsGoneAsDone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	made := byItem(t, r.write("Contact", people(1, 2)...).Outcomes)
	request := sdk.DeleteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.DeleteItem{
		{ItemID: "a", CRMID: made["item-1"].CRMID}, {ItemID: "b", CRMID: "nonsense"},
	}}
	for _, want := range []sdk.Done{sdk.Updated, sdk.Unchanged} {
		reply, err := r.a.Delete(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		got := byItem(t, reply.Outcomes)
		if got["a"].Done != want || got["b"].Err == nil || got["b"].Err.Class != sdk.ClassValidation {
			t.Errorf("got %+v; want a %s and b refused", got, want)
		}
	}
	if held := r.counts().Held["Contact"]; held != 1 {
		t.Errorf("the org holds %d contacts, want 1", held)
	}
}
