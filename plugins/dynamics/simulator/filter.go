package simulator

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// condition is a parsed $filter; it answers whether a row fits.
type condition func(r row) bool

// parser reads a $filter (§2.3).
type parser struct {
	call   *call
	table  *table
	tokens []string
	at     int
	failed *failure
	// alias is the range variable of a lambda under way.
	alias string
}

// filter parses a $filter for a table.
func (c *call) filter(t *table, text string) (condition, *failure) {
	if strings.TrimSpace(text) == "" {
		return func(row) bool { return true }, nil
	}
	p := &parser{call: c, table: t, tokens: lex(text)}
	cond := p.or()
	if p.failed == nil && p.at < len(p.tokens) {
		p.failed = syntax()
	}
	return cond, p.failed
}

// lex cuts a filter into words, quoted texts, brackets and commas.
func lex(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		switch ch := text[i]; {
		case ch == ' ':
			i++
		case strings.IndexByte("()[],", ch) >= 0:
			out = append(out, string(ch))
			i++
		case ch == '\'' || ch == '"':
			end := i + 1
			for end < len(text) {
				if text[end] == ch {
					if ch == '\'' && end+1 < len(text) && text[end+1] == ch {
						end += 2
						continue
					}
					break
				}
				end++
			}
			if end >= len(text) {
				return append(out, "(") // never closed: leaves a syntax error
			}
			out = append(out, "'"+strings.ReplaceAll(text[i+1:end], "''", "'"))
			i = end + 1
		default:
			end := i
			for end < len(text) && strings.IndexByte(" ()[],'\"", text[end]) < 0 {
				end++
			}
			out = append(out, text[i:end])
			i = end
		}
	}
	return out
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

func (p *parser) expect(token string) {
	if p.next() != token {
		p.fail(syntax())
	}
}

func (p *parser) fail(f *failure) {
	if p.failed == nil {
		p.failed = f
	}
	p.at = len(p.tokens) // ends every loop
}

func never(row) bool { return false }

func (p *parser) or() condition {
	left := p.and()
	for p.peek() == "or" {
		p.next()
		a, b := left, p.and()
		left = func(r row) bool { return a(r) || b(r) }
	}
	return left
}

func (p *parser) and() condition {
	left := p.unary()
	for p.peek() == "and" {
		p.next()
		a, b := left, p.unary()
		left = func(r row) bool { return a(r) && b(r) }
	}
	return left
}

func (p *parser) unary() condition {
	switch token := p.peek(); {
	case token == "not":
		p.next()
		c := p.unary()
		return func(r row) bool { return !c(r) }
	case token == "(":
		p.next()
		c := p.or()
		p.expect(")")
		return c
	case token == "contains" || token == "startswith" || token == "endswith":
		return p.textFunction(p.next())
	case strings.HasPrefix(token, "Microsoft.Dynamics.CRM."):
		return p.queryFunction(strings.TrimPrefix(p.next(), "Microsoft.Dynamics.CRM."))
	case strings.HasSuffix(token, "/any") || strings.HasSuffix(token, "/all"):
		return p.lambda(p.next())
	}
	return p.comparison()
}

func (p *parser) textFunction(name string) condition {
	p.expect("(")
	get := p.operand(p.next())
	p.expect(",")
	wanted, _ := constant(p.next())
	p.expect(")")
	text, ok := wanted.(string)
	if !ok || p.failed != nil {
		p.fail(syntax())
		return never
	}
	text = strings.ToLower(text)
	return func(r row) bool {
		s, ok := get(r).(string)
		if !ok {
			return false
		}
		s = strings.ToLower(s)
		switch name {
		case "contains":
			return strings.Contains(s, text)
		case "startswith":
			return strings.HasPrefix(s, text)
		default:
			return strings.HasSuffix(s, text)
		}
	}
}

// queryFunction reads Microsoft.Dynamics.CRM.In and its kin.
func (p *parser) queryFunction(name string) condition {
	p.expect("(")
	property, values := "", []any(nil)
	for p.failed == nil && p.peek() != ")" {
		switch word := p.next(); word {
		case "PropertyName=":
			property = strings.TrimPrefix(p.next(), "'")
		case "PropertyValue=":
			v, _ := constant(p.next())
			values = append(values, v)
		case "PropertyValues=":
			p.expect("[")
			for p.failed == nil && p.peek() != "]" {
				if p.peek() == "," {
					p.next()
					continue
				}
				v, ok := constant(p.next())
				if !ok {
					p.fail(syntax())
				}
				values = append(values, v)
			}
			p.expect("]")
		case ",":
		default:
			p.fail(syntax())
		}
	}
	p.expect(")")
	get := p.operand(property)
	if p.failed != nil {
		return never
	}
	switch name {
	case "In", "NotIn":
		set := map[string]bool{}
		for _, v := range values {
			set[folded(v)] = true
		}
		return func(r row) bool {
			v := get(r)
			return v != nil && set[folded(v)] == (name == "In")
		}
	case "Between":
		if len(values) == 2 {
			return func(r row) bool {
				v := get(r)
				return v != nil && order(v, values[0]) >= 0 && order(v, values[1]) <= 0
			}
		}
	case "ContainValues":
		return func(r row) bool {
			s, _ := get(r).(string)
			return slices.ContainsFunc(values, func(v any) bool { return slices.Contains(strings.Split(s, ","), folded(v)) })
		}
	}
	p.fail(syntax())
	return never
}

