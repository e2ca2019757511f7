package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
)

// What 1,000 records cost in API calls, counted by the simulator (issue 5, must
// show 1).
const (
	thousand         = 1000
	callsForLinked   = 5
	callsForUnknown  = 10
	callsForActivity = 10
)

// spent counts the calls that Salesforce counts.
func (r *rig) spent(do func()) int {
	r.t.Helper()
	r.admin("DELETE", "/counters", "")
	do()
	return r.counts().Counts["bucket api_requests"]
}

func (r *rig) writeAll(items []sdk.WriteItem, want sdk.Done) map[string]sdk.Outcome {
	r.t.Helper()
	all := map[string]sdk.Outcome{}
	for from := 0; from < len(items); from += batchMax {
		for item, o := range byItem(r.t, r.write("Contact", items[from:min(from+batchMax, len(items))]...).Outcomes) {
			if o.Done != want {
				r.t.Fatalf("%s: %+v, want %s", item, o, want)
			}
			all[item] = o
		}
	}
	return all
}

func TestCallsForLinkedContacts(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	made := r.writeAll(people(0, thousand), sdk.Created)
	random := rand.New(rand.NewPCG(1, 2))
	items := people(0, thousand)
	for i := range items {
		items[i].CRMID = made[items[i].ItemID].CRMID
		items[i].Fields = someFields(random)
	}
	n := r.spent(func() { r.writeAll(items, sdk.Updated) })
	t.Attr("calls-per-1000", fmt.Sprint("salesforce linked ", n)) // make bench-calls
	if n != callsForLinked {
		t.Errorf("%d calls for 1,000 linked and changed contacts, want %d", n, callsForLinked)
	}
}

// someFields is a random subset of twenty fields.
func someFields(random *rand.Rand) map[string]sdk.Value {
	fields := map[string]sdk.Value{"Title": sdk.Text(fmt.Sprint("Title ", random.IntN(1e6)))}
	for _, name := range []string{
		"FirstName", "LastName", "Salutation", "Department", "Phone", "MobilePhone", "HomePhone", "OtherPhone", "Fax", "MailingStreet", "MailingCity",
		"MailingState", "MailingPostalCode", "MailingCountry", "OtherStreet", "OtherCity", "AssistantName", "AssistantPhone", "Description",
	} {
		if random.IntN(2) == 0 {
			fields[name] = sdk.Text(fmt.Sprint("value ", random.IntN(1e6)))
		}
	}
	return fields
}

func TestCallsForUnknownContacts(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	items := people(0, thousand)
	n := r.spent(func() {
		for from := 0; from < thousand; from += batchMax {
			var keys []sdk.FindKey
			for _, item := range items[from : from+batchMax] {
				keys = append(keys, sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByEmail, Value: item.Fields["Email"].Text()},
					sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByPhone, Value: item.Fields["Phone"].Text()})
			}
			found, err := r.a.Find(t.Context(), sdk.FindRequest{Connection: r.conn, Object: "Contact", Keys: keys})
			if err != nil || len(found.Hits) != 0 {
				t.Fatalf("%d hits, %v", len(found.Hits), err)
			}
		}
		r.writeAll(items, sdk.Created)
	})
	t.Attr("calls-per-1000", fmt.Sprint("salesforce unknown ", n))
	if n > callsForUnknown {
		t.Errorf("%d calls for 1,000 unknown contacts with adoption, want at most %d", n, callsForUnknown)
	}
}

func TestCallsForActivities(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ settings string }{"key field": {""}, "CallObject": {`{"activity_key_field":"CallObject"}`}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "ready", tc.settings)
			contact := r.create("Contact", `{"LastName":"Fischer"}`)
			contacts := make([]string, thousand)
			for i := range contacts {
				contacts[i] = contact
			}
			talks := conversations(contacts)
			n := r.spent(func() {
				for from := 0; from < thousand; from += batchMax {
					for _, o := range r.log(talks[from : from+batchMax]...).Outcomes {
						if o.Done != sdk.Created {
							t.Fatalf("%+v", o)
						}
					}
				}
			})
			if n > callsForActivity {
				t.Errorf("%d calls for 1,000 activities, want at most %d", n, callsForActivity)
			}
			if tc.settings == "" {
				t.Attr("calls-per-1000", fmt.Sprint("salesforce activities ", n))
			}
		})
	}
}
