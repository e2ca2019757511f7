package main

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers/v2"

	"github.com/clientele-crm/clientele/sdk"
)

// findChunk is how many values one query may ask for. With 100 email addresses
// in three columns a query stays below the 64 KB that a URL in a $batch may have.
const findChunk = 100

// Find implements sdk.Adapter. All keys of a call are asked for in one request:
// one query per kind and 100 keys, joined in a $batch when there are several.
// Email and phone find active records only, since a merged or retired one must
// not be adopted.
func (a *adapter) Find(ctx context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.FindReply{}, err
	}
	if kind, failed := s.kindOf(ctx, a, req.Object, "contact"); failed != nil {
		return sdk.FindReply{}, s.fail(failed)
	} else if kind.table != "" {
		return s.findActivities(ctx, kind, req)
	}
	t, bad := tableOf(req.Object)
	if bad != nil {
		return sdk.FindReply{}, bad
	}
	columns, bad := t.columns(s.settings.keyColumn(), req.Fields)
	if bad != nil {
		return sdk.FindReply{}, bad
	}
	search := newSearch(t, s.settings.keyColumn(), req.Keys)
	if search.asks(sdk.FindByEmail) || search.asks(sdk.FindByPhone) {
		for _, c := range slices.Concat([]string{"statecode"}, t.emails, t.phones) {
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	var reads []operation
	for _, condition := range search.conditions() {
		reads = append(reads, operation{method: http.MethodGet, path: query(t.set, selecting(columns), filtering(condition))})
	}
	rows, failed := s.readAll(ctx, reads)
	if failed != nil {
		return sdk.FindReply{}, s.fail(failed)
	}
	var hits []sdk.Hit
	for _, r := range rows {
		for _, k := range search.matches(r) {
			hits = append(hits, sdk.Hit{ItemID: k.ItemID, By: k.By, Record: r.record(t, s.settings.keyColumn(), req.Fields)})
		}
	}
	return sdk.FindReply{Hits: hits, Usage: s.usage()}, nil
}

// search is what a Find looks for, with the keys by what a row may show.
type search struct {
	table table
	key   string
	by    map[sdk.FindBy]map[string][]sdk.FindKey
	// order keeps the values of each kind as they came.
	order map[sdk.FindBy][]string
}

func newSearch(t table, key string, keys []sdk.FindKey) search {
	f := search{table: t, key: key, by: map[sdk.FindBy]map[string][]sdk.FindKey{}, order: map[sdk.FindBy][]string{}}
	for _, k := range keys {
		if k.Value == "" {
			continue
		}
		for _, form := range forms(k) {
			if f.by[k.By] == nil {
				f.by[k.By] = map[string][]sdk.FindKey{}
			}
			if len(f.by[k.By][form]) == 0 {
				f.order[k.By] = append(f.order[k.By], form)
			}
			f.by[k.By][form] = append(f.by[k.By][form], k)
		}
	}
	return f
}

// forms are the ways a value may be written in the CRM.
func forms(k sdk.FindKey) []string {
	switch k.By {
	case sdk.FindByPhone:
		return phoneForms(k.Value)
	case sdk.FindByID:
		if id, ok := guid(k.Value); ok {
			return []string{id}
		}
		return nil
	default:
		return []string{strings.ToLower(k.Value)}
	}
}

// phoneForms are the usual ways to write a number: phone columns are free text
// and a query compares whole values, so that only these are found.
func phoneForms(e164 string) []string {
	out := []string{strings.ToLower(e164)}
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return out
	}
	national := phonenumbers.Format(number, phonenumbers.NATIONAL)
	international := phonenumbers.Format(number, phonenumbers.INTERNATIONAL)
	for _, form := range []string{
		strings.TrimPrefix(e164, "+"), national, digits(national), international,
		strings.NewReplacer("(", "", ") ", "-").Replace(national),
	} {
		if form != "" && !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	return out
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

func (f search) asks(by sdk.FindBy) bool { return len(f.order[by]) > 0 }

// conditions are the filters to send, each for at most findChunk values.
func (f search) conditions() []string {
	const active = "statecode eq 0 and "
	var out []string
	for _, kind := range []struct {
		by      sdk.FindBy
		columns []string
		only    string
	}{
		{sdk.FindByExternalKey, []string{f.key}, ""},
		{sdk.FindByID, []string{f.table.id}, ""},
		{sdk.FindByEmail, f.table.emails, active},
		{sdk.FindByPhone, f.table.phones, active},
	} {
		for chunk := range slices.Chunk(f.order[kind.by], findChunk) {
			each := make([]string, len(kind.columns))
			for i, column := range kind.columns {
				each[i] = in(column, chunk)
			}
			condition := strings.Join(each, " or ")
			if kind.only != "" {
				condition = kind.only + "(" + condition + ")"
			}
			out = append(out, condition)
		}
	}
	return out
}

// matches are the keys that a row answers, each once.
func (f search) matches(r row) []sdk.FindKey {
	var out []sdk.FindKey
	add := func(by sdk.FindBy, columns ...string) {
		for _, c := range columns {
			for _, k := range f.by[by][strings.ToLower(r.text(c))] {
				if !slices.Contains(out, k) {
					out = append(out, k)
				}
			}
		}
	}
	add(sdk.FindByExternalKey, f.key)
	add(sdk.FindByID, f.table.id)
	if r["statecode"] == float64(0) {
		add(sdk.FindByEmail, f.table.emails...)
		add(sdk.FindByPhone, f.table.phones...)
	}
	return out
}

// readAll runs queries in one request and follows their further pages. Rows that
// several queries answer come once.
func (s *session) readAll(ctx context.Context, reads []operation) ([]row, *sdk.Error) {
	switch len(reads) {
	case 0:
		return nil, nil
	case 1:
		return s.list(ctx, reads[0].path)
	}
	answers, failed := s.batch(ctx, singles(reads), false)
	if failed != nil {
		return nil, failed
	}
	var out []row
	seen := map[string]bool{}
	add := func(rows []row) {
		for _, r := range rows {
			if mark := r.text("@odata.etag") + r.text("contactid") + r.text("accountid") + r.text("activityid"); !seen[mark] {
				seen[mark] = true
				out = append(out, r)
			}
		}
	}
	for _, parts := range answers {
		if len(parts) == 0 {
			return nil, missing(false)
		}
		if parts[0].Status != http.StatusOK {
			return nil, classify(parts[0], false)
		}
		page, err := decodePage(parts[0].Body)
		if err != nil {
			return nil, &sdk.Error{Class: sdk.ClassTransient, Retry: sdk.RetryLater, Message: err.Error()}
		}
		add(page.Value)
		if page.Next != "" {
			rest, failed := s.follow(ctx, page.Next)
			if failed != nil {
				return nil, failed
			}
			add(rest)
		}
	}
	return out, nil
}
