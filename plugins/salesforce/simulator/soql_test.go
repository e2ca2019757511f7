package simulator_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueries(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	account := o.create("Account", `{"Name":"Muster GmbH","NumberOfEmployees":12}`)
	for _, body := range []string{
		`{"LastName":"Ärger","FirstName":"Änne","Email":"A@example.org","Birthdate":"1985-02-19","AccountId":"` + account + `"}`,
		`{"LastName":"O'Brien","Email":"b@example.org","Title":"50% \\ off","DoNotCall":true}`,
		`{"LastName":"Zander"}`,
	} {
		o.create("Contact", body)
	}
	for soql, want := range map[string][]any{
		`SELECT LastName FROM Contact ORDER BY LastName DESC`:                                         {"Ärger", "Zander", "O'Brien"},
		`select lastname from contact where EMAIL = 'a@EXAMPLE.org'`:                                  {"Ärger"},
		`SELECT LastName FROM Contact WHERE LastName = 'O\'Brien'`:                                    {"O'Brien"},
		`SELECT LastName FROM Contact WHERE LastName LIKE 'O%'`:                                       {"O'Brien"},
		`SELECT LastName FROM Contact WHERE Title LIKE '50\% \\\\ o__'`:                               {"O'Brien"},
		`SELECT LastName FROM Contact WHERE Title LIKE '50\%'`:                                        {},
		`SELECT LastName FROM Contact WHERE Email = null`:                                             {"Zander"},
		`SELECT LastName FROM Contact WHERE Email != 'b@example.org' ORDER BY LastName`:               {"Zander", "Ärger"},
		`SELECT LastName FROM Contact WHERE Email NOT IN ('b@example.org','a@example.org')`:           {"Zander"},
		`SELECT LastName FROM Contact WHERE DoNotCall = TRUE`:                                         {"O'Brien"},
		`SELECT LastName FROM Contact WHERE Birthdate < 1990-01-01`:                                   {"Ärger"},
		`SELECT LastName FROM Contact WHERE Account.Name = 'Muster GmbH'`:                             {"Ärger"},
		`SELECT LastName FROM Contact WHERE AccountId = '` + account[:15] + `'`:                       {"Ärger"},
		`SELECT LastName FROM Contact WHERE NOT (Email = null OR DoNotCall = true)`:                   {"Ärger"},
		`SELECT LastName FROM Contact WHERE CreatedDate = TODAY AND DoNotCall = true`:                 {"O'Brien"},
		`SELECT LastName FROM Contact WHERE CreatedDate >= LAST_N_DAYS:3 AND Email = null`:            {"Zander"},
		`SELECT LastName FROM Contact WHERE SystemModstamp > 2100-01-01T00:00:00.000Z`:                {},
		`SELECT LastName FROM Contact WHERE SystemModstamp > 2000-01-01T01:00:00+01:00 LIMIT 0`:       {},
		`SELECT LastName FROM Contact ORDER BY Email NULLS LAST, LastName LIMIT 2 OFFSET 1`:           {"O'Brien", "Zander"},
		`SELECT LastName FROM Contact ORDER BY Birthdate DESC NULLS FIRST, LastName ASC LIMIT 1`:      {"O'Brien"},
		`SELECT Name FROM Account WHERE NumberOfEmployees >= 12`:                                      {nil},
		`SELECT LastName FROM Contact WHERE (LastName = 'Zander' AND Id > '000000000000000') LIMIT 5`: {"Zander"},
	} {
		got, answer := o.query(soql, "LastName")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s%s", soql, diff, answer.body)
		}
	}
	o.want("GET", V+"/query?q=SELECT+COUNT()+FROM+Contact", "", 200, `{"totalSize":3,"done":true,"records":[]}`)
	o.want("GET", V+"/query?q=SELECT+FIELDS(ALL)+FROM+Contact+LIMIT+200", "", 200, `…"Clientele_Id__c":null…`)
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	for soql, want := range map[string]string{
		`SELECT Foo__c FROM Contact`: `[{"errorCode":"INVALID_FIELD","message":"\nSELECT Foo__c FROM Contact\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo__c' on entity 'Contact'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."}]`,
		`SELECT Id FROM Accout`:      `[{"errorCode":"INVALID_TYPE",…sObject type 'Accout' is not supported.…`,
		`SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01T00:00:00Z'`:    `[{"errorCode":"INVALID_FIELD",…must be of type dateTime and should not be enclosed in quotes"}]`,
		`SELECT Id FROM Contact WHERE Description = 'x'`:                          `[{"errorCode":"INVALID_FIELD",…can not be filtered in a query call"}]`,
		`SELECT Id FROM Contact WHERE LastName = x`:                               `[{"errorCode":"MALFORMED_QUERY",…unexpected token: 'x'"}]`,
		`SELECT Id FROM Contact WHERE LastName = 5`:                               `[{"errorCode":"INVALID_FIELD",…`,
		`SELECT Id FROM Contact WHERE Id = 'x'`:                                   `[{"errorCode":"INVALID_QUERY_FILTER_OPERATOR",…`,
		`SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01T00:00:00 01:00`: `[{"errorCode":"MALFORMED_QUERY",…`,
		`SELECT Id FROM Contact WHERE LastName = 'open`:                           `[{"errorCode":"MALFORMED_QUERY",…`,
		`SELECT Id FROM Contact LIMIT`:                                            `[{"errorCode":"MALFORMED_QUERY",…unexpected token: '<EOF>'"}]`,
		`SELECT Id FROM Contact OFFSET 2001`:                                      `[{"errorCode":"NUMBER_OUTSIDE_VALID_RANGE",…`,
		`SELECT FIELDS(ALL) FROM Contact`:                                         `[{"errorCode":"MALFORMED_QUERY",…LIMIT of at most 200"}]`,
		`SELECT (SELECT Id FROM Contacts) FROM Account`:                           `[{"errorCode":"MALFORMED_QUERY",…`,
		`SELECT Nobody.Name FROM Contact`:                                         `[{"errorCode":"INVALID_FIELD",…`,
		``:                                                                        `[{"errorCode":"MALFORMED_QUERY",…`,
		`SELECT Id FROM Contact WHERE ` + strings.Repeat("(", 300) + `Id = null`:  `[{"errorCode":"MALFORMED_QUERY",…nested too deeply"}]`,
	} {
		o.want("GET", V+"/query?q="+url.QueryEscape(soql), "", 400, want)
	}
	if got := o.send("GET", V+"/query?q="+strings.Repeat("x", 17_000), ""); got.status != 431 {
		t.Errorf("a URI over the limit: %d", got.status)
	}
}

