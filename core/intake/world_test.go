package intake_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// world is a tenant in a database of its own, with a clock that stands still
// unless a message says otherwise.
type world struct {
	t       *testing.T
	db      *db.DB
	intake  *intake.Service
	clients *client.Service
	convs   *conversation.Service
	tenant  tenant.Tenant
	actor   actor.Actor
	sent    atomic.Int64
}

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.New(t)
	now := func() time.Time { return noon }
	tenants := &tenant.Service{DB: d, Now: now}
	own, err := tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{
		Slug: "acme", Name: "Acme", Region: "CA", Timezone: "America/Toronto",
		Settings: tenant.Settings{Extraction: extract.Settings{OwnDomains: []string{"own.com"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, db: d, tenant: own, actor: actor.ForSystem(own.ID, "test"),
		intake:  &intake.Service{DB: d, Tenants: tenants, Now: now},
		clients: &client.Service{DB: d, Now: now, Region: func(context.Context, actor.TenantID) (string, error) { return "CA", nil }},
		convs:   &conversation.Service{DB: d},
	}
}

// take pushes a message and insists that it is processed.
func (w *world) take(m intake.Message) intake.Result {
	w.t.Helper()
	if m.ExternalID == "" {
		m.ExternalID = fmt.Sprint("m", w.sent.Add(1))
	}
	r, err := w.intake.Take(w.t.Context(), w.actor, m)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.State != "done" {
		w.t.Fatalf("message %s: %s", r.State, r.Error)
	}
	return r
}

// list answers all clients but anonymous visitors, oldest first.
func (w *world) list() []*client.Client {
	w.t.Helper()
	found, err := w.clients.List(w.t.Context(), w.actor, client.Query{Limit: 200})
	if err != nil {
		w.t.Fatal(err)
	}
	var oldestFirst []*client.Client
	for i := len(found.Clients) - 1; i >= 0; i-- {
		oldestFirst = append(oldestFirst, found.Clients[i])
	}
	return oldestFirst
}

func (w *world) only() *client.Client {
	w.t.Helper()
	all := w.list()
	if len(all) != 1 {
		w.t.Fatalf("got %d clients, want 1: %s", len(all), names(all))
	}
	return all[0]
}

func (w *world) conversation(r intake.Result) *conversation.Conversation {
	w.t.Helper()
	c, _, err := w.convs.Get(w.t.Context(), w.actor, conversation.ID{UUID: r.ConversationID.UUID})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// suggestions are the open ones, as "kind field value".
func (w *world) suggestions() []string {
	w.t.Helper()
	var found []string
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT trim(kind || ' ' || field || ' ' || value) FROM suggestion ORDER BY created_at, id`)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return found
}

func (w *world) sql(fn func(ctx context.Context, tx pgx.Tx) error) {
	w.t.Helper()
	if err := w.db.Tenant(w.t.Context(), w.actor, fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
}

// scan reads one value.
func (w *world) scan(into any, sql string, args ...any) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, sql, args...).Scan(into) })
}

func names(clients []*client.Client) string {
	s := ""
	for _, c := range clients {
		s += fmt.Sprintf("[%s: %s %s]", c.DisplayName(), c.Email(), c.Phone())
	}
	return s
}

func email(from, text string) intake.Message {
	return intake.Message{Channel: "email", Participants: []intake.Participant{{Role: "from", Address: from}, {Role: "to", Address: "help@own.com"}}, Text: text}
}

func sms(from, text string) intake.Message {
	return intake.Message{Channel: "sms", ChannelIdentifier: from, Text: text}
}

func chat(session, text string) intake.Message {
	return intake.Message{Channel: "chat", Session: &intake.Session{ID: session}, Text: text}
}

func call(id, from string, said ...string) intake.Message {
	m := intake.Message{Channel: "voice", ChannelIdentifier: from, Call: &intake.Call{ID: id, Status: "completed"}}
	for _, s := range said {
		m.Call.Turns = append(m.Call.Turns, intake.Turn{Role: "client", Text: s})
	}
	return m
}

func otherTenant() tenant.New {
	return tenant.New{Slug: "other", Name: "Other", Region: "US", Timezone: "UTC"}
}
