package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

func TestWriteModes(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	known := c.write(contact(1)).Outcomes[0]
	with := func(n int, change func(*sdk.WriteItem)) sdk.WriteItem {
		item := contact(n)
		change(&item)
		return item
	}
	for name, tc := range map[string]struct {
		item  sdk.WriteItem
		done  sdk.Done
		class sdk.Class
	}{
		"create what is there":           {with(1, func(i *sdk.WriteItem) { i.Mode = sdk.ModeCreate }), sdk.Failed, sdk.ClassDuplicate},
		"update what is not there":       {with(2, func(i *sdk.WriteItem) { i.Mode = sdk.ModeUpdate }), sdk.Failed, sdk.ClassNotFound},
		"a known id that is gone":        {with(3, func(i *sdk.WriteItem) { i.CRMID = "0a0b0c0d-1111-4222-8333-0123456789ab" }), sdk.Failed, sdk.ClassNotFound},
		"an id that is none":             {with(4, func(i *sdk.WriteItem) { i.CRMID = "1)/x" }), sdk.Failed, sdk.ClassValidation},
		"a stale version":                {with(1, func(i *sdk.WriteItem) { i.CRMID, i.Version = known.CRMID, "1" }), sdk.Failed, sdk.ClassConflict},
		"a key with forbidden marks":     {with(5, func(i *sdk.WriteItem) { i.ExternalKey = "a/b" }), sdk.Failed, sdk.ClassValidation},
		"a column that does not exist":   {with(6, func(i *sdk.WriteItem) { i.Fields["nosuch"] = sdk.Text("x") }), sdk.Failed, sdk.ClassSchema},
		"a field name that is an attack": {with(7, func(i *sdk.WriteItem) { i.Fields["a$b&c"] = sdk.Text("x") }), sdk.Failed, sdk.ClassSchema},
		"a choice in words":              {with(8, func(i *sdk.WriteItem) { i.Fields["gendercode"] = sdk.Text("2") }), sdk.Failed, sdk.ClassValidation},
		"a choice that is none":          {with(9, func(i *sdk.WriteItem) { i.Fields["gendercode"] = sdk.Number(7) }), sdk.Failed, sdk.ClassValidation},
		"an absent account":              {with(10, func(i *sdk.WriteItem) { i.AssociateCRMID = "0a0b0c0d-1111-4222-8333-0123456789ab" }), sdk.Failed, sdk.ClassNotFound},
		"a new one":                      {with(11, func(i *sdk.WriteItem) { i.Mode = sdk.ModeCreate }), sdk.Created, ""},
		"types": {with(12, func(i *sdk.WriteItem) {
			i.Fields["gendercode"], i.Fields["donotemail"], i.Fields["birthdate"] = sdk.Number(2), sdk.Bool(true), sdk.Text("1980-02-29")
		}), sdk.Created, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := c.write(tc.item).Outcomes[0]
			class := sdk.Class("")
			if o.Err != nil {
				class = o.Err.Class
			}
			if o.Done != tc.done || class != tc.class {
				t.Errorf("%s %v, want %s %s", o.Done, o.Err, tc.done, tc.class)
			}
		})
	}
}

func TestEchoShowsWhatTheCRMHolds(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	item := contact(1)
	item.Fields = map[string]sdk.Value{
		"lastname": sdk.Text("O'Brien 😀"), "gendercode": sdk.Number(1), "donotphone": sdk.Bool(true), "jobtitle": sdk.Text(""), "birthdate": sdk.Text("1980-05-02"),
	}
	o := c.write(item).Outcomes[0]
	want := map[string]sdk.Value{
		"lastname": sdk.Text("O'Brien 😀"), "gendercode": sdk.Number(1), "donotphone": sdk.Bool(true), "jobtitle": sdk.Clear(), "birthdate": sdk.Text("1980-05-02"),
	}
	if diff := cmp.Diff(want, o.Echo, cmp.Comparer(sdk.Value.Equal)); diff != "" {
		t.Errorf("echo (-want +got):\n%s", diff)
	}
}

func TestAContactIsLinkedToItsAccount(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	reply, err := c.adapter.Write(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "account", Items: []sdk.WriteItem{
		{ItemID: "co", Mode: sdk.ModeUpsert, ExternalKey: key(900), Fields: map[string]sdk.Value{"name": sdk.Text("Northwind")}},
	}})
	if err != nil || reply.Outcomes[0].Done != sdk.Created {
		t.Fatalf("%+v %v", reply, err)
	}
	item := contact(1)
	item.AssociateCRMID = reply.Outcomes[0].CRMID
	if e := firstErr(c.write(item)); e != nil {
		t.Fatal(e)
	}
	lost := contact(2)
	lost.AssociateCRMID = "0a0b0c0d-1111-4222-8333-0123456789ab"
	if e := firstErr(c.write(lost)); e == nil || e.Class != sdk.ClassNotFound || e.Field != fieldAssociation {
		t.Errorf("an account that is gone: %+v", e)
	}
	if got := c.records("contact")[0]["_parentcustomerid_value"]; got != item.AssociateCRMID {
		t.Errorf("parent customer %v, want the account", got)
	}
}