func TestPagesAndLocators(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	for i := range 5 {
		o.create("Contact", fmt.Sprintf(`{"LastName":"%d"}`, i))
	}
	o.admin("PATCH", "/settings", `{"query_page":2}`)
	const soql = "SELECT LastName FROM Contact ORDER BY LastName"
	first := o.want("GET", V+"/query?q="+url.QueryEscape(soql), "", 200, `{"totalSize":5,"done":false,"nextRecordsUrl":"`+V+`/query/0r8Si0000000001IAA-2","records":[…]}`)
	if strings.Contains(first.body, `"LastName":"2"`) {
		t.Error("the first page has more than two rows")
	}
	o.want("GET", V+"/query/0r8Si0000000001IAA-4", "", 200, `{"totalSize":5,"done":true,"records":[{"attributes":{…},"LastName":"4"}]}`)
	o.want("GET", V+"/query/0r8Si0000000009IAA-2000", "", 400, `[{"errorCode":"INVALID_QUERY_LOCATOR","message":"invalid query locator"}]`)
	o.admin("POST", "/clock", `{"advance":"49h"}`)
	o.want("GET", V+"/query/0r8Si0000000001IAA-4", "", 400, `[{"errorCode":"INVALID_QUERY_LOCATOR",…`)
}

// Without ORDER BY the order is nobody's promise.
func TestUnorderedRowsComeInAnyOrder(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "ready")
	for i := range 8 {
		o.create("Contact", fmt.Sprintf(`{"LastName":"%d"}`, i))
	}
	first, _ := o.query("SELECT LastName FROM Contact", "LastName")
	for range 50 {
		if next, _ := o.query("SELECT LastName FROM Contact", "LastName"); !slices.Equal(first, next) {
			return
		}
	}
	t.Error("fifty unordered queries came in the same order")
}

func FuzzQuery(f *testing.F) {
	for _, soql := range []string{
		`SELECT Id, Account.Name FROM Contact WHERE Email IN ('a','b') AND NOT (Phone = null) ORDER BY Id DESC NULLS LAST LIMIT 5 OFFSET 1`,
		`SELECT COUNT() FROM Task WHERE ActivityDate >= LAST_N_DAYS:30`, `SELECT FIELDS(CUSTOM) FROM Lead WHERE Name LIKE '\%_\\\''`,
		`SELECT Id FROM Contact WHERE SystemModstamp = 2026-01-01T00:00:00Z OR (((`, `'`, "SELECT Id FROM Contact WHERE LastName = '\xff'",
	} {
		f.Add(soql)
	}
	o := newOrg(f, "ready")
	o.create("Contact", `{"LastName":"Fischer","Email":"a@example.org"}`)
	f.Fuzz(func(t *testing.T, soql string) {
		path := V + "/query?q=" + url.QueryEscape(soql)
		if len(path) > 8000 {
			return
		}
		asker := *o
		asker.t = t
		if got := asker.send("GET", path, ""); got.status != 200 && (got.status != 400 || !strings.Contains(got.body, "errorCode")) {
			t.Errorf("%q: %d %s", soql, got.status, got.body)
		}
	})
}
