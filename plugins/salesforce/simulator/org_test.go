package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The example bodies of salesforce.md §11.2, record by record.
func TestRecordsAnswerAsRecorded(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	made := o.want("POST", V+"/sobjects/Contact", `{"LastName":"Fischer","FirstName":"Anna","Email":"a.fischer@example.org"}`,
		201, `{"id":"003Si0000000001IAA","success":true,"errors":[]}`)
	if got := made.header.Get("Location"); got != V+"/sobjects/Contact/003Si0000000001IAA" {
		t.Errorf("Location %q", got)
	}
	o.want("POST", V+"/sobjects/Contact", `{"FirstName":"Anna"}`,
		400, `[{"errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"],"message":"Required fields are missing: [LastName]"}]`)
	const one = V + "/sobjects/Contact/003Si0000000001IAA"
	o.want("GET", one+"?fields=Id,LastName,Account.Name", "", 200,
		`{"attributes":{"type":"Contact","url":"`+one+`"},"Id":"003Si0000000001IAA","LastName":"Fischer","Account":null}`)
	if got := o.want("PATCH", one, `{"Title":"CFO"}`, 204, ""); got.header.Get("Content-Type") != "" {
		t.Errorf("204 has a Content-Type %q", got.header.Get("Content-Type"))
	}
	o.want("PATCH", "/services/data/v66.0/sobjects/Contact/003Si0000000001/", `{"Nope__c":"x"}`,
		400, `[{"errorCode":"INVALID_FIELD","message":"No such column 'Nope__c' on sobject of type Contact"}]`)
	o.want("PATCH", one, `{"Name":"X"}`, 400, `[{"errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["Name"],"message":"Unable to create/update fields: Name. …`)
	o.want("DELETE", one, "", 204, "")
	o.want("DELETE", one, "", 404, `[{"errorCode":"ENTITY_IS_DELETED","fields":[],"message":"entity is deleted"}]`)

	const upsert = V + "/sobjects/Contact/Clientele_Id__c/"
	if got := o.want("PATCH", upsert+"c%2F1001", `{"LastName":"Fischer"}`, 201, `{"id":"003Si0000000002IAA","success":true,"errors":[],"created":true}`); got.header.Get("Location") == "" {
		t.Error("a created record has no Location")
	}
	if got := o.want("PATCH", upsert+"c%2F1001", `{"LastName":"Fischer"}`, 200, `{"id":"003Si0000000002IAA","success":true,"errors":[],"created":false}`); got.header.Get("Location") != "" {
		t.Error("an updated record has a Location")
	}
	o.want("PATCH", upsert+"c-9?updateOnly=true", `{"LastName":"F"}`, 404, `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`)
	o.want("PATCH", upsert+"c-9", `{"LastName":"F","Clientele_Id__c":"c-9"}`, 400, `[{"errorCode":"INVALID_FIELD",…`)
	o.want("PATCH", V+"/sobjects/Contact/Nope__c/x", `{}`, 404,
		`[{"errorCode":"NOT_FOUND","message":"Provided external ID field does not exist or is not accessible: Nope__c"}]`)
	a, b := o.create("Contact", `{"LastName":"A","Email":"dup@example.org"}`), o.create("Contact", `{"LastName":"B","Email":"DUP@example.org"}`)
	o.want("PATCH", V+"/sobjects/Contact/Email/dup%40example.org", `{"LastName":"C"}`, 300,
		`["`+V+"/sobjects/Contact/"+a+`","`+V+"/sobjects/Contact/"+b+`"]`)
	o.want("POST", V+"/sobjects/Contact/"+a+"?_HttpMethod=PATCH", `{"Title":"CEO"}`, 204, "")
	o.want("PUT", V+"/sobjects/Contact", `{}`, 405, `[{"errorCode":"METHOD_NOT_ALLOWED","message":"HTTP Method 'PUT' not allowed. Allowed are GET,POST"}]`)
	o.want("GET", "/services/data/v30.0/sobjects", "", 404, `[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]`)
	o.want("POST", V+"/composite/graph", `{}`, 404, `[{"errorCode":"NOT_FOUND",…`)
}

