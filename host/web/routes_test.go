package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/web"
)

// sample fills a page's address with something of the house.
func sample(t *testing.T, h house, r web.Page) string {
	t.Helper()
	id := map[string]string{"/clients/": h.client, "/conversations/": h.conversation, "/settings/keys/": h.key}
	for prefix, value := range id {
		if strings.HasPrefix(r.Path, prefix) {
			return strings.Replace(r.Path, "{id}", value, 1)
		}
	}
	path := strings.TrimSuffix(r.Path, "{$}")
	if strings.Contains(path, "{") {
		t.Fatalf("page %s has no sample: add one", r.Path)
	}
	return path
}

// TestRoles walks the table of pages as everybody.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	visitors := map[string]*visitor{"": w.visitor(t), "operator": w.operator(t)}
	actors := map[string]actor.Actor{"operator": actor.ForOperator("test")}
	for _, role := range []actor.Role{actor.Viewer, actor.Member, actor.Admin} {
		visitors[string(role)] = w.signedIn(t, string(role)+"@acme.example")
		actors[string(role)] = actor.Actor{Kind: actor.Person, Role: role, Tenant: w.acme.system.Tenant}
	}
	for _, r := range web.Pages() {
		if r.Open {
			continue
		}
		for name, v := range visitors {
			got := v.send(r.Method, sample(t, w.acme, r), nil, nil)
			switch {
			case name == "":
				if got.status != http.StatusSeeOther || !strings.HasPrefix(got.to, "/signin") {
					t.Errorf("%s %s without a session: %d to %s", r.Method, r.Path, got.status, got.to)
				}
			case r.Needs != "" && !actors[name].May(r.Needs):
				if got.status != http.StatusForbidden {
					t.Errorf("%s %s as %s: %d", r.Method, r.Path, name, got.status)
				}
			case got.status >= 400 && got.status != http.StatusUnprocessableEntity: // an empty form is refused, but not its sender
				t.Errorf("%s %s as %s: %d %s", r.Method, r.Path, name, got.status, w.log)
			}
		}
	}
}

// TestOtherTenant walks the table of pages as another tenant's admin.
func TestOtherTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gus := w.signedIn(t, "admin@globex.example")
	for _, r := range web.Pages() {
		if r.Open || r.Needs == actor.Operate {
			continue
		}
		got := gus.send(r.Method, sample(t, w.acme, r), nil, nil)
		if strings.Contains(got.body, "zanzibar") {
			t.Errorf("%s %s tells of another tenant", r.Method, r.Path)
		}
		if strings.Contains(r.Path, "{id}") && got.status != http.StatusNotFound {
			t.Errorf("%s %s: %d", r.Method, r.Path, got.status)
		}
	}
	for _, path := range []string{"/clients?q=zanzibar", "/conversations?client=" + w.acme.client} {
		if got := gus.get(path); strings.Contains(got.body, "About zanzibar") || strings.Contains(got.body, "zanzibar@example.com") {
			t.Errorf("%s tells of another tenant", path)
		}
	}
}
