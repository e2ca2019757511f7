package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Write sends a batch as sObject Collections: one call for the records known by
// id, one for those addressed by our key, one for those that must be new
// (salesforce.md §5.3). A batch of one kind, the usual one, costs one call per
// 200 records.
func (a *adapter) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	if !fieldName(req.Object) {
		return sdk.WriteReply{}, refused("", "object: "+req.Object+" is no API name of an object")
	}
	items, outcomes, failed := o.resolve(ctx, req)
	if failed != nil {
		return sdk.WriteReply{}, o.Fail(failed)
	}
	groups, unfit := o.groups(req.Object, items)
	outcomes = append(outcomes, unfit...)
	sent, failed := o.send(ctx, groups)
	if failed != nil && len(outcomes) == 0 {
		return sdk.WriteReply{}, o.Fail(failed)
	}
	o.report(ctx, sent)
	o.follow(ctx, req.Object, sent)
	for _, s := range sent {
		outcomes = append(outcomes, s.outcome)
	}
	return sdk.WriteReply{Outcomes: outcomes, Usage: o.Usage()}, nil
}

// slot is one record on its way, and what came of it.
type slot struct {
	item    sdk.WriteItem
	record  record
	notes   []string
	outcome sdk.Outcome
}

// group is the slots that one collection call takes.
type group struct {
	method, path string
	slots        []*slot
}

// resolve finds the ids of items that may only be updated and are known by our
// key alone: an upsert would create them. Other items pass as they are.
func (o *org) resolve(ctx context.Context, req sdk.WriteRequest) ([]sdk.WriteItem, []sdk.Outcome, *sdk.Error) {
	find := sdk.FindRequest{Object: req.Object}
	for _, item := range req.Items {
		if item.Mode == sdk.ModeUpdate && item.CRMID == "" {
			find.Keys = append(find.Keys, sdk.FindKey{ItemID: item.ItemID, By: sdk.FindByExternalKey, Value: item.ExternalKey})
		}
	}
	if len(find.Keys) == 0 {
		return req.Items, nil, nil
	}
	s := o.search(find)
	answers, _, failed := o.query(ctx, s.queries()...)
	if failed != nil {
		return nil, nil, failed
	}
	ids := map[string]string{}
	for _, hit := range s.hits(answers) {
		ids[hit.ItemID] = hit.Record.ID
	}
	var items []sdk.WriteItem
	var missing []sdk.Outcome
	for _, item := range req.Items {
		if item.Mode == sdk.ModeUpdate && item.CRMID == "" {
			item.CRMID = ids[item.ItemID]
			if item.CRMID == "" {
				missing = append(missing, sdk.Fail(item.ItemID, &sdk.Error{
					Class: sdk.ClassNotFound, Retry: sdk.RetryNever, Message: "no " + req.Object + " has this external key",
				}))
				continue
			}
		}
		items = append(items, item)
	}
	return items, missing, nil
}

// groups turns items into the calls that write them, in the order given.
func (o *org) groups(object string, items []sdk.WriteItem) ([]group, []sdk.Outcome) {
	known := group{method: http.MethodPatch, path: o.path("/composite/sobjects")}
	keyed := group{method: http.MethodPatch, path: o.path("/composite/sobjects/" + object + "/" + o.keyField(object))}
	fresh := group{method: http.MethodPost, path: o.path("/composite/sobjects")}
	var unfit []sdk.Outcome
	for _, item := range items {
		s, err := o.slot(object, item)
		if err != nil {
			unfit = append(unfit, sdk.Fail(item.ItemID, err))
			continue
		}
		switch {
		case item.CRMID != "":
			known.slots = append(known.slots, s)
		case item.Mode == sdk.ModeCreate:
			fresh.slots = append(fresh.slots, s)
		default:
			keyed.slots = append(keyed.slots, s)
		}
	}
	var out []group
	for _, g := range []group{known, keyed, fresh} {
		if len(g.slots) > 0 {
			out = append(out, g)
		}
	}
	return out, unfit
}

func (o *org) slot(object string, item sdk.WriteItem) (*slot, *sdk.Error) {
	s := &slot{item: item, record: record{object: object, id: item.CRMID, fields: map[string]sdk.Value{}}}
	key := o.keyField(object)
	if item.ExternalKey == "" {
		return nil, refused(key, "external key: is empty, every record needs one")
	}
	for name, value := range item.Fields {
		switch {
		case !fieldName(name) || sameField(name, "Id") || sameField(name, "attributes"):
			return nil, refused(name, name+": cannot be written: it is no field of a record, or it is the record's id")
		case sameField(name, key):
		default:
			s.record.fields[name] = value
		}
	}
	s.record.fields[key] = sdk.Text(item.ExternalKey)
	if item.AssociateCRMID != "" {
		if object == objectContact {
			s.record.fields["AccountId"] = sdk.Text(item.AssociateCRMID)
		} else {
			s.notes = append(s.notes, "company link ignored: a "+object+" has no account")
		}
	}
	return s, nil
}

