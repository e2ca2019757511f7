package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
)

// What a Write does after its batch, for the few items that need it.

// takeKeysFromMerged settles items whose key still stands on a record that was
// merged into theirs: the loser keeps it (§8). One read finds the losers, one
// batch of change sets moves the keys. Nothing happens without such items.
func (w *writing) takeKeysFromMerged(ctx context.Context) {
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
		return
	}
	found, failed := w.batch(ctx, singles(reads), false)
	if failed != nil {
		return // the items keep their own error
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
		return
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
