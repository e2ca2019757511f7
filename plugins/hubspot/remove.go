package main

import (
	"context"
	"net/http"
	"slices"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Delete archives records; contacts can be restored for 90 days, emails cannot
// (hubspot.md §2.2, §4.1). HubSpot answers the same for an id that is unknown, so
// every item of an accepted batch counts as done.
func (a *adapter) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	if len(req.Items) > maxBatch {
		return sdk.WriteReply{}, tooMany(len(req.Items))
	}
	var inputs []batchInput
	for _, item := range req.Items {
		in := batchInput{ID: item.CRMID}
		if !slices.ContainsFunc(inputs, func(other batchInput) bool { return other.ID == in.ID }) {
			inputs = append(inputs, in)
		}
	}
	if len(inputs) > 0 {
		_, failed := ac.Do(ctx, crmhttp.Request{
			Method: http.MethodPost, Path: ac.objectPath(req.Object, "/batch/archive"), Bucket: bucketBurst, Writes: true,
			Body: map[string]any{"inputs": inputs},
		})
		if failed != nil {
			return sdk.WriteReply{}, ac.Fail(failed)
		}
	}
	reply := sdk.WriteReply{Usage: ac.Usage()}
	for _, item := range req.Items {
		reply.Outcomes = append(reply.Outcomes, sdk.Outcome{ItemID: item.ItemID, Done: sdk.Updated, CRMID: item.CRMID})
	}
	return reply, nil
}