func TestCollectionsAnswerAsRecorded(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	o.want("PATCH", V+"/composite/sobjects/Contact/Clientele_Id__c", `{"allOrNone":false,"records":[
		{"attributes":{"type":"Contact"},"Clientele_Id__c":"c-1","LastName":"A"},
		{"attributes":{"type":"Contact"},"Clientele_Id__c":"c-2"},
		{"attributes":{"type":"Contact"},"Clientele_Id__c":"c-3","LastName":"C","Email":"nope"},
		{"Clientele_Id__c":"c-4","LastName":"D"}]}`, 200,
		`[{"id":"003Si0000000001IAA","success":true,"errors":[],"created":true},`+
			`{"success":false,"errors":[{"fields":["LastName"],"message":"Required fields are missing: [LastName]","statusCode":"REQUIRED_FIELD_MISSING"}],"created":false},`+
			`{"success":false,"errors":[{"fields":["Email"],"message":"Email: invalid email address: nope","statusCode":"INVALID_EMAIL_ADDRESS"}],"created":false},`+
			`{"success":false,"errors":[{"fields":[],"message":"Nested object for polymorphic foreign key must have an attributes field before any other fields.","statusCode":"JSON_PARSER_ERROR"}],"created":false}]`)
	o.want("POST", V+"/composite/sobjects", `{"records":[]}`, 400, `[{"errorCode":"REQUIRED_FIELD_MISSING","message":"At least 1 record is required"}]`)
	o.want("PATCH", V+"/composite/sobjects", `{"records":[{"attributes":{"type":"Contact"},"LastName":"X"}]}`, 200,
		`[{"success":false,"errors":[{"fields":[],"message":"Id not specified in an update call","statusCode":"MISSING_ARGUMENT"}]}]`)
	o.want("PATCH", V+"/composite/sobjects", `{"records":[{"attributes":{"type":"Contact"},"id":"003Si0000000099","LastName":"X"}]}`, 200,
		`[{"success":false,"errors":[{"fields":[],"message":"invalid cross reference id","statusCode":"INVALID_CROSS_REFERENCE_KEY"}]}]`)
	o.want("PATCH", V+"/composite/sobjects/Contact/Clientele_Id__c", `{"records":[
		{"attributes":{"type":"Contact"},"Clientele_Id__c":"d","LastName":"A"},{"attributes":{"type":"Contact"},"Clientele_Id__c":"d","LastName":"B"}]}`, 200,
		`[{"success":false,…"Duplicate external id specified: d"…,{"success":false,…"Duplicate external id specified: d"…]`)
	o.want("POST", V+"/composite/sobjects", `{"allOrNone":true,"records":[{"attributes":{"type":"Contact"},"LastName":"X"},{"attributes":{"type":"Contact"}}]}`, 200,
		`[{"success":false,…"ALL_OR_NONE_OPERATION_ROLLED_BACK"…,{"success":false,…"REQUIRED_FIELD_MISSING"…]`)
	o.want("POST", V+"/composite/sobjects", `{"records":[`+strings.Repeat(`{},`, 200)+`{}]}`, 400, `[{"errorCode":"EXCEEDED_MAX_SIZE_REQUEST",…`)
	if rows, _ := o.query("SELECT Id FROM Contact", "Id"); len(rows) != 1 {
		t.Errorf("%d contacts, want the one that was good", len(rows))
	}
	o.want("POST", V+"/composite/sobjects/Contact", `{"ids":["003Si0000000001IAA","003Si0000000077"],"fields":["LastName"]}`, 200,
		`[{"attributes":{"type":"Contact",…},"LastName":"A"},null]`)
	o.want("DELETE", V+"/composite/sobjects?ids=003Si0000000001IAA,003Si0000000001IAA&allOrNone=false", "", 200,
		`[{"id":"003Si0000000001IAA","success":true,"errors":[]},{"success":false,"errors":[{"fields":[],"message":"entity is deleted","statusCode":"ENTITY_IS_DELETED"}]}]`)
}

