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

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// request and row are the two forms of an error body (salesforce.md §2.5).
func request(code, message string) string {
	return fmt.Sprintf(`[{"message":%q,"errorCode":%q,"fields":[]}]`, message, code)
}

func classify(status int, body string, writes bool) *sdk.Error {
	return refine(dialect().Classify(crmhttp.Reply{Status: status, Header: http.Header{"X-Request-Id": {"req-1"}}, Body: []byte(body)}, writes))
}

// Each documented body keeps its class, retry decision, delay and field, whether
// it answers a request or one row of a batch.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var documented []struct {
		Status               int
		Code, Message, Field string
		Class                sdk.Class
		Retry                sdk.Retry
		AfterSeconds         float64 `json:"after_seconds"`
	}
	if err := json.Unmarshal(data, &documented); err != nil || len(documented) < 40 {
		t.Fatalf("%d documented errors, %v", len(documented), err)
	}
	for _, tc := range documented {
		after := time.Duration(tc.AfterSeconds * float64(time.Second))
		t.Run(tc.Code+" "+tc.Message, func(t *testing.T) {
			t.Parallel()
			e := classify(tc.Status, request(tc.Code, tc.Message), true)
			got := []any{e.Class, e.Retry, e.After, e.Field, e.Code, e.Status, e.RequestID}
			if diff := cmp.Diff([]any{tc.Class, tc.Retry, after, tc.Field, tc.Code, tc.Status, "req-1"}, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if tc.Code == "NOT_FOUND" || tc.Status == http.StatusUnauthorized {
				return // never said of a row
			}
			row := rowError(dialect(), wireError{StatusCode: tc.Code, Message: tc.Message})
			if diff := cmp.Diff([]any{tc.Class, tc.Retry, after, tc.Field}, []any{row.Class, row.Retry, row.After, row.Field}); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
		})
	}
}

// Answers of the edge and of nobody in particular.
func TestUndocumentedAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status  int
		body    string
		class   sdk.Class
		message string
	}{
		{503, `{"message":"Server Unavailable","errorCode":"SERVER_UNAVAILABLE"}`, sdk.ClassTransient, "Server Unavailable"},
		{503, `<html><body>Maintenance for anna@example.org</body></html>`, sdk.ClassTransient, "Service Unavailable (an HTML page)"},
		{502, ``, sdk.ClassUnknownOutcome, "Bad Gateway"},
		{420, ``, sdk.ClassThrottled, ""},
		{406, ``, sdk.ClassThrottled, "Not Acceptable"},
		{428, ``, sdk.ClassThrottled, "Precondition Required"},
		{429, ``, sdk.ClassThrottled, "Too Many Requests"},
		{414, ``, sdk.ClassBatchRefused, "Request URI Too Long"},
		{431, ``, sdk.ClassBatchRefused, "Request Header Fields Too Large"},
		{413, ``, sdk.ClassBatchRefused, "Request Entity Too Large"},
		{300, `["/services/data/v66.0/sobjects/Contact/003"]`, sdk.ClassDuplicate, "several records have this key"},
		{403, `Bad_OAuth_Token`, sdk.ClassAuth, "Bad_OAuth_Token"},
		{400, `[{"message":"Something new","errorCode":"NEVER_SEEN","fields":[]}]`, sdk.ClassUnknown, "Something new"},
		{500, `[{"message":"Something new","errorCode":"NEVER_SEEN"}]`, sdk.ClassUnknownOutcome, "Something new"},
		{400, `[]`, sdk.ClassUnknown, "[]"},
		{400, `{"half":`, sdk.ClassUnknown, `{"half":`},
	} {
		e := classify(tc.status, tc.body, true)
		if e.Class != tc.class || !strings.HasSuffix(e.Message, tc.message) {
			t.Errorf("%d %q: %+v, want %s and %q", tc.status, tc.body, e, tc.class, tc.message)
		}
	}
}

func TestEveryStatusIsClassified(t *testing.T) {
	t.Parallel()
	for status := 300; status < 600; status++ {
		for _, writes := range []bool{false, true} {
			e := classify(status, "", writes)
			switch {
			case e.Class == "" || e.Retry == "":
				t.Errorf("%d: %+v", status, e)
			case !writes && e.Class == sdk.ClassUnknownOutcome:
				t.Errorf("%d: a read has an unknown outcome", status)
			case status >= 500 && e.Retry == sdk.RetryNever:
				t.Errorf("%d: never tried again", status)
			}
		}
	}
}

// Salesforce quotes the value it refuses; errors go to logs and screens.
func TestValuesStayOutOfErrors(t *testing.T) {
	t.Parallel()
	const secret = "Wolfgang-Amadeus"
	for code, message := range map[string]string{
		"STRING_TOO_LONG":       "First Name: data value too large: " + secret + " (max length=40)",
		"INVALID_EMAIL_ADDRESS": "Email: invalid email address: " + secret,
		"DUPLICATE_VALUE":       "Duplicate external id specified: " + secret,
		"JSON_PARSER_ERROR":     "Cannot deserialize instance of date from VALUE_STRING value " + secret + " or request may be missing a required field at [line:1, column:2]",
		"MALFORMED_QUERY":       "\nWHERE Email = '" + secret + "'\n ^\nERROR at Row:1:Column:8\nunexpected token: 'x'",
		"INVALID_FIELD":         "\nSELECT Foo FROM Contact WHERE Email = '" + secret + "'\n ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Contact'.",
	} {
		if e := classify(400, request(code, message), true); strings.Contains(e.Error(), secret) || e.Message == "" {
			t.Errorf("%s: %s", code, e.Error())
		}
		if e := rowError(dialect(), wireError{StatusCode: code, Message: message}); strings.Contains(e.Error(), secret) {
			t.Errorf("%s in a row: %s", code, e.Error())
		}
	}
}

