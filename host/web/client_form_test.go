package web_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestCreateClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "member@acme.example")
	v.get("/clients").wants(t, 200, `href="/clients/new"`)
	v.get("/clients/new").wants(t, 200, `name="first_name"`, `name="zip"`, `name="email"`)
	if page := w.signedIn(t, "viewer@acme.example").get("/clients"); strings.Contains(page.body, "/clients/new") {
		t.Error("a viewer is offered what they may not do")
	}
	v.post("/clients", "first_name", "", "email", "no address").wants(t, 422, "Please correct", `value="no address"`, `aria-invalid="true"`)
	v.post("/clients", "first_name", "Lea", "date_of_birth", "17 May").wants(t, 422, "is no date", `value="Lea"`)
	taken := v.post("/clients", "first_name", "Lea", "email", "Zanzibar@example.com")
	taken.wants(t, 409, "another client has it", `href="/clients/`+w.acme.client+`"`)

	made := v.post("/clients", "first_name", "Lea", "last_name", "Lund", "street", "Gate 1\r\nHouse 2", "phone", "(416) 555-0100", "email", "lea@lund.example")
	if made.status != http.StatusSeeOther || !strings.HasPrefix(made.to, "/clients/") {
		t.Fatalf("%d to %s: %s", made.status, made.to, made.body)
	}
	v.get(made.to).wants(t, 200, "Lea Lund", "(416) 555-0100", "House 2", "Created from a person", made.to+"/edit")
	if page := v.get(made.to + "/edit"); !strings.Contains(page.body, "Gate 1\nHouse 2") {
		t.Error("the street's lines were not kept")
	}
}

func TestEditClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "member@acme.example")
	path := "/clients/" + w.acme.client
	form := v.get(path + "/edit")
	form.wants(t, 200, `value="Ann"`, `value="zanzibar@example.com"`)
	revision := strings.SplitN(strings.SplitN(form.body, `name="revision" value="`, 2)[1], `"`, 2)[0]

	if got := v.post(path, "revision", revision, "city", "Oslo"); got.to != path {
		t.Fatalf("%d to %s", got.status, got.to)
	}
	v.get(path).wants(t, 200, "Oslo", "Zanzibar", "One value changed", "Pat member")

	stale := v.post(path, "revision", revision, "city", "Bergen", "zip", "5003")
	stale.wants(t, 409, "Somebody changed this client", `value="Bergen"`, "Now: Oslo", "Now: empty")
	current := strings.SplitN(strings.SplitN(stale.body, `name="revision" value="`, 2)[1], `"`, 2)[0]
	if got := v.post(path, "revision", current, "city", "Bergen"); got.to != path {
		t.Errorf("saving after looking: %d", got.status)
	}
	v.get(path).wants(t, 200, "Bergen")
	v.post(path, "revision", "rubbish", "city", "Rome").wants(t, 409)
	v.post(path, "revision", "", "city", "Rome").wants(t, 409)
}

func TestAddNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signedIn(t, "member@acme.example")
	path := "/clients/" + w.acme.client
	if got := v.post(path+"/notes", "text", "Prefers mornings.\r\nHas a dog."); got.to != path+"#notes" {
		t.Fatalf("%d to %s: %s", got.status, got.to, got.body)
	}
	v.get(path).wants(t, 200, "Prefers mornings.\nHas a dog.", "Pat member", "Note added")
	v.post(path+"/notes", "text", "  ").wants(t, 422, "The note ", `aria-invalid="true"`)
	if page := w.signedIn(t, "viewer@acme.example").get(path); strings.Contains(page.body, "note-form") || !strings.Contains(page.body, "Has a dog.") {
		t.Error("a viewer can't read notes, or is offered to write them")
	}
}
