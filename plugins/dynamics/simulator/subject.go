package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// subject tells the conformance suite how to connect to org-a, and how Dataverse
// fails. It has no allowance by the day.
func subject() base.Subject {
	return base.Subject{
		Settings:    json.RawMessage(`{"resource_url": "{base_url}/org-a", "publisher_prefix": "acme"}`),
		AccessToken: "static-conformance",
		Switches:    json.RawMessage(`{"key_index_ms": 0, "duplicate_rules": false}`),
		Faults:      map[string]base.Fault{base.FaultLock: {Preset: "deadlock"}, base.FaultShort: {Do: doLosePart}},
	}
}

// mergeByHand is a person's merge in org-a.
func (s *Simulator) mergeByHand(object, into, from string) error {
	e := s.environments[environmentNames()[0]]
	t, ok := e.tables[object]
	if !ok {
		return fmt.Errorf("there is no table %s", object)
	}
	c := &call{sim: s, env: e, header: http.Header{}, now: s.Clock.Now(), user: e.id("a person"), root: "http://admin/"}
	if refused := e.merge(c, t, into, from, map[string]any{}); refused != nil {
		return errors.New(refused.Message)
	}
	return nil
}
