package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/clientele-crm/clientele/sdk"
)

// LogActivities writes conversations as completed tasks (salesforce.md §4.7),
// addressed by the conversation's key: one call per 200. A task that was there
// already, after a lost reply, refuses its subtype, which can be set at creation
// alone, and is then written without it.
//
// Where the org has no key field for activities (activity_key_field is
// CallObject), the key is searched for before anything is created.
func (a *adapter) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	o, err := a.open(req.Connection)
	if err != nil {
		return sdk.WriteReply{}, err
	}
	items := make([]sdk.WriteItem, len(req.Items))
	notes := map[string][]string{}
	for i, activity := range req.Items {
		items[i], notes[activity.ItemID] = o.task(activity)
	}
	if sameField(o.settings.ActivityKeyField, callObject) {
		if failed := o.searchTasks(ctx, items); failed != nil {
			return sdk.WriteReply{}, o.Fail(failed)
		}
	}
	for _, item := range items {
		if item.CRMID != "" {
			forgetCreateOnly(item.Fields)
		}
	}
	groups, outcomes := o.groups(objectTask, items)
	sent, failed := o.send(ctx, groups)
	if failed != nil && len(outcomes) == 0 {
		return sdk.WriteReply{}, o.Fail(failed)
	}
	o.sendReplayed(ctx, sent)
	o.follow(ctx, objectTask, sent)
	for _, s := range sent {
		s.outcome.Notes = append(s.outcome.Notes, notes[s.item.ItemID]...)
		if s.outcome.CRMID != "" {
			s.outcome.Object = objectTask
		}
		outcomes = append(outcomes, s.outcome)
	}
	return sdk.WriteReply{Outcomes: outcomes, Usage: o.Usage()}, nil
}

// callObject is the standard field for a call's id, which serves as key field
// where no custom one may be made.
const callObject = "CallObject"

// searchTasks marks the activities that are there as known and the others as
// new.
func (o *org) searchTasks(ctx context.Context, items []sdk.WriteItem) *sdk.Error {
	find := sdk.FindRequest{Object: objectTask}
	for i := range items {
		if items[i].CRMID == "" {
			items[i].Mode = sdk.ModeCreate
			find.Keys = append(find.Keys, sdk.FindKey{ItemID: items[i].ItemID, By: sdk.FindByExternalKey, Value: items[i].ExternalKey})
		}
	}
	if len(find.Keys) == 0 {
		return nil
	}
	s := o.search(find)
	answers, _, failed := o.query(ctx, s.queries()...)
	if failed != nil {
		return failed
	}
	ids := map[string]string{}
	for _, hit := range s.hits(answers) {
		ids[hit.ItemID] = hit.Record.ID
	}
	for i := range items {
		if items[i].CRMID == "" {
			items[i].CRMID = ids[items[i].ItemID]
		}
	}
	return nil
}

// sendReplayed writes the tasks once more that refused a field which is set at
// creation: they exist.
func (o *org) sendReplayed(ctx context.Context, sent []*slot) {
	again := group{method: http.MethodPatch, path: o.path("/composite/sobjects/" + objectTask + "/" + o.settings.ActivityKeyField)}
	for _, s := range sent {
		if s.failedWith("INVALID_FIELD_FOR_INSERT_UPDATE") && sameField(s.outcome.Err.Field, "TaskSubtype") {
			forgetCreateOnly(s.record.fields)
			again.slots = append(again.slots, s)
		}
	}
	if len(again.slots) == 0 {
		return
	}
	if results, failed := o.sendGroup(ctx, again); failed != nil {
		for _, s := range again.slots {
			s.outcome = sdk.Fail(s.item.ItemID, itemOf(failed))
		}
	} else {
		for i, s := range again.slots {
			s.settle(again, results[i])
		}
	}
}

// forgetCreateOnly leaves out what is set once: the subtype, since Salesforce
// refuses to change it, and status and priority, since people do change them.
func forgetCreateOnly(fields map[string]sdk.Value) {
	for _, name := range []string{"TaskSubtype", "Status", "Priority"} {
		delete(fields, name)
	}
}

// channels are the channels of an activity, taskSubtypes what they may be
// written as. EmailMessage is not among them: it freezes when it is sent, and a
// summary may be edited (salesforce.md §4.6).
func channels() []string     { return []string{"email", "sms", "chat", "voice"} }
func taskSubtypes() []string { return []string{"Task", "Email", "Call"} }

