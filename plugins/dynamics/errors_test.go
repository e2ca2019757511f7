package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

func answerOf(status int, body string, headers ...string) part {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return part{Status: status, Header: h, Body: []byte(body)}
}

func coded(code, message string) string {
	return `{"error":{"code":"` + code + `","message":"` + message + `"}}`
}

func TestEveryStatusAndDocumentedCode(t *testing.T) {
	t.Parallel()
	for status := 300; status < 600; status++ {
		for _, writes := range []bool{false, true} {
			e := classify(answerOf(status, ""), writes)
			if e.Class == "" || e.Retry == "" || e.Status != status || e.Message == "" && status < 512 && http.StatusText(status) != "" {
				t.Errorf("%d: %+v", status, e)
			}
			if status >= 500 && status != 501 && e.Retry == sdk.RetryNever {
				t.Errorf("%d: the CRM's own failure is never tried again", status)
			}
		}
	}
	// Statuses, codes and texts of §2.5 and of the list of codes beside the page.
	data, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var documented []struct {
		Status     int
		Code, Body string
		Class      sdk.Class
		Retry      sdk.Retry
		Field      string
	}
	if err := json.Unmarshal(data, &documented); err != nil {
		t.Fatal(err)
	}
	for _, tc := range documented {
		e := classify(answerOf(tc.Status, tc.Body), true)
		if e.Class != tc.Class || e.Retry != tc.Retry || e.Field != tc.Field {
			t.Errorf("%d %s: %s %s field %q, want %s %s field %q", tc.Status, tc.Body, e.Class, e.Retry, e.Field, tc.Class, tc.Retry, tc.Field)
		}
		if e.Code != tc.Code || tc.Code != "" && !strings.Contains(tc.Body, e.Message) {
			t.Errorf("%d %s: the CRM's words were lost: %+v", tc.Status, tc.Body, e)
		}
	}
}

func TestAnyBodyIsSurvived(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "<html><body>Service Unavailable</body></html>", "{", `{"error":"text"}`, `{"error":{"code":7}}`, `[]`, "null", strings.Repeat("x", 1<<20),
		`{"Message":"An error has occurred.","ErrorCode":-2147220970}`,
	} {
		e := classify(answerOf(500, body, "REQ_ID", "r-1"), true)
		if e.Class != sdk.ClassUnknownOutcome || len(e.Message) > 1000 || e.RequestID != "r-1" {
			t.Errorf("body %.40q: %+v", body, e)
		}
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	if e := classify(answerOf(429, coded("0x80072322", "x"), "Retry-After", "17"), true); e.After != 17*time.Second {
		t.Errorf("After = %v, want 17 s: Retry-After is in seconds (quirk 16)", e.After)
	}
	if e := classify(answerOf(429, coded("0x80072326", "x")), true); e.After <= 0 {
		t.Errorf("After = %v, want some delay when the CRM names none", e.After)
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Set("x-ms-ratelimit-burst-remaining-xrm-requests", "5993")
	got := quotas(h)
	if len(got) != 1 || got[0] != (sdk.Quota{Bucket: bucketRequests, Limit: -1, Remaining: 5993, ResetSeconds: -1}) {
		t.Errorf("%+v", got)
	}
}
