package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Simulator) lookup(r *http.Request) (int, any, *problem) {
	var in struct {
		By     string   `json:"by"`
		Values []string `json:"values"`
	}
	if refused := decode(r, &in); refused != nil {
		return 0, nil, refused
	}
	of := map[string]func(record) string{
		"id":           func(r record) string { return r.ID },
		"external_key": func(r record) string { return r.Key },
		"email":        func(r record) string { return strings.ToLower(r.Fields["email"]) },
		"phone":        func(r record) string { return r.Fields["phone"] },
	}[in.By]
	if of == nil {
		return 0, nil, refuse(http.StatusBadRequest, "BAD_REQUEST", "by: want id, external_key, email or phone.")
	}
	found := []record{}
	for _, one := range s.records.All() {
		if one.Object == r.PathValue("object") && one.live() && of(one) != "" && slices.Contains(in.Values, of(one)) {
			found = append(found, one)
		}
	}
	return http.StatusOK, map[string]any{"rows": found}, nil
}

func (s *Simulator) remove(r *http.Request) (int, any, *problem) {
	var in struct {
		IDs []string `json:"ids"`
	}
	if refused := decode(r, &in); refused != nil {
		return 0, nil, refused
	}
	out := []row{}
	for _, id := range in.IDs {
		found, ok := s.records.Get(id)
		if !ok || found.Object != r.PathValue("object") || !found.live() {
			out = append(out, row{Ref: id, Status: http.StatusNotFound, Error: refuse(http.StatusNotFound, "NOT_FOUND", "There is no record %s.", id)})
			continue
		}
		found.Gone = true
		s.put(found)
		out = append(out, row{Ref: id, Status: http.StatusOK})
	}
	return http.StatusMultiStatus, map[string]any{"rows": out}, nil
}

// changes answers a page of what changed after the cursor, which is a sequence
// number; "now" gives one for the present.
func (s *Simulator) changes(r *http.Request) (int, any, *problem) {
	cursor, limit := r.URL.Query().Get("cursor"), 100
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, nil, refuse(http.StatusBadRequest, "BAD_REQUEST", "limit: want a number from 1.")
		}
		limit = min(n, limit)
	}
	if cursor == "now" {
		cursor = strconv.Itoa(s.newest)
	}
	after, err := strconv.Atoi(cursor)
	if err != nil {
		return 0, nil, refuse(http.StatusBadRequest, "BAD_CURSOR", "The cursor is none of this CRM's.")
	}
	var changed []record
	for _, one := range s.records.All() {
		if one.Object == r.PathValue("object") && one.Seq > after {
			changed = append(changed, one)
		}
	}
	slices.SortFunc(changed, func(a, b record) int { return cmp.Compare(a.Seq, b.Seq) })
	next, more := s.newest, false
	if len(changed) > limit {
		changed, more = changed[:limit], true
		next = changed[limit-1].Seq
	}
	if changed == nil {
		changed = []record{}
	}
	return http.StatusOK, map[string]any{"rows": changed, "next": strconv.Itoa(next), "more": more, "now": s.Clock.Now()}, nil
}

// merge makes one person of two, as somebody in the CRM would.
func (s *Simulator) merge(object, into, from string) error {
	winner, ok := s.records.Get(into)
	if !ok || winner.Object != object || !winner.live() {
		return fmt.Errorf("into: there is no %s %s", object, into)
	}
	loser, ok := s.records.Get(from)
	if !ok || loser.Object != object || !loser.live() {
		return fmt.Errorf("from: there is no %s %s", object, from)
	}
	loser.Into = winner.ID
	s.put(loser)
	s.put(winner)
	return nil
}
