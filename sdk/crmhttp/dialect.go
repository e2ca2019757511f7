package crmhttp

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/sdk"
)

// Dialect is how one CRM speaks beyond plain HTTP.
type Dialect struct {
	// Words reads the CRM's own words out of an error answer; it gets any body at
	// all (HTML, empty, cut off) and never fails.
	Words func(Reply) Words
	// Rules are tried in order before the rules that hold for HTTP in general.
	Rules []Rule
	// Quotas reads limits from an answer's headers; nil means there are none.
	Quotas func(http.Header) []sdk.Quota
}

// Words are what a CRM says about a failure.
type Words struct {
	Code, Message, Field, RequestID string
	// After is a delay stated in the body; a Retry-After header wins over it.
	After time.Duration
}

// Rule gives answers of one status and code their meaning.
type Rule struct {
	// Status 0 and Code "" match everything.
	Status int
	Code   string
	Class  sdk.Class
	Retry  sdk.Retry
	// After is the delay when the CRM names none.
	After time.Duration
}

// general is what a status means when the CRM's own rules say nothing. A failure
// inside the CRM may come after the commit, so that a write's outcome is unknown.
func general() []Rule {
	return []Rule{
		{Status: 401, Class: sdk.ClassAuth, Retry: sdk.RetryLater},
		{Status: 402, Class: sdk.ClassPermission, Retry: sdk.RetryNever},
		{Status: 403, Class: sdk.ClassPermission, Retry: sdk.RetryNever},
		{Status: 404, Class: sdk.ClassNotFound, Retry: sdk.RetryNever},
		{Status: 408, Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack},
		{Status: 409, Class: sdk.ClassConflict, Retry: sdk.RetryLater},
		{Status: 410, Class: sdk.ClassNotFound, Retry: sdk.RetryNever},
		{Status: 412, Class: sdk.ClassConflict, Retry: sdk.RetryLater},
		{Status: 413, Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater},
		{Status: 423, Class: sdk.ClassLock, Retry: sdk.RetryLater, After: 2 * time.Second},
		{Status: 425, Class: sdk.ClassTransient, Retry: sdk.RetryLater},
		{Status: 429, Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 10 * time.Second},
		{Status: 500, Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack},
		{Status: 502, Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack},
		{Status: 503, Class: sdk.ClassTransient, Retry: sdk.RetryLater, After: 10 * time.Second},
		{Status: 504, Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack},
	}
}

// Classify says what an answer that is not 2xx means.
func (d Dialect) Classify(r Reply, writes bool) *sdk.Error {
	var w Words
	if d.Words != nil {
		w = d.Words(r)
	}
	rule := d.rule(r.Status, w.Code)
	e := &sdk.Error{
		Class: rule.Class, Retry: rule.Retry, After: rule.After, Field: w.Field, Code: w.Code,
		Message: Cut(w.Message, maxMessage), Status: r.Status, RequestID: w.RequestID,
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("HTTP status %d %s", r.Status, http.StatusText(r.Status)))
	}
	if after := RetryAfter(r.Header, time.Now()); after > 0 {
		e.After = after
	} else if w.After > 0 {
		e.After = w.After
	}
	if e.Class == sdk.ClassUnknownOutcome && !writes {
		e.Class, e.Retry = sdk.ClassTransient, sdk.RetryLater
	}
	return e
}

// Rule is the first rule that fits a code, for errors inside a batch answer;
// status 0 asks for a code alone.
func (d Dialect) Rule(status int, code string) Rule { return d.rule(status, code) }

func (d Dialect) rule(status int, code string) Rule {
	for _, rules := range [][]Rule{d.Rules, general()} {
		for _, r := range rules {
			if (r.Status == 0 || r.Status == status) && (r.Code == "" || r.Code == code) {
				return r
			}
		}
	}
	if status >= 500 {
		return Rule{Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack}
	}
	return Rule{Class: sdk.ClassUnknown, Retry: sdk.RetryNever}
}

func (d Dialect) quotas(r Reply) []sdk.Quota {
	if d.Quotas == nil {
		return nil
	}
	return d.Quotas(r.Header)
}

// RetryAfter reads the header in both forms of RFC 9110 §10.2.3, seconds or a
// date; 0 when it is absent, unreadable or past. Never more than a week.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	raw := strings.TrimSpace(h.Get("Retry-After"))
	const week = 7 * 24 * time.Hour
	if seconds, err := strconv.ParseFloat(raw, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, week.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(raw); err == nil && at.After(now) {
		return min(at.Sub(now), week)
	}
	return 0
}

// maxMessage bounds a CRM's text in an error, in bytes: some list every allowed
// option.
const maxMessage = 600

// Cut shortens text to at most n bytes, between characters, and shows that it
// did.
func Cut(text string, n int) string {
	const mark = "…"
	if len(text) <= n {
		return text
	}
	end := max(n-len(mark), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// HeaderInt reads a whole number from a header; -1 when there is none, which is
// how sdk.Quota says "not stated".
func HeaderInt(h http.Header, name string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
