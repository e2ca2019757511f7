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

// golden compares with a file below testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
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
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs, -update rewrites it (-want +got):\n%s", path, diff)
	}
}

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
	for _, name := range []string{"Authorization", "Prefer", "Content-Type", "Consistency", "If-Match"} {
		if v := req.Header.Get(name); v != "" {
			if name == "Authorization" {
				v = "Bearer …"
			}
			fmt.Fprintf(&rec.out, "> %s: %s\n", name, v)
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
	rec.body("< ", body)
	rec.out.WriteString("\n")
	return res, nil
}

func (rec *recorder) body(mark string, body []byte) {
	if len(body) == 0 {
		return
	}
	for escaped, plain := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&"} {
		body = bytes.ReplaceAll(body, []byte(escaped), []byte(plain))
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, mark, "  ") == nil {
		rec.out.WriteString(mark + pretty.String() + "\n")
		return
	}
	for text := range strings.Lines(strings.ReplaceAll(string(body), "\r\n", "\n")) {
		rec.out.WriteString(mark + text)
	}
}

// text replaces ports, the CRM's times and versions, and the ids it makes; ids
// that the test gave stay readable.
func (rec *recorder) text() string {
	text := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(rec.out.String(), "127.0.0.1:PORT")
	text = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllStringFunc(text, func(at string) string {
		if strings.HasPrefix(at, "2026-03-01") {
			return at
		}
		return "(time)"
	})
	text = regexp.MustCompile(`\d+%21\d\d%2f\d\d%2f20\d\d%20\d\d%3a\d\d%3a\d\d`).ReplaceAllString(text, "(delta token)")
	seen := map[string]string{}
	return regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasPrefix(id, "0198f0a4") || strings.HasPrefix(id, "3cace264") || strings.HasPrefix(id, "1a5db8a1") {
			return id
		}
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("(id %d)", len(seen)+1)
		}
		return seen[id]
	})
}

// Each operation's requests and answers, for review. The files are
// testdata/transcripts; -update writes them.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(c *crm, ids []string) error{
		"check": func(c *crm, _ []string) error {
			_, err := c.adapter.Check(c.t.Context(), sdk.CheckRequest{Connection: c.conn})
			return err
		},
		"install": func(c *crm, _ []string) error {
			c.post("/reset", nil)
			for range 3 {
				if _, err := c.adapter.Install(c.t.Context(), sdk.InstallRequest{Connection: c.conn, Objects: []string{"contact"}}); err != nil {
					return err
				}
			}
			return nil
		},
		"find": func(c *crm, ids []string) error {
			_, err := c.adapter.Find(c.t.Context(), sdk.FindRequest{Connection: c.conn, Object: "contact", Fields: []string{"firstname"}, Keys: []sdk.FindKey{
				{ItemID: "1", By: sdk.FindByID, Value: ids[0]}, {ItemID: "2", By: sdk.FindByExternalKey, Value: key(1)},
				{ItemID: "3", By: sdk.FindByEmail, Value: email(0)}, {ItemID: "3", By: sdk.FindByPhone, Value: phone(0)},
			}})
			return err
		},
		"write": func(c *crm, ids []string) error {
			known, bad := contact(0), contact(6)
			known.CRMID = ids[0]
			bad.Fields["firstname"] = sdk.Text(strings.Repeat("x", 51))
			_, err := c.adapter.Write(c.t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: []sdk.WriteItem{known, contact(5), bad}})
			return err
		},
		"log_activities": func(c *crm, ids []string) error {
			item := activityOf(1, "voice", ids[0])
			for _, body := range []string{item.Body, "Edited."} {
				item.Body = body
				if _, err := c.adapter.LogActivities(c.t.Context(), sdk.LogActivitiesRequest{Connection: c.conn, Items: []sdk.Activity{item}}); err != nil {
					return err
				}
			}
			return nil
		},
		"delete": func(c *crm, ids []string) error {
			_, err := c.adapter.Delete(c.t.Context(), sdk.DeleteRequest{Connection: c.conn, Object: "contact", Items: []sdk.DeleteItem{
				{ItemID: "1", CRMID: ids[0]}, {ItemID: "2", CRMID: "0198f0a4-0000-7000-8000-00000000dead"},
			}})
			return err
		},
		"changes": func(c *crm, ids []string) error {
			begin, err := c.adapter.Changes(c.t.Context(), sdk.ChangesRequest{Connection: c.conn, Object: "contact", Fields: []string{"lastname"}, Limit: 10})
			if err != nil {
				return err
			}
			c.post("/edit/org-a/contact", map[string]any{"id": ids[0], "values": map[string]any{"lastname": "Edited"}})
			c.post("/edit/org-a/contact", map[string]any{"id": ids[1], "delete": true})
			_, err = c.adapter.Changes(c.t.Context(), sdk.ChangesRequest{Connection: c.conn, Object: "contact", Fields: []string{"lastname"}, Cursor: begin.Next, Limit: 10})
			return err
		},
		"plan": func(c *crm, _ []string) error {
			_, err := c.adapter.Plan(c.t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: []sdk.WriteItem{contact(0)}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := installed(t, nil)
			ids := c.seedContacts(2)
			rec := &recorder{}
			c.adapter = newAdapter(rec)
			if err := do(c, ids); err != nil {
				t.Fatal(err)
			}
			text := rec.text()
			if strings.Contains(text, c.conn.Token.AccessToken) {
				t.Error("the transcript holds the token")
			}
			golden(t, filepath.Join("transcripts", name+".txt"), text)
		})
	}
}
