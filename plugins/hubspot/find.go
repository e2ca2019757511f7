package main

import (
	"context"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers/v2"

	"github.com/clientele-crm/clientele/sdk"
)

// Find looks records up: ids, external keys and email addresses by batch read,
// a hundred a call and without the lag of search; phone numbers by search on
// HubSpot's own digits-only properties (hubspot.md §2.6).
func (a *adapter) Find(ctx context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	ac, err := a.open(req.Connection)
	if err != nil {
		return sdk.FindReply{}, err
	}
	var reply sdk.FindReply
	add := func(key sdk.FindKey, r record) {
		reply.Hits = append(reply.Hits, sdk.Hit{ItemID: key.ItemID, By: key.By, Record: toRecord(req.Object, r, req.Fields)})
	}
	// Search comes first: its limit is the tightest, and a Find that it ends has
	// then cost one call.
	for _, by := range []sdk.FindBy{sdk.FindByPhone, sdk.FindByID, sdk.FindByExternalKey, sdk.FindByEmail} {
		var keys []sdk.FindKey
		for _, k := range req.Keys {
			if k.By == by && k.Value != "" {
				keys = append(keys, k)
			}
		}
		if len(keys) == 0 {
			continue
		}
		var failed *sdk.Error
		switch {
		case by == sdk.FindByPhone:
			failed = ac.findByPhone(ctx, req.Object, keys, req.Fields, add)
		case by == sdk.FindByExternalKey && ac.ActivityKey == keySearch && slices.Contains(activityObjects(), req.Object):
			failed = ac.findBySearch(ctx, req.Object, keys, req.Fields, add)
		default:
			failed = ac.findByRead(ctx, req.Object, by, keys, req.Fields, add)
		}
		if failed != nil {
			return sdk.FindReply{}, ac.Fail(failed)
		}
	}
	reply.Usage = ac.Usage()
	return reply, nil
}

// findByRead uses batch read; by email it finds secondary addresses too (§2.5).
func (ac *account) findByRead(ctx context.Context, object string, by sdk.FindBy, keys []sdk.FindKey, fields []string,
	add func(sdk.FindKey, record),
) *sdk.Error {
	idProperty := map[sdk.FindBy]string{sdk.FindByExternalKey: keyField, sdk.FindByEmail: "email"}[by]
	records, failed := ac.readByKey(ctx, object, idProperty, distinct(keys), withFields(fields, idProperty))
	if failed != nil {
		return failed
	}
	var missing []sdk.FindKey
	for _, k := range keys {
		found := false
		for _, r := range records {
			if has(r, by, k.Value) {
				found = true
				add(k, r)
			}
		}
		if !found {
			missing = append(missing, k)
		}
	}
	if by == sdk.FindByID {
		return ac.findMerged(ctx, object, missing, fields, add)
	}
	return nil
}

// findMerged follows ids that a merge has retired; the hit's record has the new
// id.
func (ac *account) findMerged(ctx context.Context, object string, keys []sdk.FindKey, fields []string,
	add func(sdk.FindKey, record),
) *sdk.Error {
	if slices.Contains(activityObjects(), object) {
		return nil // activities cannot be merged
	}
	for _, k := range keys[:min(len(keys), maxSurvivors)] {
		r, ok, failed := ac.survivor(ctx, object, k.Value, withFields(fields))
		if failed != nil {
			return failed
		}
		if ok {
			add(k, r)
		}
	}
	return nil
}

// has tells whether a record answers to a key.
func has(r record, by sdk.FindBy, value string) bool {
	switch by {
	case sdk.FindByID:
		return r.ID == value
	case sdk.FindByExternalKey:
		return r.property(keyField) == value
	default:
		if strings.EqualFold(r.property("email"), value) {
			return true
		}
		for other := range strings.SplitSeq(r.property("hs_additional_emails"), ";") {
			if strings.EqualFold(other, value) {
				return true
			}
		}
		return false
	}
}

