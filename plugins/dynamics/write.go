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
	if failed := w.takeKeysFromMerged(ctx); failed != nil {
		return sdk.WriteReply{}, s.fail(failed)
	}
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

// takeKeysFromMerged settles items whose key still stands on a record that was
// merged into theirs: the loser keeps it (§8). One read finds the losers, one
// batch of change sets moves the keys. Nothing happens without such items.
func (w *writing) takeKeysFromMerged(ctx context.Context) *sdk.Error {
	var stuck []int
	var reads []operation
	key := w.settings.keyColumn()
	for n, i := range w.at {
		o := w.done[i]
		if o.Err != nil && o.Err.Code == "0x80060892" && w.items[i].CRMID != "" {
			stuck = append(stuck, n)
			reads = append(reads, operation{method: http.MethodGet, path: query(
				byKey(w.table.set, key, w.items[i].ExternalKey), selecting([]string{w.table.id, "merged", "_masterid_value"}))})
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	found, failed := w.batch(ctx, singles(reads), false)
	if failed != nil {
		return nil // the items keep their own error
	}
	var moves []unit
	var moved []int
	for n, parts := range found {
		if len(parts) == 0 || parts[0].Status != http.StatusOK {
			continue
		}
		r, err := decodeRow(parts[0].Body)
		if err != nil {
			continue
		}
		i := w.at[stuck[n]]
		w.done[i].CRMID = r.text(w.table.id)
		if !strings.EqualFold(r.survivor(), w.items[i].CRMID) {
			continue
		}
		free := operation{method: http.MethodPatch, path: byID(w.table.set, r.text(w.table.id)),
			header: map[string]string{"If-Match": "*"}, body: []byte(`{"` + key + `":null}`)}
		moves = append(moves, unit{free, w.ops[stuck[n]]})
		moved = append(moved, i)
	}
	if len(moves) == 0 {
		return nil
	}
	answers, failed := w.batch(ctx, moves, true)
	for n, i := range moved {
		item := w.items[i]
		switch {
		case failed != nil:
			w.done[i] = sdk.Fail(item.ItemID, failed)
		case len(answers[n]) == 0:
			w.done[i] = sdk.Fail(item.ItemID, missing(true))
		default:
			w.done[i] = w.outcome(item, answers[n][len(answers[n])-1])
			if w.done[i].Err == nil {
				w.done[i].Notes = append(w.done[i].Notes, "our key was taken off the record that was merged into this one")
			}
		}
	}
	return nil
}

// nameCandidates asks, where the setting wants it, which records a duplicate
// rule matched; the refusal itself does not say (§8).
func (w *writing) nameCandidates(ctx context.Context) {
	if w.settings.DuplicateDetection != duplicatesReport {
		return
	}
	var asks []operation
	var asked []int
	for i, o := range w.done {
		if o.Err == nil || o.Err.Code != "0x80040333" {
			continue
		}
		entity := map[string]any{"@odata.type": "Microsoft.Dynamics.CRM." + w.table.name}
		for name, v := range w.items[i].Fields {
			if !strings.HasSuffix(name, bindSuffix) && !v.IsClear() {
				entity[name] = v.Any()
			}
		}
		body, bad := encode(entity)
		if bad != nil {
			continue
		}
		asks = append(asks, operation{method: http.MethodGet, path: query(
			"RetrieveDuplicates(BusinessEntity=@p1,MatchingEntityName=@p2,PagingInfo=@p3)",
			option{"@p1", string(body)}, option{"@p2", literal(w.table.name)}, option{"@p3", `{"PageNumber":1,"Count":10}`})})
		asked = append(asked, i)
	}
	if len(asks) == 0 {
		return
	}
	answers, failed := w.batch(ctx, singles(asks), false)
	if failed != nil {
		return
	}
	for n, parts := range answers {
		if len(parts) == 0 || parts[0].Status != http.StatusOK {
			continue
		}
		o := &w.done[asked[n]]
		for _, r := range rowsOf(parts[0].Body) {
			o.Candidates = append(o.Candidates, r.text(w.table.id))
		}
		if len(o.Candidates) == 1 {
			o.CRMID = o.Candidates[0]
		}
	}
}

func singles(ops []operation) []unit {
	units := make([]unit, len(ops))
	for i, op := range ops {
		units[i] = unit{op}
	}
	return units
}
