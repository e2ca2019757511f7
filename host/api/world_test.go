package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"

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
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/api"
	"github.com/clientele-crm/clientele/host/channel/assist"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
)

// cheap hashes let many tests sign in; the default cost has its own test.
func cheap() *argon2id.Params {
	return &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func TestMain(m *testing.M) {
	plugintest.Main()
	os.Exit(dbtest.Run(m))
}

const password = "four random words here"

// world is a host's API over a real database, with two tenants.
type world struct {
	db       *db.DB
	services api.Services
	handler  http.Handler
	log      *bytes.Buffer
	acme     house
	globex   house
	adapter  string // version 2 of the adapter that runAdapters runs
}

// house is a tenant with something in it. Everything acme holds bears the word
// zanzibar, so that a leak can be seen.
type house struct {
	system       actor.Actor
	client       *client.Client
	conversation string
	accepted     string
	connection   string
	key          access.Key
	secret       string // of a key with all scopes
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.New(t)
	w := &world{db: d, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	tenants := &tenant.Service{DB: d, Now: time.Now}
	entry, err := access.New(d, time.Now, access.Options{Logger: log, Hash: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	region := func(ctx context.Context, id actor.TenantID) (string, error) {
		found, err := tenants.Get(ctx, id)
		return found.Region, err
	}
	vault, err := connection.OpenVault(filepath.Join(t.TempDir(), "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	marker := &crmsync.Marker{DB: d}
	w.services = api.Services{
		DB: d, Access: entry, Tenants: tenants, Now: time.Now, Logger: log, Registry: prometheus.NewRegistry(), Version: "test",
		Clients:       &client.Service{DB: d, Now: time.Now, Region: region},
		Conversations: &conversation.Service{DB: d, Now: time.Now},
		Audit:         &event.Auditor{DB: d, Now: time.Now},
		Intake:        &intake.Service{DB: d, Tenants: tenants, Now: time.Now},
		Connections:   &connection.Service{DB: d, Now: time.Now, Vault: vault, Describe: describe, Added: marker.ConnectionAdded, Changed: marker.ConnectionChanged},
		Senders:       sender.New(sender.Options{DB: d, Vault: vault, Now: time.Now, Private: true}),
		Assistant:     &assist.Desk{DB: d, Vault: vault, Now: time.Now},
		Outbound:      &outbound.Service{DB: d, Now: time.Now, Zones: &policy.Zones{}},
		Sync:          &crmsync.Status{DB: d},
		Backfills:     &crmsync.Backfills{Marker: marker, Describe: describe},
		Adapters:      &catalog.Desk{Catalog: catalog.New(d, log, time.Now), Host: "here"},
	}
	w.handler = api.New(w.services)
	w.acme, w.globex = w.house(t, "acme", "zanzibar"), w.house(t, "globex", "quokka")
	return w
}

// describe is what an adapter tells of itself before a connection is made.
func describe(_ context.Context, adapter string) (sdk.Description, error) {
	return sdk.Description{Name: adapter, SettingsSchema: []byte(`{"type":"object","properties":{"base_url":{"type":"string"}},"additionalProperties":false}`)}, nil
}

func (w *world) house(t *testing.T, slug, word string) house {
	t.Helper()
	made, err := w.services.Tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: slug, Name: slug, Region: "US", Timezone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	h := house{system: actor.ForSystem(made.ID, "test")}
	h.key, h.secret = w.key(t, h.system, access.Scopes()...)
	email := word + "@example.com"
	h.client, err = w.services.Clients.Create(t.Context(), h.system, client.Edit{Fields: map[string]string{"first_name": "Ann", "last_name": word}, Email: &email})
	if err != nil {
		t.Fatal(err)
	}
	result, err := w.services.Intake.Take(t.Context(), h.system, intake.Message{
		Channel: "email", ChannelIdentifier: email, Direction: "inbound", Subject: "About " + word, Text: "Hello, my " + word + " is broken.", Source: word,
	})
	if err != nil || result.State != "done" {
		t.Fatalf("take a message: %+v, %v", result, err)
	}
	h.conversation, h.accepted = result.ConversationID.UUID.String(), result.AcceptedID.String()
	connected, err := w.services.Connections.Create(t.Context(), h.system, connection.New{Adapter: "hubspot", Name: "CRM of " + word, Secrets: map[string]string{connection.AccessToken: "hush"}})
	if err != nil {
		t.Fatal(err)
	}
	h.connection = connected.ID.String()
	return h
}

func (w *world) key(t *testing.T, in actor.Actor, scopes ...actor.Scope) (access.Key, string) {
	t.Helper()
	key, secret, err := w.services.Access.CreateKey(t.Context(), in, access.NewKey{Name: "test", Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

// cookie signs a person with the role in and answers the session's cookie.
func (w *world) cookie(t *testing.T, in actor.Actor, role actor.Role) string {
	t.Helper()
	email := string(role) + "@" + in.Tenant.String() + ".example"
	if _, err := w.services.Access.CreateUser(t.Context(), in, access.NewUser{Email: email, Role: role, Password: password}); err != nil {
		t.Fatal(err)
	}
	return w.signIn(t, email)
}

func (w *world) signIn(t *testing.T, email string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	w.services.Access.Sessions(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := w.services.Access.SignIn(r.Context(), access.Attempt{Email: email, Password: password}); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
	return strings.SplitN(rec.Header().Get("Set-Cookie"), ";", 2)[0]
}

// call is one request. Credential is a key's secret or a cookie.
type call struct {
	method, path, credential string
	body                     any // string: as it is; else JSON
	header                   map[string]string
	foreign                  bool            // the body names something of the house
	chunked                  bool            // the length of the body is not announced
	ctx                      context.Context // nil: the test's
}

type reply struct {
	*httptest.ResponseRecorder
	t *testing.T
}

func (w *world) do(t *testing.T, c call) reply {
	t.Helper()
	var body io.Reader
	switch b := c.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	ctx := c.ctx
	if ctx == nil {
		ctx = t.Context()
	}
	r := httptest.NewRequestWithContext(ctx, c.method, c.path, body)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	switch {
	case strings.HasPrefix(c.credential, "ck_"):
		r.Header.Set("Authorization", "Bearer "+c.credential)
	case c.credential != "":
		r.Header.Set("Cookie", c.credential)
	}
	if c.chunked {
		r.ContentLength = -1
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return reply{rec, t}
}

// want fails the test unless the status is the given one.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.Code != status {
		r.t.Fatalf("status %d, want %d: %s", r.Code, status, r.Body)
	}
	return r
}

func (r reply) json(into any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body.Bytes(), into); err != nil {
		r.t.Fatalf("%v in %s", err, r.Body)
	}
}

// problem reads a problem document.
func (r reply) problem() api.Problem {
	r.t.Helper()
	if ct := r.Header().Get("Content-Type"); ct != "application/problem+json" {
		r.t.Errorf("content type %q", ct)
	}
	var p api.Problem
	r.json(&p)
	if p.Status != r.Code || p.Title == "" || p.Detail == "" {
		r.t.Errorf("incomplete problem %+v", p)
	}
	return p
}

// runAdapters lets the host run version 1 of an adapter named one.
func (w *world) runAdapters(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	declared := []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "1"})}}
	w.adapter = plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2"})
	desk := w.services.Adapters
	desk.Registry = plugin.NewRegistry(plugin.Options{StoreDir: dir + "/store", RunDir: dir + "/run", Fetch: desk.Catalog.Fetch})
	desk.Declared = func() ([]plugin.Declaration, error) { return declared, nil }
	t.Cleanup(desk.Registry.Stop)
	if err := desk.Registry.Start(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
}
