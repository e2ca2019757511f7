package outbound_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/core/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// noon is a Monday's.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// world is a tenant whose clock the test moves.
type world struct {
	t          testing.TB
	db         *db.DB
	tenants    *tenant.Service
	clients    *client.Service
	convs      *conversation.Service
	in         *intake.Service
	out        *outbound.Service
	senders    *senders
	dispatcher *outbound.Dispatcher
	clock      atomic.Int64 // microseconds
	admin      actor.Actor
	member     actor.Actor
	robot      actor.Actor
	number     atomic.Int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), senders: &senders{by: map[string]*provider{"email": {}, "sms": {}, "chat": {}}}}
	w.at(noon)
	w.tenants = &tenant.Service{DB: w.db, Now: w.now}
	own, err := w.tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "CA", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	w.out = &outbound.Service{DB: w.db, Now: w.now, Zones: &policy.Zones{}}
	w.clients = &client.Service{DB: w.db, Now: w.now, Outbound: w.out, Region: func(context.Context, actor.TenantID) (string, error) { return "CA", nil }}
	w.convs = &conversation.Service{DB: w.db, Now: w.now, Outbound: w.out}
	w.in = &intake.Service{DB: w.db, Tenants: w.tenants, Now: w.now}
	w.admin = actor.Actor{Tenant: own.ID, Kind: actor.Person, Role: actor.Admin, ID: "1", Name: "Ada"}
	w.member = actor.Actor{Tenant: own.ID, Kind: actor.Person, Role: actor.Member, ID: "2", Name: "Mia"}
	w.robot = actor.Actor{Tenant: own.ID, Kind: actor.Automation, ID: "3", Name: "key bot", Scopes: []actor.Scope{actor.ScopeRead, actor.ScopeWrite}}
	return w
}

func (w *world) now() time.Time       { return time.UnixMicro(w.clock.Add(1)).UTC() }
func (w *world) at(t time.Time)       { w.clock.Store(t.UnixMicro()) }
func (w *world) ctx() context.Context { return w.t.Context() }

