package api_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/host/api"
)

// One person on four channels has one history: the last contacted first, each
// conversation with what it takes to follow it.
func TestHistoryOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	as := func(path string) reply { return w.do(t, call{method: "GET", path: path, credential: w.acme.secret}) }
	start := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	channels := []string{"email", "sms", "chat", "voice"}
	for i, body := range []map[string]any{
		{"channel": "email", "channel_identifier": "lea@lund.example", "subject": "Offer", "text": "Please send an offer.\n\nLea Lund\nphone: +1 416 555 0100"},
		{"channel": "sms", "channel_identifier": "+14165550100", "text": "Any news?", "participants": []map[string]string{{"role": "agent", "address": "+14165550199"}}},
		{"channel": "chat", "session": map[string]string{"id": "s1"}, "text": "It is me again, my email is lea@lund.example"},
		{"channel": "voice", "channel_identifier": "+14165550100", "call": map[string]any{"id": "c1", "status": "completed"}, "text": "I call about the offer."},
	} {
		body["direction"], body["external_id"], body["time"] = "inbound", channels[i], start.Add(time.Duration(i)*time.Hour)
		var r intake.Result
		if w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: body}).want(200).json(&r); r.State != "done" || r.ClientCreated != (i == 0) {
			t.Fatalf("%s: %+v", channels[i], r)
		}
	}
	var found struct{ Clients []api.Client }
	as("/v1/clients?q=lea@lund.example").want(200).json(&found)
	if len(found.Clients) != 1 || found.Clients[0].Conversations != 4 {
		t.Fatalf("clients %+v, want one with four conversations", found.Clients)
	}
	path := "/v1/clients/" + found.Clients[0].ID.String()
	var history struct{ Conversations []conversation.Head }
	as(path + "/conversations").want(200).json(&history)
	slices.Reverse(channels)
	var got []string
	for _, c := range history.Conversations {
		got = append(got, c.Channel)
		if c.ClientName == "" || c.ClientName != found.Clients[0].Name || c.Last.Excerpt == "" || c.Last.Direction != "inbound" || c.State == "" || c.MessageCount != 1 {
			t.Errorf("not enough to follow: %+v", c)
		}
		as("/v1/conversations/" + c.ID.String()).want(200)
	}
	if !slices.Equal(got, channels) {
		t.Errorf("history %v, want %v", got, channels)
	}
	if c := history.Conversations[3]; c.Subject != "Offer" || c.Last.Party != "lea@lund.example" {
		t.Errorf("email %+v", c)
	}

	kinds := func(query string) (all []event.Kind) {
		t.Helper()
		for cursor := ""; ; {
			var page struct {
				Events []event.Event
				Next   string
			}
			as(path + "/timeline?limit=2&cursor=" + url.QueryEscape(cursor) + query).want(200).json(&page)
			for _, e := range page.Events {
				all = append(all, e.Kind)
			}
			if cursor = page.Next; cursor == "" {
				return all
			}
		}
	}
	newest, oldest := kinds(""), kinds("&order=oldest")
	slices.Reverse(oldest)
	if len(newest) < 6 || !slices.Equal(newest, oldest) {
		t.Errorf("oldest first, turned round: %v, want %v", oldest, newest)
	}
	if got := kinds("&kind=message,call"); len(got) != 4 {
		t.Errorf("filtered: %v, want the four messages", got)
	}
	as(path + "/timeline?order=sideways").want(422).problem()
}

func TestListsOfClientsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(body string) string {
		var c api.Client
		w.do(t, call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: body}).want(201).json(&c)
		return c.ID.String()
	}
	full := create(`{"fields":{"first_name":"Lea","city":"Oslo","metadata":"{\"plan\":\"Gold\",\"car\":{\"colour\":\"red\"},\"n\":7}"},"email":"lea@lund.example","phone":"+14165550100"}`)
	bare := create(`{"fields":{"first_name":"Leo","metadata":"{\"plan\":\"silver\"}"}}`)
	start := time.Now()
	w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: `{"channel":"chat","direction":"inbound","session":{"id":"s1"},"text":"Hello?"}`}).want(200)
	all := []string{full, bare, w.acme.client.ID.String()}
	for query, want := range map[string][]string{
		"":                        all,
		"missing=city":            {bare, w.acme.client.ID.String()},
		"missing=email,phone":     {bare},
		"missing=metadata":        {w.acme.client.ID.String()},
		"metadata=plan=gold":      {full},
		"metadata=car.colour=Red": {full},
		"metadata=n=7":            {full},
		"metadata=plan=go":        {},
		"q=le&missing=email":      {bare},
		"not_updated_since=" + url.QueryEscape(start.Format(time.RFC3339Nano)): all,
		"not_updated_since=2020-01-01T00:00:00Z":                               {},
	} {
		var got struct {
			Clients []api.Client
			Total   int
		}
		w.do(t, call{method: "GET", path: "/v1/clients?" + query, credential: w.acme.secret}).want(200).json(&got)
		var ids []string
		for _, c := range got.Clients {
			ids = append(ids, c.ID.String())
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) || got.Total != len(want) {
			t.Errorf("%s: found %v (%d), want %v", query, ids, got.Total, want)
		}
	}
	var visitors struct{ Clients []api.Client }
	w.do(t, call{method: "GET", path: "/v1/clients?visitors=true", credential: w.acme.secret}).want(200).json(&visitors)
	if len(visitors.Clients) != 1 || visitors.Clients[0].Name != "Unknown (chat)" {
		t.Errorf("visitors %+v", visitors.Clients)
	}
	for _, query := range []string{"missing=shoe", "metadata=plan", "not_updated_since=yesterday"} {
		w.do(t, call{method: "GET", path: "/v1/clients?" + query, credential: w.acme.secret}).want(422).problem()
	}
}

// What a person wants to work through: links that are guesses, conversations that
// are nobody's.
func TestListsOfConversationsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.says(t, "lea@lund.example", "Hello")
	var r intake.Result
	w.do(t, call{method: "POST", path: "/v1/messages", credential: w.acme.secret, body: `{"channel":"chat","direction":"inbound","session":{"id":"s1"},"text":"my email is lea@lund.example"}`}).want(200).json(&r)
	member := w.cookie(t, w.acme.system, actor.Member)
	as := func(method, path string, body any) reply {
		return w.do(t, call{method: method, path: path, credential: member, body: body})
	}
	ids := func(filter string) (found []string) {
		t.Helper()
		var page struct{ Conversations []conversation.Head }
		as("GET", "/v1/conversations?"+filter, nil).want(200).json(&page)
		for _, c := range page.Conversations {
			found = append(found, c.ID.String())
		}
		return found
	}
	chat := r.ConversationID.UUID.String()
	if got := ids("uncertain=true"); !slices.Equal(got, []string{chat}) {
		t.Fatalf("uncertain links %v, want the chat", got)
	}
	as("POST", "/v1/conversations/"+chat+"/confirm", nil).want(200)
	if got := ids("uncertain=true"); len(got) != 0 {
		t.Errorf("still uncertain: %v", got)
	}
	as("DELETE", "/v1/conversations/"+chat+"/client", nil).want(200)
	if got := ids("unlinked=true"); !slices.Equal(got, []string{chat}) {
		t.Errorf("unlinked conversations %v, want the chat", got)
	}
}
