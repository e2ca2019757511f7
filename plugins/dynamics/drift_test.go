package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
)

// admin sends one request to the Web API as somebody else.
func (c *crm) admins(method, path, body string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.crmURL+"/org-a/api/data/v9.2/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer static-admin")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusNoContent {
		c.t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
}

// A mapped column that an admin takes away parks the field, not the record.
func TestAColumnThatIsTakenAway(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	const attributes = "EntityDefinitions(LogicalName='contact')/Attributes"
	c.admins("POST", attributes, `{"@odata.type":"Microsoft.Dynamics.CRM.StringAttributeMetadata","SchemaName":"acme_Shoe","MaxLength":10}`)
	item := contact(1)
	item.Fields["acme_shoe"] = sdk.Text("42")
	if e := firstErr(c.write(item)); e != nil {
		t.Fatal(e)
	}
	c.admins("DELETE", attributes+"(LogicalName='acme_shoe')", "")
	if e := firstErr(c.write(item)); e == nil || e.Class != sdk.ClassSchema || e.Field != "acme_shoe" {
		t.Errorf("%+v, want schema at acme_shoe", e)
	}
	delete(item.Fields, "acme_shoe")
	if e := firstErr(c.write(item)); e != nil {
		t.Error(e)
	}
}

// wire keeps the bodies and headers that were sent.
type wire struct{ sent strings.Builder }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Header.Write(&w.sent); err != nil {
		return nil, err
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		w.sent.Write(body)
		req.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return http.DefaultTransport.RoundTrip(req)
}

func TestSettingsThatBecomeHeaders(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings map[string]any
		want     string
		sent     bool
	}{
		"duplicates are not asked about": {nil, "SuppressDuplicateDetection", false},
		"duplicates are":                 {map[string]any{"duplicate_detection": "block"}, "MSCRM.SuppressDuplicateDetection: false", true},
		"plug-ins run":                   {nil, "BypassBusinessLogic", false},
		"plug-ins are skipped":           {map[string]any{"bypass_business_logic": true}, "MSCRM.BypassBusinessLogicExecution: CustomSync,CustomAsync", true},
		"in a user's name": {
			map[string]any{"caller_object_id": "0a0b0c0d-1111-4222-8333-0123456789ab"}, "Callerobjectid: 0a0b0c0d-1111-4222-8333-0123456789ab", true,
		},
		"versions are checked": {nil, `If-Match: W/"7"`, true},
		"versions are not":     {map[string]any{"ignore_versions": true}, `If-Match: W/"7"`, false},
		"continue on error":    {nil, "Prefer: odata.continue-on-error", true},
		"no cookies":           {nil, "Cookie", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := installed(t, tc.settings)
			w := &wire{}
			c.adapter = newAdapter(w)
			item := contact(1)
			item.CRMID, item.Version = "0a0b0c0d-1111-4222-8333-0123456789ab", "7"
			c.write(item)
			c.write(item)
			if got := strings.Contains(w.sent.String(), tc.want); got != tc.sent {
				t.Errorf("%q sent: %v, want %v\n%s", tc.want, got, tc.sent, w.sent.String())
			}
		})
	}
}