func (s *settings) subtype(channel string) string {
	if subtype := s.ActivityTypes[channel]; subtype != "" {
		return subtype
	}
	switch channel {
	case "email":
		return "Email"
	case "voice":
		return "Call"
	default:
		return "Task"
	}
}

// The lengths of a task's texts (salesforce.md §4.4). They are counted in UTF-16
// units, the stricter of the two ways Salesforce may count.
const (
	subjectMax     = 255
	descriptionMax = 32_000
)

// task is a conversation as the fields of a task, and what was left out.
func (o *org) task(a sdk.Activity) (sdk.WriteItem, []string) {
	var notes []string
	subject, cut := shorten(subjectOf(a), subjectMax, "…")
	if cut {
		notes = append(notes, fmt.Sprintf("Subject: cut to %d characters", subjectMax))
	}
	tail := tailOf(a)
	if a.Body == "" {
		tail = strings.TrimLeft(tail, "\n")
	}
	body, cut := shorten(a.Body, descriptionMax-units(tail), "… [cut; the whole text is in Clientele]")
	if cut {
		notes = append(notes, fmt.Sprintf("Description: cut to %d characters", descriptionMax))
	}
	fields := map[string]sdk.Value{
		"Subject": sdk.Text(subject), "Description": sdk.Text(body + tail),
		"TaskSubtype": sdk.Text(o.settings.subtype(a.Channel)), "Status": sdk.Text(o.settings.ActivityStatus), "Priority": sdk.Text("Normal"),
	}
	if len(a.ContactCRMIDs) > 0 {
		fields["WhoId"] = sdk.Text(a.ContactCRMIDs[0])
	}
	if n := len(a.ContactCRMIDs); n > 1 {
		notes = append(notes, fmt.Sprintf("WhoId: linked to the first of %d people", n))
	}
	start, started := utc(a.StartedAt)
	if started {
		fields["ActivityDate"] = sdk.Text(start.Format(time.DateOnly))
	}
	if a.Channel == "voice" {
		fields["CallType"] = sdk.Text("Outbound")
		if a.Direction == "inbound" {
			fields["CallType"] = sdk.Text("Inbound")
		}
		fields["CallDisposition"] = sdk.Text(a.CallStatus)
		fields[callObject] = sdk.Text(a.ExternalKey)
		if end, ended := utc(a.EndedAt); started && ended && !end.Before(start) {
			fields["CallDurationInSeconds"] = sdk.Number(float64(min(end.Sub(start)/time.Second, 99_999_999)))
		}
	}
	return sdk.WriteItem{ItemID: a.ItemID, Mode: sdk.ModeUpsert, ExternalKey: a.ExternalKey, CRMID: a.CRMID, Fields: fields}, notes
}

func subjectOf(a sdk.Activity) string {
	label := map[string]string{"email": "Email", "sms": "SMS", "chat": "Chat", "voice": "Call"}[a.Channel]
	if label == "" {
		label = a.Channel
	}
	subject := strings.Join(strings.Fields(a.Subject), " ")
	if subject == "" {
		subject = "Conversation"
	}
	return "[" + label + "] " + subject
}

// tailOf is what follows the summary: who spoke and the way back.
func tailOf(a sdk.Activity) string {
	var lines []string
	for _, line := range []struct{ label, text string }{
		{"From", a.From}, {"To", a.To}, {"Conversation", a.Link},
	} {
		if line.text != "" {
			lines = append(lines, line.label+": "+crop(line.text))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "\n\n" + strings.Join(lines, "\n")
}

// crop bounds a line of the tail, so that it always leaves room for the summary.
func crop(s string) string {
	short, _ := shorten(s, 2_000, "…")
	return short
}

// shorten cuts a text to limit UTF-16 units with a mark at its end.
func shorten(s string, limit int, mark string) (string, bool) {
	if units(s) <= limit {
		return s, false
	}
	room := limit - units(mark)
	for i, r := range s {
		if room -= utf16.RuneLen(r); room < 0 {
			return s[:i] + mark, true
		}
	}
	return s, false
}

// units counts UTF-16 units; a broken character counts as one.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

func utc(stamp string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339, stamp)
	return at.UTC(), err == nil
}
