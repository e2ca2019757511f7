package access_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
)

func copyTo(w io.Writer, res *http.Response) (int64, error) { return io.Copy(w, res.Body) }

func TestSignInMakesAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	b.want(401, "/me")
	b.want(200, "/in", "email", " ANN@acme.com ", "password", goodPassword)
	a := b.me()
	if a.Kind != actor.Person || a.Role != actor.Admin || a.Tenant != w.acme.Tenant || a.Name != "ann" {
		t.Errorf("signed in as %+v", a)
	}
	b.want(200, "/out")
	b.want(401, "/me")
	if n := w.count(t, `SELECT count(*) FROM session WHERE user_id IS NOT NULL`); n != 0 {
		t.Errorf("%d sessions left after signing out", n)
	}
}

func TestOperatorHasNoTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.access.CreateUser(t.Context(), actor.ForOperator("test"), access.NewUser{Email: "op@host.net", Role: access.RoleOperator, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	b := w.browser(t)
	b.signIn("op@host.net")
	a := b.me()
	if a.Kind != actor.Operator || a.Tenant != (actor.TenantID{}) || a.May(actor.SeeClients) || !a.May(actor.Operate) {
		t.Errorf("signed in as %+v", a)
	}
}

func TestWrongPasswordAndUnknownAddressLookAlike(t *testing.T) {
	t.Parallel()
	b := newWorld(t).browser(t)
	wrong := b.want(401, "/in", "email", "ann@acme.com", "password", "not the password")
	unknown := b.want(401, "/in", "email", "nobody@acme.com", "password", "not the password")
	if wrong != unknown {
		t.Errorf("answers differ: %q and %q", wrong, unknown)
	}
}

func TestAccountWithoutPasswordCannotSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.access.CreateUser(t.Context(), w.acme, access.NewUser{Email: "new@acme.com", Role: actor.Member}); err != nil {
		t.Fatal(err)
	}
	w.browser(t).want(401, "/in", "email", "new@acme.com", "password", "")
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	for range 5 {
		b.want(401, "/in", "email", "ann@acme.com", "password", "not the password")
	}
	// Even the right password is not looked at any more.
	if body := b.want(429, "/in", "email", "ann@acme.com", "password", goodPassword); !strings.Contains(body, "try again in 30 seconds") {
		t.Errorf("answer %q doesn't say when to try again", body)
	}
	b.want(200, "/in", "email", "gus@globex.com", "password", goodPassword)
	w.clock = w.clock.Add(30 * time.Second)
	b.want(200, "/in", "email", "ann@acme.com", "password", goodPassword)
}

func TestSignInRenewsTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	b.signIn("ann@acme.com")
	first := b.cookie()
	b.signIn("ann@acme.com")
	if second := b.cookie(); first == "" || first == second {
		t.Errorf("the token did not change at sign-in: a planted one would be signed in")
	}
	if n := w.count(t, `SELECT count(*) FROM session WHERE token = $1`, b.cookie()); n != 0 {
		t.Error("the database holds the cookie itself, not a digest")
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secure, err := access.New(w.db, time.Now, access.Options{Secure: true, Hash: cheap()})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*access.Service{"clientele_session": w.access, "__Host-clientele_session": secure} {
		rec := httptest.NewRecorder()
		s.Sessions(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := s.SignIn(r.Context(), access.Attempt{Email: "ann@acme.com", Password: goodPassword, Address: "192.0.2.1"}); err != nil {
				t.Error(err)
			}
		})).ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/", nil))
		cookies := rec.Result().Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%s: %d cookies", name, len(cookies))
		}
		c := cookies[0]
		if c.Name != name || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != (s == secure) {
			t.Errorf("cookie %s", c)
		}
	}
}

func TestSessionEndsAfterAWorkingDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	b.signIn("ann@acme.com")
	w.clock = w.clock.Add(12*time.Hour + time.Minute)
	b.want(401, "/me")
}

func TestDisabledUserAndSuspendedTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob := w.user(t, w.acme, "bob@acme.com", actor.Member)
	b := w.browser(t)
	b.signIn("bob@acme.com")

	if err := w.access.SetDisabled(t.Context(), w.acme, bob.ID, true); err != nil {
		t.Fatal(err)
	}
	b.want(401, "/me") // the session is gone
	if body := b.want(403, "/in", "email", "bob@acme.com", "password", goodPassword); !strings.Contains(body, "ask an admin") {
		t.Errorf("answer %q names no way out", body)
	}
	if err := w.access.SetDisabled(t.Context(), w.acme, bob.ID, false); err != nil {
		t.Fatal(err)
	}
	b.signIn("bob@acme.com")

	_, secret := w.key(t, w.acme, access.NewKey{Name: "gateway", Scopes: []actor.Scope{actor.ScopeRead}})
	if err := w.tenants.SetStatus(t.Context(), actor.ForOperator("test"), "acme", tenant.Suspended); err != nil {
		t.Fatal(err)
	}
	if body := b.want(403, "/me"); !strings.Contains(body, "suspended") {
		t.Errorf("answer %q doesn't say why", body)
	}
	_, err := w.authenticate(t, "Bearer "+secret)
	wantError[*access.Denied](t, err)
	b.want(403, "/in", "email", "ann@acme.com", "password", goodPassword)
	b.signIn("gus@globex.com")
}

func TestUsersStayInTheirTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	gus, err := w.access.ListUsers(ctx, w.globex)
	if err != nil || len(gus) != 1 || gus[0].Email != "gus@globex.com" {
		t.Fatalf("users of globex: %v, %v", gus, err)
	}
	wantError[*access.NotFoundError](t, w.access.SetDisabled(ctx, w.acme, gus[0].ID, true))
	_, err = w.access.CreateUser(ctx, w.acme, access.NewUser{Email: "op@host.net", Role: access.RoleOperator})
	wantError[*actor.Refusal](t, err)
	operators, err := w.access.ListUsers(ctx, actor.ForOperator("test"))
	if err != nil || len(operators) != 0 {
		t.Errorf("an operator sees %d users of tenants, %v", len(operators), err)
	}
	member := actor.Actor{Kind: actor.Person, Role: actor.Member, Tenant: w.acme.Tenant}
	_, err = w.access.ListUsers(ctx, member)
	wantError[*actor.Refusal](t, err)
	_, err = w.access.CreateUser(ctx, member, access.NewUser{Email: "x@acme.com", Role: actor.Admin})
	wantError[*actor.Refusal](t, err)
}

func TestNobodyDisablesThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	b.signIn("ann@acme.com")
	users, err := w.access.ListUsers(t.Context(), w.acme)
	if err != nil {
		t.Fatal(err)
	}
	wantError[*access.InvalidError](t, w.access.SetDisabled(t.Context(), b.me(), users[0].ID, true))
}

func TestCreateUserRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for field, n := range map[string]access.NewUser{
		"email":    {Email: "no address", Role: actor.Member},
		"role":     {Email: "x@acme.com", Role: "boss"},
		"name":     {Email: "x@acme.com", Role: actor.Member, Name: strings.Repeat("n", 201)},
		"password": {Email: "x@acme.com", Role: actor.Member, Password: "short"},
	} {
		_, err := w.access.CreateUser(t.Context(), w.acme, n)
		if e := wantError[*access.InvalidError](t, err); e.Field != field || e.Rule == "" || e.WayOut == "" {
			t.Errorf("%s: %+v", field, e)
		}
	}
	_, err := w.access.CreateUser(t.Context(), w.globex, access.NewUser{Email: "Ann@Acme.com", Role: actor.Member})
	if e := wantError[*access.InvalidError](t, err); e.Field != "email" {
		t.Errorf("taken address: %+v", e)
	}
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, password := range []string{"elevenchars", "x2@acmeacme.com", strings.Repeat("é", 20), strings.Repeat("long ", 30)} {
		_, err := w.access.CreateUser(t.Context(), w.acme, access.NewUser{Email: fmt.Sprintf("x%d@acmeacme.com", i+1), Role: actor.Member, Password: password})
		e := wantError[*access.InvalidError](t, err)
		if strings.Contains(e.Error(), password) {
			t.Errorf("the error repeats the password: %s", e)
		}
	}
}
