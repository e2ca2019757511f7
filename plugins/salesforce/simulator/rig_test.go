package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/plugins/salesforce/simulator"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// V is the path of the API version the tests speak.
const V = "/services/data/v66.0"

// org is a running simulator.
type org struct {
	t     testing.TB
	sim   base.Simulator
	url   string
	token string
}

func newOrg(t testing.TB, profile string) *org {
	t.Helper()
	return openOrg(t, profile, "")
}

func openOrg(t testing.TB, profile, dir string) *org {
	t.Helper()
	sim, err := simulator.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	o := &org{t: t, sim: sim, url: server.URL, token: simulator.StaticToken}
	if profile != "" {
		o.admin("POST", "/profile", fmt.Sprintf(`{"name":%q}`, profile))
	}
	return o
}

func (o *org) admin(method, path, body string) string {
	o.t.Helper()
	w := httptest.NewRecorder()
	o.sim.Admin().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != http.StatusOK {
		o.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// answer is what the org sent.
type answer struct {
	status int
	header http.Header
	body   string
}

func (o *org) send(method, path, body string, header ...string) answer {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(resp.Body); err != nil {
		o.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, out.String()}
}

// want sends and compares status and body; "…" in the wanted body stands for
// anything.
func (o *org) want(method, path, body string, status int, wanted string) answer {
	o.t.Helper()
	got := o.send(method, path, body)
	if got.status != status || !fits(wanted, got.body) {
		o.t.Errorf("%s %s %s\n got %d %s\nwant %d %s", method, path, body, got.status, got.body, status, wanted)
	}
	return got
}

func fits(wanted, got string) bool {
	parts := strings.Split(wanted, "…")
	if len(parts) == 1 {
		return wanted == got
	}
	if !strings.HasPrefix(got, parts[0]) || !strings.HasSuffix(got, parts[len(parts)-1]) {
		return false
	}
	for _, part := range parts {
		at := strings.Index(got, part)
		if at < 0 {
			return false
		}
		got = got[at+len(part):]
	}
	return true
}

// create makes a record and returns its id.
func (o *org) create(object, body string) string {
	o.t.Helper()
	got := o.send("POST", V+"/sobjects/"+object, body)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &made); err != nil || got.status != http.StatusCreated {
		o.t.Fatalf("create %s: %d %s", object, got.status, got.body)
	}
	return made.ID
}

// query runs SOQL and returns the rows' values of one field, in order.
func (o *org) query(soql, field string) ([]any, answer) {
	o.t.Helper()
	got := o.send("GET", V+"/query?q="+url.QueryEscape(soql), "")
	var page struct{ Records []map[string]any }
	_ = json.Unmarshal([]byte(got.body), &page) // an error is looked at by the caller
	values := []any{}
	for _, row := range page.Records {
		values = append(values, row[field])
	}
	return values, got
}

// form posts to a token endpoint.
func (o *org) form(path string, values url.Values) answer {
	o.t.Helper()
	return o.send("POST", path, values.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Authorization", "")
}
