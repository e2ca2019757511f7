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

// matches: OR between groups, AND inside one; no group matches everything.
func (s *Simulator) matches(c *call, o object, r record, groups [][]filter) bool {
	if len(groups) == 0 {
		return true
	}
	return slices.ContainsFunc(groups, func(g []filter) bool {
		return !slices.ContainsFunc(g, func(f filter) bool { return !s.fits(c, o, r, f) })
	})
}

func (s *Simulator) fits(c *call, o object, r record, f filter) bool {
	if to, ok := strings.CutPrefix(f.PropertyName, "associations."); ok {
		other, known := objectOf(to)
		return known && slices.Contains(s.index.links[linkKey(c.portal, o.plural, r.ID, other.plural)], fmt.Sprint(f.Value))
	}
	def, _ := s.definition(c.portal, o, f.PropertyName)
	have := r.Properties[f.PropertyName]
	// Enumerations compare exactly; the values of IN must come in lower case.
	same := strings.EqualFold
	if def.Type == "enumeration" {
		same = func(a, b string) bool { return a == b }
	}
	want := text(f.Value)
	switch f.Operator {
	case "EQ":
		return have != "" && same(have, want)
	case "NEQ":
		return have != "" && !same(have, want)
	case "HAS_PROPERTY":
		return have != ""
	case "NOT_HAS_PROPERTY":
		return have == ""
	case "IN":
		return have != "" && slices.Contains(f.Values, lower(def, have))
	case "NOT_IN":
		return have != "" && !slices.Contains(f.Values, lower(def, have))
	case "CONTAINS_TOKEN":
		return hasWord(have, want)
	case "NOT_CONTAINS_TOKEN":
		return !hasWord(have, want)
	case "BETWEEN":
		return have != "" && compare(def, have, want) >= 0 && compare(def, have, text(f.HighValue)) <= 0
	}
	if have == "" {
		return false
	}
	order := compare(def, have, want)
	return order < 0 && (f.Operator == "LT" || f.Operator == "LTE") ||
		order > 0 && (f.Operator == "GT" || f.Operator == "GTE") ||
		order == 0 && (f.Operator == "LTE" || f.Operator == "GTE")
}

func lower(def property, v string) string {
	if def.Type == "enumeration" {
		return v
	}
	return strings.ToLower(v)
}

// hasWord tells whether text has a word; * is a wildcard at either end.
func hasWord(have, want string) bool {
	want = strings.ToLower(want)
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(have), func(r rune) bool {
		return strings.ContainsRune(" ,;.@-/", r)
	}), func(word string) bool {
		switch bare := strings.Trim(want, "*"); {
		case strings.HasPrefix(want, "*") && strings.HasSuffix(want, "*"):
			return strings.Contains(word, bare)
		case strings.HasPrefix(want, "*"):
			return strings.HasSuffix(word, bare)
		case strings.HasSuffix(want, "*"):
			return strings.HasPrefix(word, bare)
		default:
			return word == want
		}
	}) || strings.EqualFold(have, want)
}

// matchesQuery looks for words in the default text properties of a contact.
func matchesQuery(r record, query string) bool {
	if query == "" {
		return true
	}
	var all []string
	for _, name := range []string{
		"firstname", "lastname", "email", "phone", "hs_additional_emails", "fax", "mobilephone", "company", "name", "domain",
	} {
		all = append(all, strings.ToLower(r.Properties[name]))
	}
	have := strings.Join(all, " ")
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(have, word) {
			return false
		}
	}
	return true
}

// compare orders two values by the property's type.
func compare(def property, a, b string) int {
	switch def.Type {
	case "number":
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		if errX == nil && errY == nil {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	case "date", "datetime":
		return moment(a).Compare(moment(b))
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

// moment reads a time in any of the forms HubSpot takes.
func moment(v string) time.Time {
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.UnixMilli(ms)
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t
		}
	}
	return time.Time{}
}

func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}
