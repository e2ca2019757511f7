package main

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
)

// Plan implements sdk.Adapter: the request that Write would send, and each
// record as it is and would be, read in one request.
func (a *adapter) Plan(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.PlanReply{}, err
	}
	t, bad := tableOf(req.Object)
	if bad != nil {
		return sdk.PlanReply{}, bad
	}
	w := newWriting(s, t, req.Items)
	key := s.settings.keyColumn()
	reads := make([]operation, len(w.ops))
	for n, i := range w.at {
		item := req.Items[i]
		path := byKey(t.set, key, item.ExternalKey)
		if id, ok := guid(item.CRMID); ok {
			path = byID(t.set, id)
		}
		columns, bad := t.columns(key, names(item.Fields))
		if bad != nil {
			return sdk.PlanReply{}, bad
		}
		reads[n] = operation{method: http.MethodGet, path: query(path, selecting(columns))}
	}
	out := sdk.PlanReply{Items: make([]sdk.PlannedItem, len(req.Items))}
	for i, item := range req.Items {
		out.Items[i] = sdk.PlannedItem{ItemID: item.ItemID, CRMID: item.CRMID, After: item.Fields}
		if e := w.done[i].Err; e != nil {
			out.Items[i].Action = refused + e.Error()
		}
	}
	if len(w.ops) > 0 {
		send := s.batchRequest(singles(w.ops), true)
		out.Requests = []sdk.PlannedRequest{{Method: send.Method, Path: send.Path, Body: string(send.Body.([]byte)), Bucket: send.Bucket}}
		answers, failed := s.batch(ctx, singles(reads), false)
		if failed != nil {
			return sdk.PlanReply{}, s.fail(failed)
		}
		for n, i := range w.at {
			plan(&out.Items[i], req.Items[i], t, answers[n])
		}
	}
	out.Usage = s.usage()
	return out, nil
}

// refused begins the action of an item that would fail; the reason follows.
const refused = "refused: "

// plan says what would happen to one item.
func plan(p *sdk.PlannedItem, item sdk.WriteItem, t table, parts []part) {
	var r row
	if len(parts) > 0 && parts[0].Status == http.StatusOK {
		r, _ = decodeRow(parts[0].Body)
	}
	p.Before = r.values(names(item.Fields))
	switch {
	case r == nil && item.CRMID == "" && item.Mode != sdk.ModeUpdate:
		p.Action = "create"
	case r != nil && (item.CRMID != "" || item.Mode != sdk.ModeCreate):
		p.CRMID, p.Action = r.text(t.id), "update"
		if same(p.Before, item.Fields) && item.AssociateCRMID == "" {
			p.Action = "unchanged"
		}
	case r != nil:
		p.Action = refused + "the record is there already"
	default:
		p.Action = refused + "there is no such record"
	}
}

func same(before, after map[string]sdk.Value) bool {
	for name, v := range after {
		if strings.HasSuffix(name, bindSuffix) || !before[name].Equal(v) {
			return false
		}
	}
	return true
}

// names are the field names in order, so that requests are stable.
func names(fields map[string]sdk.Value) []string {
	out := make([]string, 0, len(fields))
	for name := range fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// fieldsOf are the names of all items' fields.
func fieldsOf(items []sdk.WriteItem) []string {
	var out []string
	for _, item := range items {
		for name := range item.Fields {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}
