package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
)

// cheap hashes let many tests sign in; the default cost has its own test.
func cheap() *argon2id.Params {
	return &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const goodPassword = "four random words here"

// world is two tenants with an admin each, and a clock the test moves.
type world struct {
	db      *db.DB
	access  *access.Service
	tenants *tenant.Service
	clock   time.Time
	acme    actor.Actor // the system inside the tenant acme
	globex  actor.Actor
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{db: dbtest.New(t), clock: time.Now().UTC().Truncate(time.Microsecond)}
	now := func() time.Time { return w.clock }
	service, err := access.New(w.db, now, access.Options{Hash: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	w.access = service
	w.tenants = &tenant.Service{DB: w.db, Now: now}
	w.acme, w.globex = w.tenant(t, "acme"), w.tenant(t, "globex")
	w.user(t, w.acme, "ann@acme.com", actor.Admin)
	w.user(t, w.globex, "gus@globex.com", actor.Admin)
	return w
}

func (w *world) tenant(t *testing.T, slug string) actor.Actor {
	t.Helper()
	made, err := w.tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: slug, Name: slug, Region: "US", Timezone: "America/New_York"})
	if err != nil {
		t.Fatal(err)
	}
	return actor.ForSystem(made.ID, "test")
}

func (w *world) user(t *testing.T, in actor.Actor, email string, role actor.Role) access.User {
	t.Helper()
	u, err := w.access.CreateUser(t.Context(), in, access.NewUser{Email: email, Role: role, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// browser is a person's browser against a small site: /in signs in, /link uses a
// login link, /out signs out, /me tells who the request comes from.
type browser struct {
	t      *testing.T
	url    string
	client *http.Client
}

func (w *world) browser(t *testing.T) *browser {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(rw http.ResponseWriter, err error) {
		if err != nil {
			http.Error(rw, err.Error(), statusOf(err))
		}
	}
	mux.HandleFunc("/in", func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, w.access.SignIn(r.Context(), access.Attempt{Email: r.FormValue("email"), Password: r.FormValue("password"), Address: "192.0.2.1"}))
	})
	mux.HandleFunc("/link", func(rw http.ResponseWriter, r *http.Request) {
		answer(rw, w.access.UseLoginLink(r.Context(), r.FormValue("token"), r.FormValue("password"), "192.0.2.1"))
	})
	mux.HandleFunc("/out", func(rw http.ResponseWriter, r *http.Request) { answer(rw, w.access.SignOut(r.Context())) })
	mux.HandleFunc("/me", func(rw http.ResponseWriter, r *http.Request) {
		a, err := w.access.Authenticate(r)
		if err != nil {
			answer(rw, err)
			return
		}
		answer(rw, json.NewEncoder(rw).Encode(a))
	})
	server := httptest.NewServer(w.access.Sessions(mux))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	return &browser{t: t, url: server.URL, client: client}
}

func statusOf(err error) int {
	switch err.(type) {
	case *access.Unauthenticated:
		return http.StatusUnauthorized
	case *access.Denied:
		return http.StatusForbidden
	case *access.TooManyError:
		return http.StatusTooManyRequests
	case *access.NotFoundError:
		return http.StatusNotFound
	case *access.InvalidError:
		return http.StatusUnprocessableEntity
	default:
		return http.StatusInternalServerError
	}
}

// get sends pairs of name and value as a form and answers status and body.
func (b *browser) get(path string, pairs ...string) (int, string) {
	b.t.Helper()
	form := make(map[string][]string)
	for i := 0; i < len(pairs); i += 2 {
		form[pairs[i]] = []string{pairs[i+1]}
	}
	res, err := b.client.PostForm(b.url+path, form)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	var body strings.Builder
	if _, err := copyTo(&body, res); err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, body.String()
}

func (b *browser) want(status int, path string, pairs ...string) string {
	b.t.Helper()
	got, body := b.get(path, pairs...)
	if got != status {
		b.t.Fatalf("%s: status %d, want %d: %s", path, got, status, body)
	}
	return body
}

func (b *browser) signIn(email string) { b.want(200, "/in", "email", email, "password", goodPassword) }

func (b *browser) me() actor.Actor {
	b.t.Helper()
	var a actor.Actor
	if err := json.Unmarshal([]byte(b.want(200, "/me")), &a); err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *browser) cookie() string {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(req.URL) {
		if c.Name == "clientele_session" {
			return c.Value
		}
	}
	return ""
}

// authenticate sends a request with a header and no cookie.
func (w *world) authenticate(t *testing.T, authorization string) (actor.Actor, error) {
	t.Helper()
	var a actor.Actor
	var err error
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w.access.Sessions(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a, err = w.access.Authenticate(r) })).
		ServeHTTP(httptest.NewRecorder(), r)
	return a, err
}

func (w *world) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	err := w.db.Global(t.Context(), func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, sql, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantError[E error](t *testing.T, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want %T", err, err, e)
	}
	return e
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	err := w.db.Global(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
