package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/channel/sender/sendertest"
)

// postOffice is acme with providers that count what really left.
type postOffice struct {
	*world
	t      *testing.T
	mail   *sendertest.SMTP
	sms    *sendertest.Webhook
	chat   *sendertest.Webhook
	later  atomic.Int64 // how far the outbound clock is ahead
	member string       // a session's cookie
	admin  string
	phone  int
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	p := &postOffice{world: newWorld(t), t: t}
	p.mail = sendertest.StartSMTP(t, &sendertest.SMTP{})
	p.sms = sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "sms secret"})
	p.chat = sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "chat secret"})
	p.services.Outbound.Now = func() time.Time { return time.Now().Add(time.Duration(p.later.Load())) }
	p.services.Clients.Outbound = p.services.Outbound
	p.services.Conversations.Outbound = p.services.Outbound
	for channel, s := range map[string]struct {
		settings sender.Settings
		secret   string
	}{
		"email": {sender.Settings{From: "support@acme.example", SMTP: &sender.SMTPSettings{Host: "127.0.0.1", Port: p.mail.Port(), TLS: "none"}}, ""},
		"sms":   {sender.Settings{From: "+14165559999", Webhook: &sender.WebhookSettings{URL: p.sms.URL()}}, "sms secret"},
		"chat":  {sender.Settings{From: "acme", Webhook: &sender.WebhookSettings{URL: p.chat.URL()}}, "chat secret"},
	} {
		if _, err := p.services.Senders.Set(t.Context(), p.acme.system, channel, s.settings, &s.secret); err != nil {
			t.Fatal(err)
		}
	}
	d := &outbound.Dispatcher{Service: p.services.Outbound, Senders: p.services.Senders, Host: uuid.NewString()}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	p.member, p.admin = p.cookie(t, p.acme.system, actor.Member), p.cookie(t, p.acme.system, actor.Admin)
	return p
}

// person is a new client with a conversation on a channel.
func (p *postOffice) person(channel string) (*client.Client, string) {
	p.t.Helper()
	p.phone++
	email, phone := fmt.Sprintf("p%d@x.example", p.phone), fmt.Sprintf("+1416555%04d", p.phone)
	c, err := p.services.Clients.Create(p.t.Context(), p.acme.system, client.Edit{Fields: map[string]string{"first_name": "Ann"}, Email: &email, Phone: &phone})
	if err != nil {
		p.t.Fatal(err)
	}
	m := intake.Message{Channel: channel, ExternalID: fmt.Sprintf("%d@x.example", p.phone), Direction: "inbound", Text: "Hello", ChannelIdentifier: email}
	switch channel {
	case "sms":
		m.ChannelIdentifier, m.Participants = phone, []intake.Participant{{Role: "agent", Address: "+14165559999"}}
	case "chat":
		m.ChannelIdentifier, m.Session = "", &intake.Session{ID: uuid.NewString(), PreChat: &intake.PreChat{Email: email}}
	}
	r, err := p.services.Intake.Take(p.t.Context(), p.acme.system, m)
	if err != nil || r.ClientID.UUID != c.ID.UUID {
		p.t.Fatalf("%+v, %v", r, err)
	}
	return c, r.ConversationID.UUID.String()
}

// left are the ids of the messages that really reached a provider.
func (p *postOffice) left() map[string]bool {
	all := map[string]bool{}
	for _, m := range p.mail.Mails() {
		all[strings.SplitN(m.MessageID, "@", 2)[0]] = true
	}
	for _, s := range slices.Concat(p.sms.Sent(), p.chat.Sent()) {
		all[s.ID] = true
	}
	return all
}

// quiet waits until nothing is queued or being sent: what has not left by then
// does not leave by itself.
func (p *postOffice) quiet() {
	p.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		var busy struct{ Messages []outbound.Message }
		p.do(p.t, call{method: "GET", path: "/v1/outbound?state=queued,sending", credential: p.acme.secret}).want(200).json(&busy)
		if len(busy.Messages) == 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("still busy: %+v", busy.Messages[0])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *postOffice) post(path, credential string, body map[string]any) reply {
	p.t.Helper()
	return p.do(p.t, call{method: "POST", path: path, credential: credential, body: body})
}

// cell is one cell of the outbound table of §1.22, and its message.
type cell struct {
	rule, column string
	closed       bool
	want         outbound.State // when accepted
	message      outbound.Message
}

