package access_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
)

func (w *world) link(t *testing.T, a actor.Actor, slug, email string) string {
	t.Helper()
	link, err := w.access.CreateLoginLink(t.Context(), a, slug, email)
	if err != nil {
		t.Fatal(err)
	}
	return link.Token
}

func TestFirstAdminComesByLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	operator := actor.ForOperator("test")
	initech := w.tenant(t, "initech")
	token := w.link(t, operator, "initech", "Bill@Initech.com")
	if n := w.count(t, `SELECT count(*) FROM login_link WHERE digest = $1`, []byte(token)); n != 0 {
		t.Error("the database holds the token itself, not a digest")
	}
	b := w.browser(t)
	b.want(422, "/link", "token", token, "password", "short") // and the link lives on
	b.want(200, "/link", "token", token, "password", goodPassword)
	if a := b.me(); a.Role != actor.Admin || a.Tenant != initech.Tenant {
		t.Errorf("entered as %+v", a)
	}
	if body := b.want(404, "/link", "token", token, "password", goodPassword); !strings.Contains(body, "was used") {
		t.Errorf("second use: %q", body)
	}
	w.browser(t).want(200, "/in", "email", "bill@initech.com", "password", goodPassword)

	// Now the tenant has an admin: an operator lets no one else in …
	_, err := w.access.CreateLoginLink(t.Context(), operator, "initech", "spy@host.net")
	wantError[*access.InvalidError](t, err)
	// … but helps that admin back in, which ends the sessions that are open.
	again := w.link(t, operator, "initech", "bill@initech.com")
	w.browser(t).want(200, "/link", "token", again, "password", "another good password")
	b.want(401, "/me")
}

func TestAdminMakesLinksForOwnTenantOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(t, w.acme, "bob@acme.com", actor.Viewer)
	w.link(t, w.acme, "acme", "bob@acme.com")
	for slug, email := range map[string]string{"acme": "stranger@acme.com", "globex": "gus@globex.com", "nowhere": "ann@acme.com"} {
		_, err := w.access.CreateLoginLink(t.Context(), w.acme, slug, email)
		wantError[*access.NotFoundError](t, err)
	}
	_, err := w.access.CreateLoginLink(t.Context(), w.acme, "acme", "gus@globex.com")
	wantError[*access.NotFoundError](t, err)
	member := actor.Actor{Kind: actor.Person, Role: actor.Member, Tenant: w.acme.Tenant}
	_, err = w.access.CreateLoginLink(t.Context(), member, "acme", "bob@acme.com")
	wantError[*actor.Refusal](t, err)
}

func TestLinkExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.link(t, w.acme, "acme", "ann@acme.com")
	if u, err := w.access.CheckLoginLink(t.Context(), token); err != nil || u.Email != "ann@acme.com" {
		t.Fatalf("CheckLoginLink: %+v, %v", u, err)
	}
	w.clock = w.clock.Add(72*time.Hour + time.Second)
	_, err := w.access.CheckLoginLink(t.Context(), token)
	wantError[*access.NotFoundError](t, err)
	w.browser(t).want(404, "/link", "token", token, "password", goodPassword)
}

func TestLinkWorksOnceAmongMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.link(t, w.acme, "acme", "ann@acme.com")
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 4 {
		b := w.browser(t)
		wg.Go(func() {
			status, _ := b.get("/link", "token", token, "password", goodPassword)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[404] != 3 {
		t.Errorf("statuses %v, want one 200 and three 404", statuses)
	}
}
