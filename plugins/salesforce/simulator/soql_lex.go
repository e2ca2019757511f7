package simulator

import (
	"fmt"
	"regexp"
	"strings"
)

// token is one word of a query. Strings have their escapes resolved.
type token struct {
	kind tokenKind
	text string
	at   int // byte offset in the query
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenString
	tokenNumber
	tokenDate
	tokenDateTime
	tokenSign
)

// The most a query and a string in it may hold (salesforce.md §6.1).
const (
	queryMax  = 100_000
	stringMax = 4_000
)

// lexForms are tried in this order; a time needs its zone, which an unencoded
// plus sign loses.
func lexForms() []lexForm {
	return []lexForm{
		{tokenDateTime, regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:?\d\d)`)},
		{tokenDate, regexp.MustCompile(`^\d{4}-\d\d-\d\d`)},
		{tokenNumber, regexp.MustCompile(`^[+-]?\d+(\.\d+)?`)},
		{tokenName, regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*`)},
		{tokenSign, regexp.MustCompile(`^(<=|>=|!=|<>|[=<>])`)},
	}
}

type lexForm struct {
	kind tokenKind
	form *regexp.Regexp
}

// lex cuts a query into tokens; the last is tokenEnd.
func lex(query string) ([]token, *failure) {
	if len(query) > queryMax {
		return nil, bad("MALFORMED_QUERY", fmt.Sprintf("SOQL statements cannot be longer than %d characters.", queryMax))
	}
	forms := lexForms()
	var out []token
	for at := 0; at < len(query); {
		if strings.ContainsRune(" \t\r\n", rune(query[at])) {
			at++
			continue
		}
		if query[at] == '\'' {
			text, end, f := lexString(query, at)
			if f != nil {
				return nil, f
			}
			out = append(out, token{tokenString, text, at})
			at = end
			continue
		}
		if strings.ContainsRune("(),:", rune(query[at])) {
			out = append(out, token{tokenSign, query[at : at+1], at})
			at++
			continue
		}
		found := false
		for _, l := range forms {
			if m := l.form.FindString(query[at:]); m != "" {
				out = append(out, token{l.kind, m, at})
				at += len(m)
				found = true
				break
			}
		}
		if !found {
			return nil, malformed(query, at, "unexpected token: '"+query[at:at+1]+"'")
		}
	}
	return append(out, token{kind: tokenEnd, at: len(query)}), nil
}

// lexString reads a string with the escapes of salesforce.md §6.2.
func lexString(query string, start int) (text string, end int, f *failure) {
	var out strings.Builder
	for at := start + 1; at < len(query); at++ {
		switch c := query[at]; {
		case c == '\'':
			if out.Len() > stringMax {
				return "", 0, bad("MALFORMED_QUERY", fmt.Sprintf("a string in the filter is longer than %d characters", stringMax))
			}
			return out.String(), at + 1, nil
		case c == '\\' && at+1 < len(query):
			at++
			switch query[at] {
			case 'n', 'N':
				out.WriteByte('\n')
			case 'r', 'R':
				out.WriteByte('\r')
			case 't', 'T':
				out.WriteByte('\t')
			case '\\', '\'', '"':
				out.WriteByte(query[at])
			case '%', '_':
				out.WriteByte('\\') // kept for LIKE
				out.WriteByte(query[at])
			default:
				return "", 0, malformed(query, at, "Illegal character sequence '\\"+query[at:at+1]+"' in string literal")
			}
		default:
			out.WriteByte(c)
		}
	}
	return "", 0, malformed(query, start, "unexpected token: '''")
}

// malformed is the error of a query that cannot be read, with the place.
func malformed(query string, at int, text string) *failure {
	return bad("MALFORMED_QUERY", place(query, at)+text)
}

// place shows where in the query something is wrong, the way Salesforce does:
// an excerpt, a caret under it, row and column.
func place(query string, at int) string {
	start := max(at-20, 0)
	excerpt := query[start:min(at+40, len(query))]
	return fmt.Sprintf("\n%s\n%s^\nERROR at Row:1:Column:%d\n", strings.ToValidUTF8(excerpt, "?"), strings.Repeat(" ", at-start), at+1)
}
