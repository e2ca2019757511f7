package outbound_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
)

// The channel of a new message (the table of §1.22, R45).
func TestChannelOfNewMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const email, sms, phone = policy.Email, policy.SMS, policy.Phone
	for _, test := range []struct {
		name         string
		preferred    []policy.Channel
		email, phone bool
		out          []policy.Channel // opted out of
		state        outbound.State
		channel      policy.Channel
		person       outbound.State
		note         string
	}{
		{"email, sms", []policy.Channel{email, sms}, true, true, nil, outbound.Queued, email, outbound.Queued, ""},
		{"sms, but no number", []policy.Channel{sms, email}, true, false, nil, outbound.Queued, email, outbound.Queued, ""},
		{"phone first", []policy.Channel{phone, email}, true, true, nil, outbound.Call, phone, outbound.Call, ""},
		{"phone, only email reachable", []policy.Channel{phone}, true, false, nil, outbound.Awaiting, email, outbound.Queued, "no preferred channel"},
		{"none set", nil, true, true, nil, outbound.Queued, email, outbound.Queued, ""},
		{"email, nothing reachable", []policy.Channel{email}, true, true, []policy.Channel{email, sms, phone}, outbound.Blocked, email, outbound.Blocked, "no channel is reachable"},
		{"sms opted out", []policy.Channel{sms, email}, true, true, []policy.Channel{sms}, outbound.Queued, email, outbound.Queued, ""},
	} {
		c := w.client()
		if !test.phone {
			w.drop(c, client.Phone)
		}
		w.prefer(c, client.PreferenceEdit{Channels: &test.preferred})
		for _, channel := range test.out {
			w.optOut(c, channel)
		}
		m := w.write(w.robot, c, outbound.New{Kind: policy.Reminder})
		if m.State != test.state || m.Channel != test.channel || !strings.Contains(m.Reason, test.note) {
			t.Errorf("%s, automation: %s by %s (%s), want %s by %s", test.name, m.State, m.Channel, m.Reason, test.state, test.channel)
		}
		if m := w.write(w.member, c, outbound.New{}); m.State != test.person || m.Channel != test.channel {
			t.Errorf("%s, a person: %s by %s (%s), want %s", test.name, m.State, m.Channel, m.Reason, test.person)
		}
	}
}

func TestThePersonMayChooseTheChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	if m := w.write(w.member, c, outbound.New{Channel: policy.SMS}); m.Channel != policy.SMS || m.Address != c.Phone() {
		t.Errorf("%s to %s", m.Channel, m.Address)
	}
	w.optOut(c, policy.SMS)
	for a, field := range map[*actor.Actor]string{&w.member: "channel", &w.robot: "channel"} {
		_, err := w.out.Write(t.Context(), *a, c.ID, outbound.New{Kind: policy.Reminder, Channel: policy.SMS, Text: "x"})
		if wrong, ok := errors.AsType[*outbound.InvalidError](err); !ok || wrong.Field != field {
			t.Errorf("%s on a channel that can't be: %v", a.Name, err)
		}
	}
}

// A reply stays on its conversation's channel, whatever is preferred (R45).
func TestRepliesStayOnTheirChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	w.prefer(c, client.PreferenceEdit{Channels: &[]policy.Channel{policy.Email}})
	for channel, want := range map[string]outbound.State{"email": outbound.Queued, "sms": outbound.Queued, "chat": outbound.Queued, "voice": outbound.Call} {
		m := w.reply(w.robot, w.conversation(c, channel), outbound.New{})
		if m.Channel != policy.ChannelOf(channel) || m.State != want || m.Address == "" {
			t.Errorf("%s: %s to %q on %s (%s)", channel, m.State, m.Address, m.Channel, m.Reason)
		}
	}
}

// Who sends follows from the credential (§1.21).
func TestOriginFollowsTheCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.conversation(w.client(), "email")
	for _, test := range []struct {
		by   actor.Actor
		want policy.Origin
	}{{w.member, policy.Person}, {w.admin, policy.Person}, {w.robot, policy.Automation}, {actor.ForSystem(w.admin.Tenant, "assistant"), policy.Automation}} {
		if m := w.reply(test.by, in, outbound.New{}); m.Origin != test.want || m.AuthorName != test.by.Name {
			t.Errorf("%s is %s", test.by.Name, m.Origin)
		}
	}
	_, err := w.out.Write(t.Context(), w.robot, w.client().ID, outbound.New{Kind: policy.Note, Text: "x"})
	if wrong, ok := errors.AsType[*outbound.InvalidError](err); !ok || wrong.Field != "kind" {
		t.Errorf("automation writes as a person: %v", err)
	}
	viewer := w.member
	viewer.Role = actor.Viewer
	if _, err := w.out.Reply(t.Context(), viewer, in, outbound.New{Text: "x"}); !isRefusal(err) {
		t.Errorf("a viewer sends: %v", err)
	}
}

