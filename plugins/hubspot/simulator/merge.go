package simulator

import (
	"maps"
	"strings"
)

// join makes the survivor of a merge: the winner's values, the loser's where the
// winner has none, the loser's email as a secondary one, and all associations.
func (s *Simulator) join(c *call, o object, winner, loser record) record {
	s.index.remove(winner)
	s.index.remove(loser)
	survivor := winner
	survivor.Properties = maps.Clone(loser.Properties)
	for name, v := range winner.Properties {
		if v != "" {
			survivor.Properties[name] = v
		}
	}
	emails := strings.Split(strings.Join([]string{
		winner.Properties["hs_additional_emails"], loser.Properties["email"], loser.Properties["hs_additional_emails"],
	}, ";"), ";")
	var additional []string
	for _, e := range unique(emails) {
		if e != "" && e != survivor.Properties["email"] {
			additional = append(additional, e)
		}
	}
	survivor.Properties["hs_additional_emails"] = strings.Join(additional, ";")

	retired := []record{loser}
	if !s.settings.PreservePrimaryID {
		survivor.ID = s.newID(c.portal, o)
		retired = append(retired, winner)
	}
	ids := strings.Split(winner.Properties["hs_merged_object_ids"], ";")
	ids = append(ids, winner.ID, loser.ID)
	ids = append(ids, strings.Split(loser.Properties["hs_merged_object_ids"], ";")...)
	var merged []string
	for _, id := range unique(ids) {
		if id != "" && id != survivor.ID {
			merged = append(merged, id)
		}
	}
	survivor.Properties["hs_merged_object_ids"] = strings.Join(merged, ";")

	for _, r := range retired {
		r.MergedInto = survivor.ID
		s.records.Put(r.key(), r)
		s.index.remember(r, c.now)
		s.moveLinks(c.portal, o.plural, r.ID, survivor.ID)
	}
	s.put(o, survivor, c.now)
	survivor, _ = s.records.Get(survivor.key())
	return survivor
}
