package api_test

import (
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/host/api"
)

func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var got struct {
		Connection api.Connection
		Outcomes   []any
	}
	path := "/v1/connections/" + w.acme.connection
	w.do(t, call{method: "GET", path: path, credential: w.acme.secret}).want(200).json(&got)
	if got.Connection.Adapter != "hubspot" || got.Connection.State != "active" || got.Connection.UpdateEvery != 900 || got.Connection.Counts.Due != 1 || got.Outcomes == nil {
		t.Errorf("connection %+v", got)
	}
	w.do(t, call{method: "POST", path: path + "/pause", credential: w.acme.secret}).want(204)
	w.do(t, call{method: "GET", path: path, credential: w.acme.secret}).want(200).json(&got)
	if got.Connection.State != "paused" || got.Connection.Reason == "" {
		t.Errorf("paused: %+v", got.Connection)
	}
	w.do(t, call{method: "POST", path: path + "/resume", credential: w.acme.secret}).want(204)

	var states struct {
		Connections []struct{ Connection, State string }
	}
	w.do(t, call{method: "GET", path: "/v1/clients/" + w.acme.client.ID.String() + "/crm", credential: w.acme.secret}).want(200).json(&states)
	if len(states.Connections) != 1 || states.Connections[0].Connection != "CRM of zanzibar" || states.Connections[0].State != "due" {
		t.Errorf("states %+v", states)
	}
	for body, field := range map[string]string{
		`{"adapter":"hubspot","name":"CRM of zanzibar"}`:                            "name",
		`{"adapter":"hubspot","name":"x","settings":{"base_url":1,"colour":"red"}}`: "settings",
	} {
		p := w.do(t, call{method: "POST", path: "/v1/connections", credential: w.acme.secret, body: body}).want(422).problem()
		if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Field, field) {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

func TestSecretsOfConnectionsAreNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/connections", "/v1/connections/" + w.acme.connection} {
		if got := w.do(t, call{method: "GET", path: path, credential: w.acme.secret}).want(200); strings.Contains(got.Body.String(), "hush") {
			t.Errorf("%s shows a secret", path)
		}
	}
}
