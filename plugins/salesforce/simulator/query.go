package simulator

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cursor is a query whose answer has more than one page. The rows are those of
// the first page's moment, their values current (salesforce.md §11.2).
type cursor struct {
	token  string // of the session that opened it
	object object
	paths  []path
	ids    []string
	opened time.Time
}

// locatorLife is how long a locator works (salesforce.md §6.1).
const locatorLife = 48 * time.Hour

func (s *Simulator) queryLive(w http.ResponseWriter, r *request) { s.query(w, r, false) }
func (s *Simulator) queryAll(w http.ResponseWriter, r *request)  { s.query(w, r, true) }

func (s *Simulator) query(w http.ResponseWriter, r *request, all bool) {
	q, f := parse(r.URL.Query().Get("q"))
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	o, ok := s.object(q.from.text)
	if !ok {
		refuse(w, r.Request, bad("INVALID_TYPE", place(q.text, q.from.at)+"sObject type '"+q.from.text+"' is not supported. If you are attempting to use a "+
			"custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."))
		return
	}
	c, f := s.run(q, o, func(yield func(record) bool) {
		for _, one := range s.records[o.name].All() {
			if (all || !one.deleted() && !one.truth("IsArchived")) && !yield(one) {
				return
			}
		}
	})
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	if q.count {
		answer(w, r.Request, http.StatusOK, ordered{{"totalSize", len(c.ids)}, {"done", true}, {"records", []any{}}})
		return
	}
	c.token = r.token
	s.page(w, r, c, "", 0)
}

// run finds the rows of a query among all rows of its object.
func (s *Simulator) run(q query, o object, all func(func(record) bool)) (*cursor, *failure) {
	paths, f := s.selected(q, o)
	if f != nil {
		return nil, f
	}
	wanted, f := s.compile(q, o, q.where)
	if f != nil {
		return nil, f
	}
	sorted, f := s.sorter(q, o)
	if f != nil {
		return nil, f
	}
	var rows []record
	for one := range all {
		if wanted(one) {
			rows = append(rows, one)
		}
	}
	if sorted == nil {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	} else {
		slices.SortStableFunc(rows, sorted)
	}
	rows = rows[min(q.skip, len(rows)):]
	if q.limit >= 0 {
		rows = rows[:min(q.limit, len(rows))]
	}
	c := &cursor{object: o, paths: paths, opened: s.Clock.Now()}
	for _, one := range rows {
		c.ids = append(c.ids, one.text("Id")[:15])
	}
	return c, nil
}

