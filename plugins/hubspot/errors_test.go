package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// documented are the answers that hubspot.md lists, made up in its wording.
func documented(t *testing.T) []struct {
	Name, Body   string
	Status       int
	Header       map[string]string
	Class        sdk.Class
	Retry        sdk.Retry
	AfterSeconds float64 `json:"after_seconds"`
	Field, Code  string
} {
	t.Helper()
	data, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []struct {
		Name, Body   string
		Status       int
		Header       map[string]string
		Class        sdk.Class
		Retry        sdk.Retry
		AfterSeconds float64 `json:"after_seconds"`
		Field, Code  string
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDocumentedErrorsHaveTheirClass(t *testing.T) {
	t.Parallel()
	for _, tc := range documented(t) {
		h := http.Header{}
		for k, v := range tc.Header {
			h.Set(k, v)
		}
		got := dialect().Classify(crmhttp.Reply{Status: tc.Status, Header: h, Body: []byte(tc.Body)}, true)
		if got.Class != tc.Class || got.Retry != tc.Retry || got.Field != tc.Field || got.Code != tc.Code ||
			got.After != time.Duration(tc.AfterSeconds*float64(time.Second)) || got.Status != tc.Status {
			t.Errorf("%s: got %s %s after %s, field %q, code %q; want %s %s after %gs, field %q, code %q",
				tc.Name, got.Class, got.Retry, got.After, got.Field, got.Code, tc.Class, tc.Retry, tc.AfterSeconds, tc.Field, tc.Code)
		}
		if len(got.Message) > 700 || got.Message == "" {
			t.Errorf("%s: message of %d bytes", tc.Name, len(got.Message))
		}
	}
}

// Every HTTP status ends, for reads and writes and with a JSON, HTML or empty
// body, as a typed outcome for every item; only a 2xx may be a success.
func TestEveryStatusBecomesATypedOutcome(t *testing.T) {
	t.Parallel()
	status := 0
	body := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if status != http.StatusNoContent && status != http.StatusNotModified {
			_, _ = w.Write([]byte(body))
		}
	}))
	t.Cleanup(server.Close)
	a := newAdapter(nil)
	conn := sdk.Connection{
		Settings: []byte(fmt.Sprintf(`{"base_url":%q}`, server.URL)), Token: sdk.Token{AccessToken: "pat-na1-secret"},
	}
	retryable := map[sdk.Retry]bool{sdk.RetryLater: true, sdk.RetryReadBack: true}
	for status = 200; status < 600; status++ {
		for _, body = range []string{`{"status":"error","message":"no"}`, "<html>oops</html>", ""} {
			reply, err := a.Write(t.Context(), sdk.WriteRequest{
				Connection: conn, Object: contacts, Items: []sdk.WriteItem{person(1), person(2)},
			})
			var got []*sdk.Error
			if err != nil {
				got = append(got, err.(*sdk.Error))
			} else {
				for _, o := range byItem(t, reply, 2, nil) {
					got = append(got, o.Err)
				}
			}
			for _, e := range got {
				switch {
				case e == nil || e.Class == "" || e.Retry == "":
					t.Errorf("%d %q: outcome %+v", status, body, e)
				case strings.Contains(e.Error(), "secret"), strings.Contains(e.Message, "<html>"):
					t.Errorf("%d %q: the error shows too much: %v", status, body, e)
				case status < 300 && e.Class != sdk.ClassUnknownOutcome:
					t.Errorf("%d %q: %s; a success that lists nothing has an unknown outcome", status, body, e.Class)
				case status >= 500 && !retryable[e.Retry]:
					t.Errorf("%d %q: %s is never tried again", status, body, e.Class)
				case e.Class == sdk.ClassNotFound:
					t.Errorf("%d %q: a whole batch says not_found of its records", status, body)
				}
			}
			_, err = a.Find(t.Context(), sdk.FindRequest{Connection: conn, Object: contacts, Keys: []sdk.FindKey{{By: sdk.FindByEmail, Value: "a@b.example"}}})
			if e, ok := err.(*sdk.Error); ok && e.Class == sdk.ClassUnknownOutcome {
				t.Errorf("%d: a read has an unknown outcome", status)
			} else if err == nil && (status >= 300 || body == "") {
				t.Errorf("%d %q: a read succeeded", status, body)
			}
		}
	}
}

// The simulator's ready answers are what the adapter meets in its calls.
func TestInjectedFailures(t *testing.T) {
	t.Parallel()
	for preset, want := range map[string]sdk.Class{
		"burst": sdk.ClassThrottled, "search": sdk.ClassThrottled, "daily": sdk.ClassQuota, "expired": sdk.ClassAuth,
		"invalid_token": sdk.ClassAuth, "scopes": sdk.ClassPermission, "scopes_in_context": sdk.ClassPermission,
		"locked": sdk.ClassLock, "migrating": sdk.ClassQuota, "bad_gateway": sdk.ClassUnknownOutcome,
		"no_answer": sdk.ClassUnknownOutcome, "not_found_html": sdk.ClassUnknown, "not_found_empty": sdk.ClassUnknown,
		"without_category": sdk.ClassBatchRefused, "cut_off": sdk.ClassBatchRefused,
	} {
		t.Run(preset, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.fault(`{"path":"/crm/**","preset":"` + preset + `"}`)
			_, err := r.write(person(1), person(2))
			e, ok := err.(*sdk.Error)
			if !ok || e.Class != want {
				t.Fatalf("got %v, want %s for the call", err, want)
			}
			if len(e.Usage.Calls) != 1 || e.Usage.Calls[0].N != 1 {
				t.Errorf("usage %+v: an adapter tries once", e.Usage)
			}
		})
	}
}

// What was done before a limit hit keeps its outcome.
func TestALaterRequestMayFailAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(1)
	known := person(0)
	known.CRMID = ids[0]
	r.fault(`{"path":"/crm/objects/*/contacts/batch/upsert","preset":"burst"}`)
	out, err := r.write(known, person(1))
	if err != nil {
		t.Fatal(err)
	}
	if out["item-0"].Done != sdk.Updated {
		t.Errorf("the update: %+v", out["item-0"])
	}
	wantError(t, out["item-1"].Err, sdk.ClassThrottled, "")
	if out["item-1"].Err.After != 10*time.Second {
		t.Errorf("after %s", out["item-1"].Err.After)
	}
}

func FuzzFailure(f *testing.F) {
	for _, seed := range []string{
		`{"status":"error","message":"Property values were not valid: [{\"name\":\"email\",\"error\":\"INVALID_EMAIL\",\"message\":\"x\"}]"}`,
		`{"message":"Existing ID: 17"}`, `{"context":{"existingId":[]}}`, `<html>`, ``, `[]`, `{"errors":[{}]}`, `{"message":": [": [`,
	} {
		f.Add(400, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		reply := crmhttp.Reply{Status: status, Header: http.Header{}, Body: []byte(body)}
		e := dialect().Classify(reply, true)
		if e.Class == "" || e.Retry == "" {
			t.Errorf("%d %q: %+v", status, body, e)
		}
		failure := readFailure(reply)
		_, _ = guilty(batchInput{Properties: map[string]string{"email": "x"}}, failure)
		_ = failure.existing()
	})
}
