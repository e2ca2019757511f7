package main

import (
	"context"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
)

// bulkable tells whether a batch can go through UpsertMultiple, which knows
// neither create-only, update-only and version checks nor verdicts per row.
// A single item goes the usual way, so that halving ends in a verdict.
func bulkable(items []sdk.WriteItem, s settings) bool {
	if len(items) < 2 || s.DuplicateDetection != duplicatesAllow {
		return false
	}
	for _, item := range items {
		if item.Mode != sdk.ModeUpsert || item.CRMID != "" || !keySafe(item.ExternalKey) {
			return false
		}
	}
	return true
}

// upsertMultiple writes a batch in one transaction and reads the ids back
// (§4.5). It answers done false when the table does not have the message.
func (s *session) upsertMultiple(ctx context.Context, t table, items []sdk.WriteItem) (sdk.WriteReply, bool, *sdk.Error) {
	var offered struct {
		Value []any `json:"value"`
	}
	if failed := s.get(ctx, query("sdkmessagefilters", selecting([]string{"sdkmessagefilterid"}),
		filtering("sdkmessageid/name eq 'UpsertMultiple' and primaryobjecttypecode eq "+literal(t.name))), nil, &offered); failed != nil {
		return sdk.WriteReply{}, false, failed
	}
	if len(offered.Value) == 0 {
		return sdk.WriteReply{}, false, nil
	}
	key := s.settings.keyColumn()
	targets := make([]any, 0, len(items))
	keys := make([]string, 0, len(items))
	for _, item := range items {
		target, bad := s.target(t, item)
		if bad != nil {
			return sdk.WriteReply{}, false, nil // its own verdict comes the usual way
		}
		targets = append(targets, target)
		keys = append(keys, item.ExternalKey)
	}
	body, bad := encode(map[string]any{"Targets": targets})
	if bad != nil {
		return sdk.WriteReply{}, false, bad
	}
	reply, failed := s.Do(ctx, s.request(operation{
		method: http.MethodPost, path: t.set + "/Microsoft.Dynamics.CRM.UpsertMultiple",
		header: map[string]string{"Content-Type": "application/json"}, body: body,
	}, true))
	if failed != nil {
		failed = refine(failed, reply)
		// One bad row rolled all back, and the error need not say which (quirk 31).
		// A SQL timeout asks for less at once, too.
		if reply.Status >= 400 && reply.Status < 500 && reply.Status != http.StatusTooManyRequests &&
			reply.Status != http.StatusUnauthorized && reply.Status != http.StatusForbidden || failed.Code == "0x80044151" {
			failed.Class, failed.Retry = sdk.ClassBatchRefused, sdk.RetryLater
		}
		return sdk.WriteReply{}, false, failed
	}

	columns, bad := t.columns(key, append(fieldsOf(items), "createdon"))
	if bad != nil {
		return sdk.WriteReply{}, false, bad
	}
	rows, failed := s.list(ctx, query(t.set, selecting(columns), filtering(in(key, keys))))
	if failed != nil {
		failed.Class, failed.Retry = sdk.ClassUnknownOutcome, sdk.RetryReadBack
		return sdk.WriteReply{}, false, failed
	}
	byKey := map[string]row{}
	for _, r := range rows {
		byKey[r.text(key)] = r
	}
	out := sdk.WriteReply{Usage: s.usage()}
	for _, item := range items {
		r, ok := byKey[item.ExternalKey]
		if !ok {
			out.Outcomes = append(out.Outcomes, sdk.Fail(item.ItemID, missing(true)))
			continue
		}
		o := sdk.Outcome{
			ItemID: item.ItemID, Done: sdk.Updated, CRMID: r.text(t.id), Version: versionOf(r.text("@odata.etag")), Echo: r.values(names(item.Fields)),
		}
		// The message does not say which rows it made; a row not older than its last
		// change was.
		if r.text("createdon") == r.text("modifiedon") {
			o.Done = sdk.Created
		}
		out.Outcomes = append(out.Outcomes, o)
	}
	return out, true, nil
}

// target is one row of UpsertMultiple. The key stands in @odata.id alone: in the
// body as well it makes the create path fail (quirk 9).
func (s *session) target(t table, item sdk.WriteItem) (map[string]any, *sdk.Error) {
	op, bad := s.writeOperation(t, item)
	if bad != nil {
		return nil, bad
	}
	r, err := decodeRow(op.body)
	if err != nil {
		return nil, refuse(sdk.ClassValidation, "", "%v", err)
	}
	r["@odata.type"] = "Microsoft.Dynamics.CRM." + t.name
	r["@odata.id"] = byKey(t.set, s.settings.keyColumn(), item.ExternalKey)
	return r, nil
}
