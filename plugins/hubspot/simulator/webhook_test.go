package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/clientele-crm/clientele/plugins/hubspot/simulator"
)

// receiver is a webhook endpoint that checks signatures and may refuse.
type receiver struct {
	mu      sync.Mutex
	refuse  int // how many deliveries are answered 503
	events  []map[string]any
	unsure  int // deliveries whose signature does not fit
	server  *httptest.Server
	attempt int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	rec := &receiver{}
	rec.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.attempt++
		body, err := io.ReadAll(r.Body)
		if err != nil || rec.attempt <= rec.refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		want := simulator.Signature("s3cret", r.Method, rec.server.URL+r.URL.RequestURI(), body, r.Header.Get("X-HubSpot-Request-Timestamp"))
		if r.Header.Get("X-HubSpot-Signature-v3") != want {
			rec.unsure++
		}
		var events []map[string]any
		if err := json.Unmarshal(body, &events); err != nil {
			t.Error(err)
		}
		rec.events = append(rec.events, events...)
	}))
	t.Cleanup(rec.server.Close)
	return rec
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	p.play([]step{
		{`POST /app-webhooks/2026-09/55501/subscriptions {"eventType":"contact.creation","active":true}`, 201, []string{`"id":"8801"`}},
		{`POST /webhooks/v3/55501/subscriptions {"eventType":"contact.propertyChange","propertyName":"city","active":true}`, 201, nil},
		{`POST /webhooks/v3/55501/subscriptions {"active":true}`, 400, nil},
		{`POST @/contacts {"properties":{"firstname":"Ada"}}`, 201, nil},
		{`PATCH @/contacts/90210001 {"properties":{"city":"Utrecht","zip":"1"}}`, 200, nil},
		{`DELETE @/contacts/90210001`, 204, nil},
	})
	rec := newReceiver(t)
	rec.refuse = 2
	got := p.admin("POST", "webhooks/deliver", `{"url":"`+rec.server.URL+`/hook?x=1","secret":"s3cret"}`)
	if !strings.Contains(got, `"events":2`) || !strings.Contains(got, `"arrived":1`) {
		t.Errorf("delivery: %s", got)
	}
	if len(rec.events) != 2 || rec.unsure != 0 {
		t.Fatalf("received %v, %d with a bad signature", rec.events, rec.unsure)
	}
	created, changed := rec.events[0], rec.events[1]
	if created["subscriptionType"] != "contact.creation" || created["objectId"] != float64(90210001) ||
		created["changeFlag"] != "NEW" || created["attemptNumber"] != float64(2) || created["portalId"] != float64(4711001) {
		t.Errorf("creation: %v", created)
	}
	if changed["propertyName"] != "city" || changed["propertyValue"] != "Utrecht" || changed["sourceId"] != "55501" {
		t.Errorf("change: %v", changed)
	}

	p.do("POST", "@/contacts", `{"properties":{"firstname":"Bo"}}`)
	p.admin("POST", "webhooks/deliver", `{"url":"`+rec.server.URL+`","secret":"s3cret","duplicate":true,"badSignature":true}`)
	if len(rec.events) != 4 || rec.unsure != 1 {
		t.Errorf("received %d events, %d bad signatures", len(rec.events), rec.unsure)
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	if err := w.WriteField("importRequest", `{"name":"people","importOperations":{"0-1":"UPSERT"},"files":[{"fileName":"p.csv","fileFormat":"CSV",
		"fileImportPage":{"hasHeader":true,"columnMappings":[
			{"columnObjectTypeId":"0-1","columnName":"Mail","propertyName":"email","columnType":"HUBSPOT_ALTERNATE_ID"},
			{"columnObjectTypeId":"0-1","columnName":"First","propertyName":"firstname","columnType":"STANDARD"}]}}]}`); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("files", "p.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte("Mail,First\na@example.test,Ada\nnobody,Bo\n"))
	_ = w.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/crm/imports/2026-09", &form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer pat-x")
	req.Header.Set("Content-Type", w.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), `"state":"STARTED"`) {
		t.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
	p.play([]step{
		{`GET /crm/imports/2026-09/6001`, 200, []string{"PROCESSING"}},
		{`GET /crm/imports/2026-09/6001`, 200, []string{"DONE", `"CREATED_OBJECTS":1`, `"ERRORS":1`}},
		{`GET /crm/imports/2026-09/6001/errors`, 200, []string{"INVALID_EMAIL", `"lineNumber":3`}},
		{`GET /crm/imports/2026-09/7001`, 404, nil},
		{`GET @/contacts/a%40example.test?idProperty=email`, 200, []string{"Ada"}},
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	p.token = ""
	form := func(path, body string) (int, map[string]any) {
		t.Helper()
		res, err := http.Post(p.url+path, "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		out := map[string]any{}
		_ = json.NewDecoder(res.Body).Decode(&out)
		return res.StatusCode, out
	}
	const app = "client_id=sim-app&client_secret=s3cret&redirect_uri=http%3A%2F%2F127.0.0.1%2Fback"
	code := func() string {
		_, _, h := p.do("GET", "/oauth/authorize?client_id=sim-app&redirect_uri=http%3A%2F%2F127.0.0.1%2Fback&scope=crm.objects.contacts.read&state=s1", "")
		to := h.Get("Location")
		if !strings.Contains(to, "state=s1") {
			t.Fatalf("redirect to %q", to)
		}
		_, rest, _ := strings.Cut(to, "code=")
		c, _, _ := strings.Cut(rest, "&")
		return c
	}
	word := func(what, path, body, want string) {
		t.Helper()
		if status, out := form(path, body); status != 400 || out["status"] != want {
			t.Errorf("%s: %d %v, want %s", what, status, out, want)
		}
	}
	one := code()
	status, tokens := form("/oauth/2026-09/token", "grant_type=authorization_code&"+app+"&code="+one)
	if status != 200 || tokens["expires_in"] != float64(1800) || tokens["hub_id"] != float64(4711001) || tokens["token_use"] != "access_token" {
		t.Fatalf("%d %v", status, tokens)
	}
	word("a code used twice", "/oauth/2026-09/token", "grant_type=authorization_code&"+app+"&code="+one, "BAD_AUTH_CODE")
	word("another redirect", "/oauth/2026-09/token", "grant_type=authorization_code&client_id=a&client_secret=b&redirect_uri=x&code="+code(), "MISMATCH_REDIRECT_URI_AUTH_CODE")
	late := code()
	p.admin("POST", "clock", `{"advance":"2m"}`)
	word("a late code", "/oauth/2026-09/token", "grant_type=authorization_code&"+app+"&code="+late, "EXPIRED_AUTH_CODE")
	word("a dead refresh token", "/oauth/v3/token", "grant_type=refresh_token&"+app+"&refresh_token=nope", "BAD_REFRESH_TOKEN")

	p.token, _ = tokens["access_token"].(string)
	if status, _, h := p.do("GET", "@/contacts", ""); status != 200 || h.Get("X-HubSpot-RateLimit-Daily") != "" || h.Get("X-HubSpot-RateLimit-Max") != "110" {
		t.Errorf("OAuth call: %d %v", status, h)
	}
	if status, body, _ := p.do("POST", "@/contacts", `{"properties":{"firstname":"x"}}`); status != 403 || !strings.Contains(body, "crm.objects.contacts.write") {
		t.Errorf("without the scope: %d %s", status, body)
	}
	p.admin("POST", "clock", `{"advance":"31m"}`)
	if status, body, _ := p.do("GET", "@/contacts", ""); status != 401 || !strings.Contains(body, "EXPIRED_AUTHENTICATION") {
		t.Errorf("after its time: %d %s", status, body)
	}
	refresh, _ := tokens["refresh_token"].(string)
	p.admin("PATCH", "settings", `{"rotate_refresh_tokens":true}`)
	status, fresh := form("/oauth/v1/token?"+app+"&grant_type=refresh_token&refresh_token="+refresh, "")
	if status != 200 || fresh["refresh_token"] == refresh || fresh["hub_id"] != nil {
		t.Errorf("v1 refresh with rotation: %d %v", status, fresh)
	}
	word("the rotated token", "/oauth/2026-03/token", "grant_type=refresh_token&"+app+"&refresh_token="+refresh, "BAD_REFRESH_TOKEN")
	if _, info := form("/oauth/v3/token/introspect", "token="+fresh["access_token"].(string)); info["active"] != true {
		t.Errorf("introspect: %v", info)
	}
	form("/oauth/v3/token/revoke", "token="+fresh["refresh_token"].(string))
	if _, info := form("/oauth/v3/token/introspect", "token="+fresh["access_token"].(string)); info["active"] != false {
		t.Errorf("introspect after revoke: %v", info)
	}
}
