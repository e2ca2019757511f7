package crmhttp_test

import (
	"net/http"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

func TestEveryStatusHasAClass(t *testing.T) {
	t.Parallel()
	for status := 300; status < 600; status++ {
		for _, writes := range []bool{false, true} {
			e := crmhttp.Dialect{}.Classify(crmhttp.Reply{Status: status, Header: http.Header{}}, writes)
			if e.Class == "" || e.Retry == "" || e.Status != status {
				t.Errorf("status %d: %+v", status, e)
			}
			if e.Class == sdk.ClassUnknownOutcome && !writes {
				t.Errorf("status %d: a read has an unknown outcome", status)
			}
			if status >= 500 && e.Retry == sdk.RetryNever {
				t.Errorf("status %d: the CRM's own failure is never tried again", status)
			}
		}
	}
}

func TestTheCRMsRulesComeFirst(t *testing.T) {
	t.Parallel()
	d := crmhttp.Dialect{
		Words: func(crmhttp.Reply) crmhttp.Words { return crmhttp.Words{Code: "DAILY", After: time.Hour} },
		Rules: []crmhttp.Rule{{Status: 429, Code: "DAILY", Class: sdk.ClassQuota, Retry: sdk.RetryLater, After: time.Minute}},
	}
	e := d.Classify(crmhttp.Reply{Status: 429, Header: http.Header{}}, true)
	if e.Class != sdk.ClassQuota || e.After != time.Hour {
		t.Errorf("got %+v, want quota with the delay of the body", e)
	}
	e = d.Classify(crmhttp.Reply{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, true)
	if e.After != 7*time.Second {
		t.Errorf("After = %v, want the header's 7s", e.After)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for raw, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"0.5":                           500 * time.Millisecond,
		"-3":                            0,
		"NaN":                           0,
		"soon":                          0,
		"1e300":                         7 * 24 * time.Hour,
		"Sun, 22 Nov 2026 10:00:30 GMT": 30 * time.Second,
		"Sun, 22 Nov 2026 09:00:00 GMT": 0,
	} {
		h := http.Header{}
		h.Set("Retry-After", raw)
		if got := crmhttp.RetryAfter(h, now); got != want {
			t.Errorf("RetryAfter(%q) = %v, want %v", raw, got, want)
		}
	}
}

func TestCutKeepsTextValidAndShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(3, 50).Draw(t, "n")
		got := crmhttp.Cut(text, n)
		if len(got) > n && len(text) > n {
			t.Fatalf("Cut(%q, %d) has %d bytes", text, n, len(got))
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Fatalf("Cut(%q, %d) = %q is cut inside a character", text, n, got)
		}
	})
}
