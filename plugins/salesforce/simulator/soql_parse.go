package simulator

import (
	"strconv"
	"strings"
)

// query is a query as it was written, names not yet looked up.
type query struct {
	text   string
	fields []token
	// count is SELECT COUNT(); group is ALL, STANDARD or CUSTOM of FIELDS().
	count bool
	group string
	from  token
	where condition
	order []ordering
	limit int // -1: none
	skip  int
}

type ordering struct {
	field             token
	descending, nulls bool // nulls: last
}

// condition is a node of the WHERE clause.
type condition any

type (
	both       struct{ left, right condition }
	either     struct{ left, right condition }
	negation   struct{ inner condition }
	comparison struct {
		field  token
		op     string
		values []token
	}
)

// parser walks over the tokens of a query.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
}

// parse reads the subset of SOQL in salesforce.md §11.2.
func parse(text string) (query, *failure) {
	tokens, f := lex(text)
	if f != nil {
		return query{}, f
	}
	p := &parser{text: text, tokens: tokens}
	q := query{text: text, limit: -1}
	for _, part := range []func(*query) *failure{p.selects, p.source, p.filter, p.sorting, p.window} {
		if f := part(&q); f != nil {
			return query{}, f
		}
	}
	if p.peek().kind != tokenEnd {
		return query{}, p.unexpected()
	}
	return q, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// word takes a keyword if it is next.
func (p *parser) word(w string) bool {
	if t := p.peek(); t.kind == tokenName && strings.EqualFold(t.text, w) {
		p.at++
		return true
	}
	return false
}

func (p *parser) sign(s string) bool {
	if t := p.peek(); t.kind == tokenSign && t.text == s {
		p.at++
		return true
	}
	return false
}

func (p *parser) unexpected() *failure {
	t := p.peek()
	if t.kind == tokenEnd {
		return malformed(p.text, t.at, "unexpected token: '<EOF>'")
	}
	return malformed(p.text, t.at, "unexpected token: '"+t.text+"'")
}

func (p *parser) name() (token, *failure) {
	if t := p.peek(); t.kind != tokenName {
		return token{}, p.unexpected()
	}
	return p.take(), nil
}

func (p *parser) selects(q *query) *failure {
	if !p.word("SELECT") {
		return p.unexpected()
	}
	for {
		t, f := p.name()
		if f != nil {
			return f
		}
		switch {
		case !p.sign("("):
			q.fields = append(q.fields, t)
		case strings.EqualFold(t.text, "COUNT"):
			q.count = true
			if !p.sign(")") {
				return p.unexpected()
			}
		case strings.EqualFold(t.text, "FIELDS"):
			group, f := p.name()
			if f != nil || !p.sign(")") {
				return p.unexpected()
			}
			q.group = strings.ToUpper(group.text)
		default:
			return p.unexpected()
		}
		if !p.sign(",") {
			return nil
		}
	}
}

func (p *parser) source(q *query) (f *failure) {
	if !p.word("FROM") {
		return p.unexpected()
	}
	q.from, f = p.name()
	return f
}

func (p *parser) filter(q *query) (f *failure) {
	if !p.word("WHERE") {
		return nil
	}
	q.where, f = p.alternatives()
	return f
}

// depthMax bounds parentheses, so that a query cannot exhaust the stack.
const depthMax = 200

func (p *parser) alternatives() (condition, *failure) {
	left, f := p.conjunction()
	for f == nil && p.word("OR") {
		var right condition
		right, f = p.conjunction()
		left = either{left, right}
	}
	return left, f
}

func (p *parser) conjunction() (condition, *failure) {
	left, f := p.term()
	for f == nil && p.word("AND") {
		var right condition
		right, f = p.term()
		left = both{left, right}
	}
	return left, f
}

func (p *parser) term() (condition, *failure) {
	if p.depth++; p.depth > depthMax {
		return nil, malformed(p.text, p.peek().at, "the filter is nested too deeply")
	}
	defer func() { p.depth-- }()
	if p.word("NOT") {
		inner, f := p.term()
		return negation{inner}, f
	}
	if p.sign("(") {
		inner, f := p.alternatives()
		if f == nil && !p.sign(")") {
			f = p.unexpected()
		}
		return inner, f
	}
	return p.comparison()
}

func (p *parser) comparison() (condition, *failure) {
	field, f := p.name()
	if f != nil {
		return nil, f
	}
	c := comparison{field: field}
	switch t := p.peek(); {
	case t.kind == tokenSign && strings.Contains("= != <> < <= > >=", t.text) && t.text != ":":
		c.op = p.take().text
		if c.op == "<>" {
			c.op = "!="
		}
	case p.word("LIKE"):
		c.op = "LIKE"
	case p.word("IN"):
		c.op = "IN"
	case p.word("NOT"):
		if !p.word("IN") {
			return nil, p.unexpected()
		}
		c.op = "NOT IN"
	default:
		return nil, p.unexpected()
	}
	if c.op != "IN" && c.op != "NOT IN" {
		value, f := p.value()
		c.values = []token{value}
		return c, f
	}
	if !p.sign("(") {
		return nil, p.unexpected()
	}
	for {
		value, f := p.value()
		if f != nil {
			return nil, f
		}
		c.values = append(c.values, value)
		if p.sign(")") {
			return c, nil
		}
		if !p.sign(",") {
			return nil, p.unexpected()
		}
	}
}

// value reads a literal; LAST_N_DAYS:30 becomes one token.
func (p *parser) value() (token, *failure) {
	t := p.peek()
	switch t.kind {
	case tokenString, tokenNumber, tokenDate, tokenDateTime:
		return p.take(), nil
	case tokenName:
		p.at++
		switch upper := strings.ToUpper(t.text); upper {
		case "NULL", "TRUE", "FALSE", "TODAY", "YESTERDAY":
			return token{tokenName, upper, t.at}, nil
		case "LAST_N_DAYS":
			if p.sign(":") {
				if n := p.take(); n.kind == tokenNumber {
					return token{tokenName, upper + ":" + n.text, t.at}, nil
				}
			}
		}
		p.at--
	}
	return token{}, p.unexpected()
}

func (p *parser) sorting(q *query) *failure {
	if !p.word("ORDER") {
		return nil
	}
	if !p.word("BY") {
		return p.unexpected()
	}
	for {
		field, f := p.name()
		if f != nil {
			return f
		}
		o := ordering{field: field}
		if p.word("DESC") {
			o.descending = true
		} else {
			p.word("ASC")
		}
		if p.word("NULLS") {
			if o.nulls = p.word("LAST"); !o.nulls && !p.word("FIRST") {
				return p.unexpected()
			}
		}
		q.order = append(q.order, o)
		if !p.sign(",") {
			return nil
		}
	}
}

func (p *parser) window(q *query) *failure {
	if p.word("LIMIT") {
		n, f := p.number()
		if f != nil {
			return f
		}
		q.limit = n
	}
	if p.word("OFFSET") {
		n, f := p.number()
		if f != nil {
			return f
		}
		if n > 2000 {
			return bad("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
		}
		q.skip = n
	}
	return nil
}

func (p *parser) number() (int, *failure) {
	if t := p.peek(); t.kind == tokenNumber {
		if n, err := strconv.Atoi(t.text); err == nil && n >= 0 {
			p.at++
			return n, nil
		}
	}
	return 0, p.unexpected()
}
