package outbound_test

import (
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
)

// A changed window re-times what is held (R59), and what opens releases it.
func TestChangedWindowsRetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{Windows: tuesday()})
	reply, news := w.reply(w.robot, in, outbound.New{}), w.write(w.robot, c, outbound.New{Kind: policy.Campaign})
	wednesday := []policy.Window{{Days: []policy.Day{"wed"}, Start: 10 * 60, End: 12 * 60}}
	opens := time.Date(2026, 11, 4, 10, 0, 0, 0, time.UTC)
	if e := w.prefer(c, client.PreferenceEdit{Windows: &wednesday}).Effect; e.Retimed != 2 || !e.NextAt.Equal(opens) {
		t.Errorf("effect %+v", e)
	}
	for _, m := range []*outbound.Message{reply, news} {
		if got := w.get(m); got.State != outbound.Held || !got.GoesAt.Equal(opens) {
			t.Errorf("%s until %v", got.State, got.GoesAt)
		}
	}
	if e := w.prefer(c, client.PreferenceEdit{Reset: []policy.Name{policy.NameWindows}}).Effect; e.Released != 2 {
		t.Errorf("effect %+v", e)
	}
	w.dispatch()
	w.becomes(reply, outbound.Sent)
	w.becomes(news, outbound.Sent)
}

// Queued, held, scheduled and retrying automated messages become drafts with the
// mark; a person's own stays (R80).
func TestMarkingTurnsWhatWaitsIntoDrafts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		toggle func(*world, *client.Client) *client.PolicyChange
		want   outbound.State
	}{
		"sensitive": {func(w *world, c *client.Client) *client.PolicyChange { return w.mark(c, true) }, outbound.Awaiting},
		"never auto-send": {func(w *world, c *client.Client) *client.PolicyChange {
			return w.prefer(c, client.PreferenceEdit{NeverAutoSend: new(true)})
		}, outbound.Draft},
		"human review": {func(w *world, c *client.Client) *client.PolicyChange {
			return w.prefer(c, client.PreferenceEdit{ReviewRequired: new(true)})
		}, outbound.Awaiting},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.client()
			in := w.conversation(c, "sms")
			w.senders.set("sms", &provider{before: func(outbound.Delivery) outbound.Result {
				return outbound.Result{Outcome: outbound.Retry, Detail: "later"}
			}})
			d := w.dispatch()
			retrying := w.reply(w.robot, in, outbound.New{})
			until(t, func() bool { return w.get(retrying).Attempts == 1 && w.get(retrying).State == outbound.Queued }, func() string { return "retry" })
			d.Stop()
			w.prefer(c, client.PreferenceEdit{Windows: tuesday()})
			held := w.reply(w.robot, in, outbound.New{})
			w.prefer(c, client.PreferenceEdit{Reset: []policy.Name{policy.NameWindows}, NeverAutoSend: new(false)})
			queued := w.write(w.robot, c, outbound.New{Kind: policy.Reminder})
			scheduled := w.write(w.robot, c, outbound.New{Kind: policy.Reminder, When: "2026-11-05T09:00:00Z"})
			own := w.write(w.member, c, outbound.New{When: "2026-11-05T09:00:00Z"})
			if scheduled.State != outbound.Held || own.State != outbound.Held {
				t.Fatalf("scheduled: %s and %s", scheduled.State, own.State)
			}
			if e := test.toggle(w, c).Effect; e.Drafted != 4 {
				t.Errorf("effect %+v, want 4 drafts", e)
			}
			for what, m := range map[string]*outbound.Message{"retrying": retrying, "held": held, "queued": queued, "scheduled": scheduled} {
				if got := w.get(m); got.State != test.want || w.events(m, event.DraftMade) != 1 {
					t.Errorf("what was %s is %s, %d events", what, got.State, w.events(m, event.DraftMade))
				}
			}
			w.is(own, outbound.Held)
			if name == "sensitive" && w.events(own, event.MessageHeld) != 2 {
				t.Error("the author of a scheduled message is not told")
			}
		})
	}
}

