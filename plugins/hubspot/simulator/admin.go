package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// keyProperty is what the counters look for duplicates by.
const keyProperty = "clientele_id"

// count fills in what the portals hold, by kind.
func (s *Simulator) count(c *base.Counts) {
	seen := map[string]int{}
	for _, r := range s.records.All() {
		if !r.live() {
			continue
		}
		c.Held[r.Type]++
		if key := r.Properties[keyProperty]; key != "" {
			at := valueKey(r.Portal, r.Type, keyProperty, key)
			if seen[at]++; seen[at] > 1 {
				c.Duplicates[r.Type]++
			}
		}
	}
}

// The admin paths act for the portal in the query (?portal=), as a person in
// HubSpot's own pages would: no token, no limit, no validation.

func (s *Simulator) adminCall(r *http.Request) *call {
	portal, err := strconv.ParseInt(r.URL.Query().Get("portal"), 10, 64)
	if err != nil {
		portal = DefaultPortal
	}
	return &call{Request: r, portal: portal, now: s.Clock.Now()}
}

// admin runs a change by hand: locked, committed, with the object of the path.
func (s *Simulator) admin(w http.ResponseWriter, r *http.Request, do func(c *call, o object) answer) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	c := s.adminCall(r)
	o, ok := objectOf(r.PathValue("type"))
	if !ok {
		base.WriteJSON(w, http.StatusNotFound, map[string]string{"error": "no such object: " + r.PathValue("type")})
		return
	}
	a := do(c, o)
	if err := s.Store.Commit(); err != nil {
		base.WriteJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	s.send(w, a)
}

func (s *Simulator) adminRecords(w http.ResponseWriter, r *http.Request) {
	s.admin(w, r, func(c *call, o object) answer {
		out := []map[string]any{}
		for _, one := range s.all(c.portal, o, false) {
			linked := map[string][]string{}
			for _, other := range objects() {
				if ids := s.index.links[linkKey(c.portal, o.plural, one.ID, other.plural)]; len(ids) > 0 {
					linked[other.plural] = ids
				}
			}
			out = append(out, map[string]any{"id": one.ID, "properties": one.Properties, "associations": linked})
		}
		return answer{http.StatusOK, map[string]any{"results": out}}
	})
}

func (s *Simulator) adminCreate(w http.ResponseWriter, r *http.Request) {
	s.admin(w, r, func(c *call, o object) answer {
		var in input
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return answer{http.StatusBadRequest, map[string]string{"error": err.Error()}}
		}
		one := record{Portal: c.portal, Type: o.plural, ID: s.newID(c.portal, o), Properties: in.values(), CreatedAt: c.now}
		s.put(o, one, c.now)
		return answer{http.StatusCreated, map[string]string{"id": one.ID}}
	})
}

func (s *Simulator) adminEdit(w http.ResponseWriter, r *http.Request) {
	s.admin(w, r, func(c *call, o object) answer {
		var in input
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return answer{http.StatusBadRequest, map[string]string{"error": err.Error()}}
		}
		one, ok := s.get(c.portal, o, r.PathValue("id"), true)
		if !ok {
			return answer{http.StatusNotFound, map[string]string{"error": "no such record"}}
		}
		changed := map[string]string{}
		for name, v := range one.Properties {
			changed[name] = v
		}
		for name, v := range in.values() {
			changed[name] = v
		}
		one.Properties = changed
		s.put(o, one, c.now)
		return answer{http.StatusOK, map[string]string{"id": one.ID}}
	})
}

func (s *Simulator) adminArchive(w http.ResponseWriter, r *http.Request) {
	s.admin(w, r, func(c *call, o object) answer {
		one, ok := s.get(c.portal, o, r.PathValue("id"), false)
		if !ok {
			return answer{http.StatusNotFound, map[string]string{"error": "no such record"}}
		}
		s.remove(c, o, one)
		return answer{status: http.StatusNoContent}
	})
}

// adminReset empties all portals.
func (s *Simulator) adminReset(w http.ResponseWriter, _ *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if err := s.Store.Clear(); err != nil {
		base.WriteJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	s.index, s.limits, s.events = newIndex(), map[int64]*usage{}, nil
	w.WriteHeader(http.StatusNoContent)
}