// lambda reads Children/any(o:o/column eq 'x').
func (p *parser) lambda(token string) condition {
	name, mode, _ := strings.Cut(token, "/")
	var ch child
	for _, one := range p.table.Children {
		if one.Name == name {
			ch = one
		}
	}
	other, known := p.call.env.tables[ch.Table]
	p.expect("(")
	if !known {
		p.fail(noSuchProperty(p.table, name))
		return never
	}
	if p.peek() == ")" && mode == "any" {
		p.next()
		t := p.table
		return func(r row) bool { return len(p.call.env.children(t, r.ID, ch)) > 0 }
	}
	alias, rest, ok := strings.Cut(p.next(), ":")
	if !ok {
		p.fail(syntax())
		return never
	}
	if rest != "" {
		p.at--
		p.tokens[p.at] = rest
	}
	outer := p.table
	p.table, p.alias = other, alias+"/"
	inner := p.or()
	p.table, p.alias = outer, ""
	p.expect(")")
	return func(r row) bool {
		for _, c := range p.call.env.children(outer, r.ID, ch) {
			if inner(c) == (mode == "any") {
				return mode == "any"
			}
		}
		return mode == "all"
	}
}

func (p *parser) comparison() condition {
	name := p.next()
	get := p.operand(name)
	op := p.next()
	raw := p.next()
	wanted, ok := constant(raw)
	if !ok || p.failed != nil {
		p.fail(syntax())
		return never
	}
	if c, known := p.table.column(strings.TrimPrefix(name, p.alias)); known && !fitsType(c, wanted) {
		p.fail(syntax())
		return never
	}
	switch op {
	case "eq":
		return func(r row) bool { return folded(get(r)) == folded(wanted) }
	case "ne":
		return func(r row) bool { return folded(get(r)) != folded(wanted) }
	case "gt", "ge", "lt", "le":
		return func(r row) bool {
			v := get(r)
			if v == nil || wanted == nil {
				return false
			}
			n := order(v, wanted)
			return op == "gt" && n > 0 || op == "ge" && n >= 0 || op == "lt" && n < 0 || op == "le" && n <= 0
		}
	}
	p.fail(syntax())
	return never
}

// fitsType refuses literals of another type, such as a choice in quotes.
func fitsType(c column, v any) bool {
	if v == nil {
		return true
	}
	switch c.Type {
	case "Integer", "BigInt", "Decimal", "Double", "Money", "Picklist", "State", "Status":
		_, ok := v.(float64)
		return ok
	case "Boolean":
		_, ok := v.(bool)
		return ok
	}
	_, ok := v.(string)
	return ok
}

// operand is a column, a lookup's value, or a column of the row it points to.
func (p *parser) operand(name string) func(row) any {
	name = strings.TrimPrefix(name, p.alias)
	t := p.table
	if l, ok := t.lookupByProperty(name); ok {
		return func(r row) any {
			if ref, set := r.Refs[l.Column]; set {
				return ref.ID
			}
			return nil
		}
	}
	if _, ok := t.column(name); ok {
		if name == "versionnumber" {
			return func(r row) any { return float64(r.Version) }
		}
		return func(r row) any { return r.Values[name] }
	}
	if nav, column, ok := strings.Cut(name, "/"); ok {
		if l, targetName, ok := t.navigation(nav); ok {
			other := p.call.env.tables[targetName]
			if _, ok := other.column(column); ok {
				return func(r row) any {
					ref, set := r.Refs[l.Column]
					if !set {
						return nil
					}
					found, _ := p.call.env.get(other, ref.ID)
					return found.Values[column]
				}
			}
		}
	}
	p.fail(noSuchProperty(t, name))
	return func(row) any { return nil }
}

// constant reads a literal: text, number, truth, null, GUID, date.
func constant(token string) (any, bool) {
	if text, ok := strings.CutPrefix(token, "'"); ok {
		return text, true
	}
	switch token {
	case "null":
		return nil, true
	case "true", "false":
		return token == "true", true
	}
	if n, err := strconv.ParseFloat(token, 64); err == nil {
		return n, true
	}
	if id, ok := asGUID(token); ok {
		return id, true
	}
	if at, err := time.Parse(time.RFC3339, token); err == nil {
		return stamp(at), true
	}
	if _, err := time.Parse(time.DateOnly, token); err == nil {
		return token, true
	}
	return nil, false
}

// folded is a value as the database compares it: text without case.
func folded(v any) string {
	switch x := v.(type) {
	case nil:
		return "\x00null"
	case string:
		return strings.ToLower(strings.TrimRightFunc(x, unicode.IsSpace))
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(x)
	}
	return ""
}

// order compares two values of one type.
func order(a, b any) int {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	if ok1 && ok2 {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(folded(a), folded(b))
}

// asGUID reads a GUID with or without braces.
func asGUID(text string) (string, bool) {
	text = strings.Trim(text, "{}")
	if len(text) != 36 {
		return "", false
	}
	id, err := uuid.Parse(text)
	return id.String(), err == nil
}
