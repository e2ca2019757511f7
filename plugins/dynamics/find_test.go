package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
)

func TestFindManyKeysInOneRequest(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	ids := c.seedContacts(60)
	c.resetCounters()
	var keys []sdk.FindKey
	for i := range 60 {
		id := fmt.Sprint(i)
		keys = append(keys, sdk.FindKey{ItemID: id, By: sdk.FindByEmail, Value: email(i)}, sdk.FindKey{ItemID: id, By: sdk.FindByPhone, Value: phone(i)},
			sdk.FindKey{ItemID: id, By: sdk.FindByID, Value: ids[i]}, sdk.FindKey{ItemID: id, By: sdk.FindByExternalKey, Value: key(i)})
	}
	hits := c.find("contact", nil, keys...)
	if len(hits) != 240 {
		t.Errorf("%d hits, want each of 60 records by each of 4 keys", len(hits))
	}
	for _, h := range hits {
		if h.Record.ID != ids[atoi(t, h.ItemID)] {
			t.Fatalf("%+v", h)
		}
	}
	if calls := c.counts().Calls; calls != 1 {
		t.Errorf("%d requests, want 1", calls)
	}
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFindLooksIntoSecondaryColumnsAndAtUsualSpellings(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	for _, values := range []map[string]any{
		{"lastname": "a", "emailaddress2": "Second@Example.com"},
		{"lastname": "b", "mobilephone": "(614) 555-0122"},
		{"lastname": "c", "telephone2": "+1 614-555-0122"},
		{"lastname": "d", "telephone3": "16145550122"},
		{"lastname": "e", "telephone1": "(614) 555-0199"},
	} {
		c.post("/edit/org-a/contact", map[string]any{"values": values})
	}
	names := func(k sdk.FindKey) []string {
		var out []string
		for _, h := range c.find("contact", []string{"lastname"}, k) {
			out = append(out, h.Record.Fields["lastname"].Text())
		}
		slices.Sort(out)
		return out
	}
	if got := names(sdk.FindKey{ItemID: "x", By: sdk.FindByEmail, Value: "second@example.com"}); !slices.Equal(got, []string{"a"}) {
		t.Errorf("by email: %v", got)
	}
	if got := names(sdk.FindKey{ItemID: "x", By: sdk.FindByPhone, Value: "+16145550122"}); !slices.Equal(got, []string{"b", "c", "d"}) {
		t.Errorf("by phone: %v", got)
	}
	if got := names(sdk.FindKey{ItemID: "x", By: sdk.FindByEmail, Value: "o'brien@example.com"}); got != nil {
		t.Errorf("an apostrophe: %v", got)
	}
}

// A retired or merged record is not a candidate for adoption, but is found by
// what names it exactly.
func TestInactiveRecordsAreNotAdopted(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	id := c.write(contact(1)).Outcomes[0].CRMID
	c.post("/edit/org-a/contact", map[string]any{"id": id, "values": map[string]any{"statecode": 1, "statuscode": 2}})
	hits := c.find("contact", nil,
		sdk.FindKey{ItemID: "email", By: sdk.FindByEmail, Value: email(1)}, sdk.FindKey{ItemID: "phone", By: sdk.FindByPhone, Value: phone(1)},
		sdk.FindKey{ItemID: "key", By: sdk.FindByExternalKey, Value: key(1)}, sdk.FindKey{ItemID: "id", By: sdk.FindByID, Value: id})
	var got []string
	for _, h := range hits {
		got = append(got, h.ItemID)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"id", "key"}) {
		t.Errorf("found by %v, want id and key", got)
	}
}

func TestFindAnAccount(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	reply, err := c.adapter.Write(t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "account", Items: []sdk.WriteItem{
		{ItemID: "co", Mode: sdk.ModeUpsert, ExternalKey: key(7), Fields: map[string]sdk.Value{"name": sdk.Text("Northwind")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	hits := c.find("account", []string{"name"}, sdk.FindKey{ItemID: "x", By: sdk.FindByExternalKey, Value: key(7)})
	if len(hits) != 1 || hits[0].Record.ID != reply.Outcomes[0].CRMID || hits[0].Record.Fields["name"].Text() != "Northwind" {
		t.Errorf("%+v", hits)
	}
}
