package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/host/access"
)

// wants fails the test unless the page has all the texts.
func (s seen) wants(t *testing.T, status int, texts ...string) {
	t.Helper()
	if s.status != status {
		t.Fatalf("status %d, want %d: %s", s.status, status, s.body)
	}
	for _, text := range texts {
		if !strings.Contains(s.body, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visitor(t)
	if got := v.get("/clients/" + w.acme.client + "?q=secret"); got.to != "/signin?next="+url.QueryEscape("/clients/"+w.acme.client) {
		t.Errorf("sent to %s", got.to)
	}
	v.get("/signin?next=/connections").wants(t, 200, `name="next" value="/connections"`)
	wrong := v.post("/signin", "email", "admin@acme.example", "password", "nope", "next", "/connections")
	wrong.wants(t, 401, "Email or password is wrong.", `value="admin@acme.example"`, `value="/connections"`)
	if strings.Contains(wrong.body, "nope") {
		t.Error("the page repeats the password")
	}
	if got := v.post("/signin", "email", "admin@acme.example", "password", password, "next", "//evil.example"); got.to != "/" {
		t.Errorf("sent to %s", got.to)
	}
	if got := v.get("/"); got.to != "/clients" {
		t.Errorf("home leads to %s", got.to)
	}
	if got := v.get("/signin"); got.status != http.StatusSeeOther {
		t.Errorf("sign-in page while signed in: %d", got.status)
	}
	if got := v.post("/signout"); got.to != "/signin" {
		t.Errorf("sign-out leads to %s", got.to)
	}
	if got := v.get("/clients"); got.status != http.StatusSeeOther {
		t.Errorf("after signing out: %d", got.status)
	}
}

func TestSuspendedTenantIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "member@acme.example")
	if err := w.services.Tenants.SetStatus(t.Context(), actor.ForOperator("test"), "acme", "suspended"); err != nil {
		t.Fatal(err)
	}
	v.get("/clients").wants(t, 403, "this tenant is suspended", "/signout")
	w.visitor(t).post("/signin", "email", "admin@acme.example", "password", password).wants(t, 403, "suspended")
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link, err := w.services.Access.CreateLoginLink(t.Context(), w.acme.system, "acme", "viewer@acme.example")
	if err != nil {
		t.Fatal(err)
	}
	v := w.visitor(t)
	v.get(link.Path()).wants(t, 200, "For viewer@acme.example")
	v.post(link.Path(), "password", "short").wants(t, 422, "The password is shorter than 12 characters")
	if got := v.post(link.Path(), "password", "another good password"); got.to != "/" {
		t.Fatalf("%d to %s", got.status, got.to)
	}
	v.get("/clients").wants(t, 200, "Pat viewer")
	v.get(link.Path()).wants(t, 404, "was used or has expired")
}

func TestClientsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "viewer@acme.example")
	v.get("/clients").wants(t, 200, "1 client", "Ann Zanzibar", "zanzibar@example.com", ">New<", "/clients/"+w.acme.client)
	v.get("/clients?q=ZANZI").wants(t, 200, "1 client", "Ann Zanzibar", `value="ZANZI"`)
	v.get("/clients?q=nobody%3Cscript%3E").wants(t, 200, "0 clients", "Nobody matches", "nobody&lt;script&gt;")
	v.get("/clients?visitors=1").wants(t, 200, "0 clients")
	v.get("/clients?cursor=rubbish").wants(t, 422)
	for i := range 60 {
		w.take(t, w.acme, intake.Message{Channel: "email", ChannelIdentifier: fmt.Sprintf("p%d@many.example", i), Direction: "inbound", Text: "Hello"})
	}
	first := v.get("/clients")
	first.wants(t, 200, "61 clients", `rel="next"`)
	older := strings.SplitN(strings.SplitN(first.body, `rel="next" href="`, 2)[1], `"`, 2)[0]
	v.get(strings.ReplaceAll(older, "&amp;", "&")).wants(t, 200, "Ann Zanzibar", "Newest")
}

func TestClientPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "viewer@acme.example")
	page := v.get("/clients/" + w.acme.client)
	page.wants(t, 200, "Ann Zanzibar", "zanzibar@example.com", "from the channel", "About zanzibar", "HubSpot zanzibar", "Record 4711", "Up to date",
		"Created from an email", "Conversation linked", "/conversations/"+w.acme.conversation)
	if title := strings.SplitN(strings.SplitN(page.body, "<title>", 2)[1], "</title>", 2)[0]; strings.Contains(title, "Ann") {
		t.Errorf("the title %q holds a client's name", title)
	}
	v.get("/clients/17").wants(t, 404)
	v.get("/clients/0198c0de-0000-7000-8000-000000000000").wants(t, 404)
}

func TestConversationPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "viewer@acme.example")
	v.get("/conversations/"+w.acme.conversation).wants(t, 200, "About zanzibar", "my zanzibar is broken", "Ann Zanzibar", "nobody matches", "zanzibar@example.com", "Accepted")
	v.get("/conversations").wants(t, 200, "About zanzibar", "1 message")
	v.get("/conversations?show=unlinked").wants(t, 200, "No conversations here")
	v.get("/conversations?client="+w.acme.client).wants(t, 200, "About zanzibar")
	call := w.take(t, w.acme, intake.Message{Channel: "voice", ChannelIdentifier: "+14165550100", Direction: "inbound", Call: &intake.Call{ID: "c1", Status: "missed", RecordingURL: "https://calls.example/c1"}})
	v.get("/conversations/"+call.ConversationID.UUID.String()).wants(t, 200, "Missed call", `href="https://calls.example/c1"`)
}

func TestConnectionsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signedIn(t, "viewer@acme.example").get("/connections").wants(t, 200, "HubSpot zanzibar", "Working", "created", "/clients/"+w.acme.client)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "admin@acme.example")
	v.post("/settings/keys", "name", "gate", "scope", "read", "scope", "root").wants(t, 422, "The scopes hold", `value="gate"`)
	v.post("/settings/keys", "name", "", "scope", "read").wants(t, 422, "The name is empty")
	made := v.post("/settings/keys", "name", "gate", "scope", "read")
	made.wants(t, 201, "Copy the key “gate” now", "ck_")
	secret := strings.SplitN(strings.SplitN(made.body, "<code>", 2)[1], "<", 2)[0]
	if page := v.get("/settings/keys"); strings.Contains(page.body, secret) {
		t.Error("the secret is shown again")
	}
	authorized := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/clients", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		res, err := w.visitor(t).client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if status := authorized(); status != 200 {
		t.Errorf("the new key: %d", status)
	}
	keys, err := w.services.Access.ListKeys(t.Context(), w.acme.system)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.post("/settings/keys/" + keys[0].ID.String() + "/revoke"); got.to != "/settings/keys" {
		t.Errorf("revoke: %d", got.status)
	}
	if status := authorized(); status != http.StatusSeeOther {
		t.Errorf("the revoked key: %d", status)
	}
	v.get("/settings/keys").wants(t, 200, "Revoked")
}

func TestTenantsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.operator(t)
	if got := v.get("/"); got.to != "/tenants" {
		t.Errorf("home leads to %s", got.to)
	}
	v.get("/tenants").wants(t, 200, "acme Inc.", "globex Inc.", "Active")
}

func TestTheme(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "viewer@acme.example")
	if page := v.get("/clients"); strings.Contains(page.body, "data-theme") {
		t.Error("without a choice the system does not decide")
	}
	for _, choice := range []string{"dark", "light"} {
		if got := v.post("/theme", "theme", choice, "return", "/clients?q=x"); got.to != "/clients?q=x" {
			t.Errorf("returned to %s", got.to)
		}
		v.get("/clients").wants(t, 200, `<html lang="en" data-theme="`+choice+`">`)
	}
	v.post("/theme", "theme", "system", "return", "https://evil.example")
	if page := v.get("/clients"); strings.Contains(page.body, "data-theme") {
		t.Error("back to system is not taken")
	}
}

func TestTimesAreInTheViewersZone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "viewer@acme.example")
	clock := func(zone string) string {
		page := v.send(http.MethodGet, "/conversations/"+w.acme.conversation, nil, map[string]string{"Cookie": "clientele_zone=" + url.QueryEscape(zone)})
		return strings.SplitN(strings.SplitN(page.body, "<time ", 2)[1], "</time>", 2)[0]
	}
	if a, b := clock("Asia/Tokyo"), clock("America/Los_Angeles"); a == b {
		t.Errorf("Tokyo and Los Angeles read the same: %s", a)
	}
	if a, b := clock("Local"), clock("America/New_York"); a != b {
		t.Errorf("without a usable zone %s, in the tenant's %s", a, b)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "viewer@acme.example")
	h := v.get("/clients").header
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	page := v.get("/clients").body
	css := strings.SplitN(strings.SplitN(page, `rel="stylesheet" href="`, 2)[1], `"`, 2)[0]
	if got := v.get(css); got.status != 200 || !strings.Contains(got.header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(got.header.Get("Content-Type"), "text/css") {
		t.Errorf("%s: %d %v", css, got.status, got.header)
	}
	v.get("/static/none.css").wants(t, 404)
	v.get("/static/..%2Fdoc.go").wants(t, 404)
}

func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "admin@acme.example")
	form := url.Values{"name": {"evil"}, "scope": {"admin"}}
	v.send(http.MethodPost, "/settings/keys", form, map[string]string{"Sec-Fetch-Site": "cross-site"}).wants(t, 403, "Another site")
	v.send(http.MethodPost, "/settings/keys", form, map[string]string{"Origin": "https://evil.example"}).wants(t, 403)
	keys, err := w.services.Access.ListKeys(t.Context(), w.acme.system)
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestTooLargeForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "admin@acme.example")
	got := v.post("/settings/keys", "name", strings.Repeat("n", 100<<10), "scope", string(access.Scopes()[0]))
	if got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", got.status)
	}
}

func TestNothingHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.visitor(t).get("/nothing").wants(t, 404, "Nothing here")
	w.signedIn(t, "viewer@acme.example").get("/clients/x/y").wants(t, 404, "Nothing here", "Pat viewer")
}
