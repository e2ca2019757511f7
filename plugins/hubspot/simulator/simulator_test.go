package simulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/plugins/hubspot/simulator"
	sim "github.com/clientele-crm/clientele/sdk/simulator"
)

// portal is a simulator and a token for it.
type portal struct {
	t     *testing.T
	crm   sim.Simulator
	url   string
	token string
}

func newPortal(t *testing.T) *portal {
	t.Helper()
	crm, err := simulator.New("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	p := &portal{t: t, crm: crm, url: server.URL, token: "pat-na1-test"}
	p.admin("PATCH", "settings", `{"search_lag_ms":0,"search_limit":100}`)
	return p
}

func (p *portal) admin(method, path, body string) string {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.crm.Admin().ServeHTTP(w, httptest.NewRequest(method, "/"+path, strings.NewReader(body)))
	if w.Code >= 300 {
		p.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// do sends a request; the answer is its status and body. "@" in a path is the
// newest version's object root.
func (p *portal) do(method, path, body string) (int, string, http.Header) {
	p.t.Helper()
	path = strings.Replace(path, "@", "/crm/objects/2026-09", 1)
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(out), res.Header
}

// step is a request and what its answer must hold; "!" means must not.
type step struct {
	request string // method, path and body, separated by spaces
	status  int
	holds   []string
}

func (p *portal) play(steps []step) {
	p.t.Helper()
	for _, s := range steps {
		part := strings.SplitN(s.request+"  ", " ", 3)
		status, body, _ := p.do(part[0], part[1], part[2])
		if status != s.status {
			p.t.Errorf("%s\n  status %d, want %d: %s", s.request, status, s.status, body)
		}
		for _, want := range s.holds {
			if bare, not := strings.CutPrefix(want, "!"); strings.Contains(body, bare) == not {
				p.t.Errorf("%s\n  answer: %s\n  want %q", s.request, body, want)
			}
		}
	}
}

func TestStories(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]step{
		"create, read, update, archive": {
			{`POST @/contacts {"properties":{"email":"Ida@Example.test","firstname":"Ida"}}`, 201, []string{
				`"id":"90210001"`, `"email":"ida@example.test"`, `"hs_object_source_id":"55501"`, `"lifecyclestage":"lead"`, `"archived":false`,
			}},
			{`GET @/contacts/90210001?properties=city,nonsense`, 200, []string{`"city":null`, `!nonsense`, `!phone`}},
			{`PATCH @/contacts/ida%40example.test?idProperty=email {"properties":{"city":"Utrecht","phone":""}}`, 200, []string{`"city":"Utrecht"`, `"phone":""`}},
			{`PATCH @/contacts/90210001 {"properties":{}}`, 400, []string{"No properties found to update"}},
			{`DELETE @/contacts/90210001`, 204, nil},
			{`GET @/contacts/90210001`, 404, []string{"OBJECT_NOT_FOUND"}},
			{`GET @/contacts/90210001?archived=true`, 200, []string{`"archivedAt"`}},
			{`POST @/contacts {"properties":{"email":"ida@example.test"}}`, 201, []string{`"id":"90210002"`}},
		},
		"what a create refuses": {
			{`POST @/contacts {"properties":{"city":"Delft"}}`, 400, []string{"VALIDATION_ERROR", "email"}},
			{`POST @/contacts {"properties":{"email":"noor@"}}`, 400, []string{`Property values were not valid: [{`, `INVALID_EMAIL`}},
			{`POST @/contacts {"properties":{"firstname":"x","shoe":"43"}}`, 400, []string{`PROPERTY_DOESNT_EXIST`, `"propertyName":["shoe"]`}},
			{`POST @/contacts {"properties":{"firstname":"x","createdate":"1"}}`, 400, []string{`READ_ONLY_VALUE`}},
			{`POST @/contacts {"properties":{"firstname":"x","hs_lead_status":"new"}}`, 400, []string{`INVALID_OPTION`, "new was not one of the allowed options: [NEW,"}},
			{`POST @/contacts {"properties":{"firstname":"x","associatedcompanyid":"many"}}`, 400, []string{`INVALID_LONG`}},
			{`POST @/contacts {"properties":`, 400, []string{"Invalid input JSON", "!category"}},
			{`POST @/butterflies {"properties":{}}`, 400, []string{"Unable to infer object type from: butterflies"}},
			{`POST @/notes {"properties":{"hs_note_body":"x"}}`, 400, []string{"hs_timestamp"}},
			{`POST @/communications {"properties":{"hs_timestamp":"1795339200000","hs_communication_channel_type":"FAX"}}`, 400, []string{"INVALID_OPTION"}},
			{`GET @/contacts`, 200, []string{`"results":[]`, "!paging"}},
		},
		"dates": {
			{`POST /crm/properties/2026-09/contacts {"name":"due","label":"Due","groupName":"contactinformation","type":"date","fieldType":"date"}`, 201, nil},
			{`POST @/contacts {"properties":{"firstname":"x","due":"1786334400000"}}`, 400, []string{"1786334400000 is at 4:0:0.0 UTC, not midnight!", "INVALID_DATE"}},
			{`POST @/contacts {"properties":{"firstname":"x","due":"2026-12-24"}}`, 201, nil},
		},
		"batch create, row by row with trace ids": {
			{`POST @/contacts/batch/create {"inputs":[{"objectWriteTraceId":"0","properties":{"email":"a@example.test"}},{"objectWriteTraceId":"1","properties":{"email":"A@example.test"}},{"objectWriteTraceId":"2","properties":{"email":"bad"}}]}`, 207, []string{
				`"status":"COMPLETE"`, `"numErrors":2`, `"existingId":["90210001"]`, `"objectWriteTraceId":["2"]`,
			}},
		},
		"batch create, all or nothing without": {
			{`POST @/contacts/batch/create {"inputs":[{"properties":{"email":"a@example.test"}},{"properties":{"email":"a@example.test"}}]}`, 409, []string{"Contact already exists", "!Existing ID"}},
			{`GET @/contacts`, 200, []string{`"results":[]`}},
			{`POST @/contacts/batch/create {"inputs":[]}`, 400, nil},
		},
		"batch update": {
			{`POST @/contacts {"properties":{"email":"a@example.test"}}`, 201, nil},
			{`POST @/contacts/batch/update {"inputs":[{"id":"90210001","properties":{"city":"Delft"}},{"id":"90219999","properties":{"city":"Delft"}}]}`, 207, []string{`"ids":["90219999"]`, `"city":"Delft"`}},
			{`POST @/contacts/batch/update {"inputs":[{"id":"90210001","properties":{"shoe":"43"}},{"id":"90219999","properties":{"city":"Delft"}}]}`, 400, []string{"PROPERTY_DOESNT_EXIST"}},
			{`POST @/contacts/batch/update {"inputs":[{"id":"1","properties":{}},{"id":"1","properties":{}}]}`, 400, []string{"Duplicate IDs found in batch input: [1]"}},
			{`POST @/contacts/batch/update {"inputs":[{"id":"a@example.test","properties":{"city":"x"}}]}`, 200, []string{`"results":[]`, "!errors"}},
			{`POST @/contacts/batch/update {"inputs":[{"id":"a@example.test","idProperty":"email","properties":{"city":"x"}}]}`, 400, []string{"by non-unique 0-1 property"}},
		},
		"upsert": {
			{`POST /crm/properties/2026-09/contacts/groups {"name":"crm_connector","label":"CRM connector"}`, 201, []string{`"displayOrder":-1`}},
			{`POST /crm/properties/2026-09/contacts {"name":"ext","label":"Ext","groupName":"crm_connector","type":"string","fieldType":"text","hasUniqueValue":true}`, 201, []string{`"hasUniqueValue":true`, `"readOnlyValue":false`}},
			{`POST @/contacts/batch/upsert {"inputs":[{"idProperty":"ext","id":"t1:c-17","objectWriteTraceId":"0","properties":{"firstname":"Ida"}}]}`, 200, []string{`"new":true`, `"ext":"t1:c-17"`}},
			{`POST @/contacts/batch/upsert {"inputs":[{"idProperty":"ext","id":"t1:c-17","objectWriteTraceId":"0","properties":{"city":"Utrecht"}}]}`, 200, []string{`"new":false`}},
			{`POST @/contacts {"properties":{"firstname":"Bo","ext":"t1:c-17"}}`, 400, []string{"CONFLICTING_UNIQUE_VALUE"}},
			{`POST @/contacts/batch/upsert {"inputs":[{"idProperty":"city","id":"x","properties":{"firstname":"Ida"}}]}`, 400, []string{"non-unique"}},
		},
		"properties": {
			{`POST /crm/properties/2026-09/contacts {"name":"x","label":"X","groupName":"nowhere","type":"string","fieldType":"text"}`, 400, []string{"does not exist"}},
			{`POST /crm/properties/2026-09/contacts {"name":"x","label":"X","groupName":"contactinformation","type":"string","fieldType":"checkbox"}`, 400, []string{"does not fit"}},
			{`POST /crm/properties/2026-09/contacts {"name":"email","label":"X","groupName":"contactinformation","type":"string","fieldType":"text"}`, 409, []string{"CONFLICT"}},
			{`GET /crm/properties/2026-09/contacts/nope`, 404, nil},
			{`DELETE /crm/properties/2026-09/contacts/city`, 204, nil},
			{`POST @/contacts {"properties":{"firstname":"x","city":"y"}}`, 400, []string{"PROPERTY_DOESNT_EXIST"}},
		},
		"secondary addresses and merge": {
			{`POST @/contacts {"properties":{"email":"ida@example.test"}}`, 201, nil},
			{`POST @/contacts {"properties":{"email":"joe@example.test","city":"Delft"}}`, 201, nil},
			{`POST @/contacts/merge {"primaryObjectId":"90210001","objectIdToMerge":"90210001"}`, 400, nil},
			{`POST @/contacts/merge {"primaryObjectId":"90210001","objectIdToMerge":"90219999"}`, 404, nil},
			{`POST @/contacts/merge {"primaryObjectId":"90210001","objectIdToMerge":"90210002"}`, 200, []string{
				`"id":"90210003"`, `"hs_additional_emails":"joe@example.test"`, `"hs_merged_object_ids":"90210001;90210002"`, `"city":"Delft"`,
			}},
			{`GET @/contacts/90210002`, 200, []string{`"id":"90210003"`}},
			{`PATCH @/contacts/90210001 {"properties":{"city":"Gouda"}}`, 200, []string{`"id":"90210003"`}},
			{`POST @/contacts/batch/update {"inputs":[{"id":"90210001","properties":{"city":"x"}}]}`, 207, []string{"OBJECT_NOT_FOUND"}},
			{`POST @/contacts/batch/read {"idProperty":"email","properties":["email"],"inputs":[{"id":"ida@example.test"},{"id":"JOE@example.test"}]}`, 200, []string{`"id":"90210003"`}},
			{`POST @/contacts {"properties":{"email":"joe@example.test"}}`, 409, []string{"Existing ID: 90210003"}},
		},
		"privacy deletion": {
			{`POST @/contacts {"properties":{"email":"ida@example.test"}}`, 201, nil},
			{`POST @/contacts/gdpr-delete {"objectId":"ida@example.test","idProperty":"email"}`, 204, nil},
			{`GET @/contacts?archived=true`, 200, []string{`"results":[]`}},
			{`POST @/contacts {"properties":{"email":"ida@example.test"}}`, 400, []string{"INVALID_EMAIL"}},
		},
		"lifecycle stages do not go back": {
			{`POST @/contacts {"properties":{"firstname":"x","lifecyclestage":"customer"}}`, 201, nil},
			{`PATCH @/contacts/90210001 {"properties":{"lifecyclestage":"lead"}}`, 200, []string{`"lifecyclestage":"customer"`}},
			{`PATCH @/contacts/90210001 {"properties":{"lifecyclestage":""}}`, 200, nil},
			{`PATCH @/contacts/90210001 {"properties":{"lifecyclestage":"lead"}}`, 200, []string{`"lifecyclestage":"lead"`}},
		},
		"activities and associations": {
			{`POST @/contacts {"properties":{"firstname":"x"}}`, 201, nil},
			{`POST @/notes {"properties":{"hs_timestamp":"2026-11-22T09:20:00Z"},"associations":[{"to":{"id":"90210001"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":202}]}]}`, 201, []string{`"id":"70550001"`}},
			{`POST @/notes {"properties":{"hs_timestamp":"1795339200000"},"associations":[{"to":{"id":"90210001"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":201}]}]}`, 400, []string{"INVALID_IDENTIFIER"}},
			{`POST @/notes {"properties":{"hs_timestamp":"1795339200000"},"associations":[{"to":{"id":"90219999"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":202}]}]}`, 404, []string{"TO_OBJECT_NOT_FOUND"}},
			{`POST /crm/associations/2026-09/contacts/notes/batch/read {"inputs":[{"id":"90210001"},{"id":"90210002"}]}`, 207, []string{`"toObjectId":70550001`, `"typeId":201`, "NO_ASSOCIATIONS_FOUND", "No note is associated with contact 90210002."}},
			{`PUT @/notes/70550001/associations/default/contacts/90210001`, 200, []string{`"associationTypeId":202`, `"associationTypeId":201`}},
			{`PUT @/notes/70550001/associations/default/contacts/90219999`, 404, []string{"TO_OBJECT_NOT_FOUND"}},
			{`DELETE @/notes/70550001/associations/contacts/90210001`, 204, nil},
			{`GET @/notes/70550001/associations/contacts`, 200, []string{`"results":[]`}},
		},
		"who may call": {
			{`GET @/contacts?hapikey=demo`, 401, []string{"INVALID_AUTHENTICATION"}},
			{`GET @/contacts?limit=101`, 400, nil},
			{`GET @/contacts?limit=100&after=5`, 400, []string{"Cannot deserialize"}},
			{`GET /crm/nothing`, 404, nil},
			{`GET /account-info/2026-03/details`, 200, []string{`"portalId":4711001`, `"timeZone":"Europe/Amsterdam"`}},
			{`GET /crm/owners/v3`, 404, nil},
			{`GET /crm/v3/owners`, 200, []string{"agent@example.test"}},
		},
		"search": {
			{`POST @/contacts {"properties":{"firstname":"Ada","email":"ada@example.test","phone":"+31 30 123 45 67"}}`, 201, nil},
			{`POST @/contacts {"properties":{"firstname":"Bo","email":"bo@example.test"}}`, 201, nil},
			{`POST @/contacts/search {"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"ADA@example.test"}]}],"limit":1}`, 200, []string{`"total":1`, `"firstname":"Ada"`}},
			{`POST @/contacts/search {"filterGroups":[{"filters":[{"propertyName":"firstname","operator":"IN","values":["ada","bo"]}]}],"sorts":["-firstname"],"limit":1}`, 200, []string{`"total":2`, `"Bo"`, `"after":"1"`}},
			{`POST @/contacts/search {"filterGroups":[{"filters":[{"propertyName":"hs_searchable_calculated_phone_number","operator":"EQ","value":"301234567"}]}]}`, 200, []string{`"total":1`}},
			{`POST @/contacts/search {"query":"ada"}`, 200, []string{`"total":1`}},
			{`POST @/contacts/search {"limit":201}`, 400, nil},
			{`POST @/contacts/search {"after":"9990","limit":11}`, 400, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newPortal(t).play(steps)
		})
	}
}

func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	filters := strings.TrimSuffix(strings.Repeat(`{"propertyName":"city","operator":"EQ","value":"x"},`, 7), ",")
	for name, body := range map[string]string{
		"seven filters in a group": `{"filterGroups":[{"filters":[` + filters + `]}]}`,
		"six groups":               `{"filterGroups":[{},{},{},{},{},{}]}`,
		"long body":                `{"query":"` + strings.Repeat("x", 3000) + `"}`,
		"list cursor":              `{"after":"abc"}`,
		"two sorts":                `{"sorts":["city","zip"]}`,
		"unknown operator":         `{"filterGroups":[{"filters":[{"propertyName":"city","operator":"LIKE","value":"x"}]}]}`,
	} {
		p.admin("POST", "clock", `{"advance":"1s"}`)
		if status, answer, _ := p.do("POST", "@/contacts/search", body); status != 400 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

func TestSearchLagsAndListsDoNot(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	p.admin("PATCH", "settings", `{"search_lag_ms":2000}`)
	p.do("POST", "@/contacts", `{"properties":{"firstname":"Ada"}}`)
	total := func() string {
		_, body, _ := p.do("POST", "@/contacts/search", `{}`)
		return body
	}
	if got := total(); !strings.Contains(got, `"total":0`) {
		t.Errorf("search sees the contact at once: %s", got)
	}
	if _, body, _ := p.do("GET", "@/contacts", ""); !strings.Contains(body, "Ada") {
		t.Errorf("the list does not see it: %s", body)
	}
	p.admin("POST", "clock", `{"advance":"3s"}`)
	if got := total(); !strings.Contains(got, `"total":1`) {
		t.Errorf("search does not see it after the lag: %s", got)
	}
}

func TestLimitsAreReal(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	p.admin("PATCH", "settings", `{"burst_limit":3,"search_limit":2,"daily_limit":5}`)
	statuses := func(n int, method, path string) (out []int, last string, h http.Header) {
		for range n {
			var status int
			status, last, h = p.do(method, path, "{}")
			out = append(out, status)
		}
		return out, last, h
	}
	got, last, h := statuses(4, "GET", "@/contacts")
	if fmt.Sprint(got) != "[200 200 200 429]" || !strings.Contains(last, "TEN_SECONDLY_ROLLING") ||
		h.Get("X-HubSpot-RateLimit-Remaining") != "0" || h.Get("X-HubSpot-RateLimit-Max") != "3" {
		t.Errorf("burst: %v %s %v", got, last, h)
	}
	got, last, h = statuses(3, "POST", "@/contacts/search")
	if fmt.Sprint(got) != "[200 200 429]" || !strings.Contains(last, `"SECONDLY"`) || h.Get("X-HubSpot-RateLimit-Max") != "" {
		t.Errorf("search: %v %s %v", got, last, h)
	}
	p.admin("POST", "clock", `{"advance":"11s"}`)
	got, last, _ = statuses(3, "GET", "@/contacts")
	if fmt.Sprint(got) != "[200 200 429]" || !strings.Contains(last, "DAILY") {
		t.Errorf("day: %v %s", got, last)
	}
	p.do("GET", "@/contacts", "")
	p.admin("POST", "clock", `{"advance":"24h"}`)
	if got, _, _ := statuses(1, "GET", "@/contacts"); got[0] != 200 {
		t.Errorf("the next day: %v", got)
	}
	var c sim.Counts
	if err := json.Unmarshal([]byte(p.admin("GET", "counters", "")), &c); err != nil {
		t.Fatal(err)
	}
	if c.Counts["requests during a pause"] != 1 || c.Counts["limit DAILY"] != 1 || c.Counts["requests failed"] != 4 {
		t.Errorf("counts: %v", c.Counts)
	}
}

func TestPortalsAreApartAndOldVersionsAreServed(t *testing.T) {
	t.Parallel()
	p := newPortal(t)
	p.token = "pat-na1-4711002-x"
	if status, body, _ := p.do("POST", "/crm/v3/objects/contacts", `{"properties":{"firstname":"Ada"}}`); status != 201 {
		t.Fatal(status, body)
	}
	if _, body, _ := p.do("GET", "/crm/objects/2026-03/0-1", ""); !strings.Contains(body, "Ada") {
		t.Errorf("own portal: %s", body)
	}
	p.token = "pat-na1-x"
	if _, body, _ := p.do("GET", "@/contacts", ""); strings.Contains(body, "Ada") {
		t.Errorf("another portal's contact: %s", body)
	}
	p.token = ""
	if status, _, _ := p.do("GET", "@/contacts", ""); status != 401 {
		t.Errorf("no token: %d", status)
	}
}

func TestStateAndUniquenessSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *portal {
		crm, err := simulator.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(crm)
		t.Cleanup(server.Close)
		return &portal{t: t, crm: crm, url: server.URL, token: "pat-x"}
	}
	p := open()
	p.play([]step{
		{`POST @/contacts {"properties":{"email":"a@example.test"}}`, 201, nil},
		{`POST @/notes {"properties":{"hs_timestamp":"1795339200000"},"associations":[{"to":{"id":"90210001"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":202}]}]}`, 201, nil},
	})
	if err := p.crm.Close(); err != nil {
		t.Fatal(err)
	}
	open().play([]step{
		{`POST @/contacts {"properties":{"email":"a@example.test"}}`, 409, []string{"90210001"}},
		{`POST @/contacts {"properties":{"email":"b@example.test"}}`, 201, []string{`"id":"90210002"`}},
		{`GET @/contacts/90210001/associations/notes`, 200, []string{"70550001"}},
		{`POST @/contacts/search {}`, 200, []string{`"total":1`}},
	})
}
