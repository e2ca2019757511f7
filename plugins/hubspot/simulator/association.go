package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

type inputLink struct {
	To    struct{ ID flexID } `json:"to"`
	Types []spec              `json:"types"`
}

// resolved is an inline association that exists.
type resolved struct {
	to, toID string
	types    []int
}

// resolve checks inline associations: the types must be of this direction and
// pair, the targets must exist.
func (s *Simulator) resolve(c *call, o object, in []inputLink) ([]resolved, *refusal) {
	var out []resolved
	for _, l := range in {
		if len(l.Types) == 0 {
			return nil, s.missing("An association needs at least one type", "types")
		}
		var to object
		for _, other := range objects() {
			if slices.Contains(typeIDs(o.plural, other.plural), l.Types[0].TypeID) {
				to = other
			}
		}
		ids := make([]int, len(l.Types))
		for i, t := range l.Types {
			ids[i] = t.TypeID
			if !slices.Contains(typeIDs(o.plural, to.plural), t.TypeID) {
				return nil, &refusal{status: http.StatusBadRequest, failure: s.wrongType(o.plural, t.TypeID)}
			}
		}
		if _, ok := s.get(c.portal, to, string(l.To.ID), true); !ok {
			return nil, &refusal{status: http.StatusNotFound, failure: s.noTarget(to, string(l.To.ID))}
		}
		out = append(out, resolved{to.plural, string(l.To.ID), ids})
	}
	return out, nil
}

func (s *Simulator) wrongType(from string, id int) failure {
	return failure{
		Status: "error", Category: "VALIDATION_ERROR", SubCategory: "crm.associations.INVALID_IDENTIFIER",
		CorrelationID: s.lastID(), Message: fmt.Sprintf("Association type %d is not valid from %s", id, from),
	}
}

func (s *Simulator) noTarget(to object, id string) failure {
	return failure{
		Status: "error", Category: "OBJECT_NOT_FOUND", SubCategory: "crm.associations.TO_OBJECT_NOT_FOUND",
		CorrelationID: s.lastID(), Message: fmt.Sprintf("No %s with ID %s exists", to.singular, id),
		Context: map[string][]string{"toObjectId": {id}},
	}
}

// pair reads the two kinds and, where the path has them, the two records.
func (s *Simulator) pair(c *call, writes bool) (from, to object, refused *answer) {
	from, refused = s.kindNamed(c, c.PathValue("type"), writes)
	if refused != nil {
		return from, to, refused
	}
	to, refused = s.kindNamed(c, c.PathValue("to"), writes)
	return from, to, refused
}

func (s *Simulator) ends(c *call, from, to object, fromID, toID string) *answer {
	if _, ok := s.get(c.portal, from, fromID, true); !ok {
		f := s.noTarget(from, fromID)
		f.SubCategory = "crm.associations.FROM_OBJECT_NOT_FOUND"
		return &answer{http.StatusNotFound, f}
	}
	if _, ok := s.get(c.portal, to, toID, true); !ok {
		return &answer{http.StatusNotFound, s.noTarget(to, toID)}
	}
	return nil
}

type shownLink struct {
	From struct {
		ID string `json:"id"`
	} `json:"from"`
	To struct {
		ID string `json:"id"`
	} `json:"to"`
	Spec spec `json:"associationSpec"`
}

func shown(from, to string, typeID int) shownLink {
	var l shownLink
	l.From.ID, l.To.ID, l.Spec = from, to, spec{"HUBSPOT_DEFINED", typeID}
	return l
}

type linkBatch struct {
	Status      string    `json:"status"`
	StartedAt   string    `json:"startedAt"`
	CompletedAt string    `json:"completedAt"`
	Results     any       `json:"results"`
	NumErrors   int       `json:"numErrors,omitempty"`
	Errors      []failure `json:"errors,omitempty"`
}