// A record merged into another keeps our key. The next write to the survivor
// moves it over; a write to the loser names the survivor.
func TestTheKeyFollowsAMerge(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	out := c.write(contact(1), contact(2)).Outcomes
	loser, winner := out[0].CRMID, out[1].CRMID
	c.post("/merge/org-a/contact", map[string]string{"into": winner, "from": loser})

	byOldID := contact(1)
	byOldID.CRMID = loser
	o := c.write(byOldID).Outcomes[0]
	if o.Err == nil || o.Err.Class != sdk.ClassRemapped || o.CRMID != winner {
		t.Errorf("write to the loser: %+v %v", o, o.Err)
	}
	// Client 1 is now the surviving record.
	moved := contact(1)
	moved.CRMID = winner
	moved.Fields = map[string]sdk.Value{"jobtitle": sdk.Text("CTO")}
	o = c.write(moved).Outcomes[0]
	if o.Done != sdk.Updated || len(o.Notes) == 0 {
		t.Fatalf("write to the survivor: %+v %v", o, o.Err)
	}
	for _, r := range c.records("contact") {
		want := map[string]any{winner: key(1), loser: nil}[r["contactid"].(string)]
		if r["acme_clientele_id"] != want {
			t.Errorf("%v has key %v, want %v", r["contactid"], r["acme_clientele_id"], want)
		}
	}
}

func TestAKeyOnAnotherLivingRecordIsADuplicate(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	out := c.write(contact(1), contact(2)).Outcomes
	item := contact(1)
	item.CRMID = out[1].CRMID
	o := c.write(item).Outcomes[0]
	if o.Err == nil || o.Err.Class != sdk.ClassDuplicate || o.CRMID != out[0].CRMID {
		t.Errorf("%+v %v, want a duplicate that names the other record", o, o.Err)
	}
}

func TestDuplicateRulesByPolicy(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 412} {
		for policy, want := range map[string]sdk.Class{"allow": "", "block": sdk.ClassDuplicate, "report": sdk.ClassDuplicate} {
			t.Run(fmt.Sprint(policy, status), func(t *testing.T) {
				t.Parallel()
				c := installed(t, map[string]any{"duplicate_detection": policy})
				c.set(map[string]any{"duplicate_status": status})
				there := c.write(contact(1)).Outcomes[0].CRMID
				twin := contact(2)
				twin.Fields["emailaddress1"] = sdk.Text(email(1))
				o := c.write(twin).Outcomes[0]
				class := sdk.Class("")
				if o.Err != nil {
					class = o.Err.Class
				}
				if class != want {
					t.Errorf("%v, want %q", o.Err, want)
				}
				if named := slices.Contains(o.Candidates, there); named != (policy == "report") {
					t.Errorf("candidates %v", o.Candidates)
				}
			})
		}
	}
}

func TestUpsertMultipleIsProbedAndItsRefusalHalves(t *testing.T) {
	t.Parallel()
	c := installed(t, map[string]any{"upsert_multiple": true})
	out := c.write(contact(1), contact(2)).Outcomes
	for _, o := range out {
		if o.Done != sdk.Created || o.CRMID == "" || o.Version == "" {
			t.Errorf("%+v %v", o, o.Err)
		}
	}
	bad := contact(3)
	bad.Fields["firstname"] = sdk.Text(strings.Repeat("x", 51))
	_, err := c.adapter.Write(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: []sdk.WriteItem{bad, contact(4)}})
	if failed, ok := errors.AsType[*sdk.Error](err); !ok || failed.Class != sdk.ClassBatchRefused {
		t.Errorf("one bad row: %v, want batch_refused", err)
	}
	if n := c.counts().Held["contact"]; n != 2 {
		t.Errorf("the CRM holds %d contacts, want the first two", n)
	}
	// Alone it gets its own verdict.
	if e := firstErr(c.write(bad)); e == nil || e.Class != sdk.ClassValidation || e.Field != "firstname" {
		t.Errorf("the bad row alone: %v", e)
	}
	// A table without the message goes the usual way.
	c.set(map[string]any{"bulk_tables": []string{}})
	if e := firstErr(c.write(contact(5), contact(6))); e != nil {
		t.Error(e)
	}
}

func TestAPlugInsRefusalAndAnAdminsLength(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.set(map[string]any{"plugin_requires": []string{"contact.jobtitle"}, "max_lengths": map[string]int{"contact.department": 5}})
	withTitle := contact(2)
	withTitle.Fields["jobtitle"] = sdk.Text("CTO")
	long := contact(3)
	long.Fields["jobtitle"], long.Fields["department"] = sdk.Text("CTO"), sdk.Text("Research")
	out := c.write(contact(1), withTitle, long).Outcomes
	if e := out[0].Err; e == nil || e.Class != sdk.ClassValidation || !strings.Contains(e.Message, "Contoso rule") {
		t.Errorf("plug-in: %v", e)
	}
	if out[1].Done != sdk.Created {
		t.Errorf("%v", out[1].Err)
	}
	if e := out[2].Err; e == nil || e.Field != "department" || !strings.Contains(e.Message, "'5'") {
		t.Errorf("length: %v", e)
	}
}

