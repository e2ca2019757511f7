package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// The limits of HubSpot that calls count against (hubspot.md §5.1).
const (
	bucketBurst        = "burst"        // per 10 s
	bucketDaily        = "daily"        // per day of the account's time zone
	bucketSearch       = "search"       // per second, whole account
	bucketAssociations = "associations" // per 10 s
)

// failure is HubSpot's error model; every member is optional (hubspot.md §6.1).
type failure struct {
	Status        string              `json:"status"`
	Message       string              `json:"message"`
	CorrelationID string              `json:"correlationId"`
	Category      string              `json:"category"`
	SubCategory   string              `json:"subCategory"`
	ErrorType     string              `json:"errorType"`
	PolicyName    string              `json:"policyName"`
	Errors        []failureDetail     `json:"errors"`
	Context       map[string][]string `json:"context"`
}

type failureDetail struct {
	Message string              `json:"message"`
	Code    string              `json:"code"`
	In      string              `json:"in"`
	Context map[string][]string `json:"context"`
}

// fault is one entry of the JSON list inside a validation message (§6.2).
type fault struct {
	Message string `json:"message"`
	Error   string `json:"error"`
	Name    string `json:"name"`
}

// faults reads the list, else the errors beside it.
func (f failure) faults() []fault {
	if _, list, found := strings.Cut(f.Message, ": ["); found {
		var out []fault
		if json.Unmarshal([]byte("["+list), &out) == nil && len(out) > 0 {
			return out
		}
	}
	var out []fault
	for _, e := range f.Errors {
		name := first(e.Context["propertyName"])
		if name == "" {
			name = first(e.Context["properties"])
		}
		if name == "" {
			name = e.In
		}
		if name != "" || e.Code != "" {
			out = append(out, fault{Message: e.Message, Error: e.Code, Name: name})
		}
	}
	return out
}

// words is what the failure says, in crmhttp's terms: the most telling code it
// has, from the nested fault out to the category.
func (f failure) words() crmhttp.Words {
	w := crmhttp.Words{Message: f.Message, RequestID: f.CorrelationID}
	if faults := f.faults(); len(faults) > 0 {
		w.Field, w.Code, w.Message = faults[0].Name, faults[0].Error, faults[0].Message
	}
	if missing := f.missingScopes(); len(missing) > 0 {
		w.Message = "the token lacks a scope: " + strings.Join(missing, " or ")
		w.Code = ""
	}
	for _, code := range []string{f.PolicyName, f.SubCategory, f.Category, f.ErrorType} {
		if w.Code == "" {
			w.Code = code
		}
	}
	return w
}

// missingScopes reads the scopes from both places they are said in (§6.3).
func (f failure) missingScopes() []string {
	for _, e := range f.Errors {
		if s := e.Context["requiredGranularScopes"]; len(s) > 0 {
			return s
		}
	}
	return f.Context["requiredGranularScopes"]
}

var existingID = regexp.MustCompile(`Existing ID:\s*(\d+)`)

// existing is the id of the record in the way of a create, or empty: newer
// answers do not always name it (§6.3).
func (f failure) existing() string {
	if id := first(f.Context["existingId"]); id != "" {
		return id
	}
	if m := existingID.FindStringSubmatch(f.Message); m != nil {
		return m[1]
	}
	return ""
}

// readFailure takes any body: JSON, HTML, empty, cut off.
func readFailure(r crmhttp.Reply) failure {
	var f failure
	if err := json.Unmarshal(r.Body, &f); err != nil {
		text := strings.TrimSpace(string(r.Body))
		if !strings.HasPrefix(text, "<") {
			f.Message = text
		}
	}
	if f.CorrelationID == "" {
		f.CorrelationID = r.Header.Get("X-HubSpot-Correlation-Id")
	}
	return f
}

