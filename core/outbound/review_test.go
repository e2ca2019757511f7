package outbound_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
)

// Human Review Required: automation drafts, a named person approves, the system
// sends (R62).
func TestReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{ReviewRequired: new(true)})
	w.dispatch()
	m := w.reply(w.robot, in, outbound.New{Text: "It costs 5."})
	if m.State != outbound.Awaiting || w.events(m, event.DraftMade) != 1 {
		t.Fatalf("%s, %d events", m.State, w.events(m, event.DraftMade))
	}
	if _, err := w.out.Approve(t.Context(), w.robot, m.ID, 0, false); !isRefusal(err) {
		t.Errorf("automation approves: %v", err)
	}
	text := "It costs 6."
	edited, err := w.out.Edit(t.Context(), w.member, m.ID, m.Revision, nil, &text)
	if err != nil || edited.State != outbound.Awaiting {
		t.Fatalf("%+v, %v", edited, err)
	}
	if _, err := w.out.Approve(t.Context(), w.member, m.ID, m.Revision, false); !isState(err) {
		t.Errorf("what changed since it was read was approved: %v", err)
	}
	if _, err := w.out.Approve(t.Context(), w.member, m.ID, edited.Revision, false); err != nil {
		t.Fatal(err)
	}
	got := w.becomes(m, outbound.Sent)
	if got.ApprovedBy != "Mia" || got.Origin != policy.Automation || w.events(m, event.DraftApproved) != 1 || w.events(m, event.DraftEdited) != 1 {
		t.Errorf("%+v", got)
	}
	if calls := w.senders.by["email"].got(); len(calls) != 1 || calls[0].Text != text {
		t.Errorf("what left: %+v", calls)
	}
	rejected := w.reply(w.robot, in, outbound.New{})
	if got, err := w.out.Reject(t.Context(), w.member, rejected.ID, "wrong tone"); err != nil || got.State != outbound.Cancelled || w.events(rejected, event.DraftRejected) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := w.out.Approve(t.Context(), w.member, rejected.ID, 0, false); !isState(err) {
		t.Errorf("a rejected draft was approved: %v", err)
	}
}

// Never Auto-Send: nothing leaves by approval; a person opens it and presses send
// (R61, R63).
func TestManual(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{NeverAutoSend: new(true), ReviewRequired: new(true)})
	w.dispatch()
	m := w.reply(w.robot, in, outbound.New{})
	if m.State != outbound.Draft {
		t.Fatalf("%s: %s", m.State, m.Reason)
	}
	if _, err := w.out.Approve(t.Context(), w.admin, m.ID, 0, true); !isState(err) {
		t.Errorf("it was approved: %v", err)
	}
	if _, err := w.out.Send(t.Context(), w.robot, m.ID, 0, ""); !isRefusal(err) {
		t.Errorf("automation presses send: %v", err)
	}
	if _, err := w.out.Send(t.Context(), w.member, m.ID, 0, ""); err != nil {
		t.Fatal(err)
	}
	if got := w.becomes(m, outbound.Sent); got.Origin != policy.Person || got.AuthorName != "Mia" {
		t.Errorf("who sent it: %s (%s)", got.AuthorName, got.Origin)
	}
}

// The approver sees when it will go, and may send it now, which is noted (R58).
func TestTheApproverSeesWhenItGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{ReviewRequired: new(true), Windows: tuesday()})
	opens := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	later, now := w.reply(w.robot, in, outbound.New{}), w.reply(w.robot, in, outbound.New{})
	if later.State != outbound.Awaiting || later.GoesAt == nil || !later.GoesAt.Equal(opens) {
		t.Fatalf("%s, would go %v", later.State, later.GoesAt)
	}
	if m, err := w.out.Approve(t.Context(), w.member, later.ID, 0, false); err != nil || m.State != outbound.Held || !m.GoesAt.Equal(opens) {
		t.Errorf("approved: %+v, %v", m, err)
	}
	if m, err := w.out.Approve(t.Context(), w.member, now.ID, 0, true); err != nil || m.State != outbound.Queued || !m.ApprovedNow {
		t.Errorf("approved for now: %+v, %v", m, err)
	}
	w.dispatch()
	w.becomes(now, outbound.Sent)
	w.is(later, outbound.Held)
	w.at(opens)
	w.becomes(later, outbound.Sent)
}

