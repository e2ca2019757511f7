package simulator

import (
	"encoding/json"
	"net/http"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// The admin paths of this simulator beside those that all have:
//
//	GET  records/{env}/{table}   the rows as they are
//	POST edit/{env}/{table}      {"id": …, "values": {…}, "delete": false}: somebody else's edit
//	POST merge/{env}/{table}     {"into": id, "from": id}: somebody merges two rows
//	POST reset                   start empty

// as makes a call of a person in the CRM, without HTTP.
func (s *Simulator) as(r *http.Request) (*call, *table, bool) {
	e, ok := s.environments[r.PathValue("env")]
	if !ok {
		return nil, nil, false
	}
	t, ok := e.tables[r.PathValue("table")]
	return &call{sim: s, env: e, header: http.Header{}, now: s.Clock.Now(), user: e.id("a person"), root: "http://admin/"}, t, ok
}

func (s *Simulator) adminRecords(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	c, t, ok := s.as(r)
	if !ok {
		base.WriteJSON(w, http.StatusNotFound, map[string]string{"error": "no such environment or table"})
		return
	}
	list := []any{}
	for _, one := range c.env.all(t) {
		body, refused := c.render(t, one, selection{})
		if refused != nil {
			continue
		}
		for name, v := range body {
			if v == nil {
				delete(body, name)
			}
		}
		list = append(list, body)
	}
	base.WriteJSON(w, http.StatusOK, list)
}

func (s *Simulator) adminEdit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ID     string         `json:"id"`
		Values map[string]any `json:"values"`
		Delete bool           `json:"delete"`
	}
	s.adminChange(w, r, &body, func(c *call, t *table) *failure {
		if body.ID == "" {
			_, refused := c.create(t, body.Values, "", nil)
			return refused
		}
		found, ok := c.env.get(t, body.ID)
		if !ok {
			return noSuchRow(t, body.ID)
		}
		if body.Delete {
			c.env.removeDeep(t, found, c.now)
			return nil
		}
		_, refused := c.update(t, found, body.Values)
		return refused
	})
}

func (s *Simulator) adminMerge(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Into string `json:"into"`
		From string `json:"from"`
	}
	s.adminChange(w, r, &body, func(c *call, t *table) *failure { return c.env.merge(c, t, body.Into, body.From, map[string]any{}) })
}

// adminChange decodes a body, changes something and commits it.
func (s *Simulator) adminChange(w http.ResponseWriter, r *http.Request, body any, change func(*call, *table) *failure) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(body); err != nil {
		base.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	c, t, ok := s.as(r)
	if !ok {
		base.WriteJSON(w, http.StatusNotFound, map[string]string{"error": "no such environment or table"})
		return
	}
	if refused := change(c, t); refused != nil {
		s.Store.Rollback()
		base.WriteJSON(w, refused.Status, map[string]string{"error": refused.Message})
		return
	}
	if err := s.Store.Commit(); err != nil {
		base.WriteJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	base.WriteJSON(w, http.StatusOK, map[string]bool{"done": true})
}

func (s *Simulator) adminReset(w http.ResponseWriter, _ *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if err := s.Store.Clear(); err != nil {
		base.WriteJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		return
	}
	for name := range s.environments {
		s.environments[name].tables = schema()
		s.environments[name].seedUser()
	}
	s.spent = map[string]*spending{}
	s.Counters.Reset()
	s.Faults.Clear()
	base.WriteJSON(w, http.StatusOK, map[string]bool{"done": true})
}
