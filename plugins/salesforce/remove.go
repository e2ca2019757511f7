package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Delete moves records to the org's recycle bin, from where they can be restored
// for 15 days (salesforce.md §5.1). A record that is gone already counts as done.
func (a *adapter) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	var reply sdk.WriteReply
	for start := 0; start < len(req.Items); start += batchMax {
		part := req.Items[start:min(start+batchMax, len(req.Items))]
		outcomes, failed := o.remove(ctx, part)
		if failed != nil && start == 0 && len(reply.Outcomes) == 0 {
			return sdk.WriteReply{}, o.Fail(failed)
		}
		reply.Outcomes = append(reply.Outcomes, outcomes...)
	}
	reply.Usage = o.Usage()
	return reply, nil
}

// remove deletes what fits into one call. With an error every item has it.
func (o *org) remove(ctx context.Context, items []sdk.DeleteItem) ([]sdk.Outcome, *sdk.Error) {
	var ids []string
	var outcomes []sdk.Outcome
	var asked []sdk.DeleteItem
	for _, item := range items {
		if !isID(item.CRMID) {
			outcomes = append(outcomes, sdk.Fail(item.ItemID, refused("Id", "CRM id: is no Salesforce id of 15 or 18 characters")))
			continue
		}
		ids, asked = append(ids, item.CRMID), append(asked, item)
	}
	if len(asked) == 0 {
		return outcomes, nil
	}
	var results []rowResult
	_, failed := o.call(ctx, crmhttp.Request{
		Method: http.MethodDelete, Path: o.path("/composite/sobjects"), Writes: true,
		Query: url.Values{"ids": {strings.Join(ids, ",")}, "allOrNone": {"false"}},
	}, &results)
	if failed == nil && len(results) != len(asked) {
		failed = odd(true, "%d results for %d records", len(results), len(asked))
	}
	for i, item := range asked {
		switch {
		case failed != nil:
			outcomes = append(outcomes, sdk.Fail(item.ItemID, itemOf(failed)))
		default:
			outcomes = append(outcomes, deleted(item, results[i]))
		}
	}
	return outcomes, failed
}

func deleted(item sdk.DeleteItem, r rowResult) sdk.Outcome {
	if r.Success {
		return sdk.Outcome{ItemID: item.ItemID, Done: sdk.Updated, CRMID: item.CRMID}
	}
	if len(r.Errors) == 0 {
		return sdk.Fail(item.ItemID, odd(true, "a failed record without a reason"))
	}
	switch r.Errors[0].code() {
	case "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY":
		return sdk.Outcome{ItemID: item.ItemID, Done: sdk.Unchanged, CRMID: item.CRMID, Notes: []string{"was deleted already"}}
	default:
		return sdk.Fail(item.ItemID, rowError(dialect(), r.Errors[0]))
	}
}
