package simulator

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// path is a field of an object, or of the record that one of its lookups names.
type path struct {
	lookup field // its name is "" for a field of the object itself
	parent object
	field  field
}

// value is what a record has at the path; nil is null.
func (s *Simulator) value(r record, p path) any {
	if p.lookup.name == "" {
		return r[p.field.name]
	}
	_, parent, ok := s.byID(p.lookup.references, r.text(p.lookup.name))
	if !ok {
		return nil
	}
	return parent[p.field.name]
}

// resolve finds a field by its name or by that of a parent, such as
// "Account.Name".
func (s *Simulator) resolve(o object, name string) (path, *failure) {
	head, rest, dotted := strings.Cut(name, ".")
	if dotted && strings.EqualFold(head, o.name) { // Contact.Id in a query of contacts
		return s.resolve(o, rest)
	}
	if !dotted {
		f, ok := o.find(name)
		if !ok || !s.visible(o, f) {
			return path{}, bad("INVALID_FIELD", "No such column '"+name+"' on entity '"+o.name+"'. If you are attempting to use a custom field, "+
				"be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.")
		}
		return path{field: f}, nil
	}
	for _, f := range o.fields {
		if f.relationship() == "" || !strings.EqualFold(f.relationship(), head) {
			continue
		}
		for _, target := range f.references {
			parent, known := s.objects[target]
			if !known {
				continue
			}
			if inner, failed := s.resolve(parent, rest); failed == nil && inner.lookup.name == "" {
				return path{lookup: f, parent: parent, field: inner.field}, nil
			}
		}
	}
	return path{}, bad("INVALID_FIELD", "Didn't understand relationship '"+head+"' in field path. If you are attempting to use a custom relationship, "+
		"be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.")
}

// resolveIn is resolve for a name in a query: the error shows the place.
func (s *Simulator) resolveIn(q query, o object, t token) (path, *failure) {
	p, f := s.resolve(o, t.text)
	if f != nil {
		f.Message = place(q.text, t.at) + f.Message
	}
	return p, f
}

// predicate tells whether a record is wanted.
type predicate func(record) bool

// compile turns a WHERE clause into a predicate.
func (s *Simulator) compile(q query, o object, c condition) (predicate, *failure) {
	switch c := c.(type) {
	case nil:
		return func(record) bool { return true }, nil
	case both:
		left, right, f := s.compileTwo(q, o, c.left, c.right)
		return func(r record) bool { return left(r) && right(r) }, f
	case either:
		left, right, f := s.compileTwo(q, o, c.left, c.right)
		return func(r record) bool { return left(r) || right(r) }, f
	case negation:
		inner, f := s.compile(q, o, c.inner)
		return func(r record) bool { return !inner(r) }, f
	default:
		return s.compileComparison(q, o, c.(comparison))
	}
}

func (s *Simulator) compileTwo(q query, o object, a, b condition) (left, right predicate, f *failure) {
	if left, f = s.compile(q, o, a); f != nil {
		return nil, nil, f
	}
	right, f = s.compile(q, o, b)
	return left, right, f
}

func (s *Simulator) compileComparison(q query, o object, c comparison) (predicate, *failure) {
	p, f := s.resolveIn(q, o, c.field)
	if f != nil {
		return nil, f
	}
	if !filterable(p.field) {
		return nil, bad("INVALID_FIELD", place(q.text, c.field.at)+"field '"+p.field.name+"' can not be filtered in a query call")
	}
	ranges := make([]span, len(c.values))
	for i, v := range c.values {
		if ranges[i], f = s.literal(q, p.field, v, c.op); f != nil {
			return nil, f
		}
	}
	if c.op == "LIKE" {
		form := likeForm(ranges[0].text)
		return func(r record) bool {
			text, ok := s.value(r, p).(string)
			return ok && form.MatchString(text)
		}, nil
	}
	if c.op == "IN" || c.op == "NOT IN" {
		set := map[string]bool{}
		for _, one := range ranges {
			set[one.low] = true
		}
		want := c.op == "IN"
		return func(r record) bool { return set[sortKey(p.field, s.value(r, p))] == want }, nil
	}
	op, wanted := c.op, ranges[0]
	return func(r record) bool { return wanted.holds(op, sortKey(p.field, s.value(r, p)), p.field) }, nil
}

// filterable tells whether a field may stand in WHERE (salesforce.md §3.4).
func filterable(f field) bool {
	return f.kind != "address" && !(f.kind == "textarea" && f.length > 255)
}

// span is what a literal stands for: a point, or all of a day.
type span struct{ low, high, text string }

// null is what sortKey gives for no value; no value of a record equals it.
const null = "\x00null"

