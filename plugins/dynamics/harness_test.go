package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/plugins/dynamics/simulator"
	"github.com/clientele-crm/clientele/sdk"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// crm is a simulator on the loopback interface with the adapter in front of it.
type crm struct {
	t       testing.TB
	adapter *adapter
	conn    sdk.Connection
	crmURL  string
	admin   string
}

// start opens a simulator; settings are merged into the connection's.
func start(t testing.TB, settings map[string]any) *crm {
	t.Helper()
	sim, err := simulator.New("")
	if err != nil {
		t.Fatal(err)
	}
	port := httptest.NewServer(sim)
	admin := httptest.NewServer(sim.Admin())
	t.Cleanup(func() {
		port.Close()
		admin.Close()
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	all := map[string]any{"resource_url": port.URL + "/org-a", "publisher_prefix": "acme"}
	for k, v := range settings {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	c := &crm{t: t, adapter: newAdapter(nil), crmURL: port.URL, admin: admin.URL}
	c.conn = sdk.Connection{ID: "0198f0a4-0000-7000-8000-000000000001", Settings: raw, Token: sdk.Token{AccessToken: "static-test"}}
	return c
}

// installed starts a simulator whose columns and keys are there.
func installed(t testing.TB, settings map[string]any) *crm {
	t.Helper()
	c := start(t, settings)
	c.install()
	c.post("/clock", map[string]any{"advance": "10s"})
	c.resetCounters()
	return c
}

func (c *crm) install() sdk.InstallReply {
	c.t.Helper()
	var reply sdk.InstallReply
	for range 3 {
		var err error
		if reply, err = c.adapter.Install(c.t.Context(), sdk.InstallRequest{Connection: c.conn}); err != nil {
			c.t.Fatal(err)
		}
	}
	return reply
}

// post changes something through the admin port.
func (c *crm) post(path string, body any) []byte { return c.adminCall(http.MethodPost, path, body) }

func (c *crm) set(settings map[string]any) { c.adminCall(http.MethodPatch, "/settings", settings) }

func (c *crm) fault(rule base.Fault) { c.post("/faults", rule) }

func (c *crm) clearFaults() { c.adminCall(http.MethodDelete, "/faults", nil) }

func (c *crm) resetCounters() { c.adminCall(http.MethodDelete, "/counters", nil) }

func (c *crm) counts() base.Counts {
	c.t.Helper()
	var out base.Counts
	if err := json.Unmarshal(c.adminCall(http.MethodGet, "/counters", nil), &out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// records are the rows of a table as they are in the CRM.
func (c *crm) records(table string) []map[string]any {
	c.t.Helper()
	var out []map[string]any
	if err := json.Unmarshal(c.adminCall(http.MethodGet, "/records/org-a/"+table, nil), &out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *crm) adminCall(method, path string, body any) []byte {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, c.admin+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s %s", method, path, resp.Status, data)
	}
	return data
}

func (c *crm) write(items ...sdk.WriteItem) sdk.WriteReply {
	c.t.Helper()
	reply, err := c.adapter.Write(c.t.Context(), sdk.WriteRequest{Connection: c.conn, Object: "contact", Items: items})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

func (c *crm) log(items ...sdk.Activity) sdk.WriteReply {
	c.t.Helper()
	reply, err := c.adapter.LogActivities(c.t.Context(), sdk.LogActivitiesRequest{Connection: c.conn, Items: items})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

func (c *crm) find(object string, fields []string, keys ...sdk.FindKey) []sdk.Hit {
	c.t.Helper()
	reply, err := c.adapter.Find(c.t.Context(), sdk.FindRequest{Connection: c.conn, Object: object, Keys: keys, Fields: fields})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply.Hits
}

// contact is an item for the n-th client.
func contact(n int) sdk.WriteItem {
	return sdk.WriteItem{
		ItemID: fmt.Sprint("i", n), Mode: sdk.ModeUpsert, ExternalKey: key(n),
		Fields: map[string]sdk.Value{
			"firstname": sdk.Text("Ana"), "lastname": sdk.Text(fmt.Sprint("Silva ", n)),
			"emailaddress1": sdk.Text(email(n)), "telephone1": sdk.Text(phone(n)),
		},
	}
}

func key(n int) string   { return fmt.Sprintf("0198f0a4-1111-7000-8000-%012d", n) }
func email(n int) string { return fmt.Sprintf("ana%d@example.com", n) }
func phone(n int) string { return fmt.Sprintf("+1614555%04d", n) }

// activityOf is a conversation of a contact.
func activityOf(n int, channel, contactID string) sdk.Activity {
	at := time.Date(2026, 3, 1, 10, 2, 0, 0, time.UTC)
	return sdk.Activity{
		ItemID: fmt.Sprint("a", n), ExternalKey: fmt.Sprintf("0198f0a4-2222-7000-8000-%012d", n), Channel: channel,
		Subject: "Delivery date", Body: "Asked to move the delivery to Friday. <b>Confirmed</b>.", Link: "https://clientele.example/c/1",
		Direction: "inbound", StartedAt: at.Format(time.RFC3339), EndedAt: at.Add(7 * time.Minute).Format(time.RFC3339),
		ContactCRMIDs: []string{contactID}, ContactObject: "contact", From: "+4512345678", To: "+4587654321", CallStatus: "completed",
	}
}

func firstErr(reply sdk.WriteReply) *sdk.Error {
	for _, o := range reply.Outcomes {
		if o.Err != nil {
			return o.Err
		}
	}
	return nil
}
