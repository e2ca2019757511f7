package simulator

import (
	"net/http"
	"slices"
)

// The associations API before v4, which HubSpot's own client still offers: types
// are words such as contact_to_company.

// namedLink is one pair of the old API.
type namedLink struct {
	From linkID `json:"from"`
	To   linkID `json:"to"`
	Type string `json:"type"`
}

type linkID struct {
	ID flexID `json:"id"`
}

// namedPairs reads a batch of pairs.
func (s *Simulator) namedPairs(c *call, writes bool) (from, to object, pairs []namedLink, refused *answer) {
	from, to, refused = s.pair(c, writes)
	if refused != nil {
		return from, to, nil, refused
	}
	var in struct {
		Inputs []namedLink `json:"inputs"`
	}
	refused = s.decode(c, &in)
	return from, to, in.Inputs, refused
}

func (s *Simulator) associateNamed(c *call) answer {
	from, to, pairs, refused := s.namedPairs(c, true)
	if refused != nil {
		return *refused
	}
	made := []namedLink{}
	var failures []failure
	for _, p := range pairs {
		id, other := string(p.From.ID), string(p.To.ID)
		types := typeIDs(from.plural, to.plural)
		if len(types) == 0 || p.Type != from.singular+"_to_"+to.singular {
			failures = append(failures, s.wrongType(from.plural, 0))
			continue
		}
		if refused := s.ends(c, from, to, id, other); refused != nil {
			f, _ := refused.body.(failure)
			failures = append(failures, f)
			continue
		}
		s.associateBoth(c.portal, from.plural, id, to.plural, other, types[:1])
		made = append(made, p)
	}
	return s.linkAnswer(c, http.StatusCreated, made, failures)
}

func (s *Simulator) readNamed(c *call) answer {
	from, to, refused := s.pair(c, false)
	if refused != nil {
		return *refused
	}
	var in struct {
		Inputs []linkID `json:"inputs"`
	}
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	type target struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	type row struct {
		From linkID   `json:"from"`
		To   []target `json:"to"`
	}
	rows := []row{}
	for _, one := range in.Inputs {
		r := row{From: one}
		for _, id := range slices.Clone(s.index.links[linkKey(c.portal, from.plural, string(one.ID), to.plural)]) {
			r.To = append(r.To, target{id, from.singular + "_to_" + to.singular})
		}
		if len(r.To) > 0 {
			rows = append(rows, r)
		}
	}
	return s.linkAnswer(c, http.StatusOK, rows, nil)
}

func (s *Simulator) dissociateNamed(c *call) answer {
	from, to, pairs, refused := s.namedPairs(c, true)
	if refused != nil {
		return *refused
	}
	for _, p := range pairs {
		s.removeLink(c.portal, from.plural, string(p.From.ID), to.plural, string(p.To.ID))
	}
	return answer{status: http.StatusNoContent}
}

// labels lists the types of association between two kinds.
func (s *Simulator) labels(c *call) answer {
	from, to, refused := s.pair(c, false)
	if refused != nil {
		return *refused
	}
	results := []shownType{}
	for _, id := range typeIDs(from.plural, to.plural) {
		results = append(results, shownType{Category: "HUBSPOT_DEFINED", TypeID: id, Label: labelOf(id)})
	}
	return answer{http.StatusOK, map[string]any{"results": results}}
}

// labelOf is the label of a type, or nil: only primary companies have one.
func labelOf(typeID int) *string {
	if typeID != 1 && typeID != 2 {
		return nil
	}
	primary := "Primary"
	return &primary
}

// archiveLabels takes single types away from pairs.
func (s *Simulator) archiveLabels(c *call) answer {
	from, to, refused := s.pair(c, true)
	if refused != nil {
		return *refused
	}
	var in linkInputs
	if refused := s.batchOf(c, 2000, &in); refused != nil {
		return *refused
	}
	for _, one := range in.Inputs {
		s.dropTypes(c.portal, from.plural, string(one.From.ID), to.plural, one.To.first(), one.Types)
	}
	if c.version == "v3" {
		return answer{status: http.StatusNoContent}
	}
	return s.linkAnswer(c, http.StatusOK, []shownLink{}, nil)
}

func (s *Simulator) dropTypes(portal int64, from, fromID, to, toID string, types []spec) {
	l, ok := s.links.Get(link{Portal: portal, From: from, FromID: fromID, To: to, ToID: toID}.key())
	if !ok {
		return
	}
	left := slices.Clone(l.Types)
	for _, t := range types {
		left = slices.DeleteFunc(left, func(id int) bool { return id == t.TypeID })
	}
	s.removeLink(portal, from, fromID, to, toID)
	if len(left) > 0 {
		s.associateBoth(portal, from, fromID, to, toID, left)
	}
}