// TestGoldenOutbound walks the outbound table of §1.22 through the API, inside and
// outside the client's hours, and counts what the providers really got: at once,
// after approval or a person's send, and when the hours open.
func TestGoldenOutbound(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t)
	opens := time.Now().UTC().Add(72 * time.Hour)
	const queued, awaiting, draft, blocked, held = outbound.Queued, outbound.Awaiting, outbound.Draft, outbound.Blocked, outbound.Held
	var cells []*cell
	for rule, want := range map[string]map[string]outbound.State{
		"none":                  {"reply": queued, "chat": queued, "follow": queued, "receipt": queued, "human": queued},
		"human review required": {"reply": awaiting, "chat": awaiting, "follow": awaiting, "receipt": awaiting, "human": queued},
		"never auto-send":       {"reply": draft, "chat": draft, "follow": draft, "receipt": draft, "human": queued},
		"sensitive":             {"reply": awaiting, "chat": awaiting, "follow": awaiting, "receipt": awaiting, "human": queued},
		"opted out":             {"reply": blocked, "chat": queued, "follow": blocked, "receipt": blocked, "human": blocked},
	} {
		for column, like := range map[string]string{
			"AI reply by email": "reply", "AI reply by SMS": "reply", "AI reply in live chat": "chat", "follow_up": "follow", "reminder": "follow",
			"campaign": "follow", "receipt": "receipt", "human send": "human",
		} {
			for _, closed := range []bool{false, true} {
				c := &cell{rule: rule, column: column, closed: closed, want: want[like]}
				if closed && c.want == queued && like != "chat" && like != "human" {
					c.want = held
				}
				p.accept(c, opens)
				cells = append(cells, c)
			}
		}
	}
	p.quiet()
	p.check(cells, "by themselves", func(c *cell) bool { return c.want == queued })

	for _, c := range cells {
		p.review(c)
	}
	p.quiet()
	p.check(cells, "after review", func(c *cell) bool {
		byHand := c.want == draft || c.want == awaiting && (!c.closed || c.column == "AI reply in live chat")
		return c.want == queued || byHand
	})

	p.later.Store(int64(72 * time.Hour))
	p.quiet()
	for _, c := range cells {
		if c.want == held || c.want == awaiting {
			p.becomes(c, outbound.Sent)
		}
	}
	p.check(cells, "when the hours opened", func(c *cell) bool { return c.want != blocked })
}