// The life of a mark (§1.22, a–g).
func TestSensitivityLifeCycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	threadT, other := w.conversation(c, "email"), w.conversation(c, "sms")
	release := make(chan struct{})
	p := w.senders.set("email", &provider{before: func(outbound.Delivery) outbound.Result {
		<-release
		return outbound.Result{Outcome: outbound.WasSent}
	}})
	w.dispatch()

	// a: one message is in the provider's hands; it may complete and is listed.
	underWay := w.becomes(w.reply(w.robot, threadT, outbound.New{}), outbound.Sending)
	w.senders.set("sms", nil)
	waiting := []*outbound.Message{w.reply(w.robot, other, outbound.New{}), w.reply(w.robot, other, outbound.New{}), w.reply(w.robot, other, outbound.New{})}
	if e := w.mark(c, true).Effect; e.Drafted != 3 {
		t.Errorf("a: effect %+v", e)
	}
	sending, _, err := w.out.List(t.Context(), w.admin, outbound.Query{States: []outbound.State{outbound.Sending}})
	if err != nil || len(sending) != 1 || sending[0].ID != underWay.ID || w.events(underWay, event.MessageUnderWay) != 1 {
		t.Errorf("a: being sent %+v, %v", sending, err)
	}
	close(release)
	w.becomes(underWay, outbound.Sent)

	// b: a conversation that begins now is sensitive from the first.
	begun := w.conversation(c, "email")
	if m := w.reply(w.robot, begun, outbound.New{}); m.State != outbound.Awaiting {
		t.Errorf("b: %s", m.State)
	}

	// c: T is exempt, the others are not.
	w.exempt(threadT)
	if m := w.becomes(w.reply(w.robot, threadT, outbound.New{}), outbound.Sent); m.State != outbound.Sent {
		t.Errorf("c: %s in T", m.State)
	}
	if m := w.reply(w.robot, other, outbound.New{}); m.State != outbound.Awaiting {
		t.Errorf("c: %s elsewhere", m.State)
	}

	// d: nothing is released by unmarking.
	w.mark(c, false)
	for _, m := range waiting {
		w.is(m, outbound.Awaiting)
	}
	if m := w.reply(w.robot, other, outbound.New{}); m.State != outbound.Queued {
		t.Errorf("d: %s (%s)", m.State, m.Reason)
	}

	// e: marked again, T's exemption is gone.
	w.mark(c, true)
	if m := w.reply(w.robot, threadT, outbound.New{}); m.State != outbound.Awaiting {
		t.Errorf("e: %s in T", m.State)
	}

	// f: merged into a normal client, whose queue turns to drafts with the merge.
	a := w.client()
	queued := w.write(w.robot, a, outbound.New{Kind: policy.Reminder, When: "2026-11-05T09:00:00Z"})
	mine := w.write(w.robot, c, outbound.New{Kind: policy.Reminder})
	merged, err := w.clients.Merge(t.Context(), w.admin, client.MergeRequest{Survivor: a.ID, Others: []client.ID{c.ID}})
	if err != nil || !merged.Client.Sensitive {
		t.Fatalf("f: %+v, %v", merged, err)
	}
	w.is(queued, outbound.Awaiting)
	if got := w.get(mine); got.State != outbound.Awaiting || got.ClientID.UUID != a.ID.UUID {
		t.Errorf("f: what waited for the merged client: %+v", got)
	}

	// g: undone, A is as before; its drafts stay drafts.
	if _, err := w.clients.UndoMerge(t.Context(), w.admin, merged.ID); err != nil {
		t.Fatal(err)
	}
	if m := w.write(w.robot, a, outbound.New{Kind: policy.Reminder, When: "2026-11-05T09:00:00Z"}); m.State != outbound.Held {
		t.Errorf("g: %s to A", m.State)
	}
	w.is(queued, outbound.Awaiting)
	if got := w.get(mine); got.ClientID.UUID != c.ID.UUID {
		t.Error("g: what waited for B stayed with A")
	}
	if m := w.write(w.robot, c, outbound.New{Kind: policy.Reminder}); m.State != outbound.Awaiting {
		t.Errorf("g: %s to B", m.State)
	}
	for _, call := range p.got() {
		if call.Text == "" {
			t.Error("an empty message left")
		}
	}
}

// A conversation that goes to another client takes that client's policy with it.
func TestMovedConversations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, careful := w.client(), w.client()
	w.mark(careful, true)
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{Windows: tuesday()})
	m := w.reply(w.robot, in, outbound.New{})
	if _, err := w.convs.LinkTo(t.Context(), w.admin, in, careful.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.get(m); got.State != outbound.Awaiting || got.ClientID.UUID != careful.ID.UUID {
		t.Errorf("%s, of client %s", got.State, got.ClientID.UUID)
	}
}

// What the tenant sets counts for all that waits.
func TestQuietHoursOfTheTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.senders.set("email", nil)
	m := w.reply(w.robot, w.conversation(w.client(), "email"), outbound.New{})
	w.quiet([]policy.Window{{Days: []policy.Day{"mon"}, AllDay: true}})
	if got := w.get(m); got.State != outbound.Held || !got.GoesAt.Equal(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%s until %v", got.State, got.GoesAt)
	}
}
