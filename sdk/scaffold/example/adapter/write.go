package adapter

import (
	"context"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Write implements sdk.Adapter: one request for the whole batch.
func (a *Adapter) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.WriteReply{}, bad
	}
	if len(req.Items) > maxBatch {
		return sdk.WriteReply{}, &sdk.Error{Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater, Message: "too many items for one call"}
	}
	out := writeRows(req)
	return send(s, batch(ctx, s, req.Object, out), out, "")
}

// writeRows are the items as the CRM takes them.
func writeRows(req sdk.WriteRequest) []row {
	out := make([]row, len(req.Items))
	for i, item := range req.Items {
		out[i] = row{Ref: item.ItemID, ID: item.CRMID, Key: item.ExternalKey, Mode: string(item.Mode), Version: item.Version, Fields: map[string]any{}}
		for name, v := range item.Fields {
			out[i].Fields[name] = value(v)
		}
	}
	return out
}

func batchPath(object string) string { return "/" + object + "/batch" }

// batch is the request that writes rows.
func batch(ctx context.Context, s *crmhttp.Session, object string, out []row) func(any) *sdk.Error {
	return func(into any) *sdk.Error {
		_, failed := s.JSON(ctx, crmhttp.Request{
			Method: http.MethodPost, Path: batchPath(object), Body: rows{out}, Bucket: bucketDaily, Writes: true,
		}, into)
		return failed
	}
}

// LogActivities implements sdk.Adapter: a note for each conversation, addressed by
// its key, so that a repetition changes it instead of adding another.
func (a *Adapter) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.WriteReply{}, bad
	}
	var out []row
	var unowned []sdk.Outcome
	for _, item := range req.Items {
		if len(item.ContactCRMIDs) == 0 {
			unowned = append(unowned, sdk.Fail(item.ItemID, refused("contact", "a note needs a person")))
			continue
		}
		text := item.Body
		if item.Link != "" {
			text += "\n\n" + item.Link
		}
		out = append(out, row{Ref: item.ItemID, ID: item.CRMID, Key: item.ExternalKey, Mode: string(sdk.ModeUpsert), Fields: map[string]any{
			"person": item.ContactCRMIDs[0], "title": item.Subject, "text": text, "channel": item.Channel, "at": item.StartedAt,
		}})
	}
	if len(out) == 0 {
		return sdk.WriteReply{Outcomes: unowned}, nil
	}
	reply, err := send(s, batch(ctx, s, notes, out), out, notes)
	reply.Outcomes = append(reply.Outcomes, unowned...)
	return reply, err
}

// Delete implements sdk.Adapter. A record that is gone already is as wanted.
func (a *Adapter) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.WriteReply{}, bad
	}
	ids := make([]string, len(req.Items))
	out := make([]row, len(req.Items))
	for i, item := range req.Items {
		ids[i], out[i] = item.CRMID, row{Ref: item.CRMID}
	}
	reply, err := send(s, func(into any) *sdk.Error {
		_, failed := s.JSON(ctx, crmhttp.Request{
			Method: http.MethodPost, Path: "/" + req.Object + "/delete", Body: map[string]any{"ids": ids}, Bucket: bucketDaily, Writes: true,
		}, into)
		return failed
	}, out, "")
	for i := range reply.Outcomes {
		o := &reply.Outcomes[i]
		o.ItemID, o.CRMID = req.Items[i].ItemID, req.Items[i].CRMID
		if o.Err != nil && o.Err.Class == sdk.ClassNotFound {
			o.Done, o.Err = sdk.Updated, nil
		}
	}
	return reply, err
}

// Plan implements sdk.Adapter: what Write would send. It reads nothing, so it
// can't tell a create from an update.
func (a *Adapter) Plan(_ context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	s, bad := a.open(req.Connection)
	if bad != nil {
		return sdk.PlanReply{}, bad
	}
	body, err := encode(rows{writeRows(req)})
	if err != nil {
		return sdk.PlanReply{}, refused("", "the items can't be written as JSON: %v", err)
	}
	reply := sdk.PlanReply{
		Requests: []sdk.PlannedRequest{{Method: http.MethodPost, Path: batchPath(req.Object), Body: body, Bucket: bucketDaily}},
		Usage:    s.Usage(),
	}
	for _, item := range req.Items {
		reply.Items = append(reply.Items, sdk.PlannedItem{ItemID: item.ItemID, CRMID: item.CRMID, Action: string(item.Mode), After: item.Fields})
	}
	return reply, nil
}
