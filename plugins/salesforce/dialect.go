package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// dialect is how Salesforce says what went wrong (salesforce.md §2.4 to §2.6).
func dialect() crmhttp.Dialect {
	return crmhttp.Dialect{Words: words, Rules: rules(), Quotas: quotas}
}

// rules give codes their meaning; a rule without a status holds for a request
// and for a row of a batch alike. Retry advice is that of salesforce.md §2.6.
func rules() []crmhttp.Rule {
	const (
		minute = time.Minute
		second = time.Second
	)
	return []crmhttp.Rule{
		{Code: "INVALID_SESSION_ID", Class: sdk.ClassAuth, Retry: sdk.RetryLater},
		{Code: "INVALID_AUTH_HEADER", Class: sdk.ClassAuth, Retry: sdk.RetryNever},
		{Code: "Bad_OAuth_Token", Class: sdk.ClassAuth, Retry: sdk.RetryLater},
		{Code: "Missing_OAuth_Token", Class: sdk.ClassAuth, Retry: sdk.RetryLater},
		{Code: "Wrong_Org", Class: sdk.ClassAuth, Retry: sdk.RetryNever},

		{Code: "REQUEST_LIMIT_EXCEEDED", Class: sdk.ClassQuota, Retry: sdk.RetryLater, After: 15 * minute},
		{Code: "LIMIT_EXCEEDED", Class: sdk.ClassQuota, Retry: sdk.RetryLater, After: 15 * minute},
		{Code: "STORAGE_LIMIT_EXCEEDED", Class: sdk.ClassQuota, Retry: sdk.RetryLater, After: 60 * minute},
		{Code: "TXN_SECURITY_METERING_ERROR", Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 15 * minute},
		{Code: "TOO_MANY_APEX_REQUESTS", Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 10 * second},
		{Code: "SERVER_UNAVAILABLE", Class: sdk.ClassTransient, Retry: sdk.RetryLater, After: 10 * second},
		{Code: "UNKNOWN_EXCEPTION", Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack},
		{Code: "UNABLE_TO_LOCK_ROW", Class: sdk.ClassLock, Retry: sdk.RetryLater, After: 2 * second},
		{Code: "ALL_OR_NONE_OPERATION_ROLLED_BACK", Class: sdk.ClassTransient, Retry: sdk.RetryLater},
		{Code: "PROCESSING_HALTED", Class: sdk.ClassTransient, Retry: sdk.RetryLater},
		{Code: "QUERY_TIMEOUT", Class: sdk.ClassTransient, Retry: sdk.RetryLater, After: 10 * second},
		{Code: "INVALID_QUERY_LOCATOR", Class: sdk.ClassTransient, Retry: sdk.RetryLater},
		{Code: "EXCEEDED_ID_LIMIT", Class: sdk.ClassTransient, Retry: sdk.RetryLater},

		{Code: "API_DISABLED_FOR_ORG", Class: sdk.ClassPermission, Retry: sdk.RetryNever},
		{Code: "API_CURRENTLY_DISABLED", Class: sdk.ClassPermission, Retry: sdk.RetryNever},
		{Code: "INSUFFICIENT_ACCESS", Class: sdk.ClassPermission, Retry: sdk.RetryNever},
		{Code: "INSUFFICIENT_ACCESS_OR_READONLY", Class: sdk.ClassPermission, Retry: sdk.RetryNever},
		{Code: "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", Class: sdk.ClassPermission, Retry: sdk.RetryNever},

		{Code: "REQUIRED_FIELD_MISSING", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "STRING_TOO_LONG", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "INVALID_EMAIL_ADDRESS", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "FIELD_INTEGRITY_EXCEPTION", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "FIELD_CUSTOM_VALIDATION_EXCEPTION", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "FIELD_FILTER_VALIDATION_EXCEPTION", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "INVALID_TYPE_ON_FIELD_IN_RECORD", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "JSON_PARSER_ERROR", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "MALFORMED_ID", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "INVALID_CROSS_REFERENCE_KEY", Class: sdk.ClassValidation, Retry: sdk.RetryLater}, // the parent may come back, or be replaced
		{Code: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", Class: sdk.ClassValidation, Retry: sdk.RetryNever},
		{Code: "DELETE_FAILED", Class: sdk.ClassValidation, Retry: sdk.RetryNever},

		{Code: "DUPLICATE_VALUE", Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},
		{Code: "DUPLICATE_EXTERNAL_ID", Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},
		{Code: "DUPLICATES_DETECTED", Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},
		{Code: "DUPLICATE_DEVELOPER_NAME", Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},
		{Status: http.StatusMultipleChoices, Class: sdk.ClassDuplicate, Retry: sdk.RetryNever},

		{Code: "INVALID_FIELD", Class: sdk.ClassSchema, Retry: sdk.RetryNever},
		{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Class: sdk.ClassSchema, Retry: sdk.RetryNever},
		{Code: "INVALID_TYPE", Class: sdk.ClassSchema, Retry: sdk.RetryNever},

		{Code: "NOT_FOUND", Class: sdk.ClassNotFound, Retry: sdk.RetryNever},
		{Code: "ENTITY_IS_DELETED", Class: sdk.ClassNotFound, Retry: sdk.RetryNever},
		{Code: "CANNOT_UPDATE_CONVERTED_LEAD", Class: sdk.ClassRemapped, Retry: sdk.RetryNever},

		// Mistakes of the adapter: nothing the host or an admin can do by waiting.
		{Code: "MALFORMED_QUERY", Class: sdk.ClassUnknown, Retry: sdk.RetryNever},
		{Code: "MISSING_ARGUMENT", Class: sdk.ClassUnknown, Retry: sdk.RetryNever},
		{Code: "METHOD_NOT_ALLOWED", Class: sdk.ClassUnknown, Retry: sdk.RetryNever},
		{Code: "UNSUPPORTED_MEDIA_TYPE", Class: sdk.ClassUnknown, Retry: sdk.RetryNever},
		{Code: "INVALID_REPLICATION_DATE", Class: sdk.ClassUnknown, Retry: sdk.RetryNever},

		// The edge in front of the org answers these, mostly without a body.
		{Status: http.StatusNotAcceptable, Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 10 * second},
		{Status: 420, Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 10 * second},
		{Status: http.StatusPreconditionRequired, Class: sdk.ClassThrottled, Retry: sdk.RetryLater, After: 10 * second},
		{Status: http.StatusRequestURITooLong, Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater},
		{Status: http.StatusRequestHeaderFieldsTooLarge, Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater},
	}
}

// wireError is one entry of an error answer. A request's code is in errorCode, a
// row's in statusCode (salesforce.md, rule 5).
type wireError struct {
	ErrorCode  string   `json:"errorCode"`
	StatusCode string   `json:"statusCode"`
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
	// Misspelled in recorded answers, right in others (salesforce.md §8).
	DuplicateResut  *duplicateResult `json:"duplicateResut"`
	DuplicateResult *duplicateResult `json:"duplicateResult"`
}

type duplicateResult struct {
	MatchResults []struct {
		MatchRecords []struct {
			Record struct {
				Attributes struct{ Type string }
				ID         string `json:"Id"`
			} `json:"record"`
		} `json:"matchRecords"`
	} `json:"matchResults"`
}

// words reads any error body: an array, one object, plain text or HTML.
func words(r crmhttp.Reply) crmhttp.Words {
	w := crmhttp.Words{RequestID: requestID(r.Header)}
	e, ok := firstError(r.Body)
	if !ok {
		w.Message = plainText(r)
		if w.Message == "Bad_OAuth_Token" || w.Message == "Missing_OAuth_Token" || w.Message == "Wrong_Org" {
			w.Code = w.Message
		}
		return w
	}
	w.Code, w.Field, w.Message = e.code(), e.field(), scrub(e.code(), e.Message)
	return w
}

func requestID(h http.Header) string {
	if id := h.Get("X-Request-Id"); id != "" {
		return id
	}
	return h.Get("X-SFDC-Request-Id")
}

// firstError decodes the two JSON forms of salesforce.md §2.5.
func firstError(body []byte) (wireError, bool) {
	var many []wireError
	if json.Unmarshal(body, &many) == nil {
		if len(many) == 0 || many[0].code() == "" {
			return wireError{}, false
		}
		return many[0], true
	}
	var one wireError
	if json.Unmarshal(body, &one) == nil && one.code() != "" {
		return one, true
	}
	return wireError{}, false
}

// plainText keeps what a person could use of an answer that is not JSON. Of a
// page in HTML nothing is: it may quote the request.
func plainText(r crmhttp.Reply) string {
	text := strings.TrimSpace(string(r.Body))
	if strings.HasPrefix(text, "<") || strings.Contains(r.Header.Get("Content-Type"), "html") {
		return http.StatusText(r.Status) + " (an HTML page)"
	}
	if r.Status == http.StatusMultipleChoices {
		return "several records have this key"
	}
	return crmhttp.Cut(text, 500)
}

func (e wireError) code() string {
	if e.ErrorCode != "" {
		return e.ErrorCode
	}
	return e.StatusCode
}

// field is the API name of the field at fault. Some errors name it in their text
// alone.
func (e wireError) field() string {
	if len(e.Fields) > 0 {
		return e.Fields[0]
	}
	for _, form := range []string{
		`No such column '([^']+)' on`,
		`Unable to create/update fields: ([A-Za-z0-9_]+)`,
		`Provided external ID field does not exist or is not accessible: ([A-Za-z0-9_]+)`,
		`duplicate value found: ([A-Za-z0-9_]+) duplicates`,
		`Required fields are missing: \[([A-Za-z0-9_]+)`,
	} {
		if found := regexp.MustCompile(form).FindStringSubmatch(e.Message); found != nil {
			return found[1]
		}
	}
	return ""
}

// candidates are the records a duplicate rule named.
func (e wireError) candidates() []string {
	result := e.DuplicateResut
	if result == nil {
		result = e.DuplicateResult
	}
	if result == nil {
		return nil
	}
	var ids []string
	for _, match := range result.MatchResults {
		for _, m := range match.MatchRecords {
			ids = append(ids, m.Record.ID)
		}
	}
	return ids
}

// scrub takes the record's own values out of Salesforce's text: it goes to logs
// and screens.
func scrub(code, message string) string {
	switch code {
	case "STRING_TOO_LONG":
		if label, rest, found := strings.Cut(message, ": data value too large: "); found {
			message = label + ": data value too large" + rest[max(strings.LastIndex(rest, " (max length"), 0):]
		}
	case "INVALID_EMAIL_ADDRESS":
		label, _, _ := strings.Cut(message, ":")
		message = label + ": invalid email address"
	case "JSON_PARSER_ERROR":
		message = regexp.MustCompile(`(from VALUE_[A-Z]+ value ).* (or request)`).ReplaceAllString(message, "$1(hidden) $2")
	case "MALFORMED_QUERY", "INVALID_FIELD", "INVALID_TYPE":
		// The first lines repeat the query with its values.
		if lines := strings.Split(strings.TrimSpace(message), "\n"); len(lines) > 1 {
			message = lines[len(lines)-1]
		}
	case "DUPLICATE_VALUE":
		if head, _, found := strings.Cut(message, "Duplicate external id specified:"); found {
			message = head + "Duplicate external id specified"
		}
	}
	return message
}

// refine looks at what only the text tells.
func refine(e *sdk.Error) *sdk.Error {
	switch e.Code {
	case "INVALID_SESSION_ID":
		// A fresh token gets the same answer (salesforce.md §1.8).
		if strings.Contains(e.Message, "not valid for use with the REST API") || strings.Contains(e.Message, "not attached to Agent") {
			e.Retry = sdk.RetryNever
		}
	case "REQUEST_LIMIT_EXCEEDED":
		if strings.HasPrefix(e.Message, "Concurrent") {
			e.Class, e.After = sdk.ClassThrottled, 5*time.Second
		}
	case "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY":
		if strings.Contains(e.Message, "UNABLE_TO_LOCK_ROW") || strings.Contains(e.Message, "Too many SOQL queries") {
			e.Class, e.Retry, e.After = sdk.ClassLock, sdk.RetryLater, 2*time.Second
		}
	case "NOT_FOUND":
		// No record is read by its URL, so what was not found is a field, an
		// object or the API version.
		if e.Status == http.StatusNotFound {
			e.Class = sdk.ClassSchema
		}
	}
	return e
}

// rowError is the error of one record of a batch.
func rowError(d crmhttp.Dialect, e wireError) *sdk.Error {
	rule := d.Rule(0, e.code())
	return refine(&sdk.Error{
		Class: rule.Class, Retry: rule.Retry, After: rule.After, Field: e.field(),
		Code: e.code(), Message: crmhttp.Cut(scrub(e.code(), e.Message), 600),
	})
}

// duplicateID is the record in the way, which Salesforce names at the end of its
// text (salesforce.md §2.6).
func duplicateID(e wireError) string {
	if e.code() != "DUPLICATE_VALUE" {
		return ""
	}
	_, id, found := strings.Cut(e.Message, "on record with id: ")
	if !found || !isID(id) {
		return ""
	}
	return id
}

// isID tells whether a text has the form of a record id.
func isID(s string) bool { return (len(s) == 15 || len(s) == 18) && fieldName(s) }

// quotas reads Sforce-Limit-Info, such as
// "api-usage=25/15000; per-app-api-usage=17/250(appName=x)". It is often absent.
func quotas(h http.Header) []sdk.Quota {
	var out []sdk.Quota
	form := regexp.MustCompile(`(^|[; ])(per-app-)?api-usage=([0-9]{1,15})/([0-9]{1,15})`)
	for _, found := range form.FindAllStringSubmatch(h.Get("Sforce-Limit-Info"), 4) {
		used, _ := strconv.ParseInt(found[3], 10, 64) // at most 15 digits: cannot fail
		limit, _ := strconv.ParseInt(found[4], 10, 64)
		bucket := bucketAPI
		if found[2] != "" {
			bucket = bucketApp
		}
		out = append(out, sdk.Quota{Bucket: bucket, Limit: limit, Remaining: max(limit-used, 0), ResetSeconds: -1})
	}
	return out
}
