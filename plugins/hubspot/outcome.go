package main

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/sdk"
)

// writing collects the outcomes of one call.
type writing struct {
	outcomes map[string]sdk.Outcome
	order    []string
}

func newWriting() *writing { return &writing{outcomes: map[string]sdk.Outcome{}} }

func (w *writing) has(itemID string) bool {
	_, ok := w.outcomes[itemID]
	return ok
}

func (w *writing) put(o sdk.Outcome) {
	if !w.has(o.ItemID) {
		w.order = append(w.order, o.ItemID)
	}
	w.outcomes[o.ItemID] = o
}

func (w *writing) fail(itemID string, e *sdk.Error) { w.put(sdk.Fail(itemID, e)) }

// forget takes an item's outcome back.
func (w *writing) forget(itemID string) {
	delete(w.outcomes, itemID)
	w.order = slices.DeleteFunc(w.order, func(one string) bool { return one == itemID })
}

func (w *writing) failAll(rows []row, e *sdk.Error) {
	for _, r := range rows {
		w.fail(r.itemID, e)
	}
}

// existing notes the record that stood in the way of an item.
func (w *writing) existing(itemID, crmID string) {
	if crmID == "" {
		return
	}
	o := w.outcomes[itemID]
	o.CRMID, o.Candidates = crmID, []string{crmID}
	w.outcomes[itemID] = o
}

// done notes a row that HubSpot took, with the values as they are there now.
func (w *writing) done(r row, s step, answer record) {
	o := sdk.Outcome{ItemID: r.itemID, Done: sdk.Updated, CRMID: answer.ID, Version: answer.UpdatedAt, Echo: map[string]sdk.Value{}}
	if s.call == "create" || answer.New {
		o.Done = sdk.Created
	}
	for _, name := range slices.Sorted(maps.Keys(r.input.Properties)) {
		if v, ok := answer.Properties[name]; ok && name != keyField {
			o.Echo[name] = decode(v)
		}
	}
	if slices.Contains(activityObjects(), s.object) {
		o.Object = s.object
	}
	w.put(o)
}

// finish makes the reply. When every item failed with one and the same error
// before anything was done, that is the call's error; of a single item only where
// it says nothing about the item.
func (w *writing) finish(ac *account) (sdk.WriteReply, error) {
	reply := sdk.WriteReply{Usage: ac.Usage()}
	var common *sdk.Error
	for i, itemID := range w.order {
		o := w.outcomes[itemID]
		reply.Outcomes = append(reply.Outcomes, o)
		if i == 0 {
			common = o.Err
		}
		if common != o.Err || o.CRMID != "" {
			common = nil
		}
	}
	if common != nil && (len(w.order) > 1 || concernsCall(common.Class)) {
		return sdk.WriteReply{}, ac.Fail(common)
	}
	return reply, nil
}

// concernsCall tells whether an error is about the account or the connection and
// not about what was written.
func concernsCall(c sdk.Class) bool {
	return slices.Contains([]sdk.Class{
		sdk.ClassThrottled, sdk.ClassQuota, sdk.ClassAuth, sdk.ClassPermission, sdk.ClassTransient, sdk.ClassUnknownOutcome,
		sdk.ClassBatchRefused,
	}, c)
}

// settle gives every row of an answered batch its outcome. Rows are matched by
// what they were addressed with, never by position; a row that the answer does
// not mention has an unknown outcome (§2.4, §11.4).
func (w *writing) settle(s step, answer batchAnswer) {
	for _, r := range answer.Results {
		if i := slices.IndexFunc(s.rows, func(x row) bool { return names(r, x.input) }); i >= 0 {
			w.done(s.rows[i], s, r)
		}
	}
	for _, f := range answer.Errors {
		for _, r := range s.rows {
			if blames(f, r.input) {
				w.fail(r.itemID, rowError(f))
				w.existing(r.itemID, f.existing())
			}
		}
	}
	for _, r := range s.rows {
		if !w.has(r.itemID) {
			w.fail(r.itemID, &sdk.Error{
				Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack, Message: "HubSpot's answer does not mention this record",
			})
		}
	}
}