// holds compares a value with the span. Nothing is greater or smaller than null,
// and everything else is unequal to it.
func (w span) holds(op, value string, f field) bool {
	equal := value >= w.low && value <= w.high
	if numeric(f) && value != null && w.low != null {
		return holdsNumber(op, value, w.low)
	}
	switch op {
	case "=":
		return equal
	case "!=":
		return !equal
	}
	if value == null || w.low == null {
		return false
	}
	switch op {
	case "<":
		return value < w.low
	case "<=":
		return value <= w.high
	case ">":
		return value > w.high
	default:
		return value >= w.low
	}
}

func numeric(f field) bool {
	return f.kind == "int" || f.kind == "double" || f.kind == "currency" || f.kind == "percent"
}

func holdsNumber(op, value, wanted string) bool {
	a, _ := strconv.ParseFloat(value, 64) // both were written by FormatFloat
	b, _ := strconv.ParseFloat(wanted, 64)
	return map[string]bool{"=": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
}

// sortKey is a value as text that compares as Salesforce does: without case,
// ids on 15 characters.
func sortKey(f field, value any) string {
	switch v := value.(type) {
	case string:
		if f.kind == "id" || f.kind == "reference" {
			return v[:min(15, len(v))]
		}
		return fold(f, v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	default:
		return null
	}
}

// literal reads a literal for a field; its type must fit.
func (s *Simulator) literal(q query, f field, t token, op string) (span, *failure) {
	if t.kind == tokenName && t.text == "NULL" {
		return span{low: null, high: null}, nil
	}
	mistyped := func(kind, quotes string) *failure {
		return bad("INVALID_FIELD", place(q.text, t.at)+"value of filter criterion for field '"+f.name+"' must be of type "+kind+" and should "+quotes+"be enclosed in quotes")
	}
	point := func(v string) (span, *failure) { return span{low: v, high: v, text: t.text}, nil }
	switch f.kind {
	case "boolean":
		if t.kind == tokenName && (t.text == "TRUE" || t.text == "FALSE") {
			return point(strings.ToLower(t.text))
		}
		return span{}, mistyped("boolean", "not ")
	case "int", "double", "currency", "percent":
		n, err := strconv.ParseFloat(t.text, 64)
		if t.kind != tokenNumber || err != nil {
			return span{}, mistyped("double", "not ")
		}
		return point(strconv.FormatFloat(n, 'f', -1, 64))
	case "date":
		if t.kind == tokenDate {
			return point(t.text)
		}
		if low, high, ok := s.relative(t); ok {
			return span{low: low[:10], high: high[:10]}, nil
		}
		return span{}, mistyped("date", "not ")
	case "datetime":
		if at, ok := readTime(t.text); ok && t.kind == tokenDateTime {
			return point(strings.ToLower(at.Format("2006-01-02T15:04:05.000-0700")))
		}
		if low, high, ok := s.relative(t); ok {
			return span{low: strings.ToLower(low), high: strings.ToLower(high)}, nil
		}
		return span{}, mistyped("dateTime", "not ")
	}
	if t.kind != tokenString {
		return span{}, mistyped("string", "")
	}
	if f.kind == "id" || f.kind == "reference" {
		short, ok := shortID(t.text)
		if !ok {
			return span{}, bad("INVALID_QUERY_FILTER_OPERATOR", place(q.text, t.at)+"invalid ID field: "+t.text)
		}
		return point(short)
	}
	return point(fold(f, unlike(t.text, op)))
}

// unlike drops the escapes that lexString kept for LIKE.
func unlike(text, op string) string {
	if op == "LIKE" {
		return text
	}
	return strings.NewReplacer(`\%`, `%`, `\_`, `_`).Replace(text)
}

// relative is the range of a word such as TODAY, in UTC.
func (s *Simulator) relative(t token) (low, high string, ok bool) {
	if t.kind != tokenName {
		return "", "", false
	}
	day := s.Clock.Now().Truncate(24 * time.Hour)
	from, to := day, day
	switch word, n, _ := strings.Cut(t.text, ":"); word {
	case "TODAY":
	case "YESTERDAY":
		from, to = day.AddDate(0, 0, -1), day.AddDate(0, 0, -1)
	case "LAST_N_DAYS":
		days, err := strconv.Atoi(n)
		if err != nil {
			return "", "", false
		}
		from = day.AddDate(0, 0, -days)
	default:
		return "", "", false
	}
	return stamp(from), stamp(to.Add(24*time.Hour - time.Second)), true
}

// likeForm turns a LIKE pattern into a regular expression: % is any text, _ any
// character, both can be escaped.
func likeForm(pattern string) *regexp.Regexp {
	var form strings.Builder
	form.WriteString("(?is)^")
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			form.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case pattern[i] == '%':
			form.WriteString(".*")
		case pattern[i] == '_':
			form.WriteString(".")
		default:
			end := i + 1
			for end < len(pattern) && !strings.ContainsRune(`\%_`, rune(pattern[end])) {
				end++
			}
			form.WriteString(regexp.QuoteMeta(strings.ToValidUTF8(pattern[i:end], "?")))
			i = end - 1
		}
	}
	form.WriteString("$")
	return regexp.MustCompile(form.String())
}
