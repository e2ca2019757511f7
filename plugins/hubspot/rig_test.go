package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/plugins/hubspot/simulator"
	"github.com/clientele-crm/clientele/sdk"
	sim "github.com/clientele-crm/clientele/sdk/simulator"
)

// rig is the adapter with a HubSpot of its own.
type rig struct {
	*adapter
	t    *testing.T
	crm  sim.Simulator
	url  string
	conn sdk.Connection
}

// newRig starts a simulator with the key property installed.
func newRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	r := bareRig(t, settings...)
	if _, err := r.Install(t.Context(), sdk.InstallRequest{Connection: r.conn}); err != nil {
		t.Fatal(err)
	}
	r.admin("DELETE", "counters", "")
	return r
}

// bareRig starts a simulator as HubSpot comes. settings are members of the
// connection's settings.
func bareRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	crm, err := simulator.New("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(func() {
		server.Close()
		if err := crm.Close(); err != nil {
			t.Error(err)
		}
	})
	all := append([]string{fmt.Sprintf(`"base_url":%q`, server.URL)}, settings...)
	r := &rig{
		adapter: newAdapter(nil), t: t, crm: crm, url: server.URL,
		conn: sdk.Connection{
			ID: "conn-1", Settings: []byte("{" + strings.Join(all, ",") + "}"), Token: sdk.Token{AccessToken: "pat-na1-test"},
		},
	}
	r.admin("PATCH", "settings", `{"search_lag_ms":0,"search_limit":1000,"burst_limit":10000}`)
	return r
}

// admin acts on the simulator's admin path.
func (r *rig) admin(method, path, body string) string {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.crm.Admin().ServeHTTP(w, httptest.NewRequest(method, "/"+path, strings.NewReader(body)))
	if w.Code >= 300 {
		r.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

func (r *rig) fault(rule string) {
	r.t.Helper()
	r.admin("POST", "faults", rule)
}

func (r *rig) healed() { r.admin("DELETE", "faults", "") }

func (r *rig) counts() sim.Counts {
	r.t.Helper()
	var c sim.Counts
	if err := json.Unmarshal([]byte(r.admin("GET", "counters", "")), &c); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// held is one record as the simulator holds it.
type held struct {
	ID           string
	Properties   map[string]string
	Associations map[string][]string
}

func (r *rig) records(object string) []held {
	r.t.Helper()
	var out struct{ Results []held }
	if err := json.Unmarshal([]byte(r.admin("GET", "records/"+object, "")), &out); err != nil {
		r.t.Fatal(err)
	}
	return out.Results
}

// byKey finds a record by our key.
func (r *rig) byKey(object, key string) held {
	r.t.Helper()
	for _, one := range r.records(object) {
		if one.Properties[keyField] == key {
			return one
		}
	}
	r.t.Fatalf("no %s with key %s", object, key)
	return held{}
}

// write sends items and returns the outcomes by item id.
func (r *rig) write(items ...sdk.WriteItem) (map[string]sdk.Outcome, error) {
	r.t.Helper()
	reply, err := r.Write(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: contacts, Items: items})
	return byItem(r.t, reply, len(items), err), err
}

func (r *rig) log(items ...sdk.Activity) (map[string]sdk.Outcome, error) {
	r.t.Helper()
	reply, err := r.LogActivities(r.t.Context(), sdk.LogActivitiesRequest{Connection: r.conn, Items: items})
	return byItem(r.t, reply, len(items), err), err
}

// byItem checks that every item has exactly one outcome.
func byItem(t *testing.T, reply sdk.WriteReply, want int, err error) map[string]sdk.Outcome {
	t.Helper()
	out := map[string]sdk.Outcome{}
	for _, o := range reply.Outcomes {
		if (o.Done == sdk.Failed) != (o.Err != nil) {
			t.Errorf("outcome %+v: an error goes with failed, and only with it", o)
		}
		out[o.ItemID] = o
	}
	if err == nil && (len(out) != want || len(reply.Outcomes) != want) {
		t.Fatalf("%d outcomes for %d items: %+v", len(reply.Outcomes), want, reply.Outcomes)
	}
	return out
}

// person is a new client's item.
func person(n int) sdk.WriteItem {
	return sdk.WriteItem{
		ItemID: fmt.Sprint("item-", n), Mode: sdk.ModeUpsert, ExternalKey: key(n),
		Fields: map[string]sdk.Value{
			"firstname": sdk.Text(fmt.Sprint("First", n)), "lastname": sdk.Text("Tester"),
			"email": sdk.Text(address(n)), "phone": sdk.Text(phone(n)), "city": sdk.Text("Utrecht"),
		},
	}
}

func key(n int) string     { return fmt.Sprintf("0192f3a0-0000-7000-8000-%012d", n) }
func address(n int) string { return fmt.Sprintf("person%d@example.test", n) }
func phone(n int) string   { return fmt.Sprintf("+1212555%04d", n) }

// seed creates clients 0…n-1 and returns their CRM ids.
func (r *rig) seed(n int) []string {
	r.t.Helper()
	ids := make([]string, n)
	for start := 0; start < n; start += maxBatch {
		var items []sdk.WriteItem
		for i := start; i < min(n, start+maxBatch); i++ {
			items = append(items, person(i))
		}
		out, err := r.write(items...)
		if err != nil {
			r.t.Fatal(err)
		}
		for i := start; i < min(n, start+maxBatch); i++ {
			o := out[person(i).ItemID]
			if o.Done != sdk.Created {
				r.t.Fatalf("seed %d: %+v", i, o)
			}
			ids[i] = o.CRMID
		}
	}
	return ids
}

// talk is a conversation of a channel with a contact.
func talk(n int, channel, contact string) sdk.Activity {
	start := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	return sdk.Activity{
		ItemID: fmt.Sprint("talk-", n), ExternalKey: key(1_000_000 + n), Channel: channel, Subject: "Invoice 17",
		Body: "Wants a call back <soon>.\nOpen: the invoice.", Link: "https://clientele.example/conversations/17",
		Direction: "inbound", StartedAt: start.Format(time.RFC3339), EndedAt: start.Add(90 * time.Second).Format(time.RFC3339),
		ContactCRMIDs: []string{contact}, ContactObject: contacts, From: "a@example.test", To: "b@example.test",
	}
}

func wantError(t *testing.T, err *sdk.Error, class sdk.Class, field string) {
	t.Helper()
	if err == nil || err.Class != class || err.Field != field {
		t.Errorf("got %+v, want class %s, field %q", err, class, field)
	}
}

// call acts as another program that uses the API.
func (r *rig) call(method, path, body string) map[string]any {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer pat-na1-other")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil && res.StatusCode != http.StatusNoContent {
		r.t.Fatalf("%s %s: %d %v", method, path, res.StatusCode, err)
	}
	return out
}
