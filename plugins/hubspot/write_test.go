package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
)

func TestWriteCreatesThenUpdatesByKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, err := r.write(person(1))
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.write(person(1))
	if err != nil {
		t.Fatal(err)
	}
	a, b := first["item-1"], again["item-1"]
	if a.Done != sdk.Created || b.Done != sdk.Updated || a.CRMID != b.CRMID || a.Version == "" {
		t.Errorf("first %+v, again %+v", a, b)
	}
	want := map[string]sdk.Value{
		"firstname": sdk.Text("First1"), "lastname": sdk.Text("Tester"), "email": sdk.Text("person1@example.test"),
		"phone": sdk.Text("+12125550001"), "city": sdk.Text("Utrecht"),
	}
	if diff := cmp.Diff(want, a.Echo); diff != "" {
		t.Errorf("echo (-want +got):\n%s", diff)
	}
	if n := len(r.records(contacts)); n != 1 {
		t.Errorf("%d contacts, want 1", n)
	}
}

func TestAbsentIsLeftAloneAndClearEmpties(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(1)
	out, err := r.write(sdk.WriteItem{
		ItemID: "u", Mode: sdk.ModeUpdate, ExternalKey: key(0), CRMID: ids[0],
		Fields: map[string]sdk.Value{"city": sdk.Clear(), "zip": sdk.Text("3511 AA"), "hs_legal_basis": sdk.List("Not applicable")},
	})
	if err != nil || out["u"].Done != sdk.Updated {
		t.Fatal(out, err)
	}
	if !out["u"].Echo["city"].IsClear() {
		t.Errorf("echo of a cleared field: %v", out["u"].Echo["city"])
	}
	got := r.byKey(contacts, key(0)).Properties
	if got["city"] != "" || got["zip"] != "3511 AA" || got["firstname"] != "First0" || got["hs_legal_basis"] != "Not applicable" {
		t.Errorf("holds %v", got)
	}
}

// One call holds new, known and refused records; each ends in its own outcome.
func TestOutcomesAreByItem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(3)
	create := func(item sdk.WriteItem) sdk.WriteItem { item.Mode = sdk.ModeCreate; return item }
	known := person(0)
	known.CRMID, known.ItemID = ids[0], "known"
	gone := person(7)
	gone.CRMID, gone.ItemID = "90219999", "gone"
	bad := create(person(8))
	bad.ItemID, bad.Fields = "bad", map[string]sdk.Value{"lastname": sdk.Text("x"), "email": sdk.Text("no address")}
	taken := create(person(9))
	taken.ItemID, taken.Fields["email"] = "taken", sdk.Text("PERSON2@example.test")
	fresh := create(person(10))
	fresh.ItemID = "fresh"
	twice := person(0)
	twice.CRMID, twice.ItemID, twice.ExternalKey = ids[0], "twice", key(99)
	unknown := sdk.WriteItem{ItemID: "no-id", Mode: sdk.ModeUpdate, ExternalKey: key(98)}

	out, err := r.write(known, gone, bad, taken, fresh, twice, unknown)
	if err != nil {
		t.Fatal(err)
	}
	if out["known"].Done != sdk.Updated || out["fresh"].Done != sdk.Created {
		t.Errorf("known %+v, fresh %+v", out["known"], out["fresh"])
	}
	wantError(t, out["gone"].Err, sdk.ClassNotFound, "")
	wantError(t, out["bad"].Err, sdk.ClassValidation, "email")
	wantError(t, out["taken"].Err, sdk.ClassDuplicate, "")
	if out["taken"].CRMID != ids[2] {
		t.Errorf("the record in the way is %q, want %q", out["taken"].CRMID, ids[2])
	}
	wantError(t, out["twice"].Err, sdk.ClassLock, "")
	wantError(t, out["no-id"].Err, sdk.ClassNotFound, "")
}

// HubSpot refuses a whole batch of updates for one bad value and does not say
// which row has it. The adapter does.
func TestARefusedBatchNamesTheGuiltyRows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(30)
	var items []sdk.WriteItem
	for i, crmID := range ids {
		item := person(i)
		item.CRMID = crmID
		item.Fields["lifecyclestage"] = sdk.Text("customer")
		if i%10 == 3 {
			item.Fields["lifecyclestage"] = sdk.Text(fmt.Sprint("wizard", i))
		}
		if i%10 == 7 {
			item.Fields["shoe_size"] = sdk.Text("43")
		}
		items = append(items, item)
	}
	out, err := r.write(items...)
	if err != nil {
		t.Fatal(err)
	}
	var innocent []sdk.WriteItem
	for i, item := range items {
		switch i % 10 {
		case 3:
			wantError(t, out[item.ItemID].Err, sdk.ClassValidation, "lifecyclestage")
		case 7:
			wantError(t, out[item.ItemID].Err, sdk.ClassSchema, "shoe_size")
		default:
			wantError(t, out[item.ItemID].Err, sdk.ClassBatchRefused, "")
			innocent = append(innocent, item)
		}
	}
	again, err := r.write(innocent...)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range innocent {
		if again[item.ItemID].Done != sdk.Updated {
			t.Errorf("%s: %+v", item.ItemID, again[item.ItemID])
		}
	}
}