func TestCandidatesAreReadInBothSpellings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"duplicateResut", "duplicateResult"} {
		body := fmt.Sprintf(`[{"errorCode":"DUPLICATES_DETECTED","message":"m",%q:{"allowSave":true,"matchResults":[
			{"matchRecords":[{"record":{"attributes":{"type":"Contact"},"Id":"003Si0000000001IAA"}},{"record":{"Id":"00QSi0000000001IAA"}}]}]}}]`, name)
		e, ok := firstError([]byte(body))
		if diff := cmp.Diff([]string{"003Si0000000001IAA", "00QSi0000000001IAA"}, e.candidates()); !ok || diff != "" {
			t.Errorf("%s: %v %s", name, ok, diff)
		}
	}
}

func TestLimitHeader(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][]sdk.Quota{
		"":                                 nil,
		"api-usage=many/of-them":           nil,
		"api-usage=54/15000":               {{Bucket: bucketAPI, Limit: 15000, Remaining: 14946, ResetSeconds: -1}},
		"api-usage=16000/15000":            {{Bucket: bucketAPI, Limit: 15000, Remaining: 0, ResetSeconds: -1}},
		"api-usage=99999999999999999999/1": nil,
		"api-usage=25/15000; per-app-api-usage=17/250(appName=x)": {
			{Bucket: bucketAPI, Limit: 15000, Remaining: 14975, ResetSeconds: -1}, {Bucket: bucketApp, Limit: 250, Remaining: 233, ResetSeconds: -1},
		},
	} {
		h := http.Header{}
		h.Set("Sforce-Limit-Info", raw)
		if diff := cmp.Diff(want, quotas(h)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", raw, diff)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(400, []byte(request("STRING_TOO_LONG", "A: data value too large: b (max length=1)")))
	f.Add(503, []byte("<html>"))
	f.Add(400, []byte(`[{"errorCode":"DUPLICATES_DETECTED","duplicateResut":{"matchResults":null}}]`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := classify(status, string(body), true)
		if e.Class == "" || e.Retry == "" || len(e.Message) > 700 {
			t.Errorf("%d %q: %+v", status, body, e)
		}
		if first, ok := firstError(body); ok {
			_ = first.candidates()
			_ = duplicateID(first)
		}
	})
}

// Whatever comes back, with whatever body, every item ends in a typed outcome and
// nothing but a good answer is a success.
func TestEveryAnswerBecomesATypedOutcome(t *testing.T) {
	t.Parallel()
	bodies := []string{``, `<html>`, `[]`, `{}`, `null`, `[{},{}]`, `[{"success":false}]`, `"text"`, `[{"message":"m","errorCode":"NEVER_SEEN"}]`}
	// The address says what is answered: http://…/status/index of the body/…
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status, body int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d/%d/", &status, &body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if status != http.StatusNotModified && status != http.StatusNoContent {
			_, _ = w.Write([]byte(bodies[body]))
		}
	}))
	t.Cleanup(server.Close)
	a := newAdapter(nil)
	talks := conversations([]string{"003Si0000000001IAA", "003Si0000000002IAA"})
	statuses := []int{200, 201, 202, 204}
	for s := 300; s < 600; s++ {
		statuses = append(statuses, s)
	}
	for _, status := range statuses {
		for i, body := range bodies {
			if status >= 300 && i > 1 && i < len(bodies)-1 {
				continue // a refusal is read for its error alone
			}
			conn := sdk.Connection{Token: sdk.Token{AccessToken: "t", Extras: map[string]string{
				"instance_url": fmt.Sprintf("%s/%d/%d", server.URL, status, i),
			}}}
			for name, call := range map[string]func() (sdk.WriteReply, error){
				"write": func() (sdk.WriteReply, error) {
					return a.Write(t.Context(), sdk.WriteRequest{Connection: conn, Object: "Contact", Items: people(1, 2)})
				},
				"log": func() (sdk.WriteReply, error) {
					return a.LogActivities(t.Context(), sdk.LogActivitiesRequest{Connection: conn, Items: talks})
				},
				"delete": func() (sdk.WriteReply, error) {
					return a.Delete(t.Context(), sdk.DeleteRequest{Connection: conn, Object: "Contact", Items: []sdk.DeleteItem{
						{ItemID: "a", CRMID: "003Si0000000001IAA"}, {ItemID: "b", CRMID: "003Si0000000002IAA"},
					}})
				},
			} {
				reply, err := call()
				if err != nil {
					if e := asError(t, err); e.Class == "" || e.Retry == "" {
						t.Errorf("%s %d %q: %+v", name, status, body, e)
					}
					continue
				}
				if got := byItem(t, reply.Outcomes); len(got) != 2 {
					t.Errorf("%s %d %q: %d outcomes", name, status, body, len(got))
				}
				for _, o := range reply.Outcomes {
					if o.Err == nil {
						t.Errorf("%s %d %q: a success without a good answer: %+v", name, status, body, o)
					}
				}
			}
			_, err := a.Find(t.Context(), sdk.FindRequest{Connection: conn, Object: "Contact", Keys: []sdk.FindKey{{ItemID: "a", By: sdk.FindByEmail, Value: "a@example.org"}}})
			if e := asError(t, err); e.Class == sdk.ClassUnknownOutcome {
				t.Errorf("find %d %q: %+v", status, body, e)
			}
		}
	}
}