// Outside the client's hours automation waits, and a person is asked (R58).
func TestHours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{Windows: tuesday()})
	opens := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	held := w.reply(w.robot, in, outbound.New{})
	if held.State != outbound.Held || held.GoesAt == nil || !held.GoesAt.Equal(opens) || !strings.Contains(held.Reason, "contact window") {
		t.Fatalf("%s until %v: %s", held.State, held.GoesAt, held.Reason)
	}
	_, err := w.out.Reply(t.Context(), w.member, in, outbound.New{Text: "x"})
	if asked, ok := errors.AsType[*outbound.HoursError](err); !ok || !asked.Opens.Equal(opens) || len(asked.Warnings) == 0 {
		t.Fatalf("a person is not asked: %v", err)
	}
	scheduled := w.reply(w.member, in, outbound.New{When: outbound.Opening})
	if scheduled.State != outbound.Held || !scheduled.GoesAt.Equal(opens) {
		t.Errorf("scheduled: %s until %v", scheduled.State, scheduled.GoesAt)
	}
	if now := w.reply(w.member, in, outbound.New{When: outbound.Now}); now.State != outbound.Queued {
		t.Errorf("send anyway: %s", now.State)
	}
	if chat := w.reply(w.robot, w.conversation(c, "chat"), outbound.New{}); chat.State != outbound.Queued {
		t.Errorf("live chat: %s (%s)", chat.State, chat.Reason)
	}
	w.dispatch()
	w.at(opens.Add(-time.Minute))
	follow := w.reply(w.robot, in, outbound.New{})
	w.at(opens)
	w.becomes(follow, outbound.Sent)
	w.becomes(scheduled, outbound.Sent)
	if w.events(follow, event.MessageReleased) != 1 {
		t.Error("the release is in no timeline")
	}
	// A person had answered, so that the first one was pointless.
	w.is(held, outbound.Superseded)
	if w.events(held, event.MessageSuperseded) != 1 {
		t.Error("superseding is in no timeline")
	}
}

// A zone that is no longer known, or hours that leave nothing, hold and are
// listed (R56).
func TestStuckMessagesAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{Windows: tuesday()})
	w.setZone(c, "Atlantis/Sunken")
	m := w.reply(w.robot, in, outbound.New{})
	if m.State != outbound.Held || m.GoesAt != nil || !m.Decision.Stuck {
		t.Fatalf("%s until %v: %s", m.State, m.GoesAt, m.Reason)
	}
	stuck, _, err := w.out.List(t.Context(), w.admin, outbound.Query{Stuck: true})
	if err != nil || len(stuck) != 1 || stuck[0].ID != m.ID {
		t.Errorf("stuck: %+v, %v", stuck, err)
	}
	zone := "UTC"
	w.prefer(c, client.PreferenceEdit{Timezone: &zone})
	if got := w.get(m); got.DueAt == nil || got.Decision.Stuck {
		t.Errorf("after mending the zone: %+v", got)
	}
}

func TestLegalNoticesPassAnOptOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.optOut(c, policy.Email)
	for _, by := range []actor.Actor{w.member, w.robot, w.admin} {
		if m := w.reply(by, in, outbound.New{When: ""}); m.State != outbound.Blocked || !strings.Contains(m.Reason, "opted out") {
			t.Errorf("%s: %s (%s)", by.Name, m.State, m.Reason)
		}
	}
	if m := w.reply(w.admin, in, outbound.New{Kind: policy.Notice, NoticeReason: "GDPR article 34"}); m.State != outbound.Queued {
		t.Errorf("a legal notice: %s (%s)", m.State, m.Reason)
	}
	if _, err := w.out.Reply(t.Context(), w.member, in, outbound.New{Kind: policy.Notice, NoticeReason: "because", Text: "x"}); !isRefusal(err) {
		t.Errorf("a member's legal notice: %v", err)
	}
	if _, err := w.out.Reply(t.Context(), w.admin, in, outbound.New{Kind: policy.Notice, Text: "x"}); err == nil {
		t.Error("a legal notice without a reason was taken")
	}
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "sms")
	for name, n := range map[string]outbound.New{
		"text":    {Text: " \n"},
		"when":    {Text: "x", When: "yesterday"},
		"subject": {Text: "x", Subject: "a\nb"},
		"kind":    {Text: "x", Kind: policy.Campaign},
		"reason":  {Text: "x", NoticeReason: "why not"},
	} {
		_, err := w.out.Reply(t.Context(), w.member, in, n)
		if wrong, ok := errors.AsType[*outbound.InvalidError](err); !ok || wrong.Field != name || wrong.WayOut == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.out.Reply(t.Context(), w.member, in, outbound.New{Text: strings.Repeat("é", 1601)}); err == nil {
		t.Error("an endless SMS was taken")
	}
	if err := w.clients.Delete(t.Context(), w.admin, c.ID, client.Mistake); err != nil {
		t.Fatal(err)
	}
	if _, err := w.out.Write(t.Context(), w.member, c.ID, outbound.New{Text: "x"}); err == nil {
		t.Error("a deleted client is written to")
	}
}

// What an agent writes by another way makes automated answers pointless; the copy
// of what left from here doesn't (R59).
func TestAnAgentsMailSupersedes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in.Outbound = w.out
	c := w.client()
	in := w.conversation(c, "email")
	w.prefer(c, client.PreferenceEdit{ReviewRequired: new(true)})
	w.dispatch()
	draft := w.reply(w.robot, in, outbound.New{})
	sent := w.becomes(w.write(w.member, c, outbound.New{Channel: policy.Email}), outbound.Sent)
	other := w.reply(w.robot, conversation.ID{UUID: sent.ConversationID.UUID}, outbound.New{})
	agent := func(id, references string) {
		t.Helper()
		mail := "From: agent@acme.example\r\nTo: " + c.Email() + "\r\nMessage-ID: <" + id + ">\r\nReferences: <" + references + ">\r\n\r\nHello Ann.\r\n"
		r, err := w.in.Take(t.Context(), actor.ForSystem(w.admin.Tenant, "test"), intake.Message{Channel: "email", Direction: "outbound", MIME: []byte(mail)})
		if err != nil || r.State != "done" {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	agent(sent.ExternalID, sent.ExternalID)
	w.is(other, outbound.Awaiting)
	_, messages, err := w.convs.Get(t.Context(), w.admin, in)
	if err != nil {
		t.Fatal(err)
	}
	agent("agents-own@acme.example", messages[0].ExternalID)
	w.is(draft, outbound.Superseded)
	w.is(other, outbound.Awaiting)
}