func TestRowsMissingFromAnAnswerAreUnknown(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"empty_results", "short_results"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fault(`{"path":"/crm/**","do":"` + fault + `","count":1}`)
			out, err := r.write(person(1), person(2))
			if fault == "empty_results" {
				if err != nil {
					t.Fatal(err)
				}
				wantError(t, out["item-1"].Err, sdk.ClassUnknownOutcome, "")
			}
			wantError(t, out["item-2"].Err, sdk.ClassUnknownOutcome, "")
		})
	}
}

func TestRowsInAnyOrderAndErrorsWithStatus200(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"other_order", "errors_as_200"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fault(`{"path":"/crm/**","do":"` + fault + `"}`)
			bad := person(3)
			bad.Fields["email"] = sdk.Text("nobody")
			out, err := r.write(person(1), person(2), bad)
			if err != nil {
				t.Fatal(err)
			}
			wantError(t, out["item-3"].Err, sdk.ClassValidation, "email")
			for i := range 2 {
				o := out[person(i+1).ItemID]
				if o.Done != sdk.Created || r.byKey(contacts, key(i+1)).ID != o.CRMID {
					t.Errorf("item %d: %+v", i+1, o)
				}
			}
		})
	}
}

func TestAMergedContactIsRemapped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(2)
	merged := r.call("POST", "/crm/objects/2026-09/contacts/merge",
		fmt.Sprintf(`{"primaryObjectId":%q,"objectIdToMerge":%q}`, ids[0], ids[1]))
	survivor, _ := merged["id"].(string)
	item := person(1)
	item.CRMID = ids[1]
	out, err := r.write(item)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, out["item-1"].Err, sdk.ClassRemapped, "")
	if out["item-1"].CRMID != survivor || survivor == "" {
		t.Errorf("remapped to %q, want %q", out["item-1"].CRMID, survivor)
	}
	found, err := r.Find(t.Context(), sdk.FindRequest{
		Connection: r.conn, Object: contacts, Keys: []sdk.FindKey{{ItemID: "x", By: sdk.FindByID, Value: ids[1]}},
	})
	if err != nil || len(found.Hits) != 1 || found.Hits[0].Record.ID != survivor {
		t.Errorf("Find by the old id: %+v, %v", found.Hits, err)
	}
}

func TestCompaniesAreAssociated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reply, err := r.Write(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: companies, Items: []sdk.WriteItem{
		{ItemID: "c", Mode: sdk.ModeUpsert, ExternalKey: key(500), Fields: map[string]sdk.Value{"name": sdk.Text("Acme")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	company := reply.Outcomes[0].CRMID
	upsert, create, orphan := person(1), person(2), person(3)
	create.Mode = sdk.ModeCreate
	upsert.AssociateCRMID, create.AssociateCRMID, orphan.AssociateCRMID = company, company, "99999999"
	out, err := r.write(upsert, create, orphan)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2} {
		if got := r.byKey(contacts, key(n)).Associations[companies]; len(got) != 1 || got[0] != company {
			t.Errorf("contact %d belongs to %v, want %s", n, got, company)
		}
	}
	wantError(t, out["item-3"].Err, sdk.ClassNotFound, "association")
}

// The fields are written, the association is not: the item failed, and says which
// record it is.
func TestAnAssociationMayFailAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(`{"path":"/crm/associations/**","preset":"burst"}`)
	one, two := person(1), person(2)
	one.AssociateCRMID, two.AssociateCRMID = "90219999", "90219999"
	out, err := r.write(one, two)
	if err != nil {
		t.Fatal(err)
	}
	for n, item := range []string{"item-1", "item-2"} {
		wantError(t, out[item].Err, sdk.ClassThrottled, "")
		if out[item].CRMID != r.byKey(contacts, key(n+1)).ID || len(out[item].Notes) == 0 {
			t.Errorf("%s: %+v", item, out[item])
		}
	}
}

func TestAnUpsertRaceIsAConflict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(`{"do":"upsert_conflict","count":1}`)
	out, err := r.write(person(1), person(2))
	if err != nil {
		wantError(t, err.(*sdk.Error), sdk.ClassConflict, "")
	} else {
		wantError(t, out["item-1"].Err, sdk.ClassConflict, "")
	}
	if out, err = r.write(person(1)); err != nil || out["item-1"].Done != sdk.Created {
		t.Errorf("again: %+v, %v", out, err)
	}
}

func TestTooManyItemsAreRefusedUnsent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	items := make([]sdk.WriteItem, maxBatch+1)
	_, err := r.write(items...)
	wantError(t, err.(*sdk.Error), sdk.ClassBatchRefused, "")
	if n := r.counts().Calls; n != 0 {
		t.Errorf("%d calls", n)
	}
}