func (s *Simulator) linkAnswer(c *call, good int, results any, errors []failure) answer {
	if len(errors) > 0 {
		good = http.StatusMultiStatus
	}
	return answer{good, linkBatch{
		Status: "COMPLETE", StartedAt: stamp(c.now), CompletedAt: stamp(c.now),
		Results: results, NumErrors: len(errors), Errors: errors,
	}}
}

func (s *Simulator) associateDefault(c *call) answer {
	from, to, refused := s.pair(c, true)
	if refused != nil {
		return *refused
	}
	id, other := c.PathValue("id"), c.PathValue("toId")
	if refused := s.ends(c, from, to, id, other); refused != nil {
		return *refused
	}
	types := typeIDs(from.plural, to.plural)
	if len(types) == 0 {
		return answer{http.StatusBadRequest, s.wrongType(from.plural, 0)}
	}
	s.associateBoth(c.portal, from.plural, id, to.plural, other, types[:1])
	return s.linkAnswer(c, http.StatusOK, []shownLink{
		shown(id, other, types[0]), shown(other, id, reverse(from.plural, to.plural, types[0])),
	}, nil)
}

func (s *Simulator) associate(c *call) answer {
	from, to, refused := s.pair(c, true)
	if refused != nil {
		return *refused
	}
	id, other := c.PathValue("id"), c.PathValue("toId")
	var specs []spec
	if err := json.NewDecoder(c.Body).Decode(&specs); err != nil || len(specs) == 0 {
		return s.fail(http.StatusBadRequest, "", "Invalid input JSON on line 1, column 1: a list of types is needed")
	}
	if refused := s.ends(c, from, to, id, other); refused != nil {
		return *refused
	}
	var types []int
	for _, t := range specs {
		if !slices.Contains(typeIDs(from.plural, to.plural), t.TypeID) {
			return answer{http.StatusBadRequest, s.wrongType(from.plural, t.TypeID)}
		}
		types = append(types, t.TypeID)
	}
	s.associateBoth(c.portal, from.plural, id, to.plural, other, types)
	return answer{http.StatusCreated, map[string]any{
		"fromObjectTypeId": from.id, "fromObjectId": number(id), "toObjectTypeId": to.id, "toObjectId": number(other),
		"labels": []string{},
	}}
}

func (s *Simulator) dissociate(c *call) answer {
	from, to, refused := s.pair(c, true)
	if refused != nil {
		return *refused
	}
	s.removeLink(c.portal, from.plural, c.PathValue("id"), to.plural, c.PathValue("toId"))
	return answer{status: http.StatusNoContent}
}

func (s *Simulator) associationsOf(c *call) answer {
	from, to, refused := s.pair(c, false)
	if refused != nil {
		return *refused
	}
	all := s.targets(c.portal, from.plural, c.PathValue("id"), to.plural)
	start, _ := strconv.Atoi(c.URL.Query().Get("after"))
	all = all[min(max(start, 0), len(all)):]
	body := map[string]any{"results": all[:min(len(all), 500)]}
	if len(all) > 500 {
		body["paging"] = paging{Next: &next{After: strconv.Itoa(start + 500)}}
	}
	return answer{http.StatusOK, body}
}

// linkPage lists the associations inside a record.
type linkPage struct {
	Results []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"results"`
}

func (s *Simulator) associationsFor(c *call, o object, r record, asked []string) map[string]linkPage {
	var out map[string]linkPage
	for _, name := range asked {
		to, ok := objectOf(name)
		ids := s.index.links[linkKey(c.portal, o.plural, r.ID, to.plural)]
		if !ok || len(ids) == 0 {
			continue
		}
		var page linkPage
		for _, id := range ids {
			page.Results = append(page.Results, struct {
				ID   string `json:"id"`
				Type string `json:"type"`
			}{id, o.singular + "_to_" + to.singular})
		}
		if out == nil {
			out = map[string]linkPage{}
		}
		out[to.plural] = page
	}
	return out
}