func TestCompositeAndBatch(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	body := func(subtype string) string {
		return fmt.Sprintf(`{"allOrNone":true,"compositeRequest":[
			{"method":"PATCH","url":"%s/sobjects/Contact/Clientele_Id__c/c-1001","referenceId":"contact","body":{"LastName":"Fischer"}},
			{"method":"POST","url":"%s/sobjects/Task","referenceId":"task","body":{"WhoId":"@{contact.id}","Subject":"[Chat] Delivery","TaskSubtype":%q}}]}`, V, V, subtype)
	}
	o.want("POST", V+"/composite", body("Nonsense"), 200,
		`{"compositeResponse":[{"body":[{"errorCode":"PROCESSING_HALTED",…"httpStatusCode":400,"referenceId":"contact"},{"body":[{"errorCode":"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",…`)
	if rows, _ := o.query("SELECT Id FROM Contact", "Id"); len(rows) != 0 {
		t.Error("a rolled back composite left a contact")
	}
	o.want("POST", V+"/composite", body("Task"), 200,
		`{"compositeResponse":[{"body":{"id":"…","success":true,"errors":[],"created":true},"httpHeaders":{"Location":"…"},"httpStatusCode":201,"referenceId":"contact"},…"httpStatusCode":201,"referenceId":"task"}]}`)
	if who, _ := o.query("SELECT Who.Name FROM Task", "Who"); len(who) != 1 || who[0].(map[string]any)["Name"] != "Fischer" {
		t.Errorf("the task belongs to %v", who)
	}
	o.want("POST", V+"/composite", `{"compositeRequest":[{"method":"GET","url":"`+V+`/sobjects/Task/@{nobody.id}","referenceId":"a"}]}`, 200, `{"compositeResponse":[{"body":[{"errorCode":"PROCESSING_HALTED",…`)
	six := strings.TrimSuffix(strings.Repeat(`{"method":"GET","url":"`+V+`/query?q=SELECT+Id+FROM+Task","referenceId":"rX"},`, 6), ",")
	for i := range 6 {
		six = strings.Replace(six, "rX", fmt.Sprint("r", i), 1)
	}
	o.want("POST", V+"/composite", `{"compositeRequest":[`+six+`]}`, 400, `[{"errorCode":"LIMIT_EXCEEDED",…`)

	before := o.usage()
	o.want("POST", V+"/composite/batch", `{"batchRequests":[{"method":"GET","url":"v66.0/limits"},{"method":"GET","url":"v66.0/sobjects/Nope"}]}`, 200,
		`{"hasErrors":true,"results":[{"statusCode":200,"result":{…}},{"statusCode":404,"result":[{"errorCode":"NOT_FOUND",…}]}]}`)
	if spent := o.usage() - before; spent != 3 { // two parts and the reading of the usage itself
		t.Errorf("a batch of two cost %d with the check, want 3", spent)
	}
}

// usage asks for the limits and reads the header, which costs one.
func (o *org) usage() int {
	o.t.Helper()
	var used, limit int
	if _, err := fmt.Sscanf(o.send("GET", V+"/limits", "").header.Get("Sforce-Limit-Info"), "api-usage=%d/%d", &used, &limit); err != nil {
		o.t.Fatal(err)
	}
	return used
}

