package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// soqlMax bounds the text of one query, in bytes: half of what Salesforce takes
// (salesforce.md §6.1), so that escaping cannot take it over the limit.
const soqlMax = 50_000

// soql is a query; all of them also see records in the recycle bin and archived
// activities when all is set.
type soql struct {
	text string
	all  bool
}

// rowsMax bounds the records one query may bring into memory.
const rowsMax = 50_000

// rows are the records of a query's answer, by field name.
type rows []map[string]json.RawMessage

// query runs queries as parts of composite calls, five in each, which costs one
// call and keeps what they look for out of URLs. Answers stand in the order of
// the queries. The reply is the last composite's, for its Date.
func (o *org) query(ctx context.Context, queries ...soql) ([]rows, crmhttp.Reply, *sdk.Error) {
	answers := make([]rows, 0, len(queries))
	var last crmhttp.Reply
	for start := 0; start < len(queries); start += compositeQueriesMax {
		part := queries[start:min(start+compositeQueriesMax, len(queries))]
		requests := make([]subcall, len(part))
		for i, q := range part {
			resource := "/query"
			if q.all {
				resource = "/queryAll"
			}
			requests[i] = subcall{Method: http.MethodGet, URL: o.path(resource) + "?q=" + url.QueryEscape(q.text)}
		}
		replies, reply, failed := o.composite(ctx, requests, false)
		if failed != nil {
			return nil, reply, failed
		}
		last = reply
		for _, r := range replies {
			if failed := r.failure(false); failed != nil {
				return nil, reply, failed
			}
			all, failed := o.pages(ctx, r.Body)
			if failed != nil {
				return nil, reply, failed
			}
			answers = append(answers, all)
		}
	}
	return answers, last, nil
}

// pages follows a query to its end. Pages may be short, and the locator is used
// as it was given (salesforce.md §6.1).
func (o *org) pages(ctx context.Context, first json.RawMessage) (rows, *sdk.Error) {
	type page struct {
		Done           bool   `json:"done"`
		NextRecordsURL string `json:"nextRecordsUrl"`
		Records        rows   `json:"records"`
	}
	var p page
	if err := json.Unmarshal(first, &p); err != nil {
		return nil, odd(false, "a query answer that cannot be read: %v", err)
	}
	all := p.Records
	for !p.Done {
		if len(all) > rowsMax {
			return nil, odd(false, "more than %d records for one query: ask for fewer", rowsMax)
		}
		next := p.NextRecordsURL
		if next == "" {
			return nil, odd(false, "a query page that is neither the last nor names the next")
		}
		p = page{}
		if _, failed := o.call(ctx, crmhttp.Request{Method: http.MethodGet, Path: next}, &p); failed != nil {
			return nil, failed
		}
		all = append(all, p.Records...)
	}
	return all, nil
}

// text is a field of a row as text, "" when it is null or absent.
func text(row map[string]json.RawMessage, field string) string {
	var s string
	if json.Unmarshal(row[field], &s) != nil {
		return ""
	}
	return s
}

// truth is a field of a row as a truth value.
func truth(row map[string]json.RawMessage, field string) bool {
	var b bool
	return json.Unmarshal(row[field], &b) == nil && b
}

// quote writes a text as a SOQL literal (salesforce.md §6.2). Control characters
// other than the three with an escape of their own are dropped: no stored value
// can hold them in a field that is searched.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\\' || r == '\'' || r == '"':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r < ' ':
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('\'')
	return out.String()
}

// inLists splits values into conditions "field IN (...)" of at most limit bytes
// each, keeping their order.
func inLists(field string, values []string, limit int) []string {
	var lists []string
	head := field + " IN ("
	current := ""
	for _, v := range values {
		literal := quote(v)
		if current != "" && len(head)+len(current)+len(literal)+2 > limit {
			lists = append(lists, head+current+")")
			current = ""
		}
		if current != "" {
			current += ","
		}
		current += literal
	}
	if current != "" {
		lists = append(lists, head+current+")")
	}
	return lists
}

// selectFields joins field names without repeating one.
func selectFields(groups ...[]string) string {
	var names []string
	for _, group := range groups {
		for _, name := range group {
			known := false
			for _, have := range names {
				known = known || sameField(have, name)
			}
			if !known {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ",")
}