// send writes the groups one after the other and gives every slot its outcome.
// Its error says that all groups failed in this one way.
func (o *org) send(ctx context.Context, groups []group) (sent []*slot, common *sdk.Error) {
	var stop *sdk.Error
	alike := true
	for i, g := range groups {
		sent = append(sent, g.slots...)
		failed := stop
		var results []rowResult
		if failed == nil {
			results, failed = o.sendGroup(ctx, g)
		}
		for n, s := range g.slots {
			if failed != nil {
				s.outcome = sdk.Fail(s.item.ItemID, itemOf(failed))
			} else {
				s.settle(g, results[n])
			}
		}
		if failed != nil && hopeless(failed) {
			stop = failed
		}
		if i == 0 {
			common = failed
		}
		alike = alike && failed != nil && failed.Class == common.Class && !ofOneRow(failed, g)
	}
	if !alike {
		common = nil
	}
	return sent, common
}

func (o *org) sendGroup(ctx context.Context, g group) ([]rowResult, *sdk.Error) {
	body := collection{Records: make([]record, len(g.slots))}
	for i, s := range g.slots {
		body.Records[i] = s.record
	}
	var results []rowResult
	_, failed := o.call(ctx, crmhttp.Request{
		Method: g.method, Path: g.path, Header: o.writeHeader(), Body: body, Writes: true,
	}, &results)
	if failed != nil {
		return nil, batchError(failed, len(g.slots))
	}
	if len(results) != len(g.slots) {
		return nil, odd(true, "%d results for %d records", len(results), len(g.slots))
	}
	return results, nil
}

// batchError tells a batch that was refused because of some record in it from a
// call that failed (salesforce.md §5.3): halved, the record ends up alone.
func batchError(e *sdk.Error, records int) *sdk.Error {
	if e.Status == http.StatusBadRequest && records > 1 && (e.Class == sdk.ClassValidation || e.Class == sdk.ClassUnknown) {
		e.Class, e.Retry = sdk.ClassBatchRefused, sdk.RetryLater
	}
	return e
}

// hopeless tells whether the rest of a batch would fail the same way.
func hopeless(e *sdk.Error) bool {
	switch e.Class {
	case sdk.ClassAuth, sdk.ClassQuota, sdk.ClassThrottled, sdk.ClassPermission, sdk.ClassTransient, sdk.ClassSchema:
		return true
	default:
		return false
	}
}

// ofOneRow tells whether a failed call is about its only record.
func ofOneRow(e *sdk.Error, g group) bool {
	return len(g.slots) == 1 && (e.Class == sdk.ClassValidation || e.Class == sdk.ClassUnknown)
}

// itemOf is a call's error as the error of one of its items.
func itemOf(e *sdk.Error) *sdk.Error {
	one := *e
	one.Usage = sdk.Usage{}
	return &one
}

// settle reads the result of one record.
func (s *slot) settle(g group, r rowResult) {
	s.outcome = sdk.Outcome{ItemID: s.item.ItemID, Done: sdk.Updated, CRMID: r.ID, Notes: s.notes}
	switch {
	case r.Success && (r.Created || g.method == http.MethodPost):
		s.outcome.Done = sdk.Created
	case r.Success:
	case len(r.Errors) == 0:
		s.outcome = sdk.Fail(s.item.ItemID, odd(true, "a failed record without a reason"))
	default:
		s.outcome = sdk.Fail(s.item.ItemID, s.rowError(r.Errors[0]))
		s.outcome.CRMID = duplicateID(r.Errors[0])
		for _, more := range r.Errors[1:] {
			s.outcome.Notes = append(s.outcome.Notes, "also: "+rowError(dialect(), more).Error())
		}
	}
}

// rowError is the error of a record. A name that may not be written is a matter
// of this one contact, not of the field: it belongs to a person account, which
// holds the name (salesforce.md §4.3).
func (s *slot) rowError(e wireError) *sdk.Error {
	failed := rowError(dialect(), e)
	name := sameField(failed.Field, "LastName") || sameField(failed.Field, "FirstName")
	if failed.Code == "INVALID_FIELD_FOR_INSERT_UPDATE" && s.record.object == objectContact && name {
		failed.Class = sdk.ClassValidation
	}
	return failed
}

// failedWith tells whether Salesforce refused the record with one of the codes.
func (s *slot) failedWith(codes ...string) bool {
	if s.outcome.Err == nil {
		return false
	}
	for _, code := range codes {
		if s.outcome.Err.Code == code {
			return true
		}
	}
	return false
}

// alone is the request that writes one record by itself.
func (o *org) alone(s *slot) subcall {
	fields := maps.Clone(s.record.fields)
	call := subcall{Method: http.MethodPatch, HTTPHeaders: o.writeHeader()}
	base := o.path("/sobjects/" + s.record.object)
	key := o.keyField(s.record.object)
	switch {
	case s.record.id != "":
		call.URL = base + "/" + escape(s.record.id)
	case s.item.Mode == sdk.ModeCreate:
		call.Method, call.URL = http.MethodPost, base
	default:
		delete(fields, key) // the key in the URL must not be in the body as well
		call.URL = fmt.Sprintf("%s/%s/%s", base, key, escape(s.item.ExternalKey))
	}
	call.Body = fieldsOnly(fields)
	return call
}
