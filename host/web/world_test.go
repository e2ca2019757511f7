package web_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/host/web"
)

// cheap hashes let many tests sign in; the default cost has its own test.
func cheap() *argon2id.Params {
	return &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const password = "four random words here"

// world is the pages of a host over a real database, with two tenants.
type world struct {
	db       *db.DB
	services web.Services
	server   *httptest.Server
	log      *bytes.Buffer
	acme     house
	globex   house
}

// house is a tenant with a client, its conversation and a connection. All that
// acme holds bears the word zanzibar.
type house struct {
	system               actor.Actor
	client, conversation string
	key                  string // id of an API key
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.New(t)
	w := &world{db: d, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	entry, err := access.New(d, time.Now, access.Options{Logger: log, Hash: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	tenants := &tenant.Service{DB: d, Now: time.Now}
	w.services = web.Services{
		Access: entry, Tenants: tenants, Now: time.Now, Logger: log,
		Clients: &client.Service{DB: d, Now: time.Now, Region: func(ctx context.Context, id actor.TenantID) (string, error) {
			found, err := tenants.Get(ctx, id)
			return found.Region, err
		}},
		Conversations: &conversation.Service{DB: d},
		Connections:   &connection.Service{DB: d, Now: time.Now},
		Sync:          &crmsync.Status{DB: d},
	}
	handler, err := web.New(w.services)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(handler)
	t.Cleanup(w.server.Close)
	w.acme, w.globex = w.house(t, "acme", "zanzibar"), w.house(t, "globex", "quokka")
	return w
}

func (w *world) house(t *testing.T, slug, word string) house {
	t.Helper()
	made, err := w.services.Tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: slug, Name: slug + " Inc.", Region: "US", Timezone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	h := house{system: actor.ForSystem(made.ID, "test")}
	key, _, err := w.services.Access.CreateKey(t.Context(), h.system, access.NewKey{Name: "gateway " + word, Scopes: []actor.Scope{actor.ScopeRead}})
	if err != nil {
		t.Fatal(err)
	}
	h.key = key.ID.String()
	for _, role := range []actor.Role{actor.Admin, actor.Member, actor.Viewer} {
		if _, err := w.services.Access.CreateUser(t.Context(), h.system, access.NewUser{Email: string(role) + "@" + slug + ".example", Name: "Pat " + string(role), Role: role, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	result := w.take(t, h, intake.Message{
		Channel: "email", ChannelIdentifier: word + "@example.com", Direction: "inbound", Subject: "About " + word,
		Text: "Hello,\n\nmy name is Ann " + strings.ToUpper(word[:1]) + word[1:] + " and my " + word + " is broken.\n",
	})
	h.client, h.conversation = result.ClientID.UUID.String(), result.ConversationID.UUID.String()
	w.connection(t, h, "HubSpot "+word)
	return h
}

func (w *world) take(t *testing.T, h house, m intake.Message) intake.Result {
	t.Helper()
	in := &intake.Service{DB: w.db, Tenants: w.services.Tenants, Now: time.Now}
	result, err := in.Take(t.Context(), h.system, m)
	if err != nil || result.State != "done" {
		t.Fatalf("take a message: %+v, %v", result, err)
	}
	return result
}

// connection puts a connection and what happened on it straight into the
// database: the pages only read it.
func (w *world) connection(t *testing.T, h house, name string) {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	err := w.db.Tenant(t.Context(), h.system, func(ctx context.Context, tx pgx.Tx) error {
		for _, do := range []struct {
			sql  string
			args []any
		}{
			{`INSERT INTO connection (id, tenant_id, adapter, name, created_at) VALUES ($1, $2, 'hubspot', $3, now())`, []any{id, h.system.Tenant, name}},
			{`INSERT INTO sync_item (tenant_id, connection_id, kind, source_id, desired_revision, synced_revision, lane, state, reason, synced_at)
			  VALUES ($1, $2, 'client', $3, 1, 1, 'new', 'synced', '', now())`, []any{h.system.Tenant, id, h.client}},
			{`INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, linked_at) VALUES ($1, $2, 'client', $3, 'contacts', '4711', now())`, []any{h.system.Tenant, id, h.client}},
			{`INSERT INTO sync_outcome (id, tenant_id, connection_id, kind, source_id, lane, done, crm_id, at) VALUES ($1, $2, $3, 'client', $4, 'new', 'created', '4711', now())`, []any{uuid.New(), h.system.Tenant, id, h.client}},
		} {
			if _, err := tx.Exec(ctx, do.sql, do.args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// visitor is a browser without script.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func (w *world) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: w.server.Client().Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &visitor{t: t, base: w.server.URL, client: c}
}

// signedIn is a visitor who has signed in.
func (w *world) signedIn(t *testing.T, email string) *visitor {
	t.Helper()
	v := w.visitor(t)
	if got := v.post("/signin", "email", email, "password", password); got.status != http.StatusSeeOther {
		t.Fatalf("sign in as %s: %d %s", email, got.status, got.body)
	}
	return v
}

func (w *world) operator(t *testing.T) *visitor {
	t.Helper()
	if _, err := w.services.Access.CreateUser(t.Context(), actor.ForOperator("test"), access.NewUser{Email: "op@host.example", Role: access.RoleOperator, Password: password}); err != nil {
		t.Fatal(err)
	}
	return w.signedIn(t, "op@host.example")
}

type seen struct {
	status int
	to     string // where a redirect leads
	body   string
	header http.Header
}

func (v *visitor) get(path string) seen {
	v.t.Helper()
	return v.send(http.MethodGet, path, nil, nil)
}

// post sends pairs of name and value as a form.
func (v *visitor) post(path string, pairs ...string) seen {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return v.send(http.MethodPost, path, form, nil)
}

func (v *visitor) send(method, path string, form url.Values, header map[string]string) seen {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return seen{status: res.StatusCode, to: res.Header.Get("Location"), body: string(body), header: res.Header}
}
