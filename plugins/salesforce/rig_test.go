package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/plugins/salesforce/simulator"
	"github.com/clientele-crm/clientele/sdk"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// rig is an adapter in this process against an org of its own.
type rig struct {
	t    testing.TB
	sim  base.Simulator
	url  string
	a    *adapter
	conn sdk.Connection
}

// newRig starts an org with a profile. Settings are the connection's, as JSON.
func newRig(t testing.TB, profile, settings string) *rig {
	t.Helper()
	sim, err := simulator.New("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{t: t, sim: sim, url: server.URL, a: newAdapter(nil)}
	r.conn = sdk.Connection{ID: "conn-1", Settings: []byte(settings), Token: sdk.Token{
		AccessToken: simulator.StaticToken, Extras: map[string]string{"instance_url": server.URL},
	}}
	r.admin("POST", "/profile", fmt.Sprintf(`{"name":%q}`, profile))
	return r
}

// admin calls an admin path and returns its answer.
func (r *rig) admin(method, path, body string) map[string]any {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.sim.Admin().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out) // some answers are lists
	return out
}

func (r *rig) counts() base.Counts {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.sim.Admin().ServeHTTP(w, httptest.NewRequest("GET", "/counters", nil))
	var c base.Counts
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// records are the live records of an object, as the org holds them.
func (r *rig) records(object string) []map[string]any {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.sim.Admin().ServeHTTP(w, httptest.NewRequest("GET", "/records?object="+object, nil))
	var out []map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// rest sends a plain request to the org, as an administrator's tool would.
func (r *rig) rest(method, path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+simulator.StaticToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, out.String()
}

// create makes a record past the adapter and returns its id.
func (r *rig) create(object, body string) string {
	r.t.Helper()
	status, answer := r.rest("POST", "/services/data/v66.0/sobjects/"+object, body)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated {
		r.t.Fatalf("create %s: %d %s", object, status, answer)
	}
	return made.ID
}

func (r *rig) write(object string, items ...sdk.WriteItem) sdk.WriteReply {
	r.t.Helper()
	reply, err := r.a.Write(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: object, Items: items})
	if err != nil {
		r.t.Fatalf("write: %v", err)
	}
	return reply
}

// calls is what a reply cost in API calls.
func calls(u sdk.Usage) int {
	for _, c := range u.Calls {
		if c.Bucket == bucketAPI {
			return c.N
		}
	}
	return 0
}

// key is a client's id, the nth.
func key(n int) string { return fmt.Sprintf("0193f5c2-7d1e-7a00-8000-%012d", n) }

// person is a client as an upsert.
func person(n int) sdk.WriteItem {
	return sdk.WriteItem{ItemID: fmt.Sprint("item-", n), Mode: sdk.ModeUpsert, ExternalKey: key(n), Fields: map[string]sdk.Value{
		"LastName": sdk.Text(fmt.Sprint("Fischer ", n)), "FirstName": sdk.Text("Anna"), "Email": sdk.Text(fmt.Sprintf("anna%d@example.org", n)),
		"Phone": sdk.Text(fmt.Sprintf("+1415555%04d", n)),
	}}
}

func people(from, n int) []sdk.WriteItem {
	items := make([]sdk.WriteItem, n)
	for i := range items {
		items[i] = person(from + i)
	}
	return items
}

// byItem is the outcomes by item id; an item with none or two is an error.
func byItem(t testing.TB, outcomes []sdk.Outcome) map[string]sdk.Outcome {
	t.Helper()
	out := map[string]sdk.Outcome{}
	for _, o := range outcomes {
		if _, twice := out[o.ItemID]; twice {
			t.Errorf("item %s has two outcomes", o.ItemID)
		}
		if (o.Done == sdk.Failed) != (o.Err != nil) {
			t.Errorf("item %s: %s with error %v", o.ItemID, o.Done, o.Err)
		}
		out[o.ItemID] = o
	}
	return out
}

// asError is the error of a call as the host gets it.
func asError(t testing.TB, err error) *sdk.Error {
	t.Helper()
	e, ok := err.(*sdk.Error)
	if !ok {
		t.Fatalf("got %v (%T), want an *sdk.Error", err, err)
	}
	return e
}

// contextWithin is a context with a deadline of its own.
func contextWithin(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func mustTime(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
