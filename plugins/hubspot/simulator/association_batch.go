package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// linkInputs is the body of a batch of associations.
type linkInputs struct {
	Inputs []struct {
		ID    flexID              `json:"id"`
		From  struct{ ID flexID } `json:"from"`
		To    toList              `json:"to"`
		Types []spec              `json:"types"`
	} `json:"inputs"`
}

// batchOf reads a batch and refuses one that is too long.
func (s *Simulator) batchOf(c *call, most int, in *linkInputs) *answer {
	if refused := s.decode(c, in); refused != nil {
		return refused
	}
	if n := len(in.Inputs); n == 0 || n > most {
		a := s.fail(http.StatusBadRequest, "VALIDATION_ERROR", fmt.Sprintf("The number of inputs must be between 1 and %d, but was %d", most, n))
		return &a
	}
	return nil
}

func (s *Simulator) batchAssociations(c *call) answer {
	from, to, refused := s.pair(c, false)
	if refused != nil {
		return *refused
	}
	var in linkInputs
	if refused := s.batchOf(c, 1000, &in); refused != nil {
		return *refused
	}
	type row struct {
		From map[string]string `json:"from"`
		To   []linkTarget      `json:"to"`
	}
	rows := []row{}
	var failures []failure
	for _, one := range in.Inputs {
		id := string(one.ID)
		found := s.targets(c.portal, from.plural, id, to.plural)
		if len(found) == 0 {
			failures = append(failures, failure{
				Status: "error", Category: "OBJECT_NOT_FOUND", SubCategory: "crm.associations.NO_ASSOCIATIONS_FOUND",
				Message: fmt.Sprintf("No %s is associated with %s %s.", to.singular, from.singular, id),
				Context: map[string][]string{
					"fromObjectId": {id}, "fromObjectType": {from.singular}, "toObjectType": {to.singular},
				},
			})
			continue
		}
		rows = append(rows, row{From: map[string]string{"id": id}, To: found})
	}
	return s.linkAnswer(c, http.StatusOK, rows, failures)
}

// batchAssociate creates labelled associations; its status differs by version
// (§0).
func (s *Simulator) batchAssociate(c *call) answer {
	good := http.StatusCreated
	if c.version == "2026-09" {
		good = http.StatusOK
	}
	return s.associateEach(c, good, func(from, to object, types []spec) []int {
		var ids []int
		for _, t := range types {
			if !slices.Contains(typeIDs(from.plural, to.plural), t.TypeID) {
				return nil
			}
			ids = append(ids, t.TypeID)
		}
		return ids
	})
}

func (s *Simulator) batchAssociateDefault(c *call) answer {
	return s.associateEach(c, http.StatusOK, func(from, to object, _ []spec) []int {
		ids := typeIDs(from.plural, to.plural)
		return ids[:min(len(ids), 1)]
	})
}

func (s *Simulator) associateEach(c *call, good int, types func(from, to object, given []spec) []int) answer {
	from, to, refused := s.pair(c, true)
	if refused != nil {
		return *refused
	}
	var in linkInputs
	if refused := s.batchOf(c, 2000, &in); refused != nil {
		return *refused
	}
	results := []shownLink{}
	var failures []failure
	for _, one := range in.Inputs {
		id, other := string(one.From.ID), one.To.first()
		ids := types(from, to, one.Types)
		if len(ids) == 0 {
			failures = append(failures, s.wrongType(from.plural, 0))
			continue
		}
		if refused := s.ends(c, from, to, id, other); refused != nil {
			f, _ := refused.body.(failure)
			f.Context = map[string][]string{"fromObjectId": {id}, "toObjectId": {other}}
			failures = append(failures, f)
			continue
		}
		s.associateBoth(c.portal, from.plural, id, to.plural, other, ids)
		for _, typeID := range ids {
			results = append(results, shown(id, other, typeID), shown(other, id, reverse(from.plural, to.plural, typeID)))
		}
	}
	return s.linkAnswer(c, good, results, failures)
}

// batchDissociate answers 204 in v4 and a batch body in the dated versions.
func (s *Simulator) batchDissociate(c *call) answer {
	from, to, refused := s.pair(c, true)
	if refused != nil {
		return *refused
	}
	var in linkInputs
	if refused := s.batchOf(c, 2000, &in); refused != nil {
		return *refused
	}
	for _, one := range in.Inputs {
		for _, other := range one.To {
			s.removeLink(c.portal, from.plural, string(one.From.ID), to.plural, other)
		}
	}
	if c.version == "v3" {
		return answer{status: http.StatusNoContent}
	}
	return s.linkAnswer(c, http.StatusOK, []shownLink{}, nil)
}

// toList is one target or, when archiving, several.
type toList []string

// UnmarshalJSON takes an object or a list of them.
func (t *toList) UnmarshalJSON(data []byte) error {
	var many []struct{ ID flexID }
	var one struct{ ID flexID }
	if err := json.Unmarshal(data, &many); err != nil {
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		many = append(many, one)
	}
	for _, m := range many {
		*t = append(*t, string(m.ID))
	}
	return nil
}

func (t toList) first() string {
	if len(t) == 0 {
		return ""
	}
	return t[0]
}