// findBySearch finds external keys where they cannot be unique.
func (ac *account) findBySearch(ctx context.Context, object string, keys []sdk.FindKey, fields []string,
	add func(sdk.FindKey, record),
) *sdk.Error {
	values := distinct(keys)
	query := func(some []string) searchQuery {
		return searchQuery{
			FilterGroups: []filterGroup{{Filters: []filter{{Property: keyField, Operator: "IN", Values: some}}}},
			Properties:   withFields(fields, keyField), Limit: maxSearchPage,
		}
	}
	return ac.searchEach(ctx, object, values, query, func(r record) {
		for _, k := range keys {
			if r.property(keyField) == k.Value {
				add(k, r)
			}
		}
	})
}

// The properties in which HubSpot keeps a number without its country code.
const (
	searchPhone  = "hs_searchable_calculated_phone_number"
	searchMobile = "hs_searchable_calculated_mobile_number"
)

// findByPhone searches for national numbers and keeps what agrees with the whole
// number: the country code is not in the index.
func (ac *account) findByPhone(ctx context.Context, object string, keys []sdk.FindKey, fields []string,
	add func(sdk.FindKey, record),
) *sdk.Error {
	nationals := map[string][]sdk.FindKey{}
	var values []string
	for _, k := range keys {
		n, ok := nationalNumber(k.Value)
		if !ok {
			continue
		}
		if nationals[n] == nil {
			values = append(values, n)
		}
		nationals[n] = append(nationals[n], k)
	}
	query := func(some []string) searchQuery {
		return searchQuery{
			FilterGroups: []filterGroup{
				{Filters: []filter{{Property: searchPhone, Operator: "IN", Values: some}}},
				{Filters: []filter{{Property: searchMobile, Operator: "IN", Values: some}}},
			},
			Properties: withFields(fields, "phone", "mobilephone"), Limit: maxSearchPage,
		}
	}
	return ac.searchEach(ctx, object, values, query, func(r record) {
		for n, some := range nationals {
			if digits := r.property("phone") + " " + r.property("mobilephone"); !strings.Contains(onlyDigits(digits), n) {
				continue
			}
			for _, k := range some {
				if samePhone(r.property("phone"), k.Value, n) || samePhone(r.property("mobilephone"), k.Value, n) {
					add(k, r)
				}
			}
		}
	})
}

// searchEach asks for many values in as few searches as the limit on the body
// allows (§2.6), reading every page.
func (ac *account) searchEach(ctx context.Context, object string, values []string, query func([]string) searchQuery,
	each func(record),
) *sdk.Error {
	for len(values) > 0 {
		n := min(len(values), maxBatch)
		for n > 1 && query(values[:n]).size() > maxSearchBytes {
			n--
		}
		q := query(values[:n])
		values = values[n:]
		for {
			answer, failed := ac.search(ctx, object, q)
			if failed != nil {
				return failed
			}
			for _, r := range answer.Results {
				each(r)
			}
			if q.After = answer.Paging.Next.After; q.After == "" {
				break
			}
		}
	}
	return nil
}

// nationalNumber takes the country code off an E.164 number.
func nationalNumber(e164 string) (string, bool) {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return "", false
	}
	return phonenumbers.GetNationalSignificantNumber(n), true
}

// samePhone compares what a person typed into HubSpot with an E.164 number: with
// a country code all digits must agree, without one the national number.
func samePhone(typed, e164, national string) bool {
	digits := onlyDigits(typed)
	if strings.HasPrefix(strings.TrimSpace(typed), "+") || strings.HasPrefix(digits, "00") {
		return strings.TrimPrefix(digits, "00") == onlyDigits(e164)
	}
	return strings.TrimLeft(digits, "0") == strings.TrimLeft(national, "0") || digits == onlyDigits(e164)
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// withFields adds what the adapter itself needs to the fields asked for.
func withFields(fields []string, more ...string) []string {
	out := slices.Clone(fields)
	if slices.Contains(more, "email") {
		more = append(more, "hs_additional_emails")
	}
	for _, name := range append([]string{keyField}, more...) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// distinct lists the values of keys, each once whatever its case.
func distinct(keys []sdk.FindKey) []string {
	seen := map[string]bool{}
	var out []string
	for _, k := range keys {
		if v := strings.ToLower(k.Value); !seen[v] {
			seen[v] = true
			out = append(out, k.Value)
		}
	}
	return out
}
