package simulator

import (
	"net/http"
	"slices"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// routes are the paths of the org's port. Where a path is known and the method
// is not, the answer names the methods that are.
func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	handle := func(method, path string, h http.HandlerFunc) {
		mux.HandleFunc(method+" "+path, h)
		allowed[path] = append(allowed[path], method)
	}
	handle("GET", "/services/oauth2/authorize", s.authorize)
	handle("POST", "/services/oauth2/token", s.token)
	handle("POST", "/services/oauth2/introspect", s.introspect)
	handle("POST", "/services/oauth2/revoke", s.revoke)
	handle("GET", "/services/oauth2/revoke", s.revoke)
	handle("GET", "/services/oauth2/userinfo", s.userInfo)
	handle("POST", "/services/oauth2/userinfo", s.userInfo)
	handle("GET", "/id/{org}/{user}", s.userInfo)
	handle("GET", "/services/data", s.versions)

	const v = "/services/data/{version}"
	for _, e := range []struct {
		method, path string
		handle       func(http.ResponseWriter, *request)
	}{
		{"GET", "", s.resources},
		{"GET", "/limits", s.limits},
		{"GET", "/query", s.queryLive},
		{"GET", "/queryAll", s.queryAll},
		{"GET", "/query/{locator}", s.more},
		{"GET", "/queryAll/{locator}", s.more},
		{"GET", "/sobjects", s.describeGlobal},
		{"GET", "/sobjects/{object}", s.basicInfo},
		{"POST", "/sobjects/{object}", s.create},
		{"GET", "/sobjects/{object}/describe", s.describe},
		{"GET", "/sobjects/{object}/updated", s.updated},
		{"GET", "/sobjects/{object}/deleted", s.deletedSince},
		{"GET", "/sobjects/{object}/{id}", s.retrieve},
		{"PATCH", "/sobjects/{object}/{id}", s.patch},
		{"DELETE", "/sobjects/{object}/{id}", s.destroy},
		{"POST", "/sobjects/{object}/Id", s.create},
		{"GET", "/sobjects/{object}/{field}/{value}", s.retrieveByKey},
		{"PATCH", "/sobjects/{object}/{field}/{value}", s.upsert},
		{"POST", "/sobjects/{object}/{field}/{value}", s.upsert},
		{"DELETE", "/sobjects/{object}/{field}/{value}", s.destroyByKey},
		{"POST", "/composite", s.composite},
		{"POST", "/composite/batch", s.batch},
		{"POST", "/composite/sobjects", s.createMany},
		{"PATCH", "/composite/sobjects", s.updateMany},
		{"DELETE", "/composite/sobjects", s.deleteMany},
		{"GET", "/composite/sobjects/{object}", s.retrieveMany},
		{"POST", "/composite/sobjects/{object}", s.retrieveMany},
		{"PATCH", "/composite/sobjects/{object}/{field}", s.upsertMany},
		{"POST", "/tooling/sobjects/CustomField", s.createField},
		{"GET", "/tooling/query", s.queryFields},
		{"GET", "/jobs/ingest", s.listJobs},
		{"POST", "/jobs/ingest", s.createJob},
		{"GET", "/jobs/ingest/{job}", s.readJob},
		{"PATCH", "/jobs/ingest/{job}", s.changeJob},
		{"DELETE", "/jobs/ingest/{job}", s.deleteJob},
		{"PUT", "/jobs/ingest/{job}/batches", s.uploadJob},
		{"GET", "/jobs/ingest/{job}/successfulResults", s.successfulResults},
		{"GET", "/jobs/ingest/{job}/failedResults", s.failedResults},
		{"GET", "/jobs/ingest/{job}/unprocessedrecords", s.unprocessedRecords},
	} {
		handle(e.method, v+e.path, s.api(e.handle))
	}
	for path, methods := range allowed {
		slices.Sort(methods)
		for _, method := range []string{"DELETE", "GET", "PATCH", "POST", "PUT"} {
			if !slices.Contains(methods, method) && path != v+"/sobjects/{object}/Id" {
				mux.HandleFunc(method+" "+path, s.api(notAllowed(methods)))
			}
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.commonHeaders(w)
		refuse(w, r, notFound())
	})
	return mux
}

// notAllowed names the methods that a path has.
func notAllowed(methods []string) func(http.ResponseWriter, *request) {
	return func(w http.ResponseWriter, r *request) {
		refuse(w, r.Request, fail(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED",
			"HTTP Method '"+r.Method+"' not allowed. Allowed are "+strings.Join(methods, ",")))
	}
}

// The faults inside the org that a rule may name with "do".
const (
	doLockRows      = "lock_rows"       // every row of the request is locked
	doLockInTrigger = "lock_in_trigger" // the same, nested in a trigger's error
	doGzipLabel     = "gzip_label"      // says gzip and is plain
	doGzipCut       = "gzip_cut"        // the packed body ends early
	doHTML          = "html"            // a page in HTML with the status of success
)

// presets are the answers a rule may name with "preset" (salesforce.md §2.6).
func presets() map[string]base.Reply {
	const object = `{"message":"Server Unavailable","errorCode":"SERVER_UNAVAILABLE"}`
	one := func(status int, code, message string) base.Reply {
		return base.Reply{Status: status, Body: `[{"message":"` + message + `","errorCode":"` + code + `"}]`}
	}
	return map[string]base.Reply{
		"session_expired":    one(401, "INVALID_SESSION_ID", "Session expired or invalid"),
		"session_unusable":   one(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
		"daily_limit":        one(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
		"concurrent_limit":   one(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
		"metering":           one(403, "TXN_SECURITY_METERING_ERROR", "The org's transaction security policy refused the request."),
		"api_disabled":       one(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
		"unavailable":        one(503, "SERVER_UNAVAILABLE", "Server Unavailable"),
		"unavailable_object": {Status: 503, Body: object},
		"unavailable_html":   {Status: 503, Body: "<html><body>Down for maintenance</body></html>"},
		"server_error":       one(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1234-5678 (90)"),
		"edge_420":           {Status: 420},
		"edge_406":           {Status: 406},
		"edge_429":           {Status: 429},
		"locator_gone":       one(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
		"query_timeout":      one(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
		"version_gone":       one(404, "NOT_FOUND", "The requested resource does not exist"),
		"refresh_dead":       {Status: 400, Body: `{"error":"invalid_grant","error_description":"expired access/refresh token"}`},
	}
}
