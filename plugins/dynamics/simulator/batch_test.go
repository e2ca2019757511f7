package simulator_test

import (
	"net/http"
	"strings"
	"testing"
)

const root = "/org-a/api/data/v9.2/"

// one writes a part that is an operation; \n stands for CRLF.
func one(id, request, body string) string {
	s := "--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n"
	if id != "" {
		s += "Content-ID: " + id + "\n"
	}
	return s + "\n" + request + " HTTP/1.1\nContent-Type: application/json\n\n" + body + "\n"
}

// set writes a change set of operations.
func set(parts ...string) string {
	return "--b\nContent-Type: multipart/mixed; boundary=c\n\n" + strings.ReplaceAll(strings.Join(parts, ""), "--b\n", "--c\n") + "--c--\n"
}

func (s *server) batch(body string, headers ...string) reply {
	s.t.Helper()
	headers = append([]string{"Content-Type", `multipart/mixed; boundary="b"`}, headers...)
	return s.do(http.MethodPost, "$batch", strings.ReplaceAll(body+"--b--\n", "\n", "\r\n"), headers...)
}

func statuses(body string) string {
	var out []string
	for _, line := range strings.Split(body, "\r\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "HTTP/1.1" {
			out = append(out, words[1])
		}
	}
	return strings.Join(out, " ")
}

func TestBatch(t *testing.T) {
	t.Parallel()
	const goOn = "odata.continue-on-error"
	good, bad := `{"lastname":"Silva"}`, `{"firstname":"`+strings.Repeat("x", 51)+`"}`
	post := func(id, body string) string { return one(id, "POST "+root+"contacts", body) }
	for name, tc := range map[string]struct {
		body, prefer string
		status       int
		parts        string
		held         string
	}{
		"all good":                      {post("", good) + post("", good), "", 200, "204 204", "2"},
		"stops at the first failure":    {post("", good) + post("", bad) + post("", good), "", 400, "204 400", "1"},
		"goes on":                       {post("", good) + post("", bad) + post("", good), goOn, 200, "204 400 204", "2"},
		"a change set":                  {set(post("1", good), one("2", "PATCH $1", `{"jobtitle":"CTO"}`)), "", 200, "204 204", "1"},
		"a change set is rolled back":   {set(post("1", good), post("2", bad)) + post("3", good), goOn, 200, "400 204", "1"},
		"an unknown reference":          {set(post("1", good), one("2", "PATCH $7", `{}`)), goOn, 200, "400", "0"},
		"relative and absolute targets": {one("", "POST contacts", good) + one("", "POST HOST"+root+"contacts", good), "", 200, "204 204", "2"},
		"a read":                        {post("", good) + one("", "GET "+root+"contacts?$select=lastname", ""), "", 200, "204 200", "1"},
		"a read in a change set":        {set(one("1", "GET "+root+"contacts", "")), "", 400, "", "0"},
		"an id twice":                   {set(post("1", good)) + set(post("1", good)), "", 400, "", "0"},
		"a batch in a batch":            {one("", "POST "+root+"$batch", ""), goOn, 200, "400", "0"},
		"nothing":                       {"", "", 400, "", "0"},
		"too many":                      {strings.Repeat(post("", good), 1001), goOn, 400, "", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "")
			r := s.batch(strings.ReplaceAll(tc.body, "HOST", s.url), "Prefer", tc.prefer)
			if r.Status != tc.status || statuses(r.Body) != tc.parts {
				t.Errorf("%d with parts %q, want %d with %q\n%s", r.Status, statuses(r.Body), tc.status, tc.parts, r.Body)
			}
			if held := s.do("GET", "contacts/$count", "").Body; held != tc.held {
				t.Errorf("%s contacts, want %s", held, tc.held)
			}
		})
	}
}

// Bare LF is refused or, in the other reading of quirk 3, loses the last
// operation.
func TestBatchLineEnds(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	body := strings.ReplaceAll(one("", "POST "+root+"contacts", `{"lastname":"a"}`)+one("", "POST "+root+"contacts", `{"lastname":"b"}`)+"--b--", "\r\n", "\n")
	head := []string{"Content-Type", "multipart/mixed; boundary=b"}
	if r := s.do("POST", "$batch", body, head...); r.Status != 400 || r.code(t) != "0x80048d19" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	s.set(map[string]any{"line_feed": "drop_last"})
	if r := s.do("POST", "$batch", body, head...); r.Status != 200 || statuses(r.Body) != "204" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

func FuzzQueriesAndBatches(f *testing.F) {
	f.Add("$filter=contains(lastname,'a') and not (statecode eq 0)", "x")
	f.Add("$filter=Microsoft.Dynamics.CRM.In(PropertyName='lastname',PropertyValues=['a',\"b\"])&$orderby=lastname desc&$top=3", "--b--")
	f.Add("$select=lastname&$expand=parentcustomerid_account($select=name)&$count=true", one("1", "GET contacts", ""))
	f.Add("$filter=contact_customer_contacts/any(o:o/lastname eq 'x')", set(one("1", "PATCH $1", "{}")))
	f.Add("$skiptoken=<cookie pagenumber=\"2\" pagingcookie=\"%3ccookie\"", "--b\n\n")
	f.Fuzz(func(t *testing.T, query, body string) {
		s := open(t, "")
		s.do("POST", "contacts", `{"lastname":"a"}`)
		escaped := strings.NewReplacer(" ", "%20", "\"", "%22", "<", "%3C", "#", "%23", "\n", "", "\r", "", "\x00", "").Replace(query)
		for _, r := range escaped {
			if r < ' ' || r > '~' {
				return
			}
		}
		if strings.Contains(escaped, "%") && !validEscapes(escaped) {
			return
		}
		for _, r := range []reply{s.do("GET", "contacts?"+escaped, ""), s.batch(body)} {
			if r.Status >= 500 && r.Status != http.StatusNotImplemented {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
	})
}

func validEscapes(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i+1])) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i+2]))) {
			return false
		}
	}
	return true
}
