package main

import (
	"context"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
)

// Delete implements sdk.Adapter. A contact's notes and regarding activities go
// with it (§8). A record that is gone already counts as unchanged.
func (a *adapter) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	kind, failed := s.kindOf(ctx, a, req.Object, "contact")
	if failed != nil {
		return sdk.WriteReply{}, s.fail(failed)
	}
	set := kind.set
	if kind.table == "" {
		t, bad := tableOf(req.Object)
		if bad != nil {
			return sdk.WriteReply{}, bad
		}
		set = t.set
	}
	done := make([]sdk.Outcome, len(req.Items))
	var ops []operation
	var at []int
	for i, item := range req.Items {
		id, ok := guid(item.CRMID)
		if !ok {
			done[i] = sdk.Fail(item.ItemID, refuse(sdk.ClassValidation, "", "CRM id %q: want a GUID", item.CRMID))
			continue
		}
		ops = append(ops, operation{method: http.MethodDelete, path: byID(set, id)})
		at = append(at, i)
	}
	if len(ops) > 0 {
		answers, failed := s.batch(ctx, singles(ops), true)
		if failed != nil {
			return sdk.WriteReply{}, s.fail(failed)
		}
		for n, parts := range answers {
			done[at[n]] = removed(req.Items[at[n]], parts)
		}
	}
	return s.reply(done)
}

func removed(item sdk.DeleteItem, parts []part) sdk.Outcome {
	out := sdk.Outcome{ItemID: item.ItemID, Done: sdk.Updated, CRMID: item.CRMID}
	if len(parts) == 0 {
		return sdk.Fail(item.ItemID, missing(true))
	}
	if s := parts[0].Status; s >= 200 && s < 300 {
		return out
	}
	e := classify(parts[0], true)
	if e.Class == sdk.ClassNotFound {
		out.Done, out.Notes = sdk.Unchanged, []string{"the record was gone already"}
		return out
	}
	return sdk.Fail(item.ItemID, e)
}
