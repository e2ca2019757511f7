package simulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/plugins/dynamics/simulator"
)

// server is a simulator on the loopback interface.
type server struct {
	t          *testing.T
	url, admin string
	token      string
}

func open(t *testing.T, dir string) *server {
	t.Helper()
	sim, err := simulator.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	port, admin := httptest.NewServer(sim), httptest.NewServer(sim.Admin())
	t.Cleanup(func() {
		port.Close()
		admin.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return &server{t: t, url: port.URL, admin: admin.URL, token: "static-test"}
}

// reply is what came back.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(r.Body), &out); err != nil {
		t.Fatalf("%d %s: %v", r.Status, r.Body, err)
	}
	return out
}

func (r reply) code(t *testing.T) string {
	t.Helper()
	e, _ := r.json(t)["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

// do sends one request to the Web API of org-a.
func (s *server) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	return s.send(method, s.url+"/org-a/api/data/v9.2/"+path, body, append([]string{"Authorization", "Bearer " + s.token}, headers...)...)
}

func (s *server) send(method, address, body string, headers ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(data)}
}

func (s *server) control(method, path string, body any) reply {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r := s.send(method, s.admin+path, string(data))
	if r.Status != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	return r
}

func (s *server) set(settings map[string]any) { s.control(http.MethodPatch, "/settings", settings) }

