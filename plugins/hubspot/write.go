package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// Write creates and updates records in at most three batch calls: updates by
// record id, upserts by our unique key, creates. Every row carries a trace id,
// so that one bad row never takes the others with it where HubSpot allows that.
func (a *adapter) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	if len(req.Items) > maxBatch {
		return sdk.WriteReply{}, tooMany(len(req.Items))
	}
	w := newWriting()
	for _, s := range planWrite(w, req) {
		ac.send(ctx, w, s)
		ac.followMerges(ctx, w, s)
	}
	ac.associate(ctx, w, req)
	return w.finish(ac)
}

func tooMany(n int) *sdk.Error {
	return &sdk.Error{
		Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater,
		Message: fmt.Sprintf("%d items in one call; HubSpot takes at most %d", n, maxBatch),
	}
}

// step is one batch call of a write.
type step struct {
	object string
	call   string // create, update or upsert
	rows   []row
}

// row is one item on its way.
type row struct {
	itemID string
	input  batchInput
}

// planWrite sorts items into calls. Ids, keys and addresses must be unique in a
// batch (§2.4): a later item for the same record waits for another call.
func planWrite(w *writing, req sdk.WriteRequest) []step {
	create := step{object: req.Object, call: "create"}
	update := step{object: req.Object, call: "update"}
	upsert := step{object: req.Object, call: "upsert"}
	taken := map[string]bool{}
	for i, item := range req.Items {
		in := batchInput{TraceID: strconv.Itoa(i), Properties: map[string]string{}}
		for name, v := range item.Fields {
			in.Properties[name] = encode(v)
		}
		var claims []string
		if email := in.Properties["email"]; email != "" {
			claims = append(claims, "email "+strings.ToLower(email))
		}
		target := &upsert
		switch {
		case item.CRMID != "":
			target, in.ID = &update, item.CRMID
			claims = append(claims, "id "+item.CRMID)
		case item.Mode == sdk.ModeCreate:
			target = &create
			in.Associations = inline(req.Object, companies, item.AssociateCRMID)
		case item.Mode == sdk.ModeUpdate:
			w.fail(item.ItemID, &sdk.Error{
				Class: sdk.ClassNotFound, Retry: sdk.RetryNever, Message: "an update needs the record's id",
			})
			continue
		default:
			in.ID, in.IDProperty = item.ExternalKey, keyField
		}
		if !claim(taken, claims) {
			w.fail(item.ItemID, &sdk.Error{
				Class: sdk.ClassLock, Retry: sdk.RetryLater, After: time.Second,
				Message: "another item of this batch writes the same record or address",
			})
			continue
		}
		in.Properties[keyField] = item.ExternalKey
		target.rows = append(target.rows, row{item.ItemID, in})
	}
	var out []step
	for _, s := range []step{update, upsert, create} {
		if len(s.rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// claim takes names for a row, unless one of them is taken.
func claim(taken map[string]bool, names []string) bool {
	if slices.ContainsFunc(names, func(name string) bool { return taken[name] }) {
		return false
	}
	for _, name := range names {
		taken[name] = true
	}
	return true
}

// inline associates a new record with one that exists, in the create itself.
func inline(from, to, toID string) []inlineLink {
	typeID, ok := linkTypes(from, to)
	if toID == "" || !ok {
		return nil
	}
	return []inlineLink{{
		To: linkEnd{ID: id(toID)}, Types: []linkType{{Category: "HUBSPOT_DEFINED", TypeID: typeID}},
	}}
}

// send makes one batch call and settles each of its rows.
func (ac *account) send(ctx context.Context, w *writing, s step) {
	answer, reply, failed := ac.batch(ctx, s.object, s.call, map[string]any{"inputs": inputs(s.rows)}, true)
	if failed == nil {
		w.settle(s, answer)
		return
	}
	if s.call == "upsert" && reply.Status == http.StatusConflict && failed.Code != uniqueTaken {
		// Two upserts of one new key met; the next one finds the record (§2.5).
		failed.Class, failed.Retry, failed.After = sdk.ClassConflict, sdk.RetryLater, time.Second
	}
	switch failed.Class {
	case sdk.ClassValidation, sdk.ClassSchema, sdk.ClassDuplicate:
		w.blame(s.rows, readFailure(reply), failed)
		return
	case sdk.ClassNotFound:
		// A batch that is not found is a wrong address or object, and says nothing
		// about any record.
		failed.Class = sdk.ClassUnknown
	}
	w.failAll(s.rows, failed)
}

func inputs(rows []row) []batchInput {
	out := make([]batchInput, len(rows))
	for i, r := range rows {
		out[i] = r.input
	}
	return out
}

// followMerges tells records that were merged into others from records that are
// gone. It writes nothing: the host decides what a remapped client becomes.
func (ac *account) followMerges(ctx context.Context, w *writing, s step) {
	if s.call != "update" {
		return
	}
	asked := 0
	for _, r := range s.rows {
		o := w.outcomes[r.itemID]
		if o.Err == nil || o.Err.Class != sdk.ClassNotFound || asked == maxSurvivors {
			continue
		}
		asked++
		left, ok, failed := ac.survivor(ctx, s.object, r.input.ID, []string{keyField})
		if failed != nil {
			return // what is known stays true: the old id is not found
		}
		if ok && left.ID != r.input.ID {
			o.Err.Class, o.Err.Message = sdk.ClassRemapped, "the record was merged into another"
			o.CRMID = left.ID
			w.put(o)
		}
	}
}
