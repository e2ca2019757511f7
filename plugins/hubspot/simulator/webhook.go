package simulator

// event is one entry of the portal's event log, as a webhook would send it (§7).
type event map[string]any

// emit notes what happened to a record.
func (s *Simulator) emit(c *call, o object, r record, what string, extra event) {
	n, _ := s.numbers.Get("event")
	s.numbers.Put("event", n+1)
	e := event{
		"appId": number(appID), "eventId": 100 + n, "subscriptionId": 8801, "portalId": r.Portal,
		"occurredAt": c.now.UnixMilli(), "subscriptionType": o.singular + "." + what, "attemptNumber": 0,
		"objectId": number(r.ID), "changeSource": "INTEGRATION", "sourceId": appID,
	}
	for k, v := range extra {
		e[k] = v
	}
	s.events = append(s.events, e)
	s.events = s.events[max(0, len(s.events)-maxEvents):]
}

// maxEvents is how many events are kept.
const maxEvents = 10_000
