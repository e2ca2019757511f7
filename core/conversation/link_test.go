package conversation_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// told records which conversations the sync engine hears of.
type told struct{ conversations []conversation.ID }

func (c *told) ClientsChanged(context.Context, pgx.Tx, actor.TenantID, []client.ID, string) error {
	return nil
}

func (c *told) ConversationsChanged(_ context.Context, _ pgx.Tx, _ actor.TenantID, ids []conversation.ID, _ string) error {
	c.conversations = append(c.conversations, ids...)
	return nil
}

func TestLinksMadeByHandStay(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	clock := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { clock = clock.Add(time.Second); return clock }
	heard := &told{}
	tenants := &tenant.Service{DB: d, Now: now}
	own, err := tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "CA", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	admin := actor.Actor{Tenant: own.ID, Kind: actor.Person, ID: "1", Name: "Ada", Role: actor.Admin}
	clients := &client.Service{DB: d, Now: now, Changes: heard, Region: func(context.Context, actor.TenantID) (string, error) { return "CA", nil }}
	convs := &conversation.Service{DB: d, Now: now, Changes: heard}
	in := &intake.Service{DB: d, Tenants: tenants, Now: now, Clients: heard, Conversations: heard}
	take := func(id, text string) intake.Result {
		t.Helper()
		r, err := in.Take(t.Context(), actor.ForSystem(own.ID, "test"), intake.Message{Channel: "chat", ExternalID: id, Session: &intake.Session{ID: "s1"}, Text: text})
		if err != nil || r.State != "done" {
			t.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	r := take("1", "Hello, my email is ann@x.com")
	ann, id := client.ID{UUID: r.ClientID.UUID}, conversation.ID{UUID: r.ConversationID.UUID}
	bob, err := clients.Create(t.Context(), admin, client.Edit{Fields: map[string]string{"first_name": "Bob"}})
	if err != nil {
		t.Fatal(err)
	}
	heard.conversations = nil
	c, err := convs.LinkTo(t.Context(), admin, id, bob.ID)
	if err != nil || c.ClientID.UUID != bob.ID.UUID || !c.LinkLocked || !c.LinkCertain || c.LinkMethod != conversation.ByHand {
		t.Fatalf("moved: %+v, %v", c, err)
	}
	if !slices.Equal(heard.conversations, []conversation.ID{id}) {
		t.Errorf("the sync engine heard of %v", heard.conversations)
	}
	for _, of := range []client.ID{ann, bob.ID} {
		events, err := clients.Timeline(t.Context(), admin, of, event.Page{Kinds: []event.Kind{event.ConversationMoved}})
		if err != nil || len(events) != 1 {
			t.Errorf("timeline of %s: %+v, %v", of, events, err)
		}
	}
	lastContact := func(of client.ID) *time.Time {
		t.Helper()
		c, err := clients.Get(t.Context(), admin, of)
		if err != nil {
			t.Fatal(err)
		}
		return c.LastContactAt
	}
	if lastContact(ann) != nil || lastContact(bob.ID) == nil {
		t.Error("the last contact did not move with the conversation")
	}
	take("2", "Are you there? My email is ann@x.com")
	if c, _, _ = convs.Get(t.Context(), admin, id); c.ClientID.UUID != bob.ID.UUID || !c.LinkLocked {
		t.Errorf("automation reverted the link: %+v", c)
	}
	if c, err = convs.Unlink(t.Context(), admin, id); err != nil || c.ClientID.Valid || !c.LinkLocked {
		t.Errorf("unlinked: %+v, %v", c, err)
	}
	take("3", "Still ann@x.com")
	unlinked, _, err := convs.List(t.Context(), admin, conversation.Query{Unlinked: true})
	if err != nil || len(unlinked) != 1 || unlinked[0].ID != id {
		t.Errorf("unlinked conversations %+v, %v", unlinked, err)
	}
	if _, err := convs.Confirm(t.Context(), admin, id); !errors.As(err, new(*client.StateError)) {
		t.Errorf("a link to nobody was confirmed: %v", err)
	}
	viewer := actor.Actor{Tenant: own.ID, Kind: actor.Person, ID: "2", Name: "Vic", Role: actor.Viewer}
	if _, err := convs.LinkTo(t.Context(), viewer, id, ann); !errors.As(err, new(*actor.Refusal)) {
		t.Errorf("a viewer linked a conversation: %v", err)
	}
	stranger := admin
	stranger.Tenant = actor.TenantID{UUID: uuid.Must(uuid.NewV7())}
	if _, err := convs.LinkTo(t.Context(), stranger, id, ann); !errors.As(err, new(*conversation.NotFoundError)) && err == nil {
		t.Error("another tenant linked a conversation")
	}
}

func TestConfirmedLinkIsCertain(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	now := func() time.Time { return time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC) }
	tenants := &tenant.Service{DB: d, Now: now}
	own, err := tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "CA", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	admin := actor.Actor{Tenant: own.ID, Kind: actor.Person, ID: "1", Name: "Ada", Role: actor.Admin}
	convs := &conversation.Service{DB: d, Now: now}
	in := &intake.Service{DB: d, Tenants: tenants, Now: now}
	var r intake.Result
	for _, m := range []intake.Message{
		{Channel: "email", ExternalID: "1", Text: "Hi", Participants: []intake.Participant{{Role: "from", Address: "ann@x.com"}}},
		{Channel: "chat", ExternalID: "2", Session: &intake.Session{ID: "s1"}, Text: "my email is ann@x.com"},
	} {
		if r, err = in.Take(t.Context(), actor.ForSystem(own.ID, "test"), m); err != nil {
			t.Fatal(err)
		}
	}
	uncertain := func() []conversation.Head {
		t.Helper()
		found, _, err := convs.List(t.Context(), admin, conversation.Query{Uncertain: true})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := uncertain(); len(found) != 1 || found[0].ID.UUID != r.ConversationID.UUID {
		t.Fatalf("uncertain links %+v, want the chat", found)
	}
	c, err := convs.Confirm(t.Context(), admin, conversation.ID{UUID: r.ConversationID.UUID})
	if err != nil || !c.LinkCertain || !c.LinkLocked {
		t.Errorf("confirmed: %+v, %v", c, err)
	}
	if found := uncertain(); len(found) != 0 {
		t.Errorf("still uncertain: %+v", found)
	}
}