// V of R64: approve, flip the switch, then run the dispatcher: nothing is sent.
func TestFlippedAfterApproval(t *testing.T) {
	t.Parallel()
	for name, flip := range map[string]func(*world, *client.Client){
		"never auto-send": func(w *world, c *client.Client) { w.prefer(c, client.PreferenceEdit{NeverAutoSend: new(true)}) },
		"sensitive":       func(w *world, c *client.Client) { w.mark(c, true) },
		"opt-out":         func(w *world, c *client.Client) { w.optOut(c, policy.Email) },
		// Where nobody is told, the decision at dispatch alone has to stop it.
		"never auto-send, silently": func(w *world, c *client.Client) {
			w.clients.Outbound = nil
			w.prefer(c, client.PreferenceEdit{NeverAutoSend: new(true)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.client()
			in := w.conversation(c, "email")
			w.prefer(c, client.PreferenceEdit{ReviewRequired: new(true)})
			m := w.reply(w.robot, in, outbound.New{})
			if _, err := w.out.Approve(t.Context(), w.member, m.ID, 0, false); err != nil {
				t.Fatal(err)
			}
			flip(w, c)
			w.dispatch()
			marker := w.becomes(w.reply(w.admin, w.conversation(w.client(), "email"), outbound.New{}), outbound.Sent)
			until(t, func() bool { return w.get(m).State != outbound.Queued }, func() string { return "approved message to be decided again" })
			for _, call := range w.senders.by["email"].got() {
				if call.ID != marker.ID.UUID {
					t.Errorf("it was sent all the same")
				}
			}
		})
	}
}

// Each kind of message under each level (V of R63).
func TestKindsByLevel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for level, test := range map[string]struct {
		edit client.PreferenceEdit
		want outbound.State
	}{
		"auto":   {client.PreferenceEdit{}, outbound.Queued},
		"review": {client.PreferenceEdit{ReviewRequired: new(true)}, outbound.Awaiting},
		"manual": {client.PreferenceEdit{NeverAutoSend: new(true)}, outbound.Draft},
	} {
		c := w.client()
		in := w.conversation(c, "email")
		w.prefer(c, test.edit)
		for _, kind := range []policy.Kind{policy.Reply, policy.Receipt} {
			if m := w.reply(w.robot, in, outbound.New{Kind: kind}); m.State != test.want {
				t.Errorf("%s %s: %s, want %s", level, kind, m.State, test.want)
			}
		}
		for _, kind := range []policy.Kind{policy.FollowUp, policy.Reminder, policy.Campaign} {
			if m := w.write(w.robot, c, outbound.New{Kind: kind}); m.State != test.want {
				t.Errorf("%s %s: %s, want %s", level, kind, m.State, test.want)
			}
		}
		if m := w.reply(w.member, in, outbound.New{}); m.State != outbound.Queued {
			t.Errorf("%s: a person's own reply is %s", level, m.State)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.conversation(w.client(), "email")
	m := w.reply(w.robot, in, outbound.New{})
	if got, err := w.out.Cancel(t.Context(), w.robot, m.ID, "changed its mind"); err != nil || got.State != outbound.Cancelled || w.events(m, event.MessageCancelled) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	w.dispatch()
	sent := w.becomes(w.reply(w.robot, in, outbound.New{}), outbound.Sent)
	w.is(m, outbound.Cancelled)
	if _, err := w.out.Cancel(t.Context(), w.member, sent.ID, ""); !isState(err) {
		t.Errorf("what was sent was cancelled: %v", err)
	}
}

func TestCallTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	w.prefer(c, client.PreferenceEdit{Channels: &[]policy.Channel{policy.Phone}, Windows: tuesday()})
	w.dispatch()
	m := w.write(w.robot, c, outbound.New{Kind: policy.FollowUp})
	if m.State != outbound.Call || m.GoesAt == nil || !m.GoesAt.Equal(time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)) || w.events(m, event.CallAsked) != 1 {
		t.Fatalf("%s at %v", m.State, m.GoesAt)
	}
	w.at(noon.Add(48 * time.Hour))
	if _, err := w.out.CallDone(t.Context(), w.robot, m.ID); !isRefusal(err) {
		t.Errorf("automation calls: %v", err)
	}
	if got, err := w.out.CallDone(t.Context(), w.member, m.ID); err != nil || got.State != outbound.Called || w.events(m, event.CallMade) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func isState(err error) bool {
	_, ok := errors.AsType[*outbound.StateError](err)
	return ok
}
