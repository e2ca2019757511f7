package connection_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func token() map[string]string { return map[string]string{connection.AccessToken: "t0ken"} }

// fixture is a tenant's connections, with an adapter that signs in by client
// credentials at the given address.
func fixture(t *testing.T, now func() time.Time, tokenURL string, hosts ...string) (*connection.Service, actor.Actor, sdk.Description) {
	t.Helper()
	d := dbtest.New(t)
	own, err := (&tenant.Service{DB: d, Now: time.Now}).Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "US", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	vault, err := connection.OpenVault(filepath.Join(t.TempDir(), "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	about := sdk.Description{
		Name: "test",
		SettingsSchema: []byte(`{"type": "object", "additionalProperties": false, "required": ["org"],
  "properties": {"org": {"type": "string"}, "retries": {"type": "integer"}, "login": {"type": "string", "default": "` + tokenURL + `"}}}`),
		Objects: []sdk.Object{{Name: "Person", Role: sdk.RoleClient}, {Name: "Prospect", Role: sdk.RoleClient}, {Name: "Firm", Role: sdk.RoleCompany}},
		Auth:    []sdk.AuthMethod{{Kind: sdk.AuthClientCredentials, TokenURL: "{login}/{org}/token", Scopes: []string{"all"}, KeepExtras: []string{"instance_url"}, TokenHosts: hosts}, {Kind: sdk.AuthStaticToken}},
	}
	s := &connection.Service{
		DB: d, Vault: vault, Now: now,
		Describe: func(context.Context, string) (sdk.Description, error) { return about, nil },
		Added:    func(context.Context, pgx.Tx, actor.Actor, connection.ID) error { return nil },
		Spent:    func(context.Context, actor.Actor, connection.ID, string, sdk.Usage) error { return nil },
		Changed:  func(context.Context, pgx.Tx, actor.Actor, connection.ID) error { return nil },
	}
	return s, actor.Actor{Tenant: own.ID, Kind: actor.Person, Role: actor.Admin, Name: "Ann"}, about
}

func TestSettingsFollowTheAdaptersSchema(t *testing.T) {
	t.Parallel()
	s, admin, _ := fixture(t, time.Now, "http://127.0.0.1:1")
	_, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: "one", Settings: json.RawMessage(`{"retries": "many", "colour": "red"}`)})
	invalid, ok := errors.AsType[*connection.InvalidError](err)
	if !ok || invalid.Field != "settings" || !strings.Contains(invalid.Rule, "retries") || !strings.Contains(err.Error(), "org") {
		t.Errorf("got %v", err)
	}
	member := admin
	member.Role = actor.Member
	if _, err := s.Create(t.Context(), member, connection.New{Adapter: "test", Name: "one", Settings: json.RawMessage(`{"org": "acme"}`), Secrets: token()}); err == nil {
		t.Error("a member connected a CRM")
	}
	c, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: "one", Settings: json.RawMessage(`{"org": "acme"}`), Secrets: token()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: "one", Settings: json.RawMessage(`{"org": "acme"}`), Secrets: token()}); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("two connections of one name: %v", err)
	}
	other := admin
	other.Tenant = actor.TenantID{}
	if _, err := s.Get(t.Context(), other, c.ID); err == nil {
		t.Error("another tenant reads the connection")
	}
}

// One token serves all callers until shortly before it ends; what the reply adds
// is passed on, and a refusal keeps the provider's words only.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	refuse := atomic.Bool{}
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if refuse.Load() || r.URL.Path != "/acme/token" || r.FormValue("client_secret") != "s3cret" || r.FormValue("scope") != "all" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error": "invalid_client", "error_description": "unknown app"}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token": "t0ken", "token_type": "bearer", "expires_in": 3600, "instance_url": "https://acme.example"}`))
	}))
	defer provider.Close()
	var shift atomic.Int64
	s, admin, about := fixture(t, func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }, provider.URL)
	c, err := s.Create(t.Context(), admin, connection.New{
		Adapter: "test", Name: "one", Settings: json.RawMessage(`{"org": "acme"}`),
		Secrets: map[string]string{connection.ClientID: "app", connection.ClientSecret: "s3cret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			open, err := s.Open(t.Context(), admin, c, about)
			if err != nil || open.Token.AccessToken != "t0ken" || open.Token.Extras["instance_url"] != "https://acme.example" || open.Token.Extras[connection.ClientSecret] != "" {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the provider was asked %d times, want once", n)
	}
	shift.Store(int64(59*time.Minute + 30*time.Second))
	if _, err := s.Open(t.Context(), admin, c, about); err != nil || asked.Load() != 2 {
		t.Errorf("near its end: asked %d times, %v", asked.Load(), err)
	}
	open, err := s.Open(t.Context(), admin, c, about)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Refused(t.Context(), admin, c, open.Token); err != nil { // by the CRM, before its time
		t.Fatal(err)
	}
	if err := s.Refused(t.Context(), admin, c, sdk.Token{AccessToken: "an older one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), admin, c, about); err != nil || asked.Load() != 3 {
		t.Errorf("after a refusal: asked %d times, %v", asked.Load(), err)
	}
	refuse.Store(true)
	shift.Store(int64(3 * time.Hour))
	_, err = s.Open(t.Context(), admin, c, about)
	if err == nil || !strings.Contains(err.Error(), "unknown app") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// Secrets go to no host but those the adapter names.
func TestTokenHostsArePinned(t *testing.T) {
	t.Parallel()
	asked := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer thief.Close()
	s, admin, about := fixture(t, time.Now, thief.URL, "login.example.com", "*.example.org")
	n := connection.New{
		Adapter: "test", Name: "one", Settings: json.RawMessage(`{"org": "acme"}`),
		Secrets: map[string]string{connection.ClientID: "app", connection.ClientSecret: "s3cret"},
	}
	if _, err := s.Create(t.Context(), admin, n); err == nil || !strings.Contains(err.Error(), "does not name") {
		t.Errorf("a token endpoint elsewhere was taken: %v", err)
	}
	// A new version of the adapter names another host: the one that an admin has
	// agreed to stays.
	about.Auth[0].TokenHosts = nil
	c, err := s.Create(t.Context(), admin, n)
	if err != nil {
		t.Fatal(err)
	}
	about.Auth[0].TokenURL = "http://localhost:1/{org}/token"
	if _, err := s.Open(t.Context(), admin, c, about); err == nil || asked || !strings.Contains(err.Error(), "now names localhost:1") {
		t.Errorf("the secret went to another host: asked %v, %v", asked, err)
	}
	about.Auth[0].TokenURL = "http://crm.example/{org}/token"
	if _, err := s.Create(t.Context(), admin, n); err == nil || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("a secret would go over the network in clear: %v", err)
	}
}
