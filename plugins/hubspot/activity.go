package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// LogActivities writes conversation summaries as HubSpot's emails,
// communications, notes and calls, by channel (hubspot.md §4).
//
// A new one is created with its association inline, one batch call per object.
// Exactly-once comes from the unique key property: a replay is refused row by row
// and such rows are then updated by that key. (Upserting at once would need a
// second call per batch for the association, §4.4.) Where the account refuses
// unique properties on activities, the key is searched for first.
func (a *adapter) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	if len(req.Items) > maxBatch {
		return sdk.WriteReply{}, tooMany(len(req.Items))
	}
	w := newWriting()
	if ac.ActivityKey == keySearch {
		if failed := ac.recall(ctx, req.Items); failed != nil {
			return sdk.WriteReply{}, ac.Fail(failed)
		}
	}
	steps, wanted := ac.planActivities(w, req.Items)
	for _, s := range steps {
		ac.send(ctx, w, s)
		again := w.replayed(s)
		if len(again.rows) > 0 {
			ac.send(ctx, w, again)
		}
		old := again
		if s.call == "update" {
			old = s
		}
		ac.relink(ctx, w, old, wanted)
	}
	if ac.ActivityKey == keySearch {
		w.waitForIndex()
	}
	return w.finish(ac)
}

// recall gives items without an id the one of the activity that has their key
// already. items is changed.
func (ac *account) recall(ctx context.Context, items []sdk.Activity) *sdk.Error {
	for _, object := range activityObjects() {
		var keys []sdk.FindKey
		for i, item := range items {
			if item.CRMID == "" && ac.Channels[item.Channel] == object {
				keys = append(keys, sdk.FindKey{ItemID: strconv.Itoa(i), By: sdk.FindByExternalKey, Value: item.ExternalKey})
			}
		}
		if len(keys) == 0 {
			continue
		}
		failed := ac.findBySearch(ctx, object, keys, nil, func(k sdk.FindKey, r record) {
			if i, err := strconv.Atoi(k.ItemID); err == nil {
				items[i].CRMID, items[i].CRMObject = r.ID, object
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// target is what an activity must be associated with.
type target struct {
	object string
	ids    []string
}

// planActivities sorts items into batch calls by object; it also returns what
// each item belongs to.
func (ac *account) planActivities(w *writing, items []sdk.Activity) ([]step, map[string]target) {
	wanted := map[string]target{}
	byCall := map[[2]string][]row{}
	for i, item := range items {
		object := item.CRMObject
		if object == "" {
			object = ac.Channels[item.Channel]
		}
		properties, e := activityProperties(object, item)
		to := target{object: item.ContactObject, ids: slices.Compact(slices.Clone(item.ContactCRMIDs))}
		if to.object == "" {
			to.object = contacts
		}
		if e == nil && len(to.ids) == 0 {
			e = invalid("contact_crm_ids", "an activity needs a record that it belongs to")
		}
		if e != nil {
			w.fail(item.ItemID, e)
			continue
		}
		wanted[item.ItemID] = to
		in := batchInput{ID: item.CRMID, TraceID: strconv.Itoa(i), Properties: properties}
		call := "update"
		if item.CRMID == "" {
			call = "create"
			for _, one := range to.ids {
				in.Associations = append(in.Associations, inline(object, to.object, one)...)
			}
		}
		at := [2]string{object, call}
		byCall[at] = append(byCall[at], row{item.ItemID, in})
	}
	var steps []step
	for _, object := range activityObjects() {
		for _, call := range []string{"create", "update"} {
			if rows := byCall[[2]string{object, call}]; len(rows) > 0 {
				steps = append(steps, step{object: object, call: call, rows: rows})
			}
		}
	}
	return steps, wanted
}

// replayed collects the rows of a create that exist already, as an upsert by
// key. Their failures are replaced by what the upsert says.
func (w *writing) replayed(s step) step {
	again := step{object: s.object, call: "upsert"}
	if s.call != "create" {
		return again
	}
	for _, r := range s.rows {
		o := w.outcomes[r.itemID]
		if o.Err == nil || o.Err.Class != sdk.ClassDuplicate {
			continue
		}
		r.input.ID, r.input.IDProperty, r.input.Associations = r.input.Properties[keyField], keyField, nil
		again.rows = append(again.rows, r)
	}
	for _, r := range again.rows {
		w.forget(r.itemID)
	}
	return again
}

// relink makes the associations of activities that existed before what they
// should be: a conversation may have been moved to another client since.
func (ac *account) relink(ctx context.Context, w *writing, s step, wanted map[string]target) {
	byObject := map[string][]row{}
	for _, r := range s.rows {
		if w.outcomes[r.itemID].Done != sdk.Failed {
			byObject[wanted[r.itemID].object] = append(byObject[wanted[r.itemID].object], r)
		}
	}
	for to, rows := range byObject {
		var ids []string
		for _, r := range rows {
			ids = append(ids, w.outcomes[r.itemID].CRMID)
		}
		now, failed := ac.linked(ctx, s.object, to, ids)
		var missing, stale []pair
		for _, r := range rows {
			crmID := w.outcomes[r.itemID].CRMID
			for _, one := range wanted[r.itemID].ids {
				if !slices.Contains(now[crmID], one) {
					missing = append(missing, pair{crmID, one})
				}
			}
			for _, one := range now[crmID] {
				if !slices.Contains(wanted[r.itemID].ids, one) {
					stale = append(stale, pair{crmID, one})
				}
			}
		}
		var failures map[pair]failure
		if failed == nil && len(missing) > 0 {
			failures, failed = ac.link(ctx, s.object, to, missing)
		}
		if failed == nil && len(stale) > 0 {
			failed = ac.unlink(ctx, s.object, to, stale)
		}
		for _, r := range rows {
			o := w.outcomes[r.itemID]
			if failed != nil {
				o.Done, o.Err = sdk.Failed, failed
			}
			for p, f := range failures {
				if p.from == o.CRMID {
					o.Done, o.Err = sdk.Failed, rowError(f)
				}
			}
			w.put(o)
		}
	}
}

// indexLag is how long search may take to see a new record: 30 s have been
// reported (hubspot.md §2.6).
const indexLag = time.Minute

// waitForIndex makes the host wait until search would find what a lost request
// may have created.
func (w *writing) waitForIndex() {
	for _, o := range w.outcomes {
		if o.Err != nil && o.Err.Class == sdk.ClassUnknownOutcome {
			o.Err.After = max(o.Err.After, indexLag)
		}
	}
}
