package adapter_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/scaffold/example/adapter"
	"github.com/clientele-crm/clientele/sdk/scaffold/example/simulator"
)

// rig is the adapter with a CRM of its own.
type rig struct {
	*adapter.Adapter
	t     *testing.T
	conn  sdk.Connection
	admin func(method, path, body string)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	crm, err := simulator.New("")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(func() {
		server.Close()
		if err := crm.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{Adapter: adapter.New(nil), t: t}
	r.conn = sdk.Connection{ID: "1", Settings: []byte(`{"base_url": "` + server.URL + `"}`), Token: sdk.Token{AccessToken: simulator.Token}}
	r.admin = func(method, path, body string) {
		w := httptest.NewRecorder()
		crm.Admin().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		if w.Code != 200 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	return r
}

func person(key string) sdk.WriteItem {
	return sdk.WriteItem{ItemID: "item " + key, Mode: sdk.ModeUpsert, ExternalKey: key, Fields: map[string]sdk.Value{
		"first_name": sdk.Text("Ada"), "last_name": sdk.Text("Byron"), "email": sdk.Text(key + "@example.com"),
	}}
}

func (r *rig) write(items ...sdk.WriteItem) (sdk.WriteReply, error) {
	r.t.Helper()
	return r.Write(r.t.Context(), sdk.WriteRequest{Connection: r.conn, Object: "people", Items: items})
}

func TestAClientIsCreatedOnceAndFoundByEachKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, err := r.write(person("k1"))
	if err != nil || first.Outcomes[0].Done != sdk.Created {
		t.Fatalf("first write: %+v, %v", first, err)
	}
	again, err := r.write(person("k1"))
	if err != nil || again.Outcomes[0].Done != sdk.Updated || again.Outcomes[0].CRMID != first.Outcomes[0].CRMID {
		t.Errorf("second write: %+v, %v", again, err)
	}
	for by, value := range map[sdk.FindBy]string{
		sdk.FindByExternalKey: "k1", sdk.FindByEmail: "k1@example.com", sdk.FindByID: first.Outcomes[0].CRMID,
	} {
		found, err := r.Find(t.Context(), sdk.FindRequest{
			Connection: r.conn, Object: "people", Keys: []sdk.FindKey{{ItemID: "1", By: by, Value: value}}, Fields: []string{"last_name"},
		})
		if err != nil || len(found.Hits) != 1 || found.Hits[0].Record.Fields["last_name"].Text() != "Byron" {
			t.Errorf("find by %s: %+v, %v", by, found, err)
		}
	}
}

func TestABadRecordIsBlamedAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	bad := person("k2")
	bad.Fields["last_name"] = sdk.Clear()
	reply, err := r.write(person("k1"), bad)
	if err != nil || reply.Outcomes[0].Done != sdk.Created {
		t.Fatalf("%+v, %v", reply, err)
	}
	if e := reply.Outcomes[1].Err; e == nil || e.Class != sdk.ClassValidation || e.Field != "last_name" {
		t.Errorf("the bad record: %+v", reply.Outcomes[1])
	}
}

func TestFailuresOfTheCRM(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault string
		want  sdk.Class
	}{
		"lost reply":   {`{"cut": "after"}`, sdk.ClassUnknownOutcome},
		"bad token":    {`{"status": 401}`, sdk.ClassAuth},
		"too fast":     {`{"status": 429, "header": {"Retry-After": "9"}}`, sdk.ClassThrottled},
		"day's end":    {`{"preset": "daily"}`, sdk.ClassQuota},
		"locked":       {`{"preset": "locked"}`, sdk.ClassLock},
		"proxy's page": {`{"status": 502, "body": "<html>"}`, sdk.ClassUnknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.admin("POST", "/faults", test.fault)
			_, err := r.write(person("k1"))
			if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Class != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
