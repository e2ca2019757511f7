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
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorder writes down what goes over the network, without what differs from run
// to run and without secrets.
type recorder struct {
	mu  sync.Mutex
	out strings.Builder
}

func (rec *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	fmt.Fprintf(&rec.out, "> %s %s\n", req.Method, req.URL.RequestURI())
	if auth := req.Header.Get("Authorization"); auth != "" {
		fmt.Fprintf(&rec.out, "> Authorization: %s …\n", strings.Fields(auth)[0])
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
	rec.body("< ", body)
	rec.out.WriteString("\n")
	return res, nil
}

func (rec *recorder) body(mark string, body []byte) {
	var pretty bytes.Buffer
	for escaped, plain := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"} {
		body = bytes.ReplaceAll(body, []byte(escaped), []byte(plain))
	}
	if json.Indent(&pretty, body, mark, "  ") == nil && pretty.Len() > 0 {
		rec.out.WriteString(mark + pretty.String() + "\n")
	}
}

var whenever = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ`)

// text is the transcript with HubSpot's own times replaced.
func (rec *recorder) text() string {
	return whenever.ReplaceAllStringFunc(rec.out.String(), func(t string) string {
		if strings.HasPrefix(t, "2026-11-22") {
			return t // a time that the test gave
		}
		return "(time)"
	})
}

// Each operation's requests and answers, for review. The files are
// testdata/transcripts; -update writes them.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(r *rig, ids []string) error{
		"check": func(r *rig, _ []string) error {
			_, err := r.Check(r.t.Context(), sdk.CheckRequest{Connection: r.conn})
			return err
		},
		"install": func(r *rig, _ []string) error {
			r.call("DELETE", "/crm/properties/2026-09/contacts/clientele_id", "{}")
			_, err := r.Install(r.t.Context(), sdk.InstallRequest{Connection: r.conn, Objects: []string{contacts}})
			return err
		},
		"find": func(r *rig, ids []string) error {
			_, err := r.Find(r.t.Context(), sdk.FindRequest{Connection: r.conn, Object: contacts, Fields: []string{"firstname"},
				Keys: []sdk.FindKey{
					{ItemID: "1", By: sdk.FindByID, Value: ids[0]}, {ItemID: "2", By: sdk.FindByExternalKey, Value: key(1)},
					{ItemID: "3", By: sdk.FindByEmail, Value: address(0)}, {ItemID: "3", By: sdk.FindByPhone, Value: phone(0)},
				}})
			return err
		},
		"write": func(r *rig, ids []string) error {
			known, fresh, bad := person(0), person(5), person(6)
			known.CRMID, fresh.Mode, bad.Mode = ids[0], sdk.ModeCreate, sdk.ModeCreate
			bad.Fields["email"] = sdk.Text("person6")
			_, err := r.write(known, fresh, bad, person(7))
			return err
		},
		"log_activities": func(r *rig, ids []string) error {
			if _, err := r.log(talk(1, "chat", ids[0])); err != nil {
				return err
			}
			_, err := r.log(talk(1, "chat", ids[1]))
			return err
		},
		"delete": func(r *rig, ids []string) error {
			_, err := r.Delete(r.t.Context(), sdk.DeleteRequest{
				Connection: r.conn, Object: contacts, Items: []sdk.DeleteItem{{ItemID: "1", CRMID: ids[0]}},
			})
			return err
		},
		"changes": func(r *rig, _ []string) error {
			now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			r.adapter.now = func() time.Time { return now }
			reply, err := r.Changes(r.t.Context(), sdk.ChangesRequest{Connection: r.conn, Object: contacts, Limit: 50})
			for range 2 {
				if err == nil {
					now = now.Add(2 * time.Hour)
					reply, err = r.Changes(r.t.Context(), sdk.ChangesRequest{
						Connection: r.conn, Object: contacts, Cursor: reply.Next, Limit: 50,
					})
				}
			}
			return err
		},
		"plan": func(r *rig, ids []string) error {
			known := person(0)
			known.CRMID = ids[0]
			_, err := r.Plan(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: contacts, Items: []sdk.WriteItem{known}})
			return err
		},
		"refused": func(r *rig, ids []string) error {
			bad := person(0)
			bad.CRMID, bad.Fields["shoe_size"] = ids[0], sdk.Text("43")
			good := person(1)
			good.CRMID = ids[1]
			_, err := r.write(bad, good)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ids := r.seed(2)
			rec := &recorder{}
			r.adapter = newAdapter(rec)
			if err := do(r, ids); err != nil {
				t.Fatal(err)
			}
			got := rec.text()
			if strings.Contains(got, r.conn.Token.AccessToken) {
				t.Fatal("the transcript holds the token")
			}
			path := filepath.Join("testdata", "transcripts", name+".txt")
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
				t.Fatalf("%v; go test ./plugins/hubspot -run Transcripts -update writes it", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