// dispatch starts a dispatcher that ends with the test.
func (w *world) dispatch() *outbound.Dispatcher {
	w.t.Helper()
	d := &outbound.Dispatcher{Service: w.out, Senders: w.senders, Host: uuid.NewString(), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Backoff: func(int) time.Duration { return time.Minute }}
	if err := d.Start(w.ctx()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(d.Stop)
	w.dispatcher = d
	return d
}

// client makes one with an address and a number of its own.
func (w *world) client() *client.Client {
	w.t.Helper()
	email, phone := "ann"+uuid.NewString()[:8]+"@x.example", "+1416555"+fourDigits(w.number.Add(1))
	c, err := w.clients.Create(w.ctx(), w.admin, client.Edit{Fields: map[string]string{"first_name": "Ann"}, Email: &email, Phone: &phone})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func fourDigits(n int64) string {
	return string([]byte{'0' + byte(n/1000%10), '0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)})
}

// conversation is one that the client began.
func (w *world) conversation(c *client.Client, channel string) conversation.ID {
	w.t.Helper()
	m := intake.Message{Channel: channel, ExternalID: uuid.NewString() + "@x.example", Direction: "inbound", Subject: "Offer", Text: "Please send one."}
	at := w.now()
	m.Time = &at
	switch channel {
	case "email":
		m.ChannelIdentifier = c.Email()
	case "sms", "voice":
		m.ChannelIdentifier = c.Phone()
		m.Participants = []intake.Participant{{Role: "agent", Address: "+14165559999"}}
		if channel == "voice" {
			m.Call = &intake.Call{ID: uuid.NewString()}
		}
	case "chat":
		m.Session = &intake.Session{ID: uuid.NewString(), PreChat: &intake.PreChat{Email: c.Email()}}
	}
	r, err := w.in.Take(w.ctx(), actor.ForSystem(w.admin.Tenant, "test"), m)
	if err != nil || r.State != "done" || r.ClientID.UUID != c.ID.UUID {
		w.t.Fatalf("take a message: %+v, %v", r, err)
	}
	return conversation.ID{UUID: r.ConversationID.UUID}
}

func (w *world) reply(a actor.Actor, in conversation.ID, n outbound.New) *outbound.Message {
	w.t.Helper()
	if n.Text == "" {
		n.Text = "Here it is."
	}
	m, err := w.out.Reply(w.ctx(), a, in, n)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) write(a actor.Actor, to *client.Client, n outbound.New) *outbound.Message {
	w.t.Helper()
	if n.Text == "" {
		n.Text = "Just to let you know."
	}
	m, err := w.out.Write(w.ctx(), a, to.ID, n)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) get(m *outbound.Message) *outbound.Message {
	w.t.Helper()
	got, err := w.out.Get(w.ctx(), actor.ForSystem(w.admin.Tenant, "test"), m.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// becomes waits until a message is in the state.
func (w *world) becomes(m *outbound.Message, state outbound.State) *outbound.Message {
	w.t.Helper()
	var got *outbound.Message
	until(w.t, func() bool { got = w.get(m); return got.State == state }, func() string {
		return "message to be " + string(state) + ", it is " + string(got.State) + ": " + got.Reason
	})
	return got
}

// is fails the test unless the message is in the state.
func (w *world) is(m *outbound.Message, state outbound.State) {
	w.t.Helper()
	if got := w.get(m); got.State != state {
		w.t.Errorf("the message is %s (%s), want %s", got.State, got.Reason, state)
	}
}

func (w *world) sql(fn func(ctx context.Context, tx pgx.Tx) error) {
	w.t.Helper()
	if err := w.db.Tenant(w.ctx(), actor.ForSystem(w.admin.Tenant, "test"), fn); err != nil {
		w.t.Fatal(err)
	}
}

// events are those of a kind about a message.
func (w *world) events(m *outbound.Message, kind event.Kind) (n int) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM event WHERE kind = $1 AND payload->>'message' = $2`, kind, m.ID.String()).Scan(&n)
	})
	return n
}

// windows is the hours of a Tuesday: closed at noon on Monday.
func tuesday() *[]policy.Window {
	return &[]policy.Window{{Days: []policy.Day{"tue"}, Start: 9 * 60, End: 17 * 60}}
}

func (w *world) prefer(c *client.Client, e client.PreferenceEdit) *client.PolicyChange {
	w.t.Helper()
	change, err := w.clients.ChangePreferences(w.ctx(), w.admin, c.ID, e)
	if err != nil {
		w.t.Fatal(err)
	}
	return change
}

func (w *world) mark(c *client.Client, sensitive bool) *client.PolicyChange {
	w.t.Helper()
	change, err := w.clients.MarkSensitive(w.ctx(), w.admin, c.ID, client.Marking{Sensitive: sensitive})
	if err != nil {
		w.t.Fatal(err)
	}
	return change
}

func until(t testing.TB, done func() bool, what func() string) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("waited a minute for the " + what())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// senders are providers in memory, by channel.
type senders struct {
	mu sync.Mutex
	by map[string]*provider
}

func (s *senders) Sender(_ context.Context, _ actor.TenantID, channel string) (outbound.Sender, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.by[channel]
	if p == nil {
		return nil, &outbound.NoSenderError{Channel: channel}
	}
	return p, nil
}

func (s *senders) set(channel string, p *provider) *provider {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by[channel] = p
	return p
}

// provider remembers each call of it.
type provider struct {
	idempotent bool
	// asked, when set, runs before a call has begun, before when it has.
	asked  func(outbound.Delivery)
	before func(outbound.Delivery) outbound.Result

	mu    sync.Mutex
	calls []call
}

type call struct {
	outbound.Delivery
	began time.Time
}

func (p *provider) Idempotent() bool { return p.idempotent }

func (p *provider) From() string { return "support@acme.example" }

func (p *provider) Send(_ context.Context, d outbound.Delivery, begun func()) outbound.Result {
	p.mu.Lock()
	p.calls = append(p.calls, call{d, time.Now()})
	before := p.before
	p.mu.Unlock()
	if p.asked != nil {
		p.asked(d)
	}
	begun()
	if before != nil {
		return before(d)
	}
	return outbound.Result{Outcome: outbound.WasSent, ProviderID: "p-" + d.ID.String()}
}

func (p *provider) got() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]call(nil), p.calls...)
}

func conversationsOf(c *client.Client) conversation.Query { return conversation.Query{Client: &c.ID} }

func isRefusal(err error) bool {
	_, ok := errors.AsType[*actor.Refusal](err)
	return ok
}

func (w *world) optOut(c *client.Client, channel policy.Channel) {
	w.t.Helper()
	if _, err := w.clients.AddOptOut(w.ctx(), w.admin, c.ID, client.NewOptOut{Channel: channel, Reason: "said so"}); err != nil {
		w.t.Fatal(err)
	}
}

// drop takes a client's identifiers of a kind away.
func (w *world) drop(c *client.Client, kind client.IdentifierKind) {
	w.t.Helper()
	for _, id := range c.Identifiers {
		if id.Kind == kind {
			if _, err := w.clients.DropIdentifier(w.ctx(), w.admin, c.ID, id.ID); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// setZone gives a client a zone that no service would take: one that a new edition
// of the database has lost.
func (w *world) setZone(c *client.Client, zone string) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE client SET timezone = $2 WHERE id = $1`, c.ID, zone)
		return err
	})
}

// exempt makes a conversation of a sensitive client a normal one.
func (w *world) exempt(in conversation.ID) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		c, err := conversation.Lock(ctx, tx, in)
		if err != nil {
			return err
		}
		c.Own.Sensitive = &policy.Mark{For: c.ClientID.UUID.String(), Own: policy.Own[bool]{Set: policy.Set{By: "Ada", At: w.now()}}}
		if _, err := tx.Exec(ctx, `UPDATE conversation SET policy = $2 WHERE id = $1`, in, c.Own); err != nil {
			return err
		}
		_, err = w.out.PolicyChanged(ctx, tx, w.admin, client.PolicyScope{Conversations: []conversation.ID{in}})
		return err
	})
}

// quiet sets the tenant's quiet hours.
func (w *world) quiet(hours []policy.Window) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		if err := tenant.SetPolicy(ctx, tx, w.admin.Tenant, tenant.Policy{QuietHours: hours}); err != nil {
			return err
		}
		_, err := w.out.PolicyChanged(ctx, tx, w.admin, client.PolicyScope{Tenant: true})
		return err
	})
}

// lift takes a client's opt-outs back.
func (w *world) lift(c *client.Client) {
	w.t.Helper()
	all, err := w.clients.OptOuts(w.ctx(), w.admin, c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range all {
		if _, err := w.clients.LiftOptOut(w.ctx(), w.admin, c.ID, o.ID, "asked to"); err != nil {
			w.t.Fatal(err)
		}
	}
}
