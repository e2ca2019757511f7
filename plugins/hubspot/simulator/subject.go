package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// subject tells the conformance suite how to connect, and how HubSpot fails.
func subject() base.Subject {
	return base.Subject{
		Settings: json.RawMessage(`{"base_url": "{base_url}"}`), AccessToken: "pat-na1-conformance",
		// The suite is about right and wrong; limits and lag would only slow it down.
		Switches: json.RawMessage(`{"search_lag_ms": 0, "search_limit": 1000, "burst_limit": 100000}`),
		// The adapter reads changes a minute late, since HubSpot's search is.
		Clock: "-2m",
		Faults: map[string]base.Fault{
			base.FaultQuota: {Preset: "daily"}, base.FaultLock: {Preset: "locked"}, base.FaultShort: {Do: doShort},
		},
	}
}

// mergeByHand is a person's merge in the first portal.
func (s *Simulator) mergeByHand(object, into, from string) error {
	o, ok := objectOf(object)
	if !ok {
		return fmt.Errorf("there is no object %s", object)
	}
	c := &call{Request: &http.Request{}, portal: DefaultPortal, now: s.Clock.Now()}
	winner, ok := s.get(c.portal, o, into, true)
	loser, also := s.get(c.portal, o, from, true)
	if !ok || !also {
		return fmt.Errorf("there is no %s %s or %s", object, into, from)
	}
	s.join(c, o, winner, loser)
	return nil
}
