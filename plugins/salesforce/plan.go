package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
)

// Plan reads the records as they are and builds the very requests Write would
// send. It costs one call for each query the batch needs, which is one for up to
// 200 records.
func (a *adapter) Plan(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.PlanReply{}, err
	}
	var written []string
	for _, item := range req.Items {
		for name := range item.Fields {
			written = append(written, name)
		}
	}
	slices.Sort(written) // the same batch asks the same question
	written = slices.Compact(written)
	if name, bad := badField(req.Object, written); bad {
		return sdk.PlanReply{}, refused(name, name+": is no API name of an object or field")
	}
	before, failed := o.before(ctx, req, written)
	if failed != nil {
		return sdk.PlanReply{}, o.Fail(failed)
	}
	var reply sdk.PlanReply
	var items []sdk.WriteItem
	for _, item := range req.Items {
		found, exists := before[item.ItemID]
		if exists && item.Mode == sdk.ModeUpdate && item.CRMID == "" {
			item.CRMID = found.ID
		}
		planned := sdk.PlannedItem{ItemID: item.ItemID, CRMID: found.ID, Action: action(item, found, exists), Before: map[string]sdk.Value{}, After: item.Fields}
		for name := range item.Fields {
			if value, ok := found.Fields[name]; ok {
				planned.Before[name] = value
			}
		}
		reply.Items = append(reply.Items, planned)
		if planned.Action != actionRefused {
			items = append(items, item)
		}
	}
	groups, _ := o.groups(req.Object, items)
	for _, g := range groups {
		body := collection{Records: make([]record, len(g.slots))}
		for i, s := range g.slots {
			body.Records[i] = s.record
		}
		text, err := json.Marshal(body)
		if err != nil {
			return sdk.PlanReply{}, o.Fail(refused("", fmt.Sprintf("the batch cannot be written as JSON: %v", err)))
		}
		reply.Requests = append(reply.Requests, sdk.PlannedRequest{Method: g.method, Path: g.path, Body: string(text), Bucket: bucketAPI})
	}
	reply.Usage = o.Usage()
	return reply, nil
}

// The actions of a planned item.
const (
	actionCreate    = "create"
	actionUpdate    = "update"
	actionUnchanged = "unchanged"
	actionRefused   = "refused"
)

// action says what Write would do. A record that already has every value is
// still written if asked for: only the host knows what it last agreed on.
func action(item sdk.WriteItem, found sdk.Record, exists bool) string {
	switch {
	case !exists && (item.Mode == sdk.ModeUpdate || item.CRMID != ""):
		return actionRefused // there is no such record
	case exists && item.Mode == sdk.ModeCreate && item.CRMID == "":
		return actionRefused // the key is taken
	case !exists:
		return actionCreate
	}
	same := maps.EqualFunc(item.Fields, overlap(found.Fields, item.Fields), sdk.Value.Equal)
	if same && found.ExternalKey == item.ExternalKey {
		return actionUnchanged
	}
	return actionUpdate
}

// overlap keeps the fields of a that b has too.
func overlap(a, b map[string]sdk.Value) map[string]sdk.Value {
	out := map[string]sdk.Value{}
	for name := range b {
		if value, ok := a[name]; ok {
			out[name] = value
		}
	}
	return out
}

// before reads the records a batch is about, by item id.
func (o *org) before(ctx context.Context, req sdk.WriteRequest, fields []string) (map[string]sdk.Record, *sdk.Error) {
	find := sdk.FindRequest{Object: req.Object, Fields: fields}
	for _, item := range req.Items {
		key := sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByExternalKey, Value: item.ExternalKey}
		if item.CRMID != "" {
			key.By, key.Value = sdk.FindByID, item.CRMID
		}
		find.Keys = append(find.Keys, key)
	}
	s := o.search(find)
	if len(s.columns) == 0 {
		return nil, nil
	}
	answers, _, failed := o.query(ctx, s.queries()...)
	if failed != nil {
		return nil, failed
	}
	out := map[string]sdk.Record{}
	for _, hit := range s.hits(answers) {
		out[hit.ItemID] = hit.Record
	}
	return out, nil
}
