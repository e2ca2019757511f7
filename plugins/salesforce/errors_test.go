package main

import (
	"fmt"
	"net/http"
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
	const m = time.Minute
	for _, tc := range []struct {
		status        int
		code, message string
		class         sdk.Class
		retry         sdk.Retry
		after         time.Duration
		field         string
	}{
		{401, "INVALID_SESSION_ID", "Session expired or invalid", sdk.ClassAuth, sdk.RetryLater, 0, ""},
		{401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", sdk.ClassAuth, sdk.RetryNever, 0, ""},
		{401, "INVALID_SESSION_ID", "Connected app is not attached to Agent", sdk.ClassAuth, sdk.RetryNever, 0, ""},
		{401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", sdk.ClassAuth, sdk.RetryNever, 0, ""},
		{403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", sdk.ClassQuota, sdk.RetryLater, 15 * m, ""},
		{403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", sdk.ClassThrottled, sdk.RetryLater, 5 * time.Second, ""},
		{403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", sdk.ClassThrottled, sdk.RetryLater, 5 * time.Second, ""},
		{403, "TXN_SECURITY_METERING_ERROR", "policy", sdk.ClassThrottled, sdk.RetryLater, 15 * m, ""},
		{400, "LIMIT_EXCEEDED", "too many jobs", sdk.ClassQuota, sdk.RetryLater, 15 * m, ""},
		{400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", sdk.ClassQuota, sdk.RetryLater, 60 * m, ""},
		{503, "TOO_MANY_APEX_REQUESTS", "busy", sdk.ClassThrottled, sdk.RetryLater, 10 * time.Second, ""},
		{403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner", sdk.ClassPermission, sdk.RetryNever, 0, ""},
		{403, "API_CURRENTLY_DISABLED", "API is currently disabled for this user.", sdk.ClassPermission, sdk.RetryNever, 0, ""},
		{403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id", sdk.ClassPermission, sdk.RetryNever, 0, ""},
		{400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", sdk.ClassPermission, sdk.RetryNever, 0, ""},
		{400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights on cross-reference id", sdk.ClassPermission, sdk.RetryNever, 0, ""},
		{404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Clientele_Id__c", sdk.ClassSchema, sdk.RetryNever, 0, "Clientele_Id__c"},
		{404, "NOT_FOUND", "The requested resource does not exist", sdk.ClassSchema, sdk.RetryNever, 0, ""},
		{404, "ENTITY_IS_DELETED", "entity is deleted", sdk.ClassNotFound, sdk.RetryNever, 0, ""},
		{400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", sdk.ClassValidation, sdk.RetryNever, 0, "LastName"},
		{400, "STRING_TOO_LONG", "First Name: data value too large: x (max length=40)", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: foo", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Level: bad value for restricted picklist field: X", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "FIELD_INTEGRITY_EXCEPTION", "There's a problem with this country", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "A phone, please.", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "FIELD_FILTER_VALIDATION_EXCEPTION", "Not this owner.", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "INVALID_TYPE_ON_FIELD_IN_RECORD", "Birthdate: value not of required type", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "MALFORMED_ID", "Account ID: id value of incorrect type: 001", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", sdk.ClassValidation, sdk.RetryLater, 0, ""},
		{400, "DELETE_FAILED", "it is associated with a case", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "DUPLICATE_VALUE", "duplicate value found: Clientele_Id__c duplicates value on record with id: 003Si0000000001", sdk.ClassDuplicate, sdk.RetryNever, 0, "Clientele_Id__c"},
		{400, "DUPLICATE_EXTERNAL_ID", "more than one record found for external id field", sdk.ClassDuplicate, sdk.RetryNever, 0, ""},
		{400, "DUPLICATES_DETECTED", "Use one of these records?", sdk.ClassDuplicate, sdk.RetryNever, 0, ""},
		{400, "DUPLICATE_DEVELOPER_NAME", "There is already a field named X on Contact.", sdk.ClassDuplicate, sdk.RetryNever, 0, ""},
		{400, "INVALID_FIELD", "No such column 'Shoe__c' on sobject of type Contact", sdk.ClassSchema, sdk.RetryNever, 0, "Shoe__c"},
		{400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: Name, Fax. Please check the security settings", sdk.ClassSchema, sdk.RetryNever, 0, "Name"},
		{400, "INVALID_TYPE", "sObject type 'Accout' is not supported.", sdk.ClassSchema, sdk.RetryNever, 0, ""},
		{400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", sdk.ClassRemapped, sdk.RetryNever, 0, ""},
		{400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: execution of BeforeInsert caused by: a rule of ours", sdk.ClassValidation, sdk.RetryNever, 0, ""},
		{400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: caused by: UNABLE_TO_LOCK_ROW, unable", sdk.ClassLock, sdk.RetryLater, 2 * time.Second, ""},
		{400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: caused by: System.LimitException: Too many SOQL queries: 101", sdk.ClassLock, sdk.RetryLater, 2 * time.Second, ""},
		{400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 001", sdk.ClassLock, sdk.RetryLater, 2 * time.Second, ""},
		{400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "rolled back", sdk.ClassTransient, sdk.RetryLater, 0, ""},
		{400, "PROCESSING_HALTED", "halted", sdk.ClassTransient, sdk.RetryLater, 0, ""},
		{400, "QUERY_TIMEOUT", "Your query request was running for too long.", sdk.ClassTransient, sdk.RetryLater, 10 * time.Second, ""},
		{400, "INVALID_QUERY_LOCATOR", "invalid query locator", sdk.ClassTransient, sdk.RetryLater, 0, ""},
		{503, "SERVER_UNAVAILABLE", "Server Unavailable", sdk.ClassTransient, sdk.RetryLater, 10 * time.Second, ""},
		{500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.", sdk.ClassUnknownOutcome, sdk.RetryReadBack, 0, ""},
		{400, "MALFORMED_QUERY", "unexpected token: 'FROM'", sdk.ClassUnknown, sdk.RetryNever, 0, ""},
		{405, "METHOD_NOT_ALLOWED", "HTTP Method 'PUT' not allowed.", sdk.ClassUnknown, sdk.RetryNever, 0, ""},
		{415, "UNSUPPORTED_MEDIA_TYPE", "unsupported media type", sdk.ClassUnknown, sdk.RetryNever, 0, ""},
	} {
		t.Run(tc.code+" "+tc.message, func(t *testing.T) {
			t.Parallel()
			e := classify(tc.status, request(tc.code, tc.message), true)
			got := []any{e.Class, e.Retry, e.After, e.Field, e.Code, e.Status, e.RequestID}
			if diff := cmp.Diff([]any{tc.class, tc.retry, tc.after, tc.field, tc.code, tc.status, "req-1"}, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if tc.code == "NOT_FOUND" || tc.status == http.StatusUnauthorized {
				return // never said of a row
			}
			row := rowError(dialect(), wireError{StatusCode: tc.code, Message: tc.message})
			if diff := cmp.Diff([]any{tc.class, tc.retry, tc.after, tc.field}, []any{row.Class, row.Retry, row.After, row.Field}); diff != "" {
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
