package main

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/sdk"
)

// LogActivities implements sdk.Adapter (§5.4).
//
// An activity's id is made from the connection and the conversation, so that it
// exists at most once whatever is repeated. It is created open and completed in
// the same change set, since a closed one cannot be created. Ids that are taken
// already are read; those that say something else, and those known beforehand,
// are reopened, changed and completed in a change set. So a fresh batch costs one
// request, a replay two, a replay with edits three.
func (a *adapter) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	s, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	l := &logging{session: s, items: req.Items, done: make([]sdk.Outcome, len(req.Items))}
	if failed := l.prepare(ctx, a); failed != nil {
		return sdk.WriteReply{}, s.fail(failed)
	}
	if failed := l.createAndUpdate(ctx); failed != nil {
		return sdk.WriteReply{}, s.fail(failed)
	}
	l.complete(ctx)
	l.updateExisting(ctx)
	return s.reply(l.done)
}

// logging is a LogActivities under way.
type logging struct {
	*session
	items []sdk.Activity
	made  []activity // one per item; without a kind if it cannot be sent
	done  []sdk.Outcome
	// toComplete are items created without completing, existing those whose id was
	// taken.
	toComplete, existing []int
}

// prepare translates every item.
func (l *logging) prepare(ctx context.Context, a *adapter) *sdk.Error {
	l.made = make([]activity, len(l.items))
	type found struct {
		kind   activityKind
		failed *sdk.Error
	}
	kinds := map[string]found{} // a table that is none is asked for once
	for i, item := range l.items {
		name, ok := l.settings.activityTable(item.Channel)
		if item.CRMID != "" && item.CRMObject != "" {
			name, ok = item.CRMObject, true
		}
		if !ok {
			l.done[i] = sdk.Fail(item.ItemID, refuse(sdk.ClassValidation, "channel", "channel %q: want email, sms, chat or voice", item.Channel))
			continue
		}
		owner := first(item.ContactObject, "contact")
		if _, bad := tableOf(owner); bad != nil {
			l.done[i] = sdk.Fail(item.ItemID, bad)
			continue
		}
		at, known := kinds[name+" "+owner]
		if !known {
			at.kind, at.failed = l.kindOf(ctx, a, name, owner)
			kinds[name+" "+owner] = at
		}
		kind, failed := at.kind, at.failed
		if failed == nil && kind.table == "" {
			failed = refuse(sdk.ClassSchema, "", "table %q is no activity table; choose another one in the connection's settings", name)
		}
		if failed != nil && failed.Class != sdk.ClassSchema && failed.Class != sdk.ClassNotFound {
			return failed
		}
		var made activity
		if failed == nil {
			made, failed = newActivity(kind, item, owner, activityID(l.connection, item.ExternalKey), l.settings)
		}
		if failed != nil {
			l.done[i] = sdk.Fail(item.ItemID, failed)
			continue
		}
		l.made[i] = made
	}
	return nil
}

// createAndUpdate sends everything once.
func (l *logging) createAndUpdate(ctx context.Context) *sdk.Error {
	var units []unit
	var at []int
	for i, m := range l.made {
		if m.kind.table == "" {
			continue
		}
		at = append(at, i)
		switch {
		case l.items[i].CRMID != "":
			units = append(units, m.update())
		case m.kind.note || l.settings.CompleteInTwoSteps:
			units = append(units, unit{m.create()})
		default:
			units = append(units, unit{m.create(), m.finish("$1")})
		}
	}
	if len(units) == 0 {
		return nil
	}
	answers, failed := l.batch(ctx, units, true)
	if failed != nil {
		return failed
	}
	for n, parts := range answers {
		i := at[n]
		known := l.items[i].CRMID != ""
		l.settle(i, parts, map[bool]sdk.Done{true: sdk.Updated, false: sdk.Created}[known])
		switch o := l.done[i]; {
		case known:
		case o.Err != nil && (o.Err.Code == "0x80040237" || o.Err.Status == http.StatusPreconditionFailed && o.Err.Code == ""):
			l.existing = append(l.existing, i)
		case o.Err == nil && !l.made[i].kind.note && l.settings.CompleteInTwoSteps:
			l.toComplete = append(l.toComplete, i)
		}
	}
	return nil
}

// settle books the answer to an item's unit.
func (l *logging) settle(i int, parts []part, done sdk.Done) {
	item, m := l.items[i], l.made[i]
	if len(parts) == 0 {
		l.done[i] = sdk.Fail(item.ItemID, missing(true))
		return
	}
	for _, p := range parts {
		if p.Status < 200 || p.Status >= 300 {
			e := classify(p, true)
			if e.Class == sdk.ClassNotFound && (done == sdk.Created || strings.Contains(strings.ToLower(e.Message), m.owner)) {
				e.Field = fieldAssociation // the contact is gone, not the activity
			}
			l.done[i] = sdk.Fail(item.ItemID, e)
			return
		}
	}
	l.done[i] = sdk.Outcome{ItemID: item.ItemID, Done: done, Object: m.kind.table, CRMID: m.id, Notes: m.notes}
}

