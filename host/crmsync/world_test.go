package crmsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/sdk"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// world is a tenant with one connection to a CRM in memory. The engine runs once
// start is called.
type world struct {
	t           testing.TB
	db          *db.DB
	owner       string // the database owner's URL
	crm         *memoryCRM
	tenants     *tenant.Service
	connections *connection.Service
	marker      *crmsync.Marker
	clients     *client.Service
	convs       *conversation.Service
	intake      *intake.Service
	status      *crmsync.Status
	backfills   *crmsync.Backfills
	engine      *crmsync.Engine
	actor       actor.Actor
	connection  *connection.Connection
}

func newWorld(t testing.TB) *world {
	t.Helper()
	d, owner := dbtest.NewWithOwner(t)
	vault, err := connection.OpenVault(filepath.Join(t.TempDir(), "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: d, owner: owner, crm: newCRM(), marker: &crmsync.Marker{DB: d}, status: &crmsync.Status{DB: d}}
	describe := func(ctx context.Context, _ string) (sdk.Description, error) { return w.crm.Describe(ctx) }
	w.tenants = &tenant.Service{DB: d, Now: time.Now}
	region := func(context.Context, actor.TenantID) (string, error) { return "US", nil }
	w.clients = &client.Service{DB: d, Now: time.Now, Changes: w.marker, Region: region}
	w.convs = &conversation.Service{DB: d, Now: time.Now, Changes: w.marker}
	w.intake = &intake.Service{DB: d, Tenants: w.tenants, Now: time.Now, Clients: w.marker, Conversations: w.marker}
	w.connections = &connection.Service{
		DB: d, Now: time.Now, Vault: vault, Describe: describe, Added: w.marker.ConnectionAdded, Changed: w.marker.ConnectionChanged,
	}
	w.backfills = &crmsync.Backfills{Marker: w.marker, Describe: describe}
	w.engine = &crmsync.Engine{
		DB: d, Connections: w.connections, Host: "here", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Adapter: func(string, actor.TenantID) (sdk.Adapter, error) { return w.crm, nil },
		Link:    func(string) string { return "" },
	}
	w.actor = w.newTenant("acme")
	w.connection = w.connect(w.actor, "crm")
	return w
}

func (w *world) newTenant(slug string) actor.Actor {
	w.t.Helper()
	own, err := w.tenants.Create(w.t.Context(), actor.ForOperator("test"), tenant.New{Slug: slug, Name: slug, Region: "US", Timezone: "UTC"})
	if err != nil {
		w.t.Fatal(err)
	}
	return actor.ForSystem(own.ID, "test")
}

func (w *world) connect(a actor.Actor, name string) *connection.Connection {
	w.t.Helper()
	c, err := w.connections.Create(w.t.Context(), a, connection.New{Adapter: "memory", Name: name, Settings: json.RawMessage(`{}`), Secrets: map[string]string{connection.AccessToken: "x"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// start lets the engine work until the test ends.
func (w *world) start() {
	w.engine.Start(w.t.Context())
	w.t.Cleanup(w.engine.Stop)
}

// create makes n clients at once, as an import would.
func (w *world) create(n int) []client.ID {
	w.t.Helper()
	ids := make([]client.ID, n)
	for i := range ids {
		ids[i] = w.client(fmt.Sprintf("p%d-%s@example.org", i, uuid.NewString()[:8]))
	}
	return ids
}

func (w *world) client(email string) client.ID {
	w.t.Helper()
	c, err := w.clients.Create(w.t.Context(), w.actor, client.Edit{Fields: map[string]string{"first_name": "Ann", "last_name": "Lund"}, Email: &email})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.ID
}

func (w *world) edit(id client.ID, field, value string) {
	w.t.Helper()
	if _, err := w.clients.Update(w.t.Context(), w.actor, id, client.Edit{Fields: map[string]string{field: value}}); err != nil {
		w.t.Fatal(err)
	}
}

// exec runs SQL in the tenant: tests move times with it.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	err := w.db.Tenant(context.WithoutCancel(w.t.Context()), w.actor, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// soon makes everything due that waits for a time, and wakes the connection.
func (w *world) soon() {
	w.t.Helper()
	w.exec(`UPDATE sync_item SET due_at = now() WHERE due_at > now()`)
	w.exec(`UPDATE connection SET parked_until = now() WHERE parked_until > now()`)
	w.exec(`UPDATE sync_lane SET parked_until = now() WHERE parked_until > now()`)
	w.exec(`UPDATE sync_field SET look_at = now() WHERE look_at > now()`)
	w.kick()
}

func (w *world) kick() { w.engine.Kick(w.actor.Tenant, w.connection.ID) }

func (w *world) state(id client.ID) crmsync.ClientState {
	w.t.Helper()
	states, err := w.status.OfClient(context.WithoutCancel(w.t.Context()), w.actor, id)
	if err != nil || len(states) == 0 {
		w.t.Fatalf("state of %s: %v, %v", id, states, err)
	}
	return states[0]
}

func (w *world) counts() crmsync.Counts {
	w.t.Helper()
	c, err := w.status.OfConnection(context.WithoutCancel(w.t.Context()), w.actor, w.connection.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) reload() *connection.Connection {
	w.t.Helper()
	c, err := w.connections.Get(context.WithoutCancel(w.t.Context()), w.actor, w.connection.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// settle waits until nothing is due or waits.
func (w *world) settle() {
	w.t.Helper()
	w.kick()
	w.until("the sync to settle", func() bool {
		c := w.counts()
		return c.Due+c.Waiting == 0
	})
}

func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	const patience = 40 * time.Second
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %s for %s; counts %+v, connection %+v", patience, what, w.counts(), w.reload())
		}
		time.Sleep(10 * time.Millisecond) // polling: the engine tells nobody
	}
}

// soonUnparked is soon for what isn't parked.
func (w *world) soonUnparked() {
	w.t.Helper()
	w.exec(`UPDATE sync_item SET due_at = now() WHERE due_at > now() AND state = 'due'`)
	w.kick()
}

// fill gives another tenant a connection and clients that wait for it.
func (w *world) fill(a actor.Actor, n int) {
	w.t.Helper()
	w.more(a, w.connect(a, "crm").ID, n)
}

// more makes clients that wait in a connection's backfill lane, all at once.
func (w *world) more(a actor.Actor, id connection.ID, n int) {
	w.t.Helper()
	err := w.db.Tenant(w.t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `WITH made AS (
  INSERT INTO client (id, tenant_id, kind, last_name, source, created_at, updated_at)
  SELECT gen_random_uuid(), $1, 'person', 'Lund ' || n, 'manual', now(), now() FROM generate_series(1, $3) AS n RETURNING id), mail AS (
  INSERT INTO client_identifier (id, tenant_id, client_id, kind, value, normal, is_primary, source, created_at)
  SELECT gen_random_uuid(), $1, id, 'email', id || '@example.org', id || '@example.org', true, 'human', now() FROM made)
INSERT INTO sync_item (tenant_id, connection_id, kind, source_id, desired_revision, lane, due_at)
SELECT $1, $2, 'client', id, 1, 'backfill', now() FROM made`, a.Tenant, id, n)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// adapters gives each tenant a CRM of its own.
func (w *world) adapters(of map[string]*memoryCRM) {
	w.engine.Adapter = func(_ string, t actor.TenantID) (sdk.Adapter, error) { return of[t.String()], nil }
}

func (w *world) pause(paused bool) {
	w.t.Helper()
	if err := w.connections.SetPaused(w.t.Context(), w.actor, w.connection.ID, paused); err != nil {
		w.t.Fatal(err)
	}
}
