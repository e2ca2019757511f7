package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// Find looks all keys up with as few queries as their length allows: the keys of
// a batch of 200 clients, email and phone of each, cost one API call.
func (a *adapter) Find(ctx context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.FindReply{}, err
	}
	if field, bad := badField(req.Object, req.Fields); bad {
		return sdk.FindReply{}, refused(field, "fields: "+field+" is no API name of an object or field")
	}
	s := o.search(req)
	if len(s.columns) == 0 {
		return sdk.FindReply{Usage: o.Usage()}, nil
	}
	answers, _, failed := o.query(ctx, s.queries()...)
	if failed != nil {
		return sdk.FindReply{}, o.Fail(failed)
	}
	return sdk.FindReply{Hits: s.hits(answers), Usage: o.Usage()}, nil
}

// badField finds the first name that must not go into a query.
func badField(object string, fields []string) (string, bool) {
	for _, name := range append([]string{object}, fields...) {
		if !fieldName(name) {
			return name, true
		}
	}
	return "", false
}

// search is what one Find looks for: by column, the literals that may stand
// there and the keys each stands for.
type search struct {
	object   string
	keyField string
	fields   []string
	columns  []column
}

type column struct {
	field   string
	by      sdk.FindBy
	literal map[string][]string // folded literal -> item ids
	values  []string            // the literals in order of asking
}

func (o *org) search(req sdk.FindRequest) search {
	s := search{object: req.Object, keyField: o.keyField(req.Object), fields: req.Fields}
	for _, key := range req.Keys {
		if key.Value == "" {
			continue // would find the records whose field is empty
		}
		switch key.By {
		case sdk.FindByExternalKey:
			s.add(s.keyField, key, key.Value)
		case sdk.FindByID:
			if isID(key.Value) {
				s.add("Id", key, key.Value)
			}
		case sdk.FindByEmail:
			for _, field := range o.settings.emailFields(req.Object) {
				s.add(field, key, key.Value)
			}
		case sdk.FindByPhone:
			for _, field := range o.settings.phoneFields(req.Object) {
				s.add(field, key, phoneForms(key.Value, o.settings.PhoneRegion)...)
			}
		}
	}
	return s
}

func (s *search) add(field string, key sdk.FindKey, literals ...string) {
	at := slices.IndexFunc(s.columns, func(c column) bool { return c.field == field && c.by == key.By })
	if at < 0 {
		at = len(s.columns)
		s.columns = append(s.columns, column{field: field, by: key.By, literal: map[string][]string{}})
	}
	c := &s.columns[at]
	for _, literal := range literals {
		folded := fold(field, literal)
		if len(c.literal[folded]) == 0 {
			c.values = append(c.values, literal)
		}
		c.literal[folded] = append(c.literal[folded], key.ItemID)
	}
}

// fold makes two texts equal that Salesforce holds equal: text without case, ids
// on their first 15 characters.
func fold(field, s string) string {
	if field == "Id" {
		return s[:min(15, len(s))]
	}
	return strings.ToLower(s)
}

// queries packs the conditions into queries below soqlMax.
func (s *search) queries() []soql {
	head := "SELECT " + selectFields(recordFields(s.object, s.keyField), s.fields, s.columnFields()) + " FROM " + s.object + " WHERE ("
	tail := ")"
	if s.object == objectTask {
		tail = ") AND IsDeleted = false" // queryAll sees the recycle bin too
	}
	room := soqlMax - len(head) - len(tail)
	var conditions []string
	for _, c := range s.columns {
		conditions = append(conditions, inLists(c.field, c.values, room)...)
	}
	var out []soql
	current := ""
	flush := func() {
		if current != "" {
			// Archived activities are in queryAll alone (salesforce.md §4.4).
			out = append(out, soql{text: head + current + tail, all: s.object == objectTask})
		}
		current = ""
	}
	for _, condition := range conditions {
		if len(current)+len(" OR ")+len(condition) > room {
			flush()
		}
		if current != "" {
			current += " OR "
		}
		current += condition
	}
	flush()
	return out
}

func (s *search) columnFields() []string {
	var fields []string
	for _, c := range s.columns {
		fields = append(fields, c.field)
	}
	return fields
}

// hits gives every row to the keys it answers, each key and record once.
func (s *search) hits(answers []rows) []sdk.Hit {
	type seen struct {
		item, id string
		by       sdk.FindBy
	}
	known := map[seen]bool{}
	var hits []sdk.Hit
	for _, answer := range answers {
		for _, row := range answer {
			rec := readRecord(s.object, s.keyField, s.fields, row)
			for _, c := range s.columns {
				for _, item := range c.literal[fold(c.field, text(row, c.field))] {
					if mark := (seen{item, rec.ID, c.by}); !known[mark] {
						known[mark] = true
						hits = append(hits, sdk.Hit{ItemID: item, By: c.by, Record: rec})
					}
				}
			}
		}
	}
	return hits
}

// recordFields are the fields every read asks for.
func recordFields(object, keyField string) []string {
	fields := []string{"Id", keyField, "SystemModstamp"}
	if object == objectLead {
		fields = append(fields, "IsConverted", "ConvertedContactId")
	}
	return fields
}

// readRecord reads a row. A converted lead is the contact it became
// (salesforce.md §4.2); that contact's version is not in the row.
func readRecord(object, keyField string, fields []string, row map[string]json.RawMessage) sdk.Record {
	rec := sdk.Record{Object: object, ID: text(row, "Id"), ExternalKey: text(row, keyField), Fields: map[string]sdk.Value{}}
	if contact := text(row, "ConvertedContactId"); object == objectLead && truth(row, "IsConverted") && contact != "" {
		rec.Object, rec.ID = objectContact, contact
		return rec
	}
	rec.Version = text(row, "SystemModstamp")
	if at, ok := readTime(rec.Version); ok {
		rec.UpdatedAt = at.Format(time.RFC3339)
	}
	for _, field := range fields {
		for name, raw := range row {
			if sameField(name, field) {
				rec.Fields[field] = readValue(raw)
			}
		}
	}
	return rec
}
