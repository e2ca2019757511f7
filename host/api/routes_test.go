package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/api"
)

// samples is a good request for every route: the id of something of the house
// and a body. A route without one fails the tests below.
func samples(t *testing.T, w *world, h house) map[string]call {
	t.Helper()
	fresh := strings.ReplaceAll(uuid.NewString(), "-", "")
	revocable, _ := w.key(t, h.system, actor.ScopeRead)
	return map[string]call{
		"push-message":              {body: map[string]any{"channel": "sms", "channel_identifier": "+14165550100", "direction": "inbound", "text": "Hello " + fresh, "participants": []map[string]string{{"role": "agent", "address": "+14165550199"}}}},
		"list-failed-messages":      {},
		"replay-message":            {path: h.accepted},
		"list-clients":              {},
		"create-client":             {body: map[string]any{"fields": map[string]string{"first_name": fresh}}},
		"get-client":                {path: h.client.ID.String()},
		"update-client":             {path: h.client.ID.String(), body: map[string]any{"fields": map[string]string{"city": fresh}}},
		"list-client-conversations": {path: h.client.ID.String()},
		"list-client-timeline":      {path: h.client.ID.String()},
		"list-sources":              {path: h.client.ID.String()},
		"list-crowded-identifiers":  {},
		"get-client-crm":            {path: h.client.ID.String()},
		"list-connections":          {},
		"create-connection":         {body: map[string]any{"adapter": "hubspot", "name": fresh, "settings": map[string]any{"base_url": "http://127.0.0.1:1"}, "secrets": map[string]string{"access_token": "hush"}}},
		"get-connection":            {path: h.connection},
		"pause-connection":          {path: h.connection},
		"resume-connection":         {path: h.connection},
		"retry-connection":          {path: h.connection},
		"run-connection":            {path: h.connection},
		"get-sync":                  {path: h.connection},
		"list-sync-runs":            {path: h.connection},
		"list-outcomes":             {path: h.connection},
		"export-failures":           {path: h.connection},
		"estimate-backfill":         {path: h.connection},
		"start-backfill":            {path: h.connection},
		"pause-backfill":            {path: h.connection},
		"resume-backfill":           {path: h.connection},
		"list-deleted-clients":      {},
		"list-suppressions":         {},
		"lift-suppression":          {body: map[string]any{"kind": "email", "normal": "nobody@example.com"}},
		"likely-duplicates":         {body: map[string]any{"fields": map[string]string{"first_name": fresh}}},
		"list-duplicates":           {},
		"review-queue":              {},
		"list-suggestions":          {},
		"prove-audit":               {},
		"link-conversation":         {path: h.conversation, body: map[string]any{"client": h.client.ID.String()}},
		"unlink-conversation":       {path: h.conversation},
		"list-conversations":        {},
		"get-conversation":          {path: h.conversation},
		"close-conversation":        {path: h.conversation},
		"reply":                     {path: h.conversation, body: map[string]any{"text": "Here it is."}},
		"write-to-client":           {path: h.client.ID.String(), body: map[string]any{"kind": "follow_up", "text": "Any news?"}},
		"list-outbound":             {},
		"list-senders":              {},
		"set-sender":                {path: "sms", body: map[string]any{"from": "+14165550199", "webhook": map[string]any{"url": "http://127.0.0.1:1/sms"}, "secret": "hush"}},
		"list-keys":                 {},
		"create-key":                {body: map[string]any{"name": "x", "scopes": []string{"read"}}},
		"revoke-key":                {path: revocable.ID.String()},
		"get-settings":              {},
		"change-settings":           {body: map[string]any{"agents": []string{fresh}}},
		"set-endpoint-key":          {body: map[string]any{"key": fresh}},
		"drop-endpoint-key":         {},
		"list-tenants":              {},
		"create-tenant":             {body: map[string]any{"slug": "t" + fresh, "name": "New", "region": "US", "timezone": "America/New_York"}},
		"suspend-tenant":            {path: "spare"},
		"resume-tenant":             {path: "spare"},
		"create-login-link":         {path: "spare", body: map[string]any{"email": "first@spare.example"}},
		"list-adapters":             {},
		"install-adapter":           {body: map[string]any{"path": w.adapter}},
		"reload-adapters":           {},
		"use-adapter":               {path: "one", body: map[string]any{"version": "2"}},
		"rollback-adapter":          {path: "one"},
		"verify-adapter":            {path: "one"},
		"remove-adapter-version":    {path: "one"},
		"set-adapter-conformance":   {path: "one", body: map[string]any{"level": 6}},
		"require-adapter-level":     {path: "one", body: map[string]any{"level": 0}},
	}
}

// sample fills a route's row with a good request against the house.
func sample(t *testing.T, w *world, h house, r api.Route, credential string) call {
	t.Helper()
	if c, ok := madeSample(t, w, h, r.ID, credential); ok {
		c.method = r.Method
		return c
	}
	c, ok := samples(t, w, h)[r.ID]
	if !ok {
		t.Fatalf("route %s has no sample request: add one", r.ID)
	}
	c.method = r.Method
	c.path = strings.NewReplacer("{id}", c.path, "{slug}", c.path, "{channel}", c.path, "{adapter}", c.path, "{version}", "2").Replace(r.Path)
	return c
}

