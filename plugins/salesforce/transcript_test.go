package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorder writes down what goes over the network, without secrets and without
// what differs from run to run.
type recorder struct {
	mu  sync.Mutex
	out strings.Builder
}

func (rec *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	fmt.Fprintf(&rec.out, "> %s %s\n", req.Method, req.URL.RequestURI())
	for _, name := range []string{"Sforce-Auto-Assign", "Sforce-Call-Options", "Sforce-Duplicate-Rule-Header"} {
		if value := req.Header.Get(name); value != "" {
			fmt.Fprintf(&rec.out, "> %s: %s\n", name, value)
		}
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		rec.body("> ", body)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	fmt.Fprintf(&rec.out, "\n< %s\n", res.Status)
	if usage := res.Header.Get("Sforce-Limit-Info"); usage != "" {
		fmt.Fprintf(&rec.out, "< Sforce-Limit-Info: %s\n", usage)
	}
	rec.body("< ", body)
	rec.out.WriteString("\n")
	return res, nil
}

// body is shown indented; of a long answer, such as a description, the first
// lines.
func (rec *recorder) body(mark string, body []byte) {
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, mark, " ") != nil || pretty.Len() == 0 {
		return
	}
	lines := strings.Split(pretty.String(), "\n")
	const most = 60
	if len(lines) > most && mark == "< " {
		lines = append(lines[:most:most], fmt.Sprintf("%s(%d lines more)", mark, len(lines)-most))
	}
	rec.out.WriteString(mark + strings.Join(lines, "\n") + "\n")
}

// text is the transcript with times and addresses replaced.
func (rec *recorder) text() string {
	text := rec.out.String()
	for form, name := range map[string]string{
		`20\d\d-\d\d-\d\dT\d\d(:|%3A)\d\d(:|%3A)\d\d\.\d{3}(Z|\+0000)`: "(time)",
		`http://127\.0\.0\.1:\d+`:                                      "(org)",
	} {
		text = regexp.MustCompile(form).ReplaceAllString(text, name)
	}
	return text
}

// Each operation's requests and answers, for review. The files are
// testdata/transcripts; -update writes them.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	type do = func(r *rig, ids map[string]string) error
	for name, tc := range map[string]struct {
		profile, settings string
		do                do
	}{
		"check": {"ready", "", func(r *rig, _ map[string]string) error {
			_, err := r.check()
			return err
		}},
		"install": {"plain", "", func(r *rig, _ map[string]string) error {
			_, err := r.a.Install(r.t.Context(), sdk.InstallRequest{Connection: r.conn, Objects: []string{"Task"}})
			return err
		}},
		"describe_object": {"ready", "", func(r *rig, _ map[string]string) error {
			_, err := r.a.DescribeObject(r.t.Context(), sdk.DescribeObjectRequest{Connection: r.conn, Object: "Account"})
			return err
		}},
		"find": {"ready", "", func(r *rig, ids map[string]string) error {
			_, err := r.a.Find(r.t.Context(), sdk.FindRequest{Connection: r.conn, Object: "Contact", Fields: []string{"LastName"}, Keys: []sdk.FindKey{
				{ItemID: "1", By: sdk.FindByID, Value: ids["one"]}, {ItemID: "1", By: sdk.FindByExternalKey, Value: key(1)},
				{ItemID: "1", By: sdk.FindByEmail, Value: "one@example.org"}, {ItemID: "2", By: sdk.FindByPhone, Value: "+493012345678"},
			}})
			return err
		}},
		"write": {"ready", "", func(r *rig, ids map[string]string) error {
			known, fresh, bad := person(5), person(6), person(7)
			known.CRMID, known.AssociateCRMID, fresh.Mode = ids["one"], ids["account"], sdk.ModeCreate
			bad.Fields["Email"] = sdk.Text("person7")
			_, err := r.a.Write(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.WriteItem{known, fresh, bad, person(8)}})
			return err
		}},
		"write_duplicate": {"dup-alert", "", func(r *rig, _ map[string]string) error {
			item := person(9)
			item.Fields["LastName"], item.Fields["Email"] = sdk.Text("One"), sdk.Text("one@example.org")
			_, err := r.a.Write(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.WriteItem{item}})
			return err
		}},
		"write_merged": {"ready", "", func(r *rig, ids map[string]string) error {
			r.admin("POST", "/merge", fmt.Sprintf(`{"object":"Contact","winner":%q,"losers":[%q]}`, ids["one"], ids["two"]))
			item := person(2)
			item.CRMID = ids["two"]
			_, err := r.a.Write(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.WriteItem{item}})
			return err
		}},
		"log_activities": {"ready", "", func(r *rig, ids map[string]string) error {
			talks := conversations([]string{ids["one"], ids["two"], ids["one"], ids["two"]})
			r.log(talks[2])
			_, err := r.a.LogActivities(r.t.Context(), sdk.LogActivitiesRequest{Connection: r.conn, Items: talks})
			return err
		}},
		"log_activities_without_key_field": {"plain", `{"activity_key_field":"CallObject"}`, func(r *rig, ids map[string]string) error {
			_, err := r.a.LogActivities(r.t.Context(), sdk.LogActivitiesRequest{Connection: r.conn, Items: conversations([]string{ids["one"]})})
			return err
		}},
		"delete": {"ready", "", func(r *rig, ids map[string]string) error {
			_, err := r.a.Delete(r.t.Context(), sdk.DeleteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.DeleteItem{{ItemID: "1", CRMID: ids["one"]}}})
			return err
		}},
		"changes": {"ready", "", func(r *rig, ids map[string]string) error {
			rd := r.reader("Contact")
			r.write("Contact", person(3))
			r.rest("DELETE", "/services/data/v66.0/sobjects/Contact/"+ids["two"], "")
			rd.cursor = cursor{Since: mustTime(r.t, "2020-01-01T00:00:00Z")}.String()
			rd.all("Contact", 2)
			return nil
		}},
		"plan": {"ready", "", func(r *rig, ids map[string]string) error {
			known := person(1)
			known.CRMID = ids["one"]
			_, err := r.a.Plan(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "Contact", Items: []sdk.WriteItem{known}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tc.profile, tc.settings)
			ids := map[string]string{
				"one":     r.create("Contact", `{"LastName":"One","Email":"one@example.org"}`),
				"two":     r.create("Contact", `{"LastName":"Two","Email":"two@example.org","Phone":"(415) 555-0102"}`),
				"account": r.create("Account", `{"Name":"Muster GmbH"}`),
			}
			rec := &recorder{}
			r.a = newAdapter(rec)
			if err := tc.do(r, ids); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "transcripts", name+".txt"), rec.text(), r.conn.Token.AccessToken)
		})
	}
}

func golden(t *testing.T, path, got, secret string) {
	t.Helper()
	if strings.Contains(got, secret) {
		t.Fatal("the transcript holds the token")
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./plugins/salesforce -run Transcripts -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