// accept makes the client and posts the cell's message.
func (p *postOffice) accept(c *cell, opens time.Time) {
	p.t.Helper()
	channel := map[string]string{"AI reply by SMS": "sms", "AI reply in live chat": "chat"}[c.column]
	if channel == "" {
		channel = "email"
	}
	to, in := p.person(channel)
	edit := client.PreferenceEdit{}
	switch c.rule {
	case "human review required":
		edit.ReviewRequired = new(true)
	case "never auto-send":
		edit.NeverAutoSend = new(true)
	case "sensitive":
		if _, err := p.services.Clients.MarkSensitive(p.t.Context(), p.boss(), to.ID, client.Marking{Sensitive: true}); err != nil {
			p.t.Fatal(err)
		}
	case "opted out":
		for _, channel := range []policy.Channel{policy.Email, policy.SMS, policy.Phone} {
			if _, err := p.services.Clients.AddOptOut(p.t.Context(), p.boss(), to.ID, client.NewOptOut{Channel: channel}); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	if c.closed {
		day := policy.Day(strings.ToLower(opens.Weekday().String()[:3]))
		edit.Windows, edit.Timezone = &[]policy.Window{{Days: []policy.Day{day}, AllDay: true}}, new("UTC")
	}
	if _, err := p.services.Clients.ChangePreferences(p.t.Context(), p.boss(), to.ID, edit); err != nil {
		p.t.Fatal(err)
	}
	path, credential, body := "/v1/conversations/"+in+"/replies", p.acme.secret, map[string]any{"text": c.rule + ", " + c.column}
	switch c.column {
	case "follow_up", "reminder", "campaign":
		path, body["kind"] = "/v1/clients/"+to.ID.String()+"/messages", c.column
	case "receipt":
		body["kind"] = "receipt"
	case "human send":
		credential = p.member
		if c.closed && c.want != outbound.Blocked {
			if problem := p.post(path, credential, body).want(http.StatusConflict).problem(); !strings.Contains(problem.Detail, `"when": "opening"`) {
				p.t.Errorf("a person outside the hours is told %q", problem.Detail)
			}
			body["when"] = "now"
		}
	}
	p.post(path, credential, body).want(http.StatusCreated).json(&c.message)
	if got := c.message; got.State != c.want || got.State != outbound.Queued && got.Reason == "" {
		p.t.Errorf("%s, %s, closed %v: %s (%s), want %s", c.rule, c.column, c.closed, got.State, got.Reason, c.want)
	}
}

// review does with a cell's message what a person may: approves it, or where that
// is refused, sends it.
func (p *postOffice) review(c *cell) {
	p.t.Helper()
	path := "/v1/outbound/" + c.message.ID.String()
	switch c.want {
	case outbound.Awaiting:
		p.post(path+"/approve", p.acme.secret, map[string]any{}).want(http.StatusForbidden)
		p.post(path+"/approve", p.member, map[string]any{}).want(http.StatusOK)
	case outbound.Draft:
		p.post(path+"/approve", p.member, map[string]any{}).want(http.StatusConflict)
		p.post(path+"/send", p.acme.secret, map[string]any{"when": "now"}).want(http.StatusForbidden)
		p.post(path+"/send", p.member, map[string]any{"when": "now"}).want(http.StatusOK)
	case outbound.Blocked:
		p.post(path+"/approve", p.admin, map[string]any{}).want(http.StatusConflict)
		p.post(path+"/send", p.admin, map[string]any{"when": "now"}).want(http.StatusConflict)
	}
}

// becomes waits for a cell's message.
func (p *postOffice) becomes(c *cell, state outbound.State) {
	p.t.Helper()
	var got outbound.Message
	for deadline := time.Now().Add(time.Minute); got.State != state; {
		p.do(p.t, call{method: "GET", path: "/v1/outbound/" + c.message.ID.String(), credential: p.acme.secret}).want(200).json(&got)
		if time.Now().After(deadline) {
			p.t.Fatalf("%s, %s, closed %v: %s (%s), want %s", c.rule, c.column, c.closed, got.State, got.Reason, state)
		}
	}
}

func (p *postOffice) check(cells []*cell, when string, want func(*cell) bool) {
	p.t.Helper()
	left := p.left()
	for _, c := range cells {
		if got := left[c.message.ID.String()]; got != want(c) {
			p.t.Errorf("%s: %s, %s, closed %v: left %v, want %v", when, c.rule, c.column, c.closed, got, want(c))
		}
	}
}

// boss is an admin of acme.
func (p *postOffice) boss() actor.Actor {
	return actor.Actor{Tenant: p.acme.system.Tenant, Kind: actor.Person, Role: actor.Admin, ID: uuid.NewString(), Name: "Ada"}
}

// An admin's legal notice, with a reason, is the one thing that passes an opt-out.
func TestLegalNoticeThroughTheAPI(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t)
	to, in := p.person("email")
	if _, err := p.services.Clients.AddOptOut(context.WithoutCancel(t.Context()), p.boss(), to.ID, client.NewOptOut{Channel: policy.Email}); err != nil {
		t.Fatal(err)
	}
	path := "/v1/conversations/" + in + "/replies"
	body := map[string]any{"text": "We must tell you of a breach.", "kind": "legal_notice", "reason": "GDPR article 34"}
	p.post(path, p.member, body).want(http.StatusForbidden)
	p.post(path, p.admin, map[string]any{"text": "x", "kind": "legal_notice"}).want(http.StatusUnprocessableEntity)
	var m outbound.Message
	p.post(path, p.admin, body).want(http.StatusCreated).json(&m)
	p.quiet()
	if left := p.left(); len(left) != 1 || !left[m.ID.String()] {
		t.Errorf("left: %v", left)
	}
}

// A request can't say who sends.
func TestARequestCannotClaimToBeAPerson(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t)
	to, in := p.person("email")
	for _, claim := range []string{"origin", "author", "approved_by"} {
		p.post("/v1/conversations/"+in+"/replies", p.acme.secret, map[string]any{"text": "x", claim: "person"}).want(http.StatusUnprocessableEntity)
	}
	p.post("/v1/clients/"+to.ID.String()+"/messages", p.acme.secret, map[string]any{"text": "x", "kind": "message"}).want(http.StatusUnprocessableEntity)
	p.post("/v1/conversations/"+in+"/replies", p.acme.secret, map[string]any{"text": "x", "when": "now"}).want(http.StatusUnprocessableEntity)
}
