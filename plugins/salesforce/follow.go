package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
)

// report names the records that stood in the way of those a duplicate rule
// refused. A collection's answer has no matches, so each is sent once more
// alone, 25 to a call (salesforce.md §8); should the rule let it pass now, that
// is its outcome.
func (o *org) report(ctx context.Context, sent []*slot) {
	if o.settings.DuplicateRules != duplicatesReport {
		return
	}
	var refused []*slot
	for _, s := range sent {
		if s.failedWith("DUPLICATES_DETECTED") {
			refused = append(refused, s)
		}
	}
	for start := 0; start < len(refused); start += compositeMax {
		part := refused[start:min(start+compositeMax, len(refused))]
		requests := make([]subcall, len(part))
		for i, s := range part {
			requests[i] = o.alone(s)
		}
		replies, _, failed := o.composite(ctx, requests, true)
		for i, s := range part {
			if failed != nil {
				s.outcome = sdk.Fail(s.item.ItemID, itemOf(failed))
				continue
			}
			s.settleAlone(replies[i])
		}
	}
}

// settleAlone reads the answer to a record that was sent by itself.
func (s *slot) settleAlone(r subreply) {
	failed := r.failure(true)
	if failed == nil {
		var saved rowResult
		s.outcome = sdk.Outcome{ItemID: s.item.ItemID, Done: sdk.Updated, CRMID: s.record.id, Notes: s.notes}
		if json.Unmarshal(r.Body, &saved) == nil && saved.ID != "" {
			s.outcome.CRMID = saved.ID
		}
		if r.HTTPStatusCode == http.StatusCreated {
			s.outcome.Done = sdk.Created
		}
		return
	}
	s.outcome = sdk.Fail(s.item.ItemID, failed)
	if e, ok := firstError(r.Body); ok {
		s.outcome.Candidates = e.candidates()
	}
	if len(s.outcome.Candidates) == 1 {
		s.outcome.CRMID = s.outcome.Candidates[0]
	}
}

// follow finds out what became of the records that were gone: merged into
// another, converted into a contact, or deleted (salesforce.md §6.4, §4.2).
func (o *org) follow(ctx context.Context, object string, sent []*slot) {
	var gone []*slot
	var ids, keys []string
	for _, s := range sent {
		byID := s.record.id != ""
		switch {
		case byID && s.failedWith("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "CANNOT_UPDATE_CONVERTED_LEAD"):
			ids = append(ids, s.record.id)
		case !byID && s.failedWith("CANNOT_UPDATE_CONVERTED_LEAD"):
			keys = append(keys, s.item.ExternalKey)
		case !byID && s.failedWith("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"):
			s.blameAssociation() // this record was to be made, it cannot be gone
			continue
		default:
			continue
		}
		gone = append(gone, s)
	}
	if len(gone) == 0 {
		return
	}
	fates, failed := o.fates(ctx, object, ids, keys)
	for _, s := range gone {
		if failed != nil {
			s.outcome = sdk.Fail(s.item.ItemID, itemOf(failed))
			continue
		}
		s.resettle(fates)
	}
}

// fate is what became of a record.
type fate struct {
	live             bool
	intoID, intoName string
}

// fates reads records by id or key, the recycle bin included. They are found
// under both.
func (o *org) fates(ctx context.Context, object string, ids, keys []string) (map[string]fate, *sdk.Error) {
	fields := []string{"Id", "IsDeleted"}
	if merges(object) {
		fields = append(fields, "MasterRecordId")
	}
	if object == objectLead {
		fields = append(fields, "IsConverted", "ConvertedContactId")
	}
	key := o.keyField(object)
	head := "SELECT " + selectFields(fields, []string{key}) + " FROM " + object + " WHERE "
	conditions := append(inLists("Id", ids, soqlMax-len(head)), inLists(key, keys, soqlMax-len(head))...)
	queries := make([]soql, len(conditions))
	for i, condition := range conditions {
		queries[i] = soql{text: head + condition, all: true}
	}
	answers, _, failed := o.query(ctx, queries...)
	if failed != nil {
		return nil, failed
	}
	fates := map[string]fate{}
	for _, answer := range answers {
		for _, row := range answer {
			f := fate{live: !truth(row, "IsDeleted"), intoID: text(row, "MasterRecordId"), intoName: object}
			if contact := text(row, "ConvertedContactId"); contact != "" {
				f.intoID, f.intoName = contact, objectContact
			}
			fates[fold("Id", text(row, "Id"))] = f
			if f.live {
				fates[text(row, key)] = f // a deleted record may share its key with its successor
			}
		}
	}
	return fates, nil
}

// merges tells whether records of an object can be merged.
func merges(object string) bool {
	return object == objectContact || object == objectLead || object == objectAccount
}

// resettle turns "gone" into where it went.
func (s *slot) resettle(fates map[string]fate) {
	f, found := fates[fold("Id", s.record.id)]
	if s.record.id == "" {
		f, found = fates[s.item.ExternalKey]
	}
	if found && f.live && f.intoID == "" {
		s.blameAssociation() // this record is there
		return
	}
	e := itemOf(s.outcome.Err)
	switch {
	case f.intoID != "":
		e.Class, e.Retry = sdk.ClassRemapped, sdk.RetryNever
		s.outcome.CRMID = f.intoID
		if f.intoName != s.record.object {
			s.outcome.Object = f.intoName
		}
	default: // deleted, or converted without a contact
		e.Class, e.Retry = sdk.ClassNotFound, sdk.RetryNever
	}
	s.outcome.Err = e
}

// fieldAssociation is the Field of a not_found that is about the record at the
// other end: the account of a contact, the person of a conversation.
const fieldAssociation = "association"

// blameAssociation tells a record that is gone from one whose association is:
// that may be found again, or have been merged, by the next attempt. What a
// mapping refers to stays a matter of its values.
func (s *slot) blameAssociation() {
	at := map[string]string{objectTask: "WhoId", objectContact: "AccountId"}[s.record.object]
	if _, associated := s.record.fields[at]; !associated || s.outcome.Err.Field != "" && !sameField(s.outcome.Err.Field, at) {
		return
	}
	e := itemOf(s.outcome.Err)
	e.Class, e.Retry, e.Field = sdk.ClassNotFound, sdk.RetryLater, fieldAssociation
	s.outcome.Err = e
}