// dialect is HubSpot's table of answers (hubspot.md §5.4, §6).
func dialect() crmhttp.Dialect {
	const (
		later = sdk.RetryLater
		never = sdk.RetryNever
	)
	return crmhttp.Dialect{
		Words:  func(r crmhttp.Reply) crmhttp.Words { return readFailure(r).words() },
		Quotas: quotas,
		Rules: []crmhttp.Rule{
			// The day ends at midnight where the account is; an hour is a safe look.
			{Status: 429, Code: "DAILY", Class: sdk.ClassQuota, Retry: later, After: time.Hour},
			{Status: 429, Code: "SECONDLY", Class: sdk.ClassThrottled, Retry: later, After: time.Second},
			{Status: 429, Class: sdk.ClassThrottled, Retry: later, After: 10 * time.Second},
			// The account moves between data centres, for hours.
			{Status: 477, Class: sdk.ClassQuota, Retry: later, After: time.Hour},

			{Status: 403, Code: "MISSING_SCOPES", Class: sdk.ClassPermission, Retry: never},
			{Status: 409, Code: uniqueTaken, Class: sdk.ClassDuplicate, Retry: never},
			{Status: 409, Class: sdk.ClassDuplicate, Retry: never},

			{Code: "PROPERTY_DOESNT_EXIST", Class: sdk.ClassSchema, Retry: never},
			{Code: "READ_ONLY_VALUE", Class: sdk.ClassSchema, Retry: never},
			{Code: uniqueTaken, Class: sdk.ClassDuplicate, Retry: never},
			{Code: "CONFLICT", Class: sdk.ClassDuplicate, Retry: never},
			{Code: "OBJECT_NOT_FOUND", Class: sdk.ClassNotFound, Retry: never},
			{Code: targetNotFound, Class: sdk.ClassNotFound, Retry: never},
			{Code: "crm.associations.FROM_OBJECT_NOT_FOUND", Class: sdk.ClassNotFound, Retry: never},
			{Code: "crm.associations.INVALID_IDENTIFIER", Class: sdk.ClassValidation, Retry: never},

			{Status: 400, Class: sdk.ClassValidation, Retry: never},
			{Status: 405, Class: sdk.ClassUnknown, Retry: never},
			{Status: 414, Class: sdk.ClassValidation, Retry: never},
			{Status: 415, Class: sdk.ClassUnknown, Retry: never},
			{Status: 422, Class: sdk.ClassValidation, Retry: never},
			{Code: "VALIDATION_ERROR", Class: sdk.ClassValidation, Retry: never},

			// The server cannot be reached behind its proxy: nothing was done.
			{Status: 521, Class: sdk.ClassTransient, Retry: later, After: 30 * time.Second},
			{Status: 523, Class: sdk.ClassTransient, Retry: later, After: 30 * time.Second},
			{Status: 525, Class: sdk.ClassTransient, Retry: later, After: 5 * time.Minute},
			{Status: 526, Class: sdk.ClassTransient, Retry: later, After: 5 * time.Minute},
		},
	}
}

// uniqueTaken is the code of a unique property whose value another record has.
const uniqueTaken = "CONFLICTING_UNIQUE_VALUE"

// quotas reads the headers of §5.2. The ones per second mean nothing and are
// left out; OAuth answers have no daily ones.
func quotas(h http.Header) []sdk.Quota {
	var out []sdk.Quota
	if left := crmhttp.HeaderInt(h, "X-HubSpot-RateLimit-Remaining"); left >= 0 {
		window := crmhttp.HeaderInt(h, "X-HubSpot-RateLimit-Interval-Milliseconds")
		if window > 0 {
			window /= 1000
		}
		out = append(out, sdk.Quota{
			Bucket: bucketBurst, Limit: crmhttp.HeaderInt(h, "X-HubSpot-RateLimit-Max"), Remaining: left, ResetSeconds: window,
		})
	}
	if left := crmhttp.HeaderInt(h, "X-HubSpot-RateLimit-Daily-Remaining"); left >= 0 {
		out = append(out, sdk.Quota{
			Bucket: bucketDaily, Limit: crmhttp.HeaderInt(h, "X-HubSpot-RateLimit-Daily"), Remaining: left, ResetSeconds: -1,
		})
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
