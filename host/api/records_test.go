package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/host/api"
)

// by makes something with the caller's credential, since some things may only be
// taken back by who did them, or with the house's key where the caller may not.
func (w *world) by(t *testing.T, h house, credential string, c call) reply {
	t.Helper()
	if c.credential = credential; credential != "" {
		if got := w.do(t, c); got.Code < 300 {
			return got
		}
	}
	c.credential = h.secret
	got := w.do(t, c)
	if got.Code >= 300 {
		t.Fatalf("prepare a sample: %s %s: %d %s", c.method, c.path, got.Code, got.Body)
	}
	return got
}

// person makes a client of the house and answers its path.
func (w *world) person(t *testing.T, h house, credential string) string {
	t.Helper()
	name := strings.ReplaceAll(uuid.NewString(), "-", "")
	var made api.Client
	w.by(t, h, credential, call{method: "POST", path: "/v1/clients", body: map[string]any{
		"fields": map[string]string{"first_name": name}, "email": name + "@example.com", "tags": []string{"vip"}, "note": "a first note",
	}}).json(&made)
	return "/v1/clients/" + made.ID.String()
}

func id(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// madeSample is a good request for a route that needs something of its own.
func madeSample(t *testing.T, w *world, h house, route, credential string) (call, bool) {
	t.Helper()
	switch route {
	case "choose-crm-record":
		crmID := w.ambiguous(t, h)
		return call{path: "/v1/connections/" + h.connection + "/clients/" + h.client.ID.String() + "/record", body: map[string]any{"crm_id": crmID}}, true
	case "delete-client", "list-notes", "list-merges", "find-similar", "confirm-client", "not-a-name", "add-note", "add-identifier":
		return w.sampleOfClient(t, route, w.person(t, h, credential)), true
	case "restore-client":
		path := w.person(t, h, credential)
		w.by(t, h, credential, call{method: "DELETE", path: path})
		return call{path: path + "/restore"}, true
	case "edit-note", "delete-note":
		path := w.person(t, h, credential)
		var note struct{ ID string }
		w.by(t, h, credential, call{method: "POST", path: path + "/notes", body: map[string]any{"text": "second"}}).json(&note)
		c := call{path: path + "/notes/" + note.ID}
		if route == "edit-note" {
			c.body = map[string]any{"text": "third"}
		}
		return c, true
	case "change-identifier", "drop-identifier":
		path := w.person(t, h, credential)
		var changed api.Client
		w.by(t, h, credential, call{method: "POST", path: path + "/identifiers", body: map[string]any{"kind": "external", "value": id(path)}}).json(&changed)
		c := call{path: path + "/identifiers/" + changed.Identifiers[len(changed.Identifiers)-1].ID.String()}
		if route == "change-identifier" {
			c.body = map[string]any{"verified": true}
		}
		return c, true
	case "merge-clients", "preview-merge", "undo-merge", "keep-separate", "reconsider":
		return w.sampleOfPair(t, h, route, credential), true
	case "confirm-link":
		path := "/v1/conversations/" + h.conversation
		w.by(t, h, credential, call{method: "PUT", path: path + "/client", body: map[string]any{"client": h.client.ID.String()}})
		return call{path: path + "/confirm"}, true
	case "get-outbound", "edit-outbound", "approve-outbound", "send-outbound", "reject-outbound", "cancel-outbound", "retry-outbound", "resolve-outbound", "call-done":
		return w.sampleOfOutbound(t, route, h), true
	case "remove-sender":
		w.sender(t, h, "chat")
		return call{path: "/v1/senders/chat", foreign: true}, true
	case "accept-suggestion":
		return call{path: "/v1/suggestions/" + w.suggestion(t, h) + "/accept", body: map[string]any{}}, true
	case "dismiss-suggestion":
		return call{path: "/v1/suggestions/" + w.suggestion(t, h) + "/dismiss"}, true
	default:
		return call{}, false
	}
}

func (w *world) sampleOfClient(t *testing.T, route, path string) call {
	t.Helper()
	switch route {
	case "list-notes":
		return call{path: path + "/notes"}
	case "add-note":
		return call{path: path + "/notes", body: map[string]any{"text": "second"}}
	case "add-identifier":
		return call{path: path + "/identifiers", body: map[string]any{"kind": "phone", "value": "+1 416 555 0" + uuid.NewString()[:3]}}
	case "list-merges":
		return call{path: path + "/merges"}
	case "find-similar":
		return call{path: path + "/similar"}
	case "confirm-client":
		return call{path: path + "/confirm"}
	case "not-a-name":
		return call{path: path + "/not-a-name", body: map[string]any{}}
	default:
		return call{path: path}
	}
}

func (w *world) sampleOfPair(t *testing.T, h house, route, credential string) call {
	t.Helper()
	one, other := w.person(t, h, credential), w.person(t, h, credential)
	merge := map[string]any{"survivor": id(one), "others": []string{id(other)}, "choices": map[string]string{"first_name": id(one)}}
	switch route {
	case "merge-clients":
		return call{path: "/v1/merges", body: merge, foreign: true}
	case "preview-merge":
		return call{path: "/v1/merges/preview", body: merge, foreign: true}
	case "undo-merge":
		var made struct{ ID string }
		w.by(t, h, credential, call{method: "POST", path: "/v1/merges", body: merge}).json(&made)
		return call{path: "/v1/merges/" + made.ID + "/undo"}
	default:
		return call{path: "/v1/duplicates/" + id(one) + "/" + id(other) + "/separate"}
	}
}

// suggestion leaves a suggestion, as intake does, and answers its id.
func (w *world) suggestion(t *testing.T, h house) string {
	t.Helper()
	made := uuid.Must(uuid.NewV7())
	err := w.db.Tenant(t.Context(), h.system, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO suggestion (id, tenant_id, kind, client_id, field, value, reason, created_at)
VALUES ($1, $2, 'value', $3, 'city', $4, 'differs from the stored value', $5)`, made, h.system.Tenant, h.client.ID, made.String(), time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.String()
}

func TestNotesOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.person(t, w.acme, "") + "/notes"
	var notes struct{ Notes []struct{ ID, Text string } }
	w.do(t, call{method: "GET", path: path, credential: w.acme.secret}).want(200).json(&notes)
	if len(notes.Notes) != 1 || notes.Notes[0].Text != "a first note" {
		t.Fatalf("notes %+v", notes)
	}
	note := path + "/" + notes.Notes[0].ID
	w.do(t, call{method: "PATCH", path: note, credential: w.acme.secret, body: `{"text":"corrected"}`}).want(200)
	w.do(t, call{method: "PATCH", path: note, credential: w.acme.secret, body: `{"text":""}`}).want(422).problem()
	w.do(t, call{method: "DELETE", path: note, credential: w.acme.secret}).want(204)
	w.do(t, call{method: "DELETE", path: note, credential: w.acme.secret}).want(404).problem()
}

func TestMergeAndUndoOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, other := w.person(t, w.acme, ""), w.person(t, w.acme, "")
	body := map[string]any{"survivor": id(one), "others": []string{id(other)}}
	preview := w.do(t, call{method: "POST", path: "/v1/merges/preview", credential: w.acme.secret, body: body}).want(200)
	var previewed, merged struct {
		ID          string
		Differences []struct{ Field string }
		Moved       map[string]int
		Client      api.Client
	}
	preview.json(&previewed)
	if len(previewed.Differences) == 0 {
		t.Errorf("preview %s", preview.Body)
	}
	w.do(t, call{method: "GET", path: other, credential: w.acme.secret}).want(200) // and nothing has changed
	body["choices"] = map[string]string{"first_name": id(one)}
	w.do(t, call{method: "POST", path: "/v1/merges", credential: w.acme.secret, body: body}).want(201).json(&merged)
	var found api.Client
	w.do(t, call{method: "GET", path: other, credential: w.acme.secret}).want(200).json(&found)
	if found.ID.String() != id(one) {
		t.Errorf("the old id leads to %s", found.ID)
	}
	w.do(t, call{method: "POST", path: "/v1/merges/" + merged.ID + "/undo", credential: w.acme.secret}).want(200)
	w.do(t, call{method: "GET", path: other, credential: w.acme.secret}).want(200).json(&found)
	if found.ID.String() != id(other) {
		t.Errorf("after the undo the id leads to %s", found.ID)
	}
	body["others"] = []string{id(one)}
	w.do(t, call{method: "POST", path: "/v1/merges", credential: w.acme.secret, body: body}).want(409).problem()
}

func TestDeleteAndRestoreOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.person(t, w.acme, "")
	w.do(t, call{method: "DELETE", path: path + "?reason=boredom", credential: w.acme.secret}).want(422).problem()
	w.do(t, call{method: "DELETE", path: path + "?reason=spam", credential: w.acme.secret}).want(204)
	var deleted struct{ Clients []api.Client }
	w.do(t, call{method: "GET", path: "/v1/clients/deleted", credential: w.acme.secret}).want(200).json(&deleted)
	var suppressed struct {
		Suppressions []struct{ Kind, Normal string }
	}
	w.do(t, call{method: "GET", path: "/v1/suppressions", credential: w.acme.secret}).want(200).json(&suppressed)
	if len(deleted.Clients) != 1 || len(suppressed.Suppressions) != 1 {
		t.Fatalf("deleted %+v, suppressed %+v", deleted, suppressed)
	}
	w.do(t, call{method: "POST", path: "/v1/suppressions/lift", credential: w.acme.secret, body: map[string]any{"kind": suppressed.Suppressions[0].Kind, "normal": suppressed.Suppressions[0].Normal}}).want(204)
	w.do(t, call{method: "POST", path: path + "/restore", credential: w.acme.secret}).want(200)
	w.do(t, call{method: "POST", path: path + "/restore", credential: w.acme.secret}).want(409).problem()
}

func TestLinkingOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/v1/conversations/" + w.acme.conversation + "/client"
	other := id(w.person(t, w.acme, ""))
	w.do(t, call{method: "PUT", path: path, credential: w.acme.secret, body: map[string]any{"client": other}}).want(200)
	w.do(t, call{method: "PUT", path: path, credential: w.acme.secret, body: map[string]any{"client": w.globex.client.ID.String()}}).want(404).problem()
	w.do(t, call{method: "DELETE", path: path, credential: w.acme.secret}).want(200)
	w.do(t, call{method: "POST", path: "/v1/conversations/" + w.acme.conversation + "/confirm", credential: w.acme.secret}).want(409).problem()
}

func TestConflictIsToldFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := w.person(t, w.acme, "")
	stale := w.do(t, call{method: "GET", path: path, credential: w.acme.secret}).want(200).Header().Get("ETag")
	w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{"fields":{"city":"Oslo"}}`}).want(200)
	p := w.do(t, call{method: "PATCH", path: path, credential: w.acme.secret, body: `{"fields":{"city":"Bergen"}}`, header: map[string]string{"If-Match": stale}}).want(412).problem()
	if len(p.Conflicts) != 1 || p.Conflicts[0].Field != "city" || p.Conflicts[0].Yours != "Bergen" || p.Conflicts[0].Theirs != "Oslo" {
		t.Errorf("conflicts %+v", p.Conflicts)
	}
}

func TestAllFieldErrorsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.do(t, call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: `{"fields":{"first_name":"Lea","date_of_birth":"17 May","metadata":"[]"},"email":"nonsense"}`}).want(422).problem()
	fields := map[string]bool{}
	for _, e := range p.Errors {
		fields[e.Field] = true
	}
	if !fields["date_of_birth"] || !fields["metadata"] || !fields["email"] {
		t.Errorf("errors %+v", p.Errors)
	}
}
