package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

func mail(n int) intake.Message {
	return intake.Message{
		Channel: "email", ExternalID: fmt.Sprint("mail-", n), ChannelIdentifier: fmt.Sprintf("person%d@example.org", n),
		Text: fmt.Sprintf("Hello, this is about order %d.", n),
	}
}

// A new client reaches the CRM by itself, a nameless one too (R165).
func TestNewClientReachesTheCRM(t *testing.T) {
	t.Parallel()
	s := newStack(t, "hubspot")
	s.take(mail(0)) // the connection is installed with the first
	s.settle()
	r := s.take(intake.Message{Channel: "sms", ExternalID: "sms-1", ChannelIdentifier: "+12125550142", Text: "Hello"})
	until(t, 10*time.Second, func() bool { return s.state(r).CRMID != "" }, "the client to reach the CRM")
	if held := s.counters().Held["contacts"]; held != 2 {
		t.Errorf("the CRM holds %d contacts, want 2", held)
	}
}

// The CRM commits and its answer is lost: the client is there once, not twice.
func TestLostReplyMakesOneRecord(t *testing.T) {
	t.Parallel()
	for _, cut := range []string{"before", "after", "middle"} {
		t.Run(cut, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, "hubspot")
			s.take(mail(0))
			s.settle()
			s.fault(simulator.Fault{Method: "POST", Path: "/crm/**", Skip: 1, Count: 1, Cut: cut})
			for n := 1; n <= 20; n++ {
				s.take(mail(n))
			}
			s.settle()
			c := s.counters()
			if c.Held["contacts"] != 21 || c.Duplicates["contacts"] != 0 {
				t.Errorf("the CRM holds %d contacts, %d of them double; want 21 and 0", c.Held["contacts"], c.Duplicates["contacts"])
			}
		})
	}
}

// While the CRM can't be reached messages are taken in; when it is back
// everything arrives, and in between the reason is shown.
func TestUnreachableCRM(t *testing.T) {
	t.Parallel()
	s := newStack(t, "hubspot")
	s.take(mail(0))
	s.settle()
	s.fault(simulator.Fault{Count: 3, Status: 503, Body: "{}"})
	r := s.take(mail(1))
	until(t, 20*time.Second, func() bool {
		c, err := s.host.Connections.Get(t.Context(), s.actor, s.connection.ID)
		return err == nil && c.State == connection.Parked && strings.Contains(c.Reason, "can't be reached")
	}, "the connection to be parked with its reason")
	s.settle()
	if state := s.state(r); state.CRMID == "" || state.State != "synced" {
		t.Errorf("after the outage: %+v", state)
	}
}

// One bad record doesn't keep the others of its batch from arriving, and says
// what is wrong with it.
func TestActivityFollowsItsClient(t *testing.T) {
	t.Parallel()
	s := newStack(t, "hubspot")
	ended := mail(1)
	ended.Ended = true
	s.take(ended)
	s.settle()
	until(t, 10*time.Second, func() bool { return s.counters().Held["emails"] == 1 }, "the activity")
	again := mail(1)
	again.ExternalID, again.ConversationExternalID, again.Ended = "mail-1b", "", true
	s.take(again)
	s.settle()
	if c := s.counters(); c.Held["contacts"] != 1 || c.Duplicates["emails"] != 0 {
		t.Errorf("the CRM holds %v, doubles %v", c.Held, c.Duplicates)
	}
}

// Fifty edits of a synced client wait for the schedule and cost nothing now.
func TestUpdatesWaitForTheSchedule(t *testing.T) {
	t.Parallel()
	s := newStack(t, "hubspot")
	r := s.take(mail(1))
	s.settle()
	before := s.counters().Calls
	for n := range 50 {
		_, err := s.host.Clients.Update(t.Context(), s.actor, client.ID{UUID: r.ClientID.UUID}, client.Edit{
			Fields: map[string]string{"company": fmt.Sprint("Company ", n)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if c := s.status(); c.Due != 0 || c.Waiting != 0 || c.Scheduled != 1 {
		t.Errorf("due %d, waiting %d, scheduled %d; want 0, 0 and 1", c.Due, c.Waiting, c.Scheduled)
	}
	if after := s.counters().Calls; after != before {
		t.Errorf("%d calls were spent before the schedule", after-before)
	}
}

// A client that is looked at again and has not changed costs no call, on any CRM.
func TestUnchangedCostsNothing(t *testing.T) {
	t.Parallel()
	for _, crm := range []string{"hubspot", "salesforce", "dynamics"} {
		t.Run(crm, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, crm)
			for n := range 100 {
				s.take(mail(n))
			}
			s.settle()
			before := s.counters().Calls
			err := s.host.DB.Tenant(t.Context(), s.actor, func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE sync_item SET due_at = now(), state = 'due' WHERE kind = 'client'`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			s.settle()
			calls := s.counters().Calls - before
			t.Attr("calls-per-1000", fmt.Sprint(crm, " unchanged ", 10*calls)) // make bench-calls
			if calls != 0 {
				t.Errorf("100 unchanged clients cost %d calls", calls)
			}
		})
	}
}

func (s *stack) state(r intake.Result) (found struct{ State, Reason, CRMID string }) {
	s.t.Helper()
	states, err := s.host.Sync.OfClient(s.t.Context(), s.actor, client.ID{UUID: r.ClientID.UUID})
	if err != nil || len(states) != 1 {
		s.t.Fatalf("sync state: %v, %v", states, err)
	}
	found.State, found.Reason, found.CRMID = states[0].State, states[0].Reason, states[0].CRMID
	return found
}
