package api_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/host/api"
)

// says lets a sender write to acme and answers the client's path.
func (w *world) says(t *testing.T, from, text string) string {
	t.Helper()
	var r intake.Result
	w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: map[string]any{
		"channel": "email", "direction": "inbound", "channel_identifier": from, "external_id": from + text, "text": text,
	}}).want(200).json(&r)
	if r.State != "done" || !r.ClientID.Valid {
		t.Fatalf("%s: %+v", from, r)
	}
	return "/v1/clients/" + r.ClientID.UUID.String()
}

type queueAnswer struct {
	Count   int
	Oldest  *time.Time
	Names   api.NameRate
	Clients []api.QueuedClient
}

// A person works through the queue of new clients: what is right is confirmed,
// what is no name is cleared and learnt, and the rate of the wrong ones is told.
func TestReviewOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(method, path string, body any) reply {
		return w.do(t, call{method: method, path: path, credential: w.acme.secret, body: body})
	}
	queue := func() (q queueAnswer) {
		as("GET", "/v1/review/clients", nil).want(200).json(&q)
		return q
	}
	before := queue()
	lea := w.says(t, "lea@lund.example", "Hello, my name is Lea Lund.")
	boxer := w.says(t, "one@box.example", "Hello, my name is Rex Boxer.")
	q := queue()
	if q.Count != before.Count+2 || q.Oldest == nil || q.Names.Reviewed != 0 {
		t.Fatalf("queue %+v after %+v", q, before)
	}
	at := slices.IndexFunc(q.Clients, func(c api.QueuedClient) bool { return c.Client.ID.String() == id(lea) })
	sentence := ""
	for _, v := range q.Clients[at].Values {
		if v.Field == "last_name" && v.Value == "Lund" {
			sentence = v.Sentence
		}
	}
	if !strings.Contains(sentence, "my name is Lea Lund") {
		t.Errorf("the last name's sentence is %q: %+v", sentence, q.Clients[at].Values)
	}

	as("POST", lea+"/confirm", nil).want(200)
	var taught struct {
		Client api.Client
		Learnt []string
	}
	as("POST", boxer+"/not-a-name", map[string]any{"words": []string{"Truck"}}).want(422).problem()
	as("POST", boxer+"/not-a-name", map[string]any{}).want(200).json(&taught)
	if taught.Client.Fields["first_name"] != "" || !slices.Equal(taught.Learnt, []string{"Rex"}) {
		t.Errorf("not a name: %+v", taught)
	}
	var again api.Client
	as("GET", w.says(t, "two@box.example", "Hello, my name is Rex Boxer."), nil).want(200).json(&again)
	if again.Fields["first_name"] != "" {
		t.Errorf("the next message still yields %q", again.Name)
	}
	as("DELETE", boxer+"?reason=spam", nil).want(204)
	if q = queue(); q.Count != before.Count+1 || q.Names.Reviewed != 2 || q.Names.Wrong != 1 || q.Names.Share != 0.5 {
		t.Errorf("after the review %+v, want one client and one wrong name of two", q)
	}
}

func TestSuggestionsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(method, path string, body any) reply {
		return w.do(t, call{method: method, path: path, credential: w.acme.secret, body: body})
	}
	of := w.acme.client.ID.String()
	open := func() (all []client.SuggestionRecord) {
		for cursor := ""; ; {
			var page struct {
				Suggestions []client.SuggestionRecord
				Next        string
			}
			as("GET", "/v1/suggestions?limit=1&kind=value&client="+of+"&cursor="+url.QueryEscape(cursor), nil).want(200).json(&page)
			all = append(all, page.Suggestions...)
			if cursor = page.Next; cursor == "" {
				return all
			}
		}
	}
	yes, no := w.suggestion(t, w.acme), w.suggestion(t, w.acme)
	if found := open(); len(found) != 2 {
		t.Fatalf("suggestions %+v", found)
	}
	var c api.Client
	as("POST", "/v1/suggestions/"+yes+"/accept", map[string]any{}).want(200).json(&c)
	if c.Fields["city"] != yes {
		t.Errorf("accepted, the city is %q", c.Fields["city"])
	}
	as("POST", "/v1/suggestions/"+no+"/dismiss", nil).want(204)
	as("POST", "/v1/suggestions/"+no+"/accept", map[string]any{}).want(404).problem()
	if found := open(); len(found) != 0 {
		t.Errorf("still open: %+v", found)
	}
	as("GET", "/v1/suggestions?client=17", nil).want(422).problem()
}

// A value's source is told wherever it came from: a sentence of a message, or a
// person; also of a field that a person emptied.
func TestSourcesOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.says(t, "lea@lund.example", "Hello, my name is Lea Lund.")
	cookie := w.cookie(t, w.acme.system, actor.Member)
	for _, body := range []string{`{"fields":{"city":"Oslo"}}`, `{"fields":{"last_name":""}}`} {
		w.do(t, call{method: "PATCH", path: path, credential: cookie, body: body}).want(200)
	}
	var got struct{ Values []client.SourcedValue }
	w.do(t, call{method: "GET", path: path + "/sources", credential: w.acme.secret}).want(200).json(&got)
	by := map[string]client.SourcedValue{}
	for _, v := range got.Values {
		by[v.Field] = v
	}
	if v := by["first_name"]; v.Value != "Lea" || v.Source != client.FromExtraction || !v.MessageID.Valid || v.Detector == "" || !strings.Contains(v.Sentence, "my name is") {
		t.Errorf("first name %+v", v)
	}
	if v := by["city"]; v.Value != "Oslo" || v.Source != client.FromHuman || v.Actor == "" || v.MessageID.Valid {
		t.Errorf("city %+v", v)
	}
	if v := by["last_name"]; !v.Cleared || v.Value != "" {
		t.Errorf("last name %+v, want it cleared", v)
	}
	if v := by["email"]; v.Value != "lea@lund.example" || v.Source != client.FromChannel || !v.MessageID.Valid {
		t.Errorf("email %+v", v)
	}
}

func TestAuditOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.services.Audit.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	var proof event.Proof
	w.do(t, call{method: "GET", path: "/v1/audit/proof", credential: w.acme.secret}).want(200).json(&proof)
	if proof.Events == 0 || proof.Seals == 0 || len(proof.Broken) != 0 {
		t.Errorf("proof %+v", proof)
	}
	w.do(t, call{method: "GET", path: "/v1/audit/proof", credential: w.cookie(t, w.acme.system, actor.Member)}).want(403).problem()
}