// complete closes what was created open, in one more request.
func (l *logging) complete(ctx context.Context) {
	if len(l.toComplete) == 0 {
		return
	}
	var units []unit
	for _, i := range l.toComplete {
		units = append(units, unit{l.made[i].finish(byID(l.made[i].kind.set, l.made[i].id))})
	}
	l.sendMore(ctx, l.toComplete, units, sdk.Created)
}

// updateExisting reads the activities whose id was taken and changes those that
// differ from what is wanted.
func (l *logging) updateExisting(ctx context.Context) {
	if len(l.existing) == 0 {
		return
	}
	reads := make([]operation, len(l.existing))
	for n, i := range l.existing {
		reads[n] = l.made[i].read()
	}
	found, failed := l.batch(ctx, singles(reads), false)
	var units []unit
	var at []int
	for n, i := range l.existing {
		item := l.items[i]
		if failed != nil {
			l.done[i] = sdk.Fail(item.ItemID, failed)
			continue
		}
		if len(found[n]) == 0 {
			l.done[i] = sdk.Fail(item.ItemID, missing(false))
			continue
		}
		if found[n][0].Status != http.StatusOK {
			l.done[i] = sdk.Fail(item.ItemID, classify(found[n][0], false))
			continue
		}
		r, err := decodeRow(found[n][0].Body)
		if err != nil {
			l.done[i] = sdk.Fail(item.ItemID, missing(false))
			continue
		}
		m := l.made[i]
		if m.sameAs(r) {
			l.done[i] = sdk.Outcome{ItemID: item.ItemID, Done: sdk.Unchanged, Object: m.kind.table, CRMID: m.id,
				Version: versionOf(r.text("@odata.etag")), Notes: m.notes}
			continue
		}
		units = append(units, m.update())
		at = append(at, i)
	}
	l.sendMore(ctx, at, units, sdk.Updated)
}

// sendMore sends further units for items; what fails now is the item's outcome.
func (l *logging) sendMore(ctx context.Context, at []int, units []unit, done sdk.Done) {
	if len(units) == 0 {
		return
	}
	answers, failed := l.batch(ctx, units, true)
	for n, i := range at {
		if failed != nil {
			l.done[i] = sdk.Fail(l.items[i].ItemID, failed)
			continue
		}
		l.settle(i, answers[n], done)
	}
}

// activityID is the id of a conversation's activity: UUIDv5 over the connection
// and the conversation (design.md §11).
func activityID(connection, conversation string) string {
	space := uuid.NewSHA1(uuid.NameSpaceURL, []byte("clientele:connection:"+connection))
	return uuid.NewSHA1(space, []byte(conversation)).String()
}

// findActivities answers Find for an activity table, by our key and by id.
func (s *session) findActivities(ctx context.Context, kind activityKind, req sdk.FindRequest) (sdk.FindReply, error) {
	byID := map[string][]sdk.FindKey{}
	var ids []string
	for _, k := range req.Keys {
		id := ""
		switch k.By {
		case sdk.FindByExternalKey:
			id = activityID(req.Connection.ID, k.Value)
		case sdk.FindByID:
			id, _ = guid(k.Value)
		}
		if id == "" {
			continue
		}
		if len(byID[id]) == 0 {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], k)
	}
	columns := []string{kind.id, "modifiedon"}
	for _, name := range req.Fields {
		if !validName(name) {
			return sdk.FindReply{}, refuse(sdk.ClassSchema, name, "%q is not a column name of Dataverse", name)
		}
		columns = append(columns, name)
	}
	var reads []operation
	for chunk := range slices.Chunk(ids, findChunk) {
		reads = append(reads, operation{method: http.MethodGet, path: query(kind.set, selecting(columns), filtering(in(kind.id, chunk)))})
	}
	rows, failed := s.readAll(ctx, reads)
	if failed != nil {
		return sdk.FindReply{}, s.fail(failed)
	}
	var out sdk.FindReply
	for _, r := range rows {
		for _, k := range byID[r.text(kind.id)] {
			record := sdk.Record{Object: kind.table, ID: r.text(kind.id), Version: versionOf(r.text("@odata.etag")),
				UpdatedAt: r.text("modifiedon"), Fields: r.values(req.Fields)}
			if k.By == sdk.FindByExternalKey {
				record.ExternalKey = k.Value
			}
			out.Hits = append(out.Hits, sdk.Hit{ItemID: k.ItemID, By: k.By, Record: record})
		}
	}
	out.Usage = s.usage()
	return out, nil
}
