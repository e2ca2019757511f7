package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/outbound"
)

// outboundMessage is one of the house's in a state.
func (w *world) outboundMessage(t *testing.T, h house, state outbound.State) string {
	t.Helper()
	in, err := conversation.ParseID(h.conversation)
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.services.Outbound.Reply(t.Context(), h.system, in, outbound.New{Text: "Here it is."})
	if err != nil {
		t.Fatal(err)
	}
	err = w.db.Tenant(t.Context(), h.system, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outbound_message SET state = $2, started_at = created_at, external_id = id || '@acme.example' WHERE id = $1`, m.ID, state)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.ID.String()
}

// sampleOfOutbound is a good request about one of the house's messages.
func (w *world) sampleOfOutbound(t *testing.T, route string, h house) call {
	t.Helper()
	for id, sample := range map[string]struct {
		state outbound.State
		path  string
		body  any
	}{
		"get-outbound":     {outbound.Held, "", nil},
		"edit-outbound":    {outbound.Awaiting, "", map[string]any{"text": "Here it is, then."}},
		"approve-outbound": {outbound.Awaiting, "/approve", map[string]any{}},
		"send-outbound":    {outbound.Draft, "/send", map[string]any{"when": "now"}},
		"reject-outbound":  {outbound.Awaiting, "/reject", map[string]any{"reason": "no"}},
		"cancel-outbound":  {outbound.Held, "/cancel", map[string]any{}},
		"retry-outbound":   {outbound.Failed, "/retry", nil},
		"resolve-outbound": {outbound.MaybeSent, "/resolve", map[string]any{"sent": true}},
		"call-done":        {outbound.Call, "/called", nil},
	} {
		if id == route {
			return call{path: "/v1/outbound/" + w.outboundMessage(t, h, sample.state) + sample.path, body: sample.body}
		}
	}
	t.Fatalf("no sample for %s", route)
	return call{}
}

func TestListOutbound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, state := range []outbound.State{outbound.Held, outbound.Awaiting, outbound.Awaiting} {
		w.outboundMessage(t, w.acme, state)
	}
	get := func(query string) (page struct {
		Messages []outbound.Message
		Next     string
	}) {
		w.do(t, call{method: "GET", path: "/v1/outbound" + query, credential: w.acme.secret}).want(http.StatusOK).json(&page)
		return page
	}
	if all := get(""); len(all.Messages) != 3 || all.Next != "" {
		t.Errorf("all: %+v", all)
	}
	if drafts := get("?state=awaiting%20approval"); len(drafts.Messages) != 2 {
		t.Errorf("drafts: %+v", drafts)
	}
	if of := get("?client=" + w.acme.client.ID.String()); len(of.Messages) != 3 {
		t.Errorf("of the client: %+v", of)
	}
	if in := get("?conversation=" + w.acme.conversation); len(in.Messages) != 3 {
		t.Errorf("of the conversation: %+v", in)
	}
	first := get("?limit=2")
	if second := get("?limit=2&cursor=" + first.Next); len(first.Messages) != 2 || len(second.Messages) != 1 || second.Messages[0].ID == first.Messages[1].ID {
		t.Errorf("pages: %+v %+v", first, second)
	}
	for _, bad := range []string{"?state=lost", "?client=x", "?conversation=x", "?cursor=x"} {
		w.do(t, call{method: "GET", path: "/v1/outbound" + bad, credential: w.acme.secret}).want(http.StatusUnprocessableEntity)
	}
}
