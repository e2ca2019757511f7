package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
