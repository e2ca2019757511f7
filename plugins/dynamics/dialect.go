package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// What Dataverse says about a failure and what it means (§2.4, §2.5): by status
// first, by code second, by text only where nothing else tells.

// dialect is Dataverse's for crmhttp.
func dialect() crmhttp.Dialect {
	return crmhttp.Dialect{Words: words, Rules: rules(), Quotas: quotas}
}

func rules() []crmhttp.Rule {
	const (
		never, later, readBack = sdk.RetryNever, sdk.RetryLater, sdk.RetryReadBack
	)
	byCode := func(class sdk.Class, retry sdk.Retry, codes ...string) []crmhttp.Rule {
		out := make([]crmhttp.Rule, len(codes))
		for i, code := range codes {
			out[i] = crmhttp.Rule{Code: code, Class: class, Retry: retry}
		}
		return out
	}
	var r []crmhttp.Rule
	// A duplicate-detection hit is documented as 500 and listed as 412.
	r = append(r, byCode(sdk.ClassDuplicate, never, "0x80040333", "0x80060892", "0x80040237", "0x8006089d", "0x80073002")...)
	r = append(r, byCode(sdk.ClassConflict, later, "0x80060882")...)
	// The delta token or the paging cookie is no longer good: read anew.
	r = append(r, byCode(sdk.ClassConflict, never, "0x80044352", "0x8004112a", "0x8004430a")...)
	r = append(r, byCode(sdk.ClassAuth, later, "0x80041d52", "0x8005f101")...)
	r = append(r, byCode(sdk.ClassPermission, never,
		"0x80040220", "0x80048306", "0x80040231", "0x80042f09", "0x80072560", "0x80040225", "0x8004a104", "0x80045301")...)
	r = append(r, byCode(sdk.ClassValidation, never,
		"0x80044331", "0x8004431a", "0x80044330", "0x80048408", "0x80040233", "0x80040265", "0x80048d19", "0x80040203",
		"0x80043506", "0x80043504", "0x80043518", "0x80060883", "0x8006088d", "0x80040227",
		"0x80045300", "0x80045304", "0x80045305", "0x0")...)
	r = append(r, byCode(sdk.ClassSchema, never,
		"0x80060888", "0x80060890", "0x80041102", "0x80041103", "0x80072491", "0x80072492",
		"0x80060893", "0x80060894", "0x80060896", "0x80060897")...)
	// Failures that rolled the row back, each operation of a batch being its own
	// transaction.
	r = append(r, byCode(sdk.ClassTransient, later, "0x80044150", "0x80044151", "0x8004418d", "0x8004a001", "0x80073000")...)
	return append(r,
		crmhttp.Rule{Code: "0x80060891", Class: sdk.ClassNotFound, Retry: never},
		crmhttp.Rule{Status: http.StatusNotFound, Code: "0x8006088a", Class: sdk.ClassSchema, Retry: never},
		crmhttp.Rule{Status: http.StatusBadRequest, Code: "0x8006088a", Class: sdk.ClassValidation, Retry: never},
		crmhttp.Rule{Status: http.StatusBadRequest, Code: "0x80040216", Class: sdk.ClassUnknown, Retry: never},
		crmhttp.Rule{Status: http.StatusInternalServerError, Code: "0x80040216", Class: sdk.ClassUnknownOutcome, Retry: readBack},
		crmhttp.Rule{Status: http.StatusTooManyRequests, Code: "0x80072326", Class: sdk.ClassThrottled, Retry: later, After: 2 * time.Second},
		crmhttp.Rule{Status: http.StatusMethodNotAllowed, Class: sdk.ClassValidation, Retry: never},
		crmhttp.Rule{Status: http.StatusNotImplemented, Class: sdk.ClassSchema, Retry: never},
	)
}

// fault is the error body, in its normal form and in the one of faults below the
// OData layer (§2.4).
type fault struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Message   string `json:"Message"`
	ErrorCode any    `json:"ErrorCode"`
}

// words reads an error body; a proxy's HTML and an empty body give none.
func words(r crmhttp.Reply) crmhttp.Words {
	w := crmhttp.Words{RequestID: first(r.Header.Get("REQ_ID"), r.Header.Get("x-ms-service-request-id"))}
	if r.Status >= 300 && r.Status < 400 {
		w.Message = "the environment redirects"
		if u, err := url.Parse(r.Header.Get("Location")); err == nil && u.Host != "" {
			w.Message += " to " + u.Host + "; set that host as the connection's Web API URL"
		}
		return w
	}
	if r.Status == http.StatusUnauthorized {
		return w // the body is not defined (§1.4)
	}
	var f fault
	if json.Unmarshal(r.Body, &f) != nil {
		return w
	}
	w.Code, w.Message = strings.ToLower(f.Error.Code), first(f.Error.Message, f.Message)
	if code, ok := f.ErrorCode.(string); ok && w.Code == "" {
		w.Code = strings.ToLower(code)
	}
	w.Field = fieldIn(w.Message)
	return w
}

// fieldIn finds the column that a message is about.
func fieldIn(message string) string {
	for _, around := range [][2]string{
		{"length of the '", "' attribute"},
		{"property named '", "'"},
		{"undeclared property '", "'"},
		{"Invalid property '", "'"},
		{"attribute '", "'"},
		{"column '", "'"},
		{"property '", "'"},
	} {
		if _, rest, ok := strings.Cut(message, around[0]); ok {
			if name, _, ok := strings.Cut(rest, around[1]); ok && name != "" && len(name) < 130 {
				return name
			}
		}
	}
	return ""
}

// classify is the error of one part of a batch answer.
func classify(p part, writes bool) *sdk.Error {
	return refine(dialect().Classify(p, writes), p)
}

// refine settles what only the text tells. It accepts nil.
func refine(e *sdk.Error, r crmhttp.Reply) *sdk.Error {
	if e == nil {
		return nil
	}
	has := func(words string) bool { return strings.Contains(e.Message, words) }
	switch {
	case e.Status == http.StatusBadRequest && has("key in the request URI is not valid"):
		// No code; the key is missing or its index is not built yet.
		e.Class, e.Retry = sdk.ClassSchema, sdk.RetryNever
	case e.Status == http.StatusBadRequest && (has("Could not find a property named") || has("undeclared property") || has("Invalid property '")):
		e.Class, e.Retry = sdk.ClassSchema, sdk.RetryNever
	case e.Code == "0x80044150" && has("1205"):
		e.Class, e.Retry = sdk.ClassLock, sdk.RetryLater
	case e.Status == http.StatusUnauthorized && e.Code == "" && r.Header.Get("WWW-Authenticate") != "":
		e.Message = "the token was refused"
	}
	return e
}

// quotas reads the limits of the web server that answered (§7.1). They jump from
// server to server, and the whole is not stated.
func quotas(h http.Header) []sdk.Quota {
	var out []sdk.Quota
	for _, q := range []struct{ header, bucket string }{
		{"x-ms-ratelimit-burst-remaining-xrm-requests", bucketRequests},
		{"x-ms-ratelimit-time-remaining-xrm-requests", "execution_ms"},
	} {
		if left := crmhttp.HeaderInt(h, q.header); left >= 0 {
			out = append(out, sdk.Quota{Bucket: q.bucket, Limit: -1, Remaining: left, ResetSeconds: -1})
		}
	}
	return out
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
