package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
)

// Plan builds the very requests that Write would send and reads what the records
// hold now; it writes nothing. Its usage is that of the reads.
func (a *adapter) Plan(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.PlanReply{}, err
	}
	if len(req.Items) > maxBatch {
		return sdk.PlanReply{}, tooMany(len(req.Items))
	}
	var reply sdk.PlanReply
	w := newWriting()
	for _, s := range planWrite(w, req) {
		body, err := json.MarshalIndent(map[string]any{"inputs": inputs(s.rows)}, "", "  ")
		if err != nil {
			return sdk.PlanReply{}, ac.Fail(invalid("fields", err.Error()))
		}
		reply.Requests = append(reply.Requests, sdk.PlannedRequest{
			Method: http.MethodPost, Path: ac.objectPath(s.object, "/batch/"+s.call), Body: string(body), Bucket: bucketBurst,
		})
		before, failed := ac.current(ctx, s)
		if failed != nil {
			return sdk.PlanReply{}, ac.Fail(failed)
		}
		for _, r := range s.rows {
			reply.Items = append(reply.Items, planned(s, r, before))
		}
	}
	if associates(req) {
		reply.Requests = append(reply.Requests, sdk.PlannedRequest{
			Method: http.MethodPost, Path: ac.associationPath(req.Object, companies, "/batch/associate/default"),
			Bucket: bucketAssociations,
		})
	}
	for _, itemID := range w.order {
		reply.Items = append(reply.Items, sdk.PlannedItem{ItemID: itemID, Action: w.outcomes[itemID].Err.Error()})
	}
	reply.Usage = ac.Usage()
	return reply, nil
}

// current reads the records that a step addresses.
func (ac *account) current(ctx context.Context, s step) ([]record, *sdk.Error) {
	if s.call == "create" {
		return nil, nil
	}
	var keys []string
	fields := map[string]bool{}
	idProperty := ""
	for _, r := range s.rows {
		keys, idProperty = append(keys, r.input.ID), r.input.IDProperty
		for name := range r.input.Properties {
			fields[name] = true
		}
	}
	return ac.readByKey(ctx, s.object, idProperty, keys, slices.Sorted(maps.Keys(fields)))
}

// planned says what becomes of one record.
func planned(s step, r row, before []record) sdk.PlannedItem {
	item := sdk.PlannedItem{
		ItemID: r.itemID, CRMID: r.input.ID, Action: s.call, Before: map[string]sdk.Value{}, After: map[string]sdk.Value{},
	}
	if s.call == "upsert" {
		item.CRMID, item.Action = "", "create"
	}
	for _, old := range before {
		if old.ID != r.input.ID && old.property(keyField) != r.input.Properties[keyField] {
			continue
		}
		item.CRMID, item.Action = old.ID, "update"
		for name := range r.input.Properties {
			item.Before[name] = decode(old.Properties[name])
		}
	}
	for name, v := range r.input.Properties {
		item.After[name] = decode(&v)
	}
	return item
}

// associates tells whether Write would need its association call.
func associates(req sdk.WriteRequest) bool {
	for _, item := range req.Items {
		if item.AssociateCRMID != "" && (item.CRMID != "" || item.Mode != sdk.ModeCreate) {
			return true
		}
	}
	return false
}
