package conversation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Automation closes a conversation only where it may act on its own: a sensitive
// client leaves it suggestions (R79).
func TestAutomationActsWithAutonomyOnly(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	tenants := &tenant.Service{DB: d, Now: time.Now}
	own, err := tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "CA", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	admin := actor.Actor{Tenant: own.ID, Kind: actor.Person, ID: "1", Name: "Ada", Role: actor.Admin}
	robot := actor.Actor{Tenant: own.ID, Kind: actor.Automation, Name: "key bot", Scopes: []actor.Scope{actor.ScopeWrite}}
	clients := &client.Service{DB: d, Now: time.Now}
	convs := &conversation.Service{DB: d}
	in := &intake.Service{DB: d, Tenants: tenants, Now: time.Now}
	talk := func(id string) (conversation.ID, client.ID) {
		t.Helper()
		r, err := in.Take(t.Context(), admin, intake.Message{Channel: "email", ExternalID: id, ChannelIdentifier: id, Text: "Hello", Direction: "inbound"})
		if err != nil || r.State != "done" {
			t.Fatalf("%+v, %v", r, err)
		}
		return conversation.ID{UUID: r.ConversationID.UUID}, client.ID{UUID: r.ClientID.UUID}
	}
	free, _ := talk("ann@x.example")
	if c, err := convs.Close(t.Context(), robot, free); err != nil || c.State != conversation.Ended {
		t.Errorf("a normal one: %+v, %v", c, err)
	}
	careful, of := talk("bob@x.example")
	if _, err := clients.MarkSensitive(t.Context(), admin, of, client.Marking{Sensitive: true}); err != nil {
		t.Fatal(err)
	}
	_, err = convs.Close(t.Context(), robot, careful)
	if refusal, ok := errors.AsType[*actor.Refusal](err); !ok || refusal.Why == "" {
		t.Errorf("a sensitive one: %v", err)
	}
	var audited int
	err = d.Tenant(t.Context(), admin, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM event WHERE kind = $1 AND conversation_id = $2`, event.Refused, careful).Scan(&audited)
	})
	if err != nil || audited != 1 {
		t.Errorf("%d refusals are in the audit, %v", audited, err)
	}
	if c, err := convs.Close(t.Context(), admin, careful); err != nil || c.State != conversation.Ended {
		t.Errorf("a person: %+v, %v", c, err)
	}
}