// names tells whether a result belongs to an input.
func names(r record, in batchInput) bool {
	switch {
	case r.TraceID != "":
		return r.TraceID == in.TraceID
	case in.ID != "" && in.IDProperty == "":
		return r.ID == in.ID
	default:
		return r.property(keyField) == in.Properties[keyField]
	}
}

// blames tells whether an error entry names an input, by trace id or by id.
func blames(f failure, in batchInput) bool {
	return slices.Contains(f.Context["objectWriteTraceId"], in.TraceID) ||
		in.ID != "" && slices.Contains(f.Context["ids"], in.ID)
}

// rowError classifies the error of one row.
func rowError(f failure) *sdk.Error {
	words := f.words()
	rule := dialect().Rule(0, words.Code)
	if rule.Class == sdk.ClassUnknown {
		if byCategory := dialect().Rule(0, f.Category); byCategory.Class != sdk.ClassUnknown {
			rule = byCategory
		}
	}
	e := &sdk.Error{
		Class: rule.Class, Retry: rule.Retry, After: rule.After, Field: words.Field, Code: words.Code,
		Message: cut(words.Message), RequestID: f.CorrelationID,
	}
	if words.Code == targetNotFound {
		e.Field = "association"
	}
	return e
}

// targetNotFound is said of the record at the other end of an association; its
// error names the field "association", so that it is not read as "this record is
// gone".
const targetNotFound = "crm.associations.TO_OBJECT_NOT_FOUND"

// blame answers a batch that was refused as a whole because of some rows.
// HubSpot lists what is wrong but not where (§2.4), so a row is guilty when it
// holds the named property with the value that the text quotes; the others are
// free to go again.
func (w *writing) blame(rows []row, f failure, whole *sdk.Error) {
	if len(rows) == 1 {
		w.fail(rows[0].itemID, whole)
		w.existing(rows[0].itemID, f.existing())
		return
	}
	refused := &sdk.Error{
		Class: sdk.ClassBatchRefused, Retry: sdk.RetryLater, Status: whole.Status, RequestID: whole.RequestID, Code: whole.Code,
		Message: cut("HubSpot refused the whole batch because of some record: " + whole.Message),
	}
	for _, r := range rows {
		if fault, ok := guilty(r.input, f); ok {
			e := *whole
			e.Field, e.Message = fault.Name, cut(fault.Message)
			if fault.Error != "" {
				e.Code = fault.Error
				rule := dialect().Rule(whole.Status, fault.Error)
				e.Class, e.Retry = rule.Class, rule.Retry
			}
			w.fail(r.itemID, &e)
			continue
		}
		w.fail(r.itemID, refused)
	}
}

// guilty finds the fault of a refused batch that fits a row.
func guilty(in batchInput, f failure) (fault, bool) {
	for _, one := range f.faults() {
		value, has := in.Properties[one.Name]
		if !has {
			continue
		}
		unknownField := dialect().Rule(0, one.Error).Class == sdk.ClassSchema
		if unknownField || quotes(one.Message, value) {
			return one, true
		}
	}
	return fault{}, false
}

// quotes tells whether an error text quotes a value as a whole word. The list of
// allowed options at its end holds other rows' values and does not count.
func quotes(text, value string) bool {
	text, _, _ = strings.Cut(text, ": [")
	if value == "" {
		return false
	}
	for rest := text; ; {
		before, after, found := strings.Cut(rest, value)
		if !found {
			return false
		}
		last, _ := utf8.DecodeLastRuneInString(before)
		next, _ := utf8.DecodeRuneInString(after)
		if !inWord(last) && !inWord(next) {
			return true
		}
		rest = after
	}
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
