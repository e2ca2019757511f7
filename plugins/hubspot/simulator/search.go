package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type searchInput struct {
	FilterGroups []struct {
		Filters []filter `json:"filters"`
	} `json:"filterGroups"`
	Filters    []filter          `json:"filters"`
	Sorts      []json.RawMessage `json:"sorts"`
	Query      string            `json:"query"`
	Properties []string          `json:"properties"`
	Limit      int               `json:"limit"`
	After      json.RawMessage   `json:"after"`
}

type filter struct {
	PropertyName string   `json:"propertyName"`
	Operator     string   `json:"operator"`
	Value        any      `json:"value"`
	HighValue    any      `json:"highValue"`
	Values       []string `json:"values"`
}

// maxSearchResults is how far a query can be paged.
const maxSearchResults = 10_000

// linkedPage is a page of records.
type linkedPage struct {
	Total   *int    `json:"total,omitempty"`
	Results []view  `json:"results"`
	Paging  *paging `json:"paging,omitempty"`
}

type paging struct {
	Next *next `json:"next,omitempty"`
}

type next struct {
	After string `json:"after"`
	Link  string `json:"link,omitempty"`
}

// search answers from what the index has seen, which lags (§2.6).
func (s *Simulator) search(c *call) answer {
	o, refused := s.kind(c, false)
	if refused != nil {
		return *refused
	}
	raw, err := io.ReadAll(c.Body)
	if err != nil || len(raw) > 3000 {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "The request body must not exceed 3000 characters")
	}
	c.Body = io.NopCloser(bytes.NewReader(raw))
	var in searchInput
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	groups, order, offset, why := s.plan(c, o, &in)
	if why != "" {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", why)
	}
	at := c.now.Add(-time.Duration(s.settings.SearchLagMillis) * time.Millisecond)
	if s.faulty(c, doStale) {
		at = c.now.Add(-maxLag)
	}
	var hits []record
	for _, id := range s.index.ids[owner{c.portal, o.plural}] {
		r, _ := s.records.Get(record{Portal: c.portal, Type: o.plural, ID: id}.key())
		seen, there := s.index.seen(r, at)
		if !there {
			continue
		}
		r.Properties = seen
		if s.matches(c, o, r, groups) && matchesQuery(r, in.Query) {
			hits = append(hits, r)
		}
	}
	slices.SortStableFunc(hits, order)
	total := len(hits)
	page := linkedPage{Total: &total, Results: []view{}}
	hits = hits[min(offset, total):]
	if len(hits) > in.Limit {
		hits = hits[:in.Limit]
		page.Paging = &paging{Next: &next{After: strconv.Itoa(offset + in.Limit)}}
	}
	for _, r := range hits {
		page.Results = append(page.Results, s.show(o, r, in.Properties, nil))
	}
	return answer{http.StatusOK, page}
}

// plan checks the limits of a search and works out its order and offset.
func (s *Simulator) plan(c *call, o object, in *searchInput) (groups [][]filter, order func(a, b record) int, offset int, why string) {
	all := 0
	for _, g := range in.FilterGroups {
		groups = append(groups, g.Filters)
		if all += len(g.Filters); len(g.Filters) > 6 {
			return nil, nil, 0, "A filter group must not have more than 6 filters"
		}
	}
	if len(in.Filters) > 0 {
		groups = append(groups, in.Filters)
		all += len(in.Filters)
	}
	if len(groups) > 5 || all > 18 {
		return nil, nil, 0, "There must not be more than 5 filter groups and 18 filters"
	}
	for _, g := range groups {
		for _, f := range g {
			if !slices.Contains(operators(), f.Operator) {
				return nil, nil, 0, "Unknown operator: " + f.Operator
			}
			if _, ok := s.definition(c.portal, o, f.PropertyName); !ok && !strings.HasPrefix(f.PropertyName, "associations.") {
				return nil, nil, 0, fmt.Sprintf("There was a problem with the request: property %q does not exist", f.PropertyName)
			}
		}
	}
	if in.Limit == 0 {
		in.Limit = 10
	}
	if in.Limit < 0 || in.Limit > 200 {
		return nil, nil, 0, "limit must be between 1 and 200"
	}
	after := strings.Trim(string(in.After), `"`)
	if after != "" && after != "null" {
		n, err := strconv.Atoi(after)
		if err != nil {
			return nil, nil, 0, "Cannot deserialize value of type `int` from String " + strconv.Quote(after)
		}
		offset = n
	}
	if offset+in.Limit > maxSearchResults {
		return nil, nil, 0, "Paging past 10000 results is not supported"
	}
	order, why = s.ordering(c, o, in.Sorts)
	return groups, order, offset, why
}

func operators() []string {
	return []string{
		"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY",
		"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
	}
}

// ordering reads the one sort rule, an object or the short form.
func (s *Simulator) ordering(c *call, o object, sorts []json.RawMessage) (func(a, b record) int, string) {
	if len(sorts) == 0 {
		return func(a, b record) int { return byID(a.ID, b.ID) }, ""
	}
	if len(sorts) > 1 {
		return nil, "Only one sort rule is supported"
	}
	var rule struct{ PropertyName, Direction string }
	var short string
	if json.Unmarshal(sorts[0], &short) == nil {
		rule.PropertyName, rule.Direction = strings.TrimPrefix(short, "-"), "ASCENDING"
		if strings.HasPrefix(short, "-") {
			rule.Direction = "DESCENDING"
		}
	} else if json.Unmarshal(sorts[0], &rule) != nil {
		return nil, "Cannot deserialize value of type `Sort`"
	}
	def, ok := s.definition(c.portal, o, rule.PropertyName)
	if !ok {
		return nil, fmt.Sprintf("property %q does not exist", rule.PropertyName)
	}
	sign := 1
	if rule.Direction == "DESCENDING" {
		sign = -1
	}
	return func(a, b record) int {
		return sign * compare(def, a.Properties[rule.PropertyName], b.Properties[rule.PropertyName])
	}, ""
}
