package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
)

// hits lists "item by id" of a reply, sorted.
func hits(reply sdk.FindReply) []string {
	out := []string{}
	for _, h := range reply.Hits {
		out = append(out, fmt.Sprintf("%s %s %s", h.ItemID, h.By, h.Record.ID))
	}
	slices.Sort(out)
	return out
}

func TestFindByEveryKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(4)
	// Typed by hand into HubSpot, in the ways people type.
	r.admin("POST", "records/contacts", `{"properties":{"firstname":"Local","phone":"(030) 123 45 67","email":"local@example.test"}}`)
	r.admin("POST", "records/contacts", `{"properties":{"firstname":"Intl","mobilephone":"+31 30 123 45 67"}}`)
	r.admin("POST", "records/contacts", `{"properties":{"firstname":"Other country","phone":"+32 30 123 45 67"}}`)
	local, international := "90210005", "90210006"
	r.admin("PATCH", "records/contacts/"+ids[1], `{"properties":{"hs_additional_emails":"old@example.test;older@example.test"}}`)

	reply, err := r.Find(t.Context(), sdk.FindRequest{
		Connection: r.conn, Object: contacts, Fields: []string{"firstname", "city"},
		Keys: []sdk.FindKey{
			{ItemID: "a", By: sdk.FindByExternalKey, Value: key(0)},
			{ItemID: "a", By: sdk.FindByID, Value: ids[0]},
			{ItemID: "b", By: sdk.FindByEmail, Value: "older@example.test"},
			{ItemID: "c", By: sdk.FindByEmail, Value: address(2)},
			{ItemID: "c", By: sdk.FindByPhone, Value: phone(2)},
			{ItemID: "d", By: sdk.FindByPhone, Value: "+31301234567"},
			{ItemID: "e", By: sdk.FindByEmail, Value: "nobody@example.test"},
			{ItemID: "e", By: sdk.FindByPhone, Value: "+12125559999"},
			{ItemID: "e", By: sdk.FindByExternalKey, Value: key(999)},
			{ItemID: "e", By: sdk.FindByID, Value: "90219999"},
			{ItemID: "f", By: sdk.FindByPhone, Value: "not a number"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a external_key " + ids[0], "a id " + ids[0], "b email " + ids[1], "c email " + ids[2], "c phone " + ids[2],
		"d phone " + local, "d phone " + international,
	}
	if diff := cmp.Diff(want, hits(reply)); diff != "" {
		t.Errorf("hits (-want +got):\n%s", diff)
	}
	for _, h := range reply.Hits {
		if h.ItemID != "a" {
			continue
		}
		wantFields := map[string]sdk.Value{"firstname": sdk.Text("First0"), "city": sdk.Text("Utrecht")}
		if diff := cmp.Diff(wantFields, h.Record.Fields); diff != "" || h.Record.ExternalKey != key(0) || h.Record.Version == "" {
			t.Errorf("record %+v\n%s", h.Record, diff)
		}
	}
}

// A hundred numbers fit into one search although its body is bounded.
func TestPhonesAreSearchedTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seed(100)
	r.admin("DELETE", "counters", "")
	var keys []sdk.FindKey
	for i := range 100 {
		keys = append(keys, sdk.FindKey{ItemID: fmt.Sprint(i), By: sdk.FindByPhone, Value: phone(i)})
	}
	reply, err := r.Find(t.Context(), sdk.FindRequest{Connection: r.conn, Object: contacts, Keys: keys})
	if err != nil || len(reply.Hits) != 100 {
		t.Fatalf("%d hits, %v", len(reply.Hits), err)
	}
	if diff := cmp.Diff([]sdk.BucketCalls{{Bucket: bucketSearch, N: 1}}, reply.Usage.Calls); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestDescribeObject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reply, err := r.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: contacts})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]sdk.Field{}
	for _, f := range reply.Fields {
		byName[f.Name] = f
	}
	for name, want := range map[string]sdk.Field{
		keyField: {
			Name: keyField, Label: "Clientele ID", Type: "string", Kind: sdk.KindText, Unique: true, Custom: true, ExternalID: true,
			Createable: sdk.Yes, Updateable: sdk.Yes, MaxLength: textLimit,
		},
		"email": {
			Name: "email", Label: "Email", Type: "string", Kind: sdk.KindText, Unique: true,
			Createable: sdk.Yes, Updateable: sdk.Yes, MaxLength: textLimit,
		},
		"createdate": {
			Name: "createdate", Label: "Create Date", Type: "datetime", Kind: sdk.KindText, IsDate: true,
			Createable: sdk.No, Updateable: sdk.No,
		},
		"hubspot_owner_id": {
			Name: "hubspot_owner_id", Label: "Contact owner", Type: "enumeration", Kind: sdk.KindText,
			Createable: sdk.Yes, Updateable: sdk.Yes,
		},
	} {
		if diff := cmp.Diff(want, byName[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	basis := byName["hs_legal_basis"]
	if basis.Kind != sdk.KindList || !basis.PicklistRestricted || len(basis.Picklist) != 5 || !basis.Picklist[0].Active {
		t.Errorf("hs_legal_basis: %+v", basis)
	}
	_, err = r.DescribeObject(t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: "butterflies"})
	wantError(t, err.(*sdk.Error), sdk.ClassSchema, "")
}

// follow reads all pages from a cursor.
func (r *rig) follow(c string, limit int) (changed, deleted, remapped []string, next string) {
	r.t.Helper()
	for range 100 {
		reply, err := r.Changes(r.t.Context(), sdk.ChangesRequest{
			Connection: r.conn, Object: contacts, Cursor: c, Fields: []string{"city"}, Limit: limit,
		})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, one := range reply.Changed {
			changed = append(changed, one.ID)
		}
		deleted = append(deleted, reply.Deleted...)
		for _, m := range reply.Remapped {
			remapped = append(remapped, m.FromID+">"+m.ToID)
		}
		if c = reply.Next; !reply.More {
			return changed, deleted, remapped, c
		}
	}
	r.t.Fatal("Changes never ends")
	return nil, nil, nil, ""
}

func TestChangesSeeEditsDeletionsAndMerges(t *testing.T) {
	t.Parallel()
	r := newRig(t, `"deletion_sweep_minutes":10`)
	clock := time.Now()
	r.adapter.now = func() time.Time { return clock }
	pass := func(d time.Duration) {
		clock = clock.Add(d)
		r.admin("POST", "clock", fmt.Sprintf(`{"now":%q}`, clock.Format(time.RFC3339Nano)))
	}
	_, _, _, c := r.follow("", 10)
	pass(10 * time.Minute)
	ids := r.seed(25)
	pass(2 * time.Minute)
	// All at one moment: more than a page with the same time of change.
	changed, _, _, c := r.follow(c, 10)
	slices.Sort(changed)
	if diff := cmp.Diff(ids, changed); diff != "" {
		t.Fatalf("created (-want +got):\n%s", diff)
	}
	pass(20 * time.Minute)
	_, _, _, c = r.follow(c, 10) // what is near the window's start is seen twice
	r.admin("PATCH", "records/contacts/"+ids[3], `{"properties":{"city":"Delft"}}`)
	r.admin("DELETE", "records/contacts/"+ids[4], "")
	merged := r.call("POST", "/crm/objects/2026-09/contacts/merge",
		fmt.Sprintf(`{"primaryObjectId":%q,"objectIdToMerge":%q}`, ids[5], ids[6]))
	survivor, _ := merged["id"].(string)
	pass(12 * time.Minute)
	changed, deleted, remapped, c := r.follow(c, 10)
	if diff := cmp.Diff([]string{ids[3], survivor}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{ids[4]}, deleted); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{ids[5] + ">" + survivor, ids[6] + ">" + survivor}, remapped); diff != "" {
		t.Errorf("remapped (-want +got):\n%s", diff)
	}
	pass(30 * time.Minute)
	_, _, _, c = r.follow(c, 10)
	pass(30 * time.Minute)
	if changed, deleted, _, _ := r.follow(c, 10); len(changed)+len(deleted) != 0 {
		t.Errorf("nothing happened, got changed %v, deleted %v", changed, deleted)
	}
}

func TestARecordThatReachesSearchLateIsNotLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	clock := time.Now()
	r.adapter.now = func() time.Time { return clock }
	pass := func(d time.Duration) {
		clock = clock.Add(d)
		r.admin("POST", "clock", fmt.Sprintf(`{"now":%q}`, clock.Format(time.RFC3339Nano)))
	}
	_, _, _, c := r.follow("", 10)
	r.admin("PATCH", "settings", `{"search_lag_ms":240000}`)
	ids := r.seed(1)
	pass(2 * time.Minute)
	changed, _, _, c := r.follow(c, 10)
	if len(changed) != 0 {
		t.Fatalf("the index shows %v too early", changed)
	}
	pass(3 * time.Minute)
	if changed, _, _, _ = r.follow(c, 10); len(changed) != 1 || changed[0] != ids[0] {
		t.Errorf("got %v, want %v", changed, ids)
	}
}

func TestABadCursorIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, bad := range []string{"x", "{}", "[]", `{"since":1}`} {
		_, err := r.Changes(t.Context(), sdk.ChangesRequest{Connection: r.conn, Object: contacts, Cursor: bad})
		if e, ok := err.(*sdk.Error); !ok || e.Class != sdk.ClassValidation {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(`{"since":"2026-11-22T10:00:00Z","swept":"2026-11-22T10:00:00Z"}`)
	f.Add(`{"since":"2026-11-22T10:00:00Z","until":"2026-11-22T11:00:00Z","last_id":"9","swept":"2026-11-22T10:00:00Z"}`)
	f.Add(`{"since":"0001-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		// No address answers: a cursor must be refused or used, never panic.
		a := newAdapter(nil)
		_, err := a.Changes(t.Context(), sdk.ChangesRequest{
			Connection: sdk.Connection{Settings: []byte(`{"base_url":"http://127.0.0.1:1"}`), Token: sdk.Token{AccessToken: "pat-x"}},
			Object:     contacts, Cursor: text,
		})
		if err == nil && strings.TrimSpace(text) != "" {
			t.Errorf("cursor %q was read without asking HubSpot", text)
		}
	})
}

func TestPlanSendsNothingThatWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(1)
	r.admin("DELETE", "counters", "")
	known := sdk.WriteItem{
		ItemID: "known", Mode: sdk.ModeUpdate, ExternalKey: key(0), CRMID: ids[0],
		Fields: map[string]sdk.Value{"city": sdk.Text("Delft"), "zip": sdk.Clear()},
	}
	plan, err := r.Plan(t.Context(), sdk.WriteRequest{Connection: r.conn, Object: contacts, Items: []sdk.WriteItem{known, person(5)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Requests) != 2 || !strings.HasSuffix(plan.Requests[0].Path, "/contacts/batch/update") ||
		!strings.Contains(plan.Requests[0].Body, "Delft") || strings.Contains(plan.Requests[0].Body, "pat-") {
		t.Errorf("requests: %+v", plan.Requests)
	}
	if plan.Items[0].Action != "update" || plan.Items[0].Before["city"].Text() != "Utrecht" || plan.Items[0].After["city"].Text() != "Delft" {
		t.Errorf("known: %+v", plan.Items[0])
	}
	if plan.Items[1].Action != "create" || plan.Items[1].CRMID != "" {
		t.Errorf("new: %+v", plan.Items[1])
	}
	if got := r.byKey(contacts, key(0)).Properties["city"]; got != "Utrecht" || len(r.records(contacts)) != 1 {
		t.Errorf("the plan wrote: city %q, %d contacts", got, len(r.records(contacts)))
	}
}

func TestDeleteArchives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(3)
	reply, err := r.Delete(t.Context(), sdk.DeleteRequest{Connection: r.conn, Object: contacts, Items: []sdk.DeleteItem{
		{ItemID: "a", CRMID: ids[0]}, {ItemID: "b", CRMID: ids[0]}, {ItemID: "c", CRMID: "90219999"},
	}})
	out := byItem(t, reply, 3, err)
	if err != nil || out["c"].Done != sdk.Updated || len(r.records(contacts)) != 2 {
		t.Errorf("%+v, %v; %d left", out, err, len(r.records(contacts)))
	}
}