func TestWithoutTheKeyTheErrorNamesIt(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	o := c.write(contact(1)).Outcomes[0]
	if o.Err == nil || o.Err.Class != sdk.ClassSchema || o.Err.Field == "" {
		t.Errorf("%+v, want a schema error that names the column", o.Err)
	}
	// The column is there, its key's index not yet.
	c.install()
	o = c.write(contact(1)).Outcomes[0]
	if o.Err == nil || o.Err.Class != sdk.ClassSchema || o.Err.Field != "acme_clientele_id" {
		t.Errorf("%+v", o.Err)
	}
}

func TestDeleteAndDeleteAgain(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	id := c.write(contact(1)).Outcomes[0].CRMID
	c.log(activityOf(1, "voice", id))
	for _, want := range []sdk.Done{sdk.Updated, sdk.Unchanged} {
		reply, err := c.adapter.Delete(t.Context(), sdk.DeleteRequest{Connection: c.conn, Object: "contact", Items: []sdk.DeleteItem{{ItemID: "d", CRMID: id}}})
		if err != nil || reply.Outcomes[0].Done != want {
			t.Errorf("%+v %v, want %s", reply, err, want)
		}
	}
	if held := c.counts().Held; held["contact"] != 0 || held["phonecall"] != 0 {
		t.Errorf("still there: %v", held)
	}
	reply, err := c.adapter.Delete(t.Context(), sdk.DeleteRequest{Connection: c.conn, Object: "contact", Items: []sdk.DeleteItem{{ItemID: "d", CRMID: "x"}}})
	if err != nil || firstErr(reply) == nil {
		t.Errorf("an id that is none: %+v %v", reply, err)
	}
}

func TestPlanSendsNothing(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	known := c.write(contact(1)).Outcomes[0]
	before := c.records("contact")
	change := contact(1)
	change.CRMID, change.Fields = known.CRMID, map[string]sdk.Value{"firstname": sdk.Text("Eva")}
	same := contact(1)
	same.ItemID = "same"
	bad := contact(3)
	bad.ExternalKey = "a/b"
	bad.ItemID = "bad"
	plan, err := c.adapter.Plan(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: []sdk.WriteItem{change, contact(2), same, bad}})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, i := range plan.Items {
		action, _, _ := strings.Cut(i.Action, ":")
		actions = append(actions, action)
	}
	if diff := cmp.Diff([]string{"update", "create", "unchanged", "refused"}, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if plan.Items[0].Before["firstname"].Text() != "Ana" || plan.Items[0].After["firstname"].Text() != "Eva" {
		t.Errorf("%+v", plan.Items[0])
	}
	if len(plan.Requests) != 1 || strings.Contains(plan.Requests[0].Body, "static-test") || !strings.Contains(plan.Requests[0].Body, "PATCH") {
		t.Errorf("requests %+v", plan.Requests)
	}
	if diff := cmp.Diff(before, c.records("contact")); diff != "" {
		t.Errorf("the CRM changed:\n%s", diff)
	}
}

func TestATokenThatDiesInMidRun(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.set(map[string]any{"expire_tokens": true})
	_, err := c.adapter.Find(t.Context(), sdk.FindRequest{Connection: c.conn, Object: "contact", Keys: []sdk.FindKey{{ItemID: "x", By: sdk.FindByEmail, Value: "a@b.example"}}})
	failed, ok := errors.AsType[*sdk.Error](err)
	if !ok || failed.Class != sdk.ClassAuth {
		t.Fatalf("%v, want auth", err)
	}
	if strings.Contains(err.Error(), "a@b") || strings.Contains(err.Error(), "static-test") {
		t.Errorf("the error tells too much: %v", err)
	}
}

func TestARightThatIsMissing(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.set(map[string]any{"denied_privileges": []string{"prvCreateContact"}})
	if e := firstErr(c.write(contact(1))); e == nil || e.Class != sdk.ClassPermission || !strings.Contains(e.Message, "prvCreateContact") {
		t.Errorf("write: %v", e)
	}
	check, err := c.adapter.Check(t.Context(), sdk.CheckRequest{Connection: c.conn})
	if err != nil || !slices.Contains(check.Missing, "prvCreateContact") {
		t.Errorf("check: %+v %v", check.Missing, err)
	}
	c.set(map[string]any{"no_application_user": true})
	_, err = c.adapter.Check(t.Context(), sdk.CheckRequest{Connection: c.conn})
	if failed, ok := errors.AsType[*sdk.Error](err); !ok || failed.Class != sdk.ClassPermission || failed.Code != "0x80072560" {
		t.Errorf("no application user: %v", err)
	}
}

func TestAnotherBodyShapeIsRead(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	c.fault(base.Fault{Preset: "other_shape"})
	_, err := c.adapter.Check(t.Context(), sdk.CheckRequest{Connection: c.conn})
	failed, ok := errors.AsType[*sdk.Error](err)
	if !ok || failed.Code != "0x80040216" || failed.Message != "An error has occurred." {
		t.Errorf("%+v", err)
	}
}
