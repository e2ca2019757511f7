package simulator

import (
	"encoding/json"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// subject tells the conformance suite how to connect, and how Salesforce fails.
func subject() base.Subject {
	return base.Subject{
		Settings: json.RawMessage(`{"base_url": "{base_url}"}`), AccessToken: StaticToken,
		Extras: map[string]string{"instance_url": "{base_url}"},
		Faults: map[string]base.Fault{base.FaultQuota: {Preset: "daily_limit"}, base.FaultLock: {Do: doLockRows}},
	}
}

// mergeByHand is a person's merge.
func (s *Simulator) mergeByHand(object, into, from string) error {
	body, err := json.Marshal(map[string]any{"Object": object, "Winner": into, "Losers": []string{from}})
	if err != nil {
		return err
	}
	_, err = s.adminMerge(body)
	return err
}