// TestRoles walks the whole table as everybody: a caller without a credential is
// told to sign in, one without the right is refused, and one with it is served.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runAdapters(t)
	w.house(t, "spare", "spare")
	operator, err := w.services.Access.CreateUser(t.Context(), actor.ForOperator("test"), access.NewUser{Email: "op@host.example", Role: access.RoleOperator, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	person := func(role actor.Role) actor.Actor {
		return actor.Actor{Kind: actor.Person, Role: role, Tenant: w.acme.system.Tenant}
	}
	type caller struct {
		name, credential string
		actor            actor.Actor
	}
	callers := []caller{{name: "anonymous"}, {"operator", w.signIn(t, operator.Email), actor.ForOperator("test")}}
	for _, role := range []actor.Role{actor.Viewer, actor.Member, actor.Admin} {
		callers = append(callers, caller{string(role), w.cookie(t, w.acme.system, role), person(role)})
	}
	for _, scope := range access.Scopes() {
		_, secret := w.key(t, w.acme.system, scope)
		callers = append(callers, caller{"key with scope " + string(scope), secret, actor.Actor{Kind: actor.Automation, Scopes: []actor.Scope{scope}, Tenant: w.acme.system.Tenant}})
	}
	for _, r := range api.Routes() {
		for _, by := range callers {
			t.Run(r.ID+" by "+by.name, func(t *testing.T) {
				c := sample(t, w, w.acme, r, by.credential)
				c.credential = by.credential
				got := w.do(t, c)
				switch {
				case by.credential == "":
					got.want(http.StatusUnauthorized)
					if got.Header().Get("WWW-Authenticate") == "" {
						t.Error("the answer doesn't say how to authenticate")
					}
				case r.Admit(by.actor) != nil:
					got.want(http.StatusForbidden).problem()
				case got.Code >= 300:
					t.Errorf("status %d: %s\n%s", got.Code, got.Body, w.log)
				}
			})
		}
	}
}

// TestOtherTenant walks the whole table as the admin of another tenant: an id of
// ours doesn't exist for them, and no list, count or search holds anything of
// ours.
func TestOtherTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	boss := w.cookie(t, w.globex.system, actor.Admin)
	before := w.do(t, call{method: "GET", path: "/v1/clients/" + w.acme.client.ID.String(), credential: w.acme.secret}).want(200).Body.String()
	for _, r := range api.Routes() {
		t.Run(r.ID, func(t *testing.T) {
			c := sample(t, w, w.acme, r, "")
			c.credential = w.globex.secret
			if r.Needs == actor.ReviewMessages { // what no key may
				c.credential = boss
			}
			got := w.do(t, c)
			switch {
			case r.Needs == actor.Operate:
				got.want(http.StatusForbidden)
			case strings.Contains(r.Path, "{id}"), c.foreign:
				got.want(http.StatusNotFound)
			case got.Code >= 300:
				t.Errorf("status %d: %s", got.Code, got.Body)
			}
			if strings.Contains(got.Body.String(), "zanzibar") {
				t.Errorf("the answer tells of another tenant: %s", got.Body)
			}
		})
	}
	for _, search := range []string{"zanzibar", "ann", "example.com"} {
		var found struct {
			Clients []api.Client
			Total   int
		}
		w.do(t, call{method: "GET", path: "/v1/clients?q=" + search, credential: w.globex.secret}).want(200).json(&found)
		for _, c := range found.Clients {
			if c.Fields["last_name"] == "zanzibar" {
				t.Errorf("search %q finds another tenant's client", search)
			}
		}
		if found.Total != len(found.Clients) || found.Total > 1 {
			t.Errorf("search %q counts %d, lists %d", search, found.Total, len(found.Clients))
		}
	}
	after := w.do(t, call{method: "GET", path: "/v1/clients/" + w.acme.client.ID.String(), credential: w.acme.secret}).want(200).Body.String()
	if before != after {
		t.Errorf("another tenant changed the client:\n%s\n%s", before, after)
	}
}

func TestBodyForAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"push-message", "create-client", "update-client", "create-key", "create-connection", "set-sender", "reply", "write-to-client"} {
		for tenant, want := range map[string]bool{"acme": true, "globex": false, "nowhere": false} {
			r := routeNamed(t, id)
			c := sample(t, w, w.acme, r, "")
			c.credential = w.acme.secret
			c.body.(map[string]any)["tenant"] = tenant
			got := w.do(t, c)
			if want {
				if got.Code >= 300 {
					t.Errorf("%s for own tenant: %d %s", id, got.Code, got.Body)
				}
				continue
			}
			if p := got.want(422).problem(); len(p.Errors) != 1 || p.Errors[0].Field != "tenant" || p.Errors[0].WayOut == "" {
				t.Errorf("%s for %s: %+v", id, tenant, p)
			}
		}
	}
}

func routeNamed(t *testing.T, id string) api.Route {
	t.Helper()
	for _, r := range api.Routes() {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("no route %s", id)
	return api.Route{}
}