// keyed makes the column acme_externalid with its key.
func (s *server) keyed() {
	s.t.Helper()
	for path, body := range map[string]string{
		"Attributes": `{"@odata.type":"Microsoft.Dynamics.CRM.StringAttributeMetadata","SchemaName":"acme_ExternalId","MaxLength":100}`,
	} {
		if r := s.do("POST", "EntityDefinitions(LogicalName='contact')/"+path, body); r.Status != http.StatusNoContent {
			s.t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	if r := s.do("POST", "EntityDefinitions(LogicalName='contact')/Keys", `{"SchemaName":"acme_ExternalIdKey","KeyAttributes":["acme_externalid"]}`); r.Status != http.StatusNoContent {
		s.t.Fatalf("%d %s", r.Status, r.Body)
	}
	s.control(http.MethodPost, "/clock", map[string]string{"advance": "1m"})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	form := func(changes ...string) url.Values {
		v := url.Values{
			"client_id": {simulator.ClientID}, "client_secret": {simulator.ClientSecret}, "grant_type": {"client_credentials"}, "scope": {s.url + "/org-a/.default"},
		}
		for i := 0; i+1 < len(changes); i += 2 {
			v.Set(changes[i], changes[i+1])
		}
		return v
	}
	ask := func(tenant string, v url.Values) reply {
		return s.send("POST", s.url+"/"+tenant+"/oauth2/v2.0/token", v.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	for name, tc := range map[string]struct {
		tenant string
		form   url.Values
		status int
		word   string
	}{
		"good":            {simulator.TenantID, form(), 200, ""},
		"wrong secret":    {simulator.TenantID, form("client_secret", "x"), 401, "invalid_client"},
		"no secret":       {simulator.TenantID, form("client_secret", ""), 401, "invalid_client"},
		"unknown app":     {simulator.TenantID, form("client_id", "x"), 400, "unauthorized_client"},
		"unknown tenant":  {"nobody", form(), 400, "invalid_request"},
		"common":          {"common", form(), 400, "invalid_request"},
		"unknown org":     {simulator.TenantID, form("scope", "https://other.crm.dynamics.com/.default"), 400, "invalid_resource"},
		"no default":      {simulator.TenantID, form("scope", s.url+"/org-a/user_impersonation"), 400, "invalid_scope"},
		"two resources":   {simulator.TenantID, form("scope", s.url+"/org-a/.default "+s.url+"/org-b/.default"), 400, "invalid_scope"},
		"unknown grant":   {simulator.TenantID, form("grant_type", "password"), 400, "unsupported_grant_type"},
		"unknown refresh": {simulator.TenantID, form("grant_type", "refresh_token", "refresh_token", "x"), 400, "invalid_grant"},
	} {
		r := ask(tc.tenant, tc.form)
		word, _ := r.json(t)["error"].(string)
		if r.Status != tc.status || word != tc.word {
			t.Errorf("%s: %d %q %s", name, r.Status, word, r.Body)
		}
		if strings.Contains(r.Body, simulator.ClientSecret) {
			t.Errorf("%s: the answer holds the secret", name)
		}
	}
	// A token is good for its environment alone, and not for ever.
	s.token = ask(simulator.TenantID, form()).json(t)["access_token"].(string)
	if r := s.do("GET", "WhoAmI", ""); r.Status != 200 {
		t.Errorf("WhoAmI: %d", r.Status)
	}
	if r := s.send("GET", s.url+"/org-b/api/data/v9.2/WhoAmI", "", "Authorization", "Bearer "+s.token); r.Status != 401 || r.Header.Get("WWW-Authenticate") == "" || r.Body != "" {
		t.Errorf("another environment: %+v", r)
	}
	s.control("POST", "/clock", map[string]string{"advance": "2h"})
	if r := s.do("GET", "WhoAmI", ""); r.Status != 401 {
		t.Errorf("after two hours: %d", r.Status)
	}
}

func TestAPersonSignsIn(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
	back := "http://127.0.0.1:1/cb"
	q := url.Values{
		"client_id": {simulator.ClientID}, "response_type": {"code"}, "redirect_uri": {back}, "state": {"xyz"},
		"scope": {s.url + "/org-a/user_impersonation offline_access"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	r := s.send("GET", s.url+"/organizations/oauth2/v2.0/authorize?"+q.Encode(), "")
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.Status != 302 || to.Query().Get("state") != "xyz" || to.Query().Get("code") == "" {
		t.Fatalf("%+v %v", r, err)
	}
	redeem := func(verifier string) reply {
		v := url.Values{
			"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier},
			"client_id": {simulator.ClientID}, "client_secret": {simulator.ClientSecret},
		}
		return s.send("POST", s.url+"/organizations/oauth2/v2.0/token", v.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	}
	if r := redeem("wrong"); r.json(t)["error"] != "invalid_grant" {
		t.Errorf("wrong verifier: %s", r.Body)
	}
	first := redeem(verifier)
	refresh, _ := first.json(t)["refresh_token"].(string)
	if first.Status != 200 || refresh == "" {
		t.Fatalf("%+v", first)
	}
	if r := redeem(verifier); r.json(t)["error"] != "invalid_grant" || !strings.Contains(r.Body, "54005") {
		t.Errorf("redeemed twice: %s", r.Body)
	}
	v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {simulator.ClientID}, "client_secret": {simulator.ClientSecret}}
	again := s.send("POST", s.url+"/organizations/oauth2/v2.0/token", v.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if next, _ := again.json(t)["refresh_token"].(string); again.Status != 200 || next == "" || next == refresh {
		t.Errorf("refresh: %+v", again)
	}
	if r := s.send("GET", s.url+"/api/discovery/v2.0/Instances", "", "Authorization", "Bearer "+first.json(t)["access_token"].(string)); len(r.json(t)["value"].([]any)) != 2 {
		t.Errorf("instances: %s", r.Body)
	}
}

// The table of conditions of §12.2 S8.
func TestConditions(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	s.keyed()
	fresh := func() string {
		r := s.do("POST", "contacts", `{"lastname":"x"}`, "Prefer", "return=representation")
		return r.json(t)["contactid"].(string)
	}
	const absent = "0a0b0c0d-1111-4222-8333-0123456789ab"
	for name, tc := range map[string]struct {
		exists         bool
		header, value  string
		status         int
		code           string
		byKey, current bool
	}{
		"update":              {exists: true, status: 204},
		"update only":         {exists: true, header: "If-Match", value: "*", status: 204},
		"create only, taken":  {exists: true, header: "If-None-Match", value: "*", status: 412, code: "0x80040237"},
		"current version":     {exists: true, header: "If-Match", current: true, status: 204},
		"stale version":       {exists: true, header: "If-Match", value: `W/"1"`, status: 412, code: "0x80060882"},
		"create by id":        {status: 204},
		"update only, absent": {header: "If-Match", value: "*", status: 404, code: "0x80040217"},
		"absent by key":       {byKey: true, header: "If-Match", value: "*", status: 404, code: "0x80060891"},
		"create only":         {header: "If-None-Match", value: "*", status: 204},
		"version of nothing":  {header: "If-Match", value: `W/"1"`, status: 404, code: "0x80040217"},
	} {
		path := "contacts(" + absent + ")"
		if tc.byKey {
			path = "contacts(acme_externalid='c-1')"
		}
		if tc.exists {
			path = "contacts(" + fresh() + ")"
		}
		if tc.current {
			tc.value = s.do("GET", path, "").Header.Get("ETag")
		}
		r := s.do("PATCH", path, `{"firstname":"Ana"}`, tc.header, tc.value)
		if r.Status != tc.status || tc.code != "" && r.code(t) != tc.code {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
		s.do("DELETE", "contacts("+absent+")", "")
	}
}

func TestStrictness(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	s.keyed()
	s.do("POST", "contacts", `{"lastname":"x","acme_externalid":"c-1"}`)
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"unknown set":           {"GET", "contactss", "", 404, "0x8006088a"},
		"unknown column":        {"GET", "contacts?$select=firstnam", "", 400, "0x0"},
		"unknown option":        {"GET", "contacts?$skip=1", "", 400, "0x8006088a"},
		"bad filter":            {"GET", "contacts?$filter=lastname%20equals%20'x'", "", 400, "0x8006088a"},
		"fetchXml":              {"GET", "contacts?fetchXml=%3Cfetch/%3E", "", 501, ""},
		"open quote":            {"GET", "contacts?$filter=lastname%20eq%20'x", "", 400, "0x8006088a"},
		"choice in quotes":      {"GET", "contacts?$filter=gendercode%20eq%20'1'", "", 400, "0x8006088a"},
		"absent row":            {"GET", "contacts(0a0b0c0d-1111-4222-8333-0123456789ab)", "", 404, "0x80040217"},
		"absent key":            {"GET", "contacts(acme_externalid='c-9')", "", 404, "0x80060891"},
		"key that is none":      {"GET", "contacts(lastname='x')", "", 400, ""},
		"unquoted text key":     {"GET", "contacts(acme_externalid=7)", "", 400, "0x8006088a"},
		"forbidden mark in key": {"GET", "contacts(acme_externalid='a%2Fb')", "", 400, "0x80060888"},
		"unknown property":      {"POST", "contacts", `{"nosuch":1}`, 400, "0x0"},
		"plain lookup":          {"POST", "contacts", `{"parentcustomerid@odata.bind":"/accounts(0a0b0c0d-1111-4222-8333-0123456789ab)"}`, 400, "0x80048d19"},
		"wrong case":            {"POST", "contacts", `{"ParentCustomerId_Account@odata.bind":"/accounts(0a0b0c0d-1111-4222-8333-0123456789ab)"}`, 400, "0x80048d19"},
		"absent target":         {"POST", "contacts", `{"parentcustomerid_account@odata.bind":"/accounts(0a0b0c0d-1111-4222-8333-0123456789ab)"}`, 404, "0x80040217"},
		"too long":              {"POST", "contacts", `{"firstname":"` + strings.Repeat("😀", 26) + `"}`, 400, "0x80044331"},
		"choice as text":        {"POST", "contacts", `{"gendercode":"1"}`, 400, "0x80048d19"},
		"choice that is none":   {"POST", "contacts", `{"gendercode":9}`, 400, "0x8004431a"},
		"time in a date":        {"POST", "contacts", `{"birthdate":"1980-05-02T00:00:00Z"}`, 400, "0x80048d19"},
		"time without offset":   {"POST", "phonecalls", `{"actualstart":"2025-03-01T10:00:00"}`, 400, "0x80048d19"},
		"key taken":             {"POST", "contacts", `{"acme_externalid":"C-1"}`, 412, "0x80060892"},
		"closed on creation":    {"POST", "phonecalls", `{"subject":"x","statecode":1,"statuscode":2}`, 400, "0x80048408"},
		"a pointer":             {"POST", "activitypointers", `{"subject":"x"}`, 405, "0x8004023b"},
		"a party":               {"POST", "activityparties", `{}`, 400, "0x80040203"},
		"a CC on a call":        {"POST", "phonecalls", `{"subject":"x","phonecall_activity_parties":[{"addressused":"a","participationtypemask":3}]}`, 400, "0x80043506"},
		"body that is none":     {"POST", "contacts", `{`, 400, "0x80048d19"},
		"unknown table":         {"GET", "EntityDefinitions(LogicalName='contactx')", "", 404, "0x80060888"},
		"length without cast":   {"GET", "EntityDefinitions(LogicalName='contact')/Attributes?$select=MaxLength", "", 400, "0x0"},
		"abstract cast":         {"GET", "EntityDefinitions(LogicalName='contact')/Attributes/Microsoft.Dynamics.CRM.EnumAttributeMetadata", "", 400, "0x0"},
		"key name taken":        {"POST", "EntityDefinitions(LogicalName='contact')/Keys", `{"SchemaName":"acme_ExternalIdKey","KeyAttributes":["lastname"]}`, 400, "0x80060893"},
		"key columns taken":     {"POST", "EntityDefinitions(LogicalName='contact')/Keys", `{"SchemaName":"acme_Other","KeyAttributes":["acme_externalid"]}`, 400, "0x80060894"},
		"reactivate a good key": {"POST", "ReactivateEntityKey", `{"EntityLogicalName":"contact","EntityKeyLogicalName":"acme_externalidkey"}`, 400, "0x80060897"},
		"no such bulk message":  {"POST", "tasks/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[{}]}`, 501, "0x80040265"},
		"target without type":   {"POST", "contacts/Microsoft.Dynamics.CRM.CreateMultiple", `{"Targets":[{"lastname":"x"}]}`, 400, "0x80048d19"},
		"bulk row on its own":   {"POST", "contacts/Microsoft.Dynamics.CRM.UpsertMultiple", `{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.contact","@odata.id":"contacts(acme_externalid='c-7')","acme_externalid":"c-7"}]}`, 400, "0x80040216"},
		"merge with itself":     {"POST", "Merge", `{"Target":{"@odata.type":"Microsoft.Dynamics.CRM.contact","contactid":"x"},"Subordinate":{"contactid":"x"}}`, 404, "0x80040217"},
		"garbled delta token":   {"GET", "contacts?$deltatoken=abc", "", 400, "0x80060888"},
		"bad skip token":        {"GET", "contacts?$skiptoken=abc", "", 400, "0x8004112a"},
	} {
		r := s.do(tc.method, tc.path, tc.body)
		if r.Status != tc.status || r.code(t) != tc.code {
			t.Errorf("%s: %d %s, want %d %q", name, r.Status, r.Body, tc.status, tc.code)
		}
	}
	if r := s.do("GET", "contacts?$filter=lastname%20eq%20'x'", "", "Prefer", "odata.track-changes"); r.Status != 400 {
		t.Errorf("$filter with change tracking: %d", r.Status)
	}
}

func TestSideEffects(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	account := s.do("POST", "accounts", `{"name":"Northwind"}`, "Prefer", "return=representation").json(t)["accountid"].(string)
	made := s.do("POST", "contacts", `{"firstname":"Ana","lastname":"Silva","address1_line1":"Main St 1","address1_city":"Delft",
		"parentcustomerid_account@odata.bind":"/accounts(`+account+`)"}`, "Prefer", "return=representation").json(t)
	if made["fullname"] != "Ana Silva" || made["address1_composite"] != "Main St 1\r\nDelft" || made["_accountid_value"] != account {
		t.Errorf("%v", made)
	}
	id := made["contactid"].(string)
	s.do("POST", "phonecalls", `{"subject":"x","regardingobjectid_contact@odata.bind":"/contacts(`+id+`)"}`)
	s.do("POST", "annotations", `{"notetext":"x","objectid_contact@odata.bind":"/contacts(`+id+`)"}`)
	r := s.do("GET", "activitypointers?$filter=_regardingobjectid_value%20eq%20"+id+"&$select=activitytypecode", "")
	if list := r.json(t)["value"].([]any); len(list) != 1 || list[0].(map[string]any)["activitytypecode"] != "phonecall" {
		t.Errorf("timeline: %s", r.Body)
	}
	expanded := s.do("GET", "contacts("+id+")?$select=lastname&$expand=parentcustomerid_account($select=name),Contact_Phonecalls($select=subject)", "").json(t)
	if expanded["parentcustomerid_account"].(map[string]any)["name"] != "Northwind" || len(expanded["Contact_Phonecalls"].([]any)) != 1 {
		t.Errorf("%v", expanded)
	}
	if r := s.do("GET", "accounts?$select=name&$filter=contact_customer_accounts/any(o:o/lastname%20eq%20'silva')", ""); len(r.json(t)["value"].([]any)) != 1 {
		t.Errorf("any: %s", r.Body)
	}
	s.do("DELETE", "contacts("+id+")", "")
	for _, set := range []string{"phonecalls", "annotations"} {
		if n := s.do("GET", set+"/$count", "").Body; n != "0" {
			t.Errorf("%s %s outlive their contact", n, set)
		}
	}
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	first.keyed()
	first.do("PATCH", "contacts(acme_externalid='c-1')", `{"lastname":"Silva"}`)
	first.do("POST", "contacts", `{"firstname":"`+strings.Repeat("x", 51)+`"}`)
	link := first.do("GET", "contacts?$select=lastname", "", "Prefer", "odata.track-changes").json(t)["@odata.deltaLink"].(string)
	// As after a kill: the journal is read while the first has not been closed.
	second := open(t, dir)
	second.control("POST", "/clock", map[string]string{"advance": "1m"})
	if r := second.do("GET", "contacts(acme_externalid='c-1')?$select=lastname", ""); r.json(t)["lastname"] != "Silva" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if n := second.do("GET", "contacts/$count", "").Body; n != "1" {
		t.Errorf("%s contacts, want 1: a refused one must leave nothing", n)
	}
	second.do("PATCH", "contacts(acme_externalid='c-1')", `{"lastname":"Lind"}`)
	_, token, _ := strings.Cut(link, "$deltatoken=")
	if r := second.do("GET", "contacts?$select=lastname&$deltatoken="+token, ""); len(r.json(t)["value"].([]any)) != 1 {
		t.Errorf("the delta link of the first process: %s", r.Body)
	}
	if n := second.do("GET", "contacts/$count?$deltatoken="+token, "").Body; n != "1" {
		t.Errorf("backlog %s, want 1", n)
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings map[string]any
		code     string
	}{
		"requests":       {map[string]any{"request_limit": 5}, "0x80072322"},
		"execution time": {map[string]any{"execution_limit_ms": 50, "row_cost_ms": 10}, "0x80072321"},
		"concurrency":    {map[string]any{"concurrency_limit": 1}, "0x80072326"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "")
			s.set(tc.settings)
			var last reply
			waits := []string{}
			for range 8 {
				if last = s.do("GET", "WhoAmI", ""); last.Status == http.StatusTooManyRequests {
					waits = append(waits, last.Header.Get("Retry-After"))
				}
			}
			if last.Status != 429 || last.code(t) != tc.code || len(waits) < 2 || waits[0] == "" || waits[0] == waits[len(waits)-1] {
				t.Errorf("%d %s after waits %v: the delay must be there and grow", last.Status, last.Body, waits)
			}
			if name == "concurrency" {
				return
			}
			// The other environment is not affected; after the window this one is free.
			if r := s.send("GET", s.url+"/org-b/api/data/v9.2/WhoAmI", "", "Authorization", "Bearer static-x"); r.Status != 200 {
				t.Errorf("the other environment: %d", r.Status)
			}
			s.control("POST", "/clock", map[string]string{"advance": "6m"})
			if r := s.do("GET", "WhoAmI", ""); r.Status != 200 || r.Header.Get("x-ms-ratelimit-burst-remaining-xrm-requests") == "" {
				t.Errorf("after the window: %+v", r)
			}
		})
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	got := make(chan *http.Request, 4)
	bodies := make(chan []byte, 4)
	statuses := []int{503, 200}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
		got <- r
		w.WriteHeader(statuses[len(got)-1])
	}))
	t.Cleanup(receiver.Close)
	s.set(map[string]any{"webhook_url": receiver.URL, "webhook_key": "k-1"})
	s.do("POST", "contacts", `{"lastname":"Silva"}`)
	r, body := <-got, <-bodies
	if r.Header.Get("x-hook-key") != "k-1" || r.Header.Get("x-ms-dynamics-request-name") != "Create" ||
		!bytes.Contains(body, []byte(`"PrimaryEntityName":"contact"`)) || !bytes.Contains(body, []byte(`"\/Date(`)) {
		t.Errorf("%v %s", r.Header, body)
	}
	s.control("GET", "/counters", nil)
	if again := <-bodies; !bytes.Equal(again, body) {
		t.Error("a 503 must be tried once more, with the same body")
	}
}
