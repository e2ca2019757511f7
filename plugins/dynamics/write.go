package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
)

// Write implements sdk.Adapter: one $batch with continue-on-error, each item an
// operation of its own (§4.6, §10), unless UpsertMultiple was chosen.
func (a *adapter) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	t, bad := tableOf(req.Object)
	if bad != nil {
		return sdk.WriteReply{}, bad
	}
	if s.settings.UpsertMultiple && bulkable(req.Items, s.settings) {
		reply, done, failed := s.upsertMultiple(ctx, t, req.Items)
		if failed != nil {
			return sdk.WriteReply{}, s.fail(failed)
		}
		if done {
			return reply, nil
		}
	}
	w := newWriting(s, t, req.Items)
	if failed := w.send(ctx); failed != nil {
		return sdk.WriteReply{}, s.fail(failed)
	}
	w.takeKeysFromMerged(ctx)
	w.nameCandidates(ctx)
	return s.reply(w.done)
}

// writing is a Write under way.
type writing struct {
	*session
	table table
	items []sdk.WriteItem
	// done has one outcome per item, in their order.
	done []sdk.Outcome
	ops  []operation // of the items that can be sent
	at   []int       // the item of each operation
}

func newWriting(s *session, t table, items []sdk.WriteItem) *writing {
	w := &writing{session: s, table: t, items: items, done: make([]sdk.Outcome, len(items))}
	for i, item := range items {
		op, bad := s.writeOperation(t, item)
		if bad != nil {
			w.done[i] = sdk.Fail(item.ItemID, bad)
			continue
		}
		w.ops = append(w.ops, op)
		w.at = append(w.at, i)
	}
	return w
}

// writeOperation is the PATCH for one item (§4.1).
//
// A known record is addressed by its id and must exist: a PATCH without If-Match
// would create it anew under the same id. An unknown one is addressed by our key,
// which makes a repetition harmless; then the key column stays out of the body.
func (s *session) writeOperation(t table, item sdk.WriteItem) (operation, *sdk.Error) {
	key := s.settings.keyColumn()
	if !keySafe(item.ExternalKey) {
		return operation{}, refuse(sdk.ClassValidation, key,
			"external key %q: Dataverse keys may only have letters, digits, dots, dashes and underscores, at most %d", item.ExternalKey, keyLength)
	}
	if item.Version != "" && strings.Trim(item.Version, "0123456789") != "" {
		return operation{}, refuse(sdk.ClassValidation, "", "version %q: want the digits of an earlier outcome", item.Version)
	}
	more := map[string]any{}
	op := operation{method: http.MethodPatch, header: map[string]string{"Prefer": "return=representation"}}
	path := byKey(t.set, key, item.ExternalKey)
	switch {
	case item.CRMID != "":
		id, ok := guid(item.CRMID)
		if !ok {
			return operation{}, refuse(sdk.ClassValidation, t.id, "CRM id %q: want a GUID", item.CRMID)
		}
		path = byID(t.set, id)
		more[key] = item.ExternalKey
		op.header["If-Match"] = "*"
	case item.Mode == sdk.ModeCreate:
		op.header["If-None-Match"] = "*"
	case item.Mode == sdk.ModeUpdate:
		op.header["If-Match"] = "*"
	}
	if item.Version != "" && item.Mode != sdk.ModeCreate && !s.settings.IgnoreVersions {
		op.header["If-Match"] = etag(item.Version)
	}
	if item.AssociateCRMID != "" {
		account, ok := guid(item.AssociateCRMID)
		if !ok {
			return operation{}, refuse(sdk.ClassValidation, "parentcustomerid", "account id %q: want a GUID", item.AssociateCRMID)
		}
		// The plain name would be refused: the lookup has two targets (quirk 1).
		more["parentcustomerid_account"+bindSuffix] = "/" + byID("accounts", account)
	}
	columns, bad := t.columns(key, names(item.Fields))
	if bad != nil {
		return operation{}, bad
	}
	op.path = query(path, selecting(columns))
	if s.settings.DuplicateDetection != duplicatesAllow {
		op.header["MSCRM.SuppressDuplicateDetection"] = "false"
	}
	if s.settings.BypassBusinessLogic {
		op.header["MSCRM.BypassBusinessLogicExecution"] = "CustomSync,CustomAsync"
	}
	op.body, bad = payload(item.Fields, more)
	return op, bad
}

// send writes everything that can be sent.
func (w *writing) send(ctx context.Context) *sdk.Error {
	if len(w.ops) == 0 {
		return nil
	}
	answers, failed := w.batch(ctx, singles(w.ops), true)
	if failed != nil {
		return failed
	}
	for n, parts := range answers {
		item := w.items[w.at[n]]
		if len(parts) == 0 {
			w.done[w.at[n]] = sdk.Fail(item.ItemID, missing(true))
			continue
		}
		w.done[w.at[n]] = w.outcome(item, parts[0])
	}
	return nil
}

// outcome reads the answer for one item.
func (w *writing) outcome(item sdk.WriteItem, p part) sdk.Outcome {
	key := w.settings.keyColumn()
	if p.Status < 200 || p.Status >= 300 {
		e := classify(p, true)
		switch {
		case e.Class == sdk.ClassSchema && e.Field == "":
			e.Field = key
		case e.Class == sdk.ClassNotFound && item.AssociateCRMID != "" &&
			(item.CRMID == "" && item.Mode == sdk.ModeUpsert || strings.Contains(strings.ToLower(e.Message), strings.ToLower(item.AssociateCRMID))):
			e.Field = fieldAssociation
		}
		return sdk.Fail(item.ItemID, e)
	}
	out := sdk.Outcome{ItemID: item.ItemID, Done: sdk.Updated, CRMID: item.CRMID}
	if p.Status == http.StatusCreated {
		out.Done = sdk.Created
	}
	if len(p.Body) == 0 {
		out.Notes = append(out.Notes, "the CRM did not show the record it wrote")
		return out
	}
	r, err := decodeRow(p.Body)
	if err != nil {
		lost := missing(true)
		lost.Message = err.Error()
		return sdk.Fail(item.ItemID, lost)
	}
	// An answer that is about another record means that the parts are out of order.
	if item.CRMID != "" && !strings.EqualFold(r.text(w.table.id), item.CRMID) ||
		item.CRMID == "" && r.text(key) != "" && r.text(key) != item.ExternalKey {
		lost := missing(true)
		lost.Message = "the CRM's answer for this item is about another record"
		return sdk.Fail(item.ItemID, lost)
	}
	out.CRMID, out.Version = r.text(w.table.id), versionOf(r.text("@odata.etag"))
	if survivor := r.survivor(); survivor != "" {
		failed := sdk.Fail(item.ItemID, refuse(sdk.ClassRemapped, "", "the record was merged into another one"))
		failed.CRMID = survivor
		return failed
	}
	out.Echo = r.values(names(item.Fields))
	return out
}

func singles(ops []operation) []unit {
	units := make([]unit, len(ops))
	for i, op := range ops {
		units[i] = unit{op}
	}
	return units
}
