package api_test

import (
	"slices"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/mapping"
)

// Every field of the catalogue can be written, read, mapped, looked for where it
// is missing, and cleared, without a word of it here.
func TestFieldsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(method, path string, body any) reply {
		return w.do(t, call{method: method, path: path, credential: w.acme.secret, body: body})
	}
	samples := map[string]string{"country": "CA", "date_of_birth": "1980-05-17", "metadata": "{ \"b\": 1.0,\"a\":\"\\u00e9\" }"}
	for _, f := range client.Fields() {
		value := samples[f.Name]
		if value == "" {
			value = "Ærø"
		}
		var c api.Client
		as("POST", "/v1/clients", map[string]any{"fields": map[string]string{f.Name: value}, "email": f.Name + "@field.example"}).want(201).json(&c)
		path := "/v1/clients/" + c.ID.String()
		if as("GET", path, nil).want(200).json(&c); c.Fields[f.Name] != value {
			t.Errorf("%s: answered as %q", f.Name, c.Fields[f.Name])
		}
		stored, err := w.services.Clients.Get(t.Context(), w.acme.system, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got := mapping.View(stored)[f.Name]; got != value {
			t.Errorf("%s: a mapping sees %q", f.Name, got)
		}
		missing := func() int {
			var list struct{ Total int }
			as("GET", "/v1/clients?q="+f.Name+"@field&missing="+f.Name, nil).want(200).json(&list)
			return list.Total
		}
		if missing() != 0 {
			t.Errorf("%s: listed as missing", f.Name)
		}
		as("PATCH", path, map[string]any{"fields": map[string]string{f.Name: ""}}).want(200)
		if missing() != 1 {
			t.Errorf("%s: cleared, yet not listed as missing", f.Name)
		}
	}
}

// Who changed what and when, with the value before and after, is in the timeline
// of the client, and adding by hand needs no address, note or preference.
func TestEditsAreRecordedOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	member := w.cookie(t, w.acme.system, actor.Member)
	as := func(method, path string, body any) reply {
		return w.do(t, call{method: method, path: path, credential: member, body: body})
	}
	var c api.Client
	as("POST", "/v1/clients", `{"fields":{"first_name":"Lea"}}`).want(201).json(&c)
	if c.Source != "manual" || c.Review != client.Confirmed || len(c.PreferredChannels) != 0 {
		t.Errorf("created by hand: %+v", c)
	}
	path := "/v1/clients/" + c.ID.String()
	as("PATCH", path, `{"fields":{"city":"Oslo"},"phone":"+14165550100","tags":["vip"],"note":"moved in May"}`).want(200)
	as("PATCH", path, `{"fields":{"city":"Bergen"}}`).want(200)
	var timeline struct{ Events []event.Event }
	as("GET", path+"/timeline", nil).want(200).json(&timeline)
	var kinds []event.Kind
	for _, e := range timeline.Events {
		kinds = append(kinds, e.Kind)
		if e.ActorKind != actor.Person || e.ActorName == "" || e.At.IsZero() {
			t.Errorf("%s has no author or time: %+v", e.Kind, e)
		}
	}
	want := []event.Kind{event.FieldChanged, event.NoteAdded, event.FieldChanged, event.IdentifierAdded, event.FieldChanged, event.FieldChanged, event.Created}
	if !slices.Equal(kinds, want) {
		t.Errorf("timeline %v, want %v", kinds, want)
	}
	if p := timeline.Events[0].Payload; p["field"] != "city" || p["before"] != "Oslo" || p["after"] != "Bergen" {
		t.Errorf("the last change is told as %v", p)
	}
}

// A pair of metadata finds only the tenant's own clients: the search steps around
// row-level security and must draw the line itself.
func TestMetadataSearchStaysInTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"fields":{"first_name":"Lea","metadata":"{\"plan\":\"zanzibar\"}"}}`
	w.do(t, call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: body}).want(201)
	for secret, want := range map[string]int{w.acme.secret: 1, w.globex.secret: 0} {
		var list struct{ Total int }
		w.do(t, call{method: "GET", path: "/v1/clients?metadata=plan=zanzibar", credential: secret}).want(200).json(&list)
		if list.Total != want {
			t.Errorf("found %d clients, want %d", list.Total, want)
		}
	}
}