// selected resolves the field list.
func (s *Simulator) selected(q query, o object) ([]path, *failure) {
	names := q.fields
	if q.group != "" {
		if q.group != "STANDARD" && (q.limit < 0 || q.limit > 200) {
			return nil, bad("MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200")
		}
		for _, f := range o.fields {
			if s.visible(o, f) && (q.group == "ALL" || f.custom == (q.group == "CUSTOM")) {
				names = append(names, token{text: f.name})
			}
		}
	}
	var paths []path
	for _, t := range names {
		p, f := s.resolveIn(q, o, t)
		if f != nil {
			return nil, f
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// sorter compares rows by ORDER BY; nil when there is none.
func (s *Simulator) sorter(q query, o object) (func(a, b record) int, *failure) {
	if len(q.order) == 0 {
		return nil, nil
	}
	paths := make([]path, len(q.order))
	for i, by := range q.order {
		p, f := s.resolveIn(q, o, by.field)
		if f != nil {
			return nil, f
		}
		if !filterable(p.field) {
			return nil, bad("INVALID_FIELD", place(q.text, by.field.at)+"field '"+p.field.name+"' can not be sorted in a query call")
		}
		paths[i] = p
	}
	return func(a, b record) int {
		for i, by := range q.order {
			x, y := s.value(a, paths[i]), s.value(b, paths[i])
			n := compareValues(paths[i].field, x, y)
			switch {
			case n == 0:
				continue
			case x == nil || y == nil:
				if (x == nil) == by.nulls {
					return 1
				}
				return -1
			case by.descending:
				return -n
			}
			return n
		}
		return 0
	}, nil
}

func compareValues(f field, x, y any) int {
	if a, ok := x.(float64); ok {
		if b, ok := y.(float64); ok {
			return cmp.Compare(a, b)
		}
	}
	return strings.Compare(sortKey(f, x), sortKey(f, y))
}

// page answers the rows of a cursor from an offset on.
func (s *Simulator) page(w http.ResponseWriter, r *request, c *cursor, locator string, offset int) {
	size := s.settings.QueryPage
	for _, option := range strings.Split(r.Header.Get("Sforce-Query-Options"), ",") {
		if n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(option), "batchSize=")); err == nil {
			size = min(size, max(n, 200))
		}
	}
	end := min(offset+size, len(c.ids))
	out := ordered{{"totalSize", len(c.ids)}, {"done", end == len(c.ids)}}
	if end < len(c.ids) {
		if locator == "" {
			locator = longID(makeID("0r8", s.next("0r8")))
			s.cursors[locator] = c
		}
		out = append(out, pair{"nextRecordsUrl", r.path(fmt.Sprintf("/query/%s-%d", locator, end))})
	}
	rows := make([]any, 0, end-offset)
	for _, id := range c.ids[offset:end] {
		if one, ok := s.records[c.object.name].Get(id); ok {
			rows = append(rows, s.project(r.version, c.object, one, c.paths))
		}
	}
	answer(w, r.Request, http.StatusOK, append(out, pair{"records", rows}))
}

// more answers a further page. Locators end after two days and with their
// session.
func (s *Simulator) more(w http.ResponseWriter, r *request) {
	locator, offset, _ := strings.Cut(r.PathValue("locator"), "-")
	n, err := strconv.Atoi(offset)
	c, ok := s.cursors[locator]
	if err != nil || !ok || n < 0 || n > len(c.ids) || s.Clock.Now().After(c.opened.Add(locatorLife)) {
		refuse(w, r.Request, bad("INVALID_QUERY_LOCATOR", "invalid query locator"))
		return
	}
	s.page(w, r, c, locator, n)
}

// dropCursors closes the cursors of a session that has ended.
func (s *Simulator) dropCursors(token string) {
	for locator, c := range s.cursors {
		if c.token == token {
			delete(s.cursors, locator)
		}
	}
}

// project is a record as it is answered: attributes, then the fields in the
// order asked, parents as records of their own.
func (s *Simulator) project(version string, o object, r record, paths []path) ordered {
	out := ordered{{"attributes", attributes(version, o, r)}}
	parents := map[string]int{}
	for _, p := range paths {
		if p.lookup.name == "" {
			out = append(out, pair{p.field.name, s.answerValue(o, r, p.field)})
			continue
		}
		name := p.lookup.relationship()
		at, known := parents[name]
		if !known {
			at = len(out)
			parents[name] = at
			out = append(out, pair{name, nil})
		}
		of, parent, ok := s.byID(p.lookup.references, r.text(p.lookup.name))
		if !ok {
			continue
		}
		inner, _ := out[at].value.(ordered)
		if inner == nil {
			inner = ordered{{"attributes", attributes(version, of, parent)}}
		}
		out[at].value = append(inner, pair{p.field.name, s.answerValue(of, parent, p.field)})
	}
	return out
}

func attributes(version string, o object, r record) ordered {
	return ordered{{"type", o.name}, {"url", "/services/data/" + version + "/sobjects/" + o.name + "/" + r.text("Id")}}
}

// answerValue is a field's value in an answer; a compound is made of its parts
// and null without any (salesforce.md §3.5).
func (s *Simulator) answerValue(o object, r record, f field) any {
	if f.kind != "address" {
		return r[f.name]
	}
	prefix := strings.TrimSuffix(f.name, "Address")
	out, filled := ordered{}, false
	for _, part := range []struct{ key, field string }{
		{"city", "City"}, {"country", "Country"}, {"countryCode", "CountryCode"}, {"geocodeAccuracy", "GeocodeAccuracy"}, {"latitude", "Latitude"},
		{"longitude", "Longitude"}, {"postalCode", "PostalCode"}, {"state", "State"}, {"stateCode", "StateCode"}, {"street", "Street"},
	} {
		if sub, known := o.find(prefix + part.field); known && s.visible(o, sub) {
			value := r[prefix+part.field]
			filled = filled || value != nil
			out = append(out, pair{part.key, value})
		}
	}
	if !filled {
		return nil
	}
	return out
}
