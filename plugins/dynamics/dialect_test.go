package main

import (
	"net/http"
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
	// Status, code and text as in §2.5 and in its list of codes.
	for _, tc := range []struct {
		status  int
		code    string
		message string
		class   sdk.Class
		retry   sdk.Retry
		field   string
	}{
		{400, "0x80044331", "A validation error occurred.  The length of the 'firstname' attribute of the 'contact' entity exceeded the maximum allowed length of '50'.", sdk.ClassValidation, sdk.RetryNever, "firstname"},
		{400, "0x8004431a", "The value '9' of attribute 'gendercode' is outside the valid range.", sdk.ClassValidation, sdk.RetryNever, "gendercode"},
		{400, "0x80044330", "out of range", sdk.ClassValidation, sdk.RetryNever, ""},
		{400, "0x80048d19", "Error identified in Payload provided by the user for Entity :'contacts'", sdk.ClassValidation, sdk.RetryNever, ""},
		{400, "0x80048d19", "An undeclared property 'parentcustomerid' which only has property annotations", sdk.ClassSchema, sdk.RetryNever, "parentcustomerid"},
		{400, "0x0", "Could not find a property named 'firstnam' on type 'Microsoft.Dynamics.CRM.contact'.", sdk.ClassSchema, sdk.RetryNever, "firstnam"},
		{400, "0x0", "An error occurred while validating input parameters: Invalid property 'x' was found", sdk.ClassSchema, sdk.RetryNever, "x"},
		{400, "", "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.contact'.", sdk.ClassSchema, sdk.RetryNever, ""},
		{400, "0x8006088a", "Bad Request - Error in query syntax.", sdk.ClassValidation, sdk.RetryNever, ""},
		{404, "0x8006088a", "Resource not found for the segment 'Contact'.", sdk.ClassSchema, sdk.RetryNever, ""},
		{400, "0x80060888", "Resource not found for the segment 'Contact'.", sdk.ClassSchema, sdk.RetryNever, ""},
		{400, "0x80060890", "not a defined key", sdk.ClassSchema, sdk.RetryNever, ""},
		{400, "0x80041103", "no attribute", sdk.ClassSchema, sdk.RetryNever, ""},
		{400, "0x80040265", "ISV code aborted the operation.", sdk.ClassValidation, sdk.RetryNever, ""},
		{400, "0x80048408", "2 is not a valid status code", sdk.ClassValidation, sdk.RetryNever, ""},
		{400, "0x80040233", "closed", sdk.ClassValidation, sdk.RetryNever, ""},
		{400, "0x80040216", "An unexpected error occurred.", sdk.ClassUnknown, sdk.RetryNever, ""},
		{500, "0x80040216", "An unexpected error occurred.", sdk.ClassUnknownOutcome, sdk.RetryReadBack, ""},
		{400, "0x80043506", "party", sdk.ClassValidation, sdk.RetryNever, ""},
		{400, "0x80044352", "Version stamp associated with the client has expired. Please perform a full sync.", sdk.ClassConflict, sdk.RetryNever, ""},
		{400, "0x8004112a", "Invalid page number in paging cookie.", sdk.ClassConflict, sdk.RetryNever, ""},
		{400, "0x80072491", "isn't enabled for change tracking.", sdk.ClassSchema, sdk.RetryNever, ""},
		{400, "0x99999999", "something new", sdk.ClassUnknown, sdk.RetryNever, ""},
		{401, "", "", sdk.ClassAuth, sdk.RetryLater, ""},
		{403, "0x80072560", "The user is not a member of the organization.", sdk.ClassPermission, sdk.RetryNever, ""},
		{403, "0x80040220", "is missing prvCreateContact privilege", sdk.ClassPermission, sdk.RetryNever, ""},
		{403, "0x80048306", "Not enough privilege", sdk.ClassPermission, sdk.RetryNever, ""},
		{403, "0x80042f09", "The user has not been assigned any roles.", sdk.ClassPermission, sdk.RetryNever, ""},
		{404, "0x80040217", "Entity 'contact' With Id = 1 Does Not Exist", sdk.ClassNotFound, sdk.RetryNever, ""},
		{404, "", "does not exist", sdk.ClassNotFound, sdk.RetryNever, ""},
		{404, "0x80060891", "A record with the specified key values does not exist in contact entity", sdk.ClassNotFound, sdk.RetryNever, ""},
		{400, "0x80060891", "A record with the specified key values does not exist in contact entity", sdk.ClassNotFound, sdk.RetryNever, ""},
		{405, "0x80040227", "associated with another object", sdk.ClassValidation, sdk.RetryNever, ""},
		{412, "0x80060882", "The version of the existing record doesn't match the RowVersion property provided.", sdk.ClassConflict, sdk.RetryLater, ""},
		{412, "", "", sdk.ClassConflict, sdk.RetryLater, ""},
		{412, "0x80040237", "A record with matching key values already exists.", sdk.ClassDuplicate, sdk.RetryNever, ""},
		{412, "0x80060892", "Entity Key x violated.", sdk.ClassDuplicate, sdk.RetryNever, ""},
		{412, "0x80040333", "a duplicate of the current record already exists.", sdk.ClassDuplicate, sdk.RetryNever, ""},
		{500, "0x80040333", "a duplicate of the current record already exists.", sdk.ClassDuplicate, sdk.RetryNever, ""},
		{413, "", "", sdk.ClassBatchRefused, sdk.RetryLater, ""},
		{429, "0x80072322", "Number of requests exceeded", sdk.ClassThrottled, sdk.RetryLater, ""},
		{429, "0x80072321", "Combined execution time", sdk.ClassThrottled, sdk.RetryLater, ""},
		{429, "0x80072326", "Number of concurrent requests", sdk.ClassThrottled, sdk.RetryLater, ""},
		{500, "0x80044150", "Generic SQL error. 1205", sdk.ClassLock, sdk.RetryLater, ""},
		{500, "0x80044150", "Generic SQL error.", sdk.ClassTransient, sdk.RetryLater, ""},
		{500, "0x80044151", "SQL timeout expired.", sdk.ClassTransient, sdk.RetryLater, ""},
		{501, "", "not implemented", sdk.ClassSchema, sdk.RetryNever, ""},
		{503, "0x8004418d", "Sandbox", sdk.ClassTransient, sdk.RetryLater, ""},
		{502, "", "", sdk.ClassUnknownOutcome, sdk.RetryReadBack, ""},
	} {
		body := coded(tc.code, tc.message)
		e := classify(answerOf(tc.status, body), true)
		if e.Class != tc.class || e.Retry != tc.retry || e.Field != tc.field {
			t.Errorf("%d %s %q: %s %s field %q, want %s %s field %q", tc.status, tc.code, tc.message, e.Class, e.Retry, e.Field, tc.class, tc.retry, tc.field)
		}
		if tc.code != "" && (e.Code != tc.code || tc.status != 401 && e.Message != tc.message) {
			t.Errorf("%d %s: the CRM's words were lost: %+v", tc.status, tc.code, e)
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