func TestHeadersAndSessions(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	got := o.send("GET", V+"/limits", "")
	for name, form := range map[string]string{
		"Content-Type": `^application/json;charset=UTF-8$`, "Sforce-Limit-Info": `^api-usage=\d+/\d+$`, "X-Request-Id": `.`,
		"Cache-Control": `^no-cache,must-revalidate,max-age=0,no-store,private$`, "Date": ` GMT$`,
	} {
		if !regexp.MustCompile(form).MatchString(got.header.Get(name)) {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	list := o.send("GET", "/services/data", "", "Authorization", "")
	if list.header.Get("Sforce-Limit-Info") != "" || !strings.Contains(list.body, `{"label":"Spring '26","url":"/services/data/v66.0","version":"66.0"}`) || !strings.Contains(list.body, "Spring ’18") {
		t.Errorf("versions: %s", list.body)
	}
	for _, tc := range []struct{ header, body string }{
		{"Bearer nobody", `[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`},
		{"", `[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`},
		{"Basic abc", `[{"errorCode":"INVALID_AUTH_HEADER","message":"INVALID_HEADER_TYPE"}]`},
	} {
		if got := o.send("GET", V+"/limits", "", "Authorization", tc.header); got.status != 401 || got.body != tc.body {
			t.Errorf("%q: %d %s", tc.header, got.status, got.body)
		}
	}
	if got := o.send("GET", V+"/limits", "", "Authorization", "OAuth "+o.token); got.status != 200 {
		t.Errorf("the OAuth scheme: %d", got.status)
	}
	if got := o.send("POST", V+"/sobjects/Contact", "LastName=X", "Content-Type", "application/x-www-form-urlencoded"); got.status != 415 {
		t.Errorf("a form: %d %s", got.status, got.body)
	}
	described := o.send("GET", V+"/sobjects/Contact/describe", "")
	again := o.send("GET", V+"/sobjects/Contact/describe", "", "If-Modified-Since", described.header.Get("Last-Modified"))
	if again.status != 304 || again.body != "" {
		t.Errorf("an unchanged description: %d %s", again.status, again.body)
	}
}

// Every field of a description has every key of salesforce.md §3.3.
func TestDescriptionsAreComplete(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	keys := strings.Fields(`aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive
		compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden
		digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo formulaTreatNullNumberAsZero groupable
		highScaleNumber htmlFormatted idLookup inlineHelpText label length mask maskType name nameField namePointing nillable permissionable
		picklistValues polymorphicForeignKey precision queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder
		restrictedDelete restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead`)
	for _, name := range []string{"Contact", "Lead", "Account", "Task", "Event", "EmailMessage", "User", "Organization"} {
		var d struct {
			Name, KeyPrefix       string
			Updateable            bool
			Fields                []map[string]any
			RecordTypeInfos       []any
			URLs                  map[string]string
			ChildRelationships    []any
			SobjectDescribeOption string
		}
		if err := json.Unmarshal([]byte(o.send("GET", V+"/sobjects/"+name+"/describe", "").body), &d); err != nil || d.Name != name || len(d.Fields) == 0 || len(d.RecordTypeInfos) != 1 {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		for _, f := range d.Fields {
			var missing []string
			for _, key := range keys {
				if _, ok := f[key]; !ok {
					missing = append(missing, key)
				}
			}
			if len(missing) > 0 || len(f) != len(keys) {
				t.Errorf("%s.%v: missing %v, %d keys", name, f["name"], missing, len(f))
			}
		}
	}
}

func TestSideEffects(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	account := o.create("Account", `{"Name":"Muster GmbH"}`)
	contact := o.create("Contact", `{"LastName":"Fischer","FirstName":"Anna","AccountId":"`+account+`","MailingCity":"Berlin"}`)
	o.create("Task", `{"WhoId":"`+contact+`","Status":"Completed","ActivityDate":"2026-01-01","Priority":"High"}`)
	o.want("GET", V+"/query?q=SELECT+IsClosed,IsHighPriority,Account.Name+FROM+Task", "", 200,
		`{"totalSize":1,"done":true,"records":[{"attributes":{…},"IsClosed":true,"IsHighPriority":true,"Account":{"attributes":{…},"Name":"Muster GmbH"}}]}`)
	o.want("GET", V+"/sobjects/Contact/"+contact+"?fields=Name,LastActivityDate,MailingAddress,OtherAddress", "", 200,
		`{"attributes":{…},"Name":"Anna Fischer","LastActivityDate":"2026-01-01","MailingAddress":{"city":"Berlin","country":null,"geocodeAccuracy":null,…},"OtherAddress":null}`)
	o.create("EmailMessage", `{"Subject":"Hello","TextBody":"x","FromAddress":"a@example.org"}`)
	if got, _ := o.query("SELECT Subject FROM Task WHERE TaskSubtype = 'Email'", "Subject"); !cmp.Equal(got, []any{"Email: Hello"}) {
		t.Errorf("an email logged %v", got)
	}
	lead := o.create("Lead", `{"LastName":"L","Company":"C"}`)
	o.want("POST", V+"/sobjects/Task", `{"WhoId":"`+lead+`","WhatId":"`+account+`"}`, 400, `[{"errorCode":"FIELD_INTEGRITY_EXCEPTION",…`)
	o.want("POST", V+"/sobjects/Task", `{"WhoId":"`+account+`"}`, 400, `[{"errorCode":"MALFORMED_ID",…"message":"Name ID: id value of incorrect type: `+account+`"}]`)
	o.want("POST", V+"/sobjects/Task", `{"Who":{"Clientele_Id__c":"c"}}`, 400, `[{"errorCode":"JSON_PARSER_ERROR",…`)
	o.want("PATCH", V+"/sobjects/Contact/"+contact, `{"Clientele_Id__c":"c"}`, 204, "")
	o.want("POST", V+"/sobjects/Task", `{"Who":{"attributes":{"type":"Contact"},"Clientele_Id__c":"c"},"Subject":"x"}`, 201, `{"id":…`)
	o.want("POST", V+"/sobjects/Contact", `{"LastName":"X","Clientele_Id__c":"c"}`, 400,
		`[{"errorCode":"DUPLICATE_VALUE","message":"duplicate value found: Clientele_Id__c duplicates value on record with id: `+contact+`"}]`)
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ profile, body, want string }{
		{"plain", `{"LastName":"X","Clientele_Id__c":"c"}`, "INVALID_FIELD"},
		{"fls-gap", `{"LastName":"X","Clientele_Id__c":"c"}`, "INVALID_FIELD"},
		{"ready", `{"LastName":"X","Clientele_Id__c":"c"}`, `"success":true`},
		{"namespaced", `{"LastName":"X","acme__Clientele_Id__c":"c"}`, `"success":true`},
		{"state-country", `{"LastName":"X","MailingCountry":"Deutschland"}`, "FIELD_INTEGRITY_EXCEPTION"},
		{"state-country", `{"LastName":"X","MailingCountryCode":"US","MailingState":"Bavaria"}`, "FIELD_INTEGRITY_EXCEPTION"},
		{"state-country", `{"LastName":"X","MailingState":"Texas"}`, "FIELD_INTEGRITY_EXCEPTION"},
		{"state-country", `{"LastName":"X","MailingCountryCode":"US","MailingStateCode":"TX"}`, `"success":true`},
		{"strict", `{"LastName":"X","Region__c":"North"}`, "FIELD_CUSTOM_VALIDATION_EXCEPTION"},
		{"strict", `{"LastName":"X","Email":"x@example.org"}`, "REQUIRED_FIELD_MISSING"},
		{"strict", `{"LastName":"X","Email":"x@example.org","Region__c":"North","Level__c":"Lead"}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"},
		{"leads-only", `{"LastName":"X"}`, "INSUFFICIENT_ACCESS_OR_READONLY"},
		{"plain", `{"LastName":"` + strings.Repeat("ü", 81) + `"}`, "STRING_TOO_LONG"},
		{"plain", `{"LastName":"` + strings.Repeat("ü", 80) + `"}`, `"success":true`},
		{"plain", `{"LastName":"X","Birthdate":"19/02/1985"}`, "JSON_PARSER_ERROR"},
		{"plain", `{"LastName":5}`, "JSON_PARSER_ERROR"},
		{"plain", `{"LastName":"X","AccountId":"001Si0000009999"}`, "INVALID_CROSS_REFERENCE_KEY"},
		{"plain", `["x"]`, "JSON_PARSER_ERROR"},
	} {
		t.Run(tc.profile+tc.want, func(t *testing.T) {
			t.Parallel()
			if got := newOrg(t, tc.profile).send("POST", V+"/sobjects/Contact", tc.body); !strings.Contains(got.body, tc.want) {
				t.Errorf("%s: %s, want %s", tc.body, got.body, tc.want)
			}
		})
	}
}

func TestDuplicateRuleAnswers(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "dup-alert")
	id := o.create("Contact", `{"LastName":"Fischer","Email":"a@example.org"}`)
	const body = `{"LastName":"fischer","Email":"A@example.org"}`
	o.want("POST", V+"/sobjects/Contact", body, 400, `[{"duplicateResut":{"allowSave":true,…"Id":"`+id+`"}…"errorCode":"DUPLICATES_DETECTED","message":"Use one of these records?"}]`)
	o.want("POST", V+"/sobjects/Lead", `{"LastName":"Fischer","Company":"C","Email":"a@example.org"}`, 400, `[{"duplicateResut":…"type":"Contact"…`)
	if got := o.send("POST", V+"/sobjects/Contact", body, "Sforce-Duplicate-Rule-Header", "allowSave=true; includeRecordDetails=true"); got.status != 201 {
		t.Errorf("allowed: %d %s", got.status, got.body)
	}
	o.admin("PATCH", "/settings", `{"duplicate_rule":"block","correct_spelling":true}`)
	if got := o.send("POST", V+"/sobjects/Contact", body, "Sforce-Duplicate-Rule-Header", "allowSave=true"); got.status != 400 || !strings.Contains(got.body, `"duplicateResult":{"allowSave":false`) {
		t.Errorf("blocked: %d %s", got.status, got.body)
	}
}

// A new field is hidden until a permission set of the user grants it.
func TestFieldsAreMadeAndGranted(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	const field = `{"FullName":"Contact.Host_Client_Id__c","Metadata":{"label":"Host Client Id","type":"Text","length":64,"unique":true,"externalId":true,"caseSensitive":true}}`
	o.want("POST", V+"/tooling/sobjects/CustomField", field, 201, `{"id":"00NSi0000000001MAA","success":true,"errors":[],"warnings":[],"infos":[]}`)
	o.want("POST", V+"/tooling/sobjects/CustomField", field, 400,
		`[{"errorCode":"DUPLICATE_DEVELOPER_NAME","fields":["FullName"],"message":"There is already a field named Host_Client_Id on Contact."}]`)
	o.want("GET", V+"/tooling/query?q=SELECT+Id,DeveloperName+FROM+CustomField+WHERE+DeveloperName='Host_Client_Id'", "", 200, `{"size":1,"totalSize":1,…`)
	shown := func() bool {
		return strings.Contains(o.send("GET", V+"/sobjects/Contact/describe", "").body, `"Host_Client_Id__c"`)
	}
	if shown() {
		t.Error("the field shows before it is granted")
	}
	set := o.create("PermissionSet", `{"Name":"Host_Connector","Label":"Host Connector"}`)
	o.create("FieldPermissions", `{"ParentId":"`+set+`","SobjectType":"Contact","Field":"Contact.Host_Client_Id__c","PermissionsRead":true,"PermissionsEdit":true}`)
	if shown() {
		t.Error("the field shows before the permission set is assigned")
	}
	users, _ := o.query("SELECT Id FROM User WHERE Username = 'admin@example.org'", "Id")
	assignment := fmt.Sprintf(`{"PermissionSetId":%q,"AssigneeId":%q}`, set, users[0])
	o.create("PermissionSetAssignment", assignment)
	o.want("POST", V+"/sobjects/PermissionSetAssignment", assignment, 400, `[{"errorCode":"DUPLICATE_VALUE","fields":["AssigneeId","PermissionSetId"],…`)
	if !shown() {
		t.Error("the granted field does not show")
	}
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := openOrg(t, "ready", dir)
	first.want("PATCH", V+"/sobjects/Contact/Clientele_Id__c/c-1", `{"LastName":"Fischer"}`, 201, `…`)
	second := openOrg(t, "", dir)
	second.want("PATCH", V+"/sobjects/Contact/Clientele_Id__c/c-1", `{"Title":"CFO"}`, 200, `{"id":"003Si0000000001IAA",…"created":false}`)
	second.want("POST", V+"/sobjects/Contact", `{"LastName":"Next"}`, http.StatusCreated, `{"id":"003Si0000000002IAA",…`)
}

func TestReplication(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	a, b := o.create("Contact", `{"LastName":"A"}`), o.create("Contact", `{"LastName":"B"}`)
	o.send("DELETE", V+"/sobjects/Contact/"+b, "")
	const window = "/?start=2026-01-01T00%3A00%3A00Z&end=2026-01-01T00%3A05%3A00Z"
	o.admin("POST", "/clock", `{"now":"2026-01-01T00:04:30Z"}`)
	o.admin("POST", "/set", `{"object":"Contact","id":"`+a+`","fields":{"SystemModstamp":"2026-01-01T00:01:00Z"}}`)
	o.admin("POST", "/set", `{"object":"Contact","id":"`+b+`","fields":{"SystemModstamp":"2026-01-01T00:02:00Z"}}`)
	o.want("GET", V+"/sobjects/Contact/updated"+window, "", 200, `{"ids":["`+a+`"],"latestDateCovered":"2026-01-01T00:04:00.000+0000"}`)
	o.want("GET", V+"/sobjects/Contact/deleted"+window, "", 200,
		`{"deletedRecords":[{"deletedDate":"2026-01-01T00:02:00.000+0000","id":"`+b+`"}],"earliestDateAvailable":"…","latestDateCovered":"2026-01-01T00:04:00.000+0000"}`)
	o.want("GET", V+"/sobjects/Contact/updated/?start=2025-01-01T00%3A00%3A00Z&end=2026-01-01T00%3A05%3A00Z", "", 400, `[{"errorCode":"INVALID_REPLICATION_DATE",…`)
}

func TestBulk(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	o.want("POST", V+"/jobs/ingest", `{"object":"Contact","operation":"upsert","externalIdFieldName":"Clientele_Id__c","contentType":"CSV","lineEnding":"LF"}`, 200,
		`{"id":"750Si0000000001IAA","operation":"upsert","object":"Contact",…"state":"Open","externalIdFieldName":"Clientele_Id__c","concurrencyMode":"Parallel","contentType":"CSV","apiVersion":66.0,"contentUrl":"services/data/v66.0/jobs/ingest/750Si0000000001IAA/batches","lineEnding":"LF","columnDelimiter":"COMMA"}`)
	const job = V + "/jobs/ingest/750Si0000000001IAA"
	o.want("PATCH", job, `{"state":"UploadComplete"}`, 400, `[{"errorCode":"INVALIDJOBSTATE",…`)
	o.want("PUT", job+"/batches", "Clientele_Id__c,LastName,Email\nc-1,A,a@example.org\nc-2,,b@example.org\n", 201, "")
	o.want("PUT", job+"/batches", "x", 400, `[{"errorCode":"INVALIDJOBSTATE",…`)
	o.want("PATCH", job, `{"state":"UploadComplete"}`, 200, `…"state":"UploadComplete"…`)
	o.want("GET", job, "", 200, `…"state":"InProgress"…`)
	o.send("GET", job, "")
	o.want("GET", job, "", 200, `…"state":"JobComplete"…"numberRecordsProcessed":2,"numberRecordsFailed":1…`)
	o.want("GET", job+"/successfulResults", "", 200, "\"sf__Id\",\"sf__Created\",\"Clientele_Id__c\",\"LastName\",\"Email\"\n\"003Si0000000001IAA\",\"true\",\"c-1\",\"A\",\"a@example.org\"\n")
	o.want("GET", job+"/failedResults", "", 200, "…\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --\",\"c-2\",\"\",\"b@example.org\"\n")
	o.want("DELETE", job, "", 204, "")
	o.want("GET", job, "", 404, `[{"errorCode":"NOT_FOUND",…`)
}
