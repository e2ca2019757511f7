package client_test

import (
	"context"
	"os"
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
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// world is a tenant in a database of its own, whose clock moves a second with
// every look.
type world struct {
	t       testing.TB
	db      *db.DB
	owner   string
	clients *client.Service
	convs   *conversation.Service
	changed changes
	admin   actor.Actor
	clock   time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	d, owner := dbtest.NewWithOwner(t)
	return newWorldIn(t, d, owner)
}

func newWorldIn(t testing.TB, d *db.DB, owner string) *world {
	t.Helper()
	w := &world{t: t, db: d, owner: owner, clock: noon}
	w.clients = &client.Service{
		DB: d, Now: w.now, Changes: &w.changed,
		Region: func(context.Context, actor.TenantID) (string, error) { return "CA", nil },
	}
	w.convs = &conversation.Service{DB: d, Now: w.now, Changes: &w.changed}
	w.admin = w.newTenant()
	return w
}

func (w *world) now() time.Time {
	w.clock = w.clock.Add(time.Second)
	return w.clock
}

// newTenant makes a tenant and answers its admin.
func (w *world) newTenant() actor.Actor {
	w.t.Helper()
	id := actor.TenantID{UUID: uuid.Must(uuid.NewV7())}
	err := w.db.Global(w.t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tenant (id, slug, name, region, timezone, created_at) VALUES ($1, $2, 'T', 'CA', 'UTC', now())`, id, "t"+id.String()[24:])
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return person(id, actor.Admin, "Ada")
}

func person(t actor.TenantID, role actor.Role, name string) actor.Actor {
	return actor.Actor{Tenant: t, Kind: actor.Person, ID: name, Name: name, Role: role}
}

func (w *world) member(name string) actor.Actor { return person(w.admin.Tenant, actor.Member, name) }

func (w *world) create(e client.Edit) *client.Client {
	w.t.Helper()
	c, err := w.clients.Create(w.t.Context(), w.admin, e)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// named makes a client from "first last", with an email if one is given.
func (w *world) named(first, last, email string) *client.Client {
	e := client.Edit{Fields: map[string]string{"first_name": first, "last_name": last}}
	if email != "" {
		e.Email = &email
	}
	return w.create(e)
}

func (w *world) get(id client.ID) *client.Client {
	w.t.Helper()
	c, err := w.clients.Get(w.t.Context(), actor.ForSystem(w.admin.Tenant, "test"), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) sql(fn func(ctx context.Context, tx pgx.Tx) error) {
	w.t.Helper()
	w.sqlIn(w.admin, fn)
}

func (w *world) sqlIn(a actor.Actor, fn func(ctx context.Context, tx pgx.Tx) error) {
	w.t.Helper()
	if err := w.db.Tenant(w.t.Context(), a, fn); err != nil {
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

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, sql, args...).Scan(&n) })
	return n
}

// talk makes a conversation with one message from party, linked to c.
func (w *world) talk(c *client.Client, channel, party string) conversation.ID {
	w.t.Helper()
	return w.talkIn(w.admin, c.ID, channel, party, w.now())
}

// talkIn is talk for any tenant and time.
func (w *world) talkIn(a actor.Actor, of client.ID, channel, party string, at time.Time) conversation.ID {
	w.t.Helper()
	id, message := conversation.NewID(), uuid.Must(uuid.NewV7())
	w.sqlIn(a, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO conversation (id, tenant_id, channel, client_id, link_method, link_certain, message_count, started_at, last_message_at, idle_at, created_at)
VALUES ($1, $2, $3, $4, 'channel', true, 1, $5, $5, $5, $5)`, id, a.Tenant, channel, of, at); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO message (id, tenant_id, conversation_id, direction, party, own_words, sent_at, created_at)
VALUES ($1, $2, $3, 'inbound', $4, 'Hello, I need a truck', $5, $5)`, message, a.Tenant, id, party, at); err != nil {
			return err
		}
		u := client.Begin(tx, actor.ForSystem(a.Tenant, "intake"), at, nil, "intake")
		u.LogConversation(nil, id.UUID, event.Message, at, map[string]any{"channel": channel, "direction": "inbound", "message": message, "subject": ""})
		if err := u.Contacted(ctx, of, at); err != nil {
			return err
		}
		return u.Flush(ctx)
	})
	return id
}

// connect makes a CRM connection.
func (w *world) connect(name string) uuid.UUID {
	w.t.Helper()
	id := uuid.Must(uuid.NewV7())
	w.exec(`INSERT INTO connection (id, tenant_id, adapter, name, created_at) VALUES ($1, $2, 'x', $3, now())`, id, w.admin.Tenant, name)
	return id
}

// inCRM links a client to a CRM record and gives it a synced item.
func (w *world) inCRM(connection uuid.UUID, c *client.Client, crmID string) {
	w.t.Helper()
	w.exec(`INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, linked_at) VALUES ($1, $2, 'client', $3, 'Contact', $4, now())`,
		w.admin.Tenant, connection, c.ID, crmID)
	w.exec(`INSERT INTO sync_item (tenant_id, connection_id, kind, source_id, desired_revision, synced_revision, lane, state) VALUES ($1, $2, 'client', $3, 1, 1, 'update', 'synced')`,
		w.admin.Tenant, connection, c.ID)
}

func (w *world) merge(survivor *client.Client, others ...*client.Client) *client.Merged {
	w.t.Helper()
	m, err := w.clients.Merge(w.t.Context(), w.admin, request(survivor, others...))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func request(survivor *client.Client, others ...*client.Client) client.MergeRequest {
	r := client.MergeRequest{Survivor: survivor.ID}
	for _, o := range others {
		r.Others = append(r.Others, o.ID)
	}
	return r
}

func (w *world) undo(m *client.Merged) *client.Undone {
	w.t.Helper()
	u, err := w.clients.UndoMerge(w.t.Context(), w.admin, m.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// changes records what the sync engine would be told.
type changes struct {
	clients       []client.ID
	conversations []conversation.ID
}

func (c *changes) ClientsChanged(_ context.Context, _ pgx.Tx, _ actor.TenantID, ids []client.ID, _ string) error {
	c.clients = append(c.clients, ids...)
	return nil
}

func (c *changes) ConversationsChanged(_ context.Context, _ pgx.Tx, _ actor.TenantID, ids []conversation.ID, _ string) error {
	c.conversations = append(c.conversations, ids...)
	return nil
}

func valid(c *client.Client) uuid.NullUUID { return uuid.NullUUID{UUID: c.ID.UUID, Valid: true} }

func ptr[T any](v T) *T { return &v }
