package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

// timelineDay is the events of one day, in the viewer's zone.
type timelineDay struct {
	Day    string
	Events []eventView
}

type eventView struct {
	Text, Detail, Sentence, Actor string
	Changes                       []changeView
	Icon                          string
	At                            stamp
	Conversation                  string // address, or ""

	kind event.Kind
	at   time.Time
}

// changeView is one field's change.
type changeView struct{ Label, Text, Sentence string }

// foldWithin is how far apart changes of fields by one actor are shown as one:
// somebody who fills in a form does one thing.
const foldWithin = 10 * time.Minute

// timeline groups events, newest first, by day, and folds changes of fields that
// belong together. Nothing is folded where it is stored.
func (v *visit) timeline(events []event.Event) []timelineDay {
	var days []timelineDay
	for _, e := range events {
		view := v.eventView(e)
		if len(days) == 0 || days[len(days)-1].Day != view.At.Day {
			days = append(days, timelineDay{Day: view.At.Day})
		}
		last := &days[len(days)-1]
		if n := len(last.Events); n > 0 && last.Events[n-1].takes(view) {
			// Older changes come later in the list and first in the fold.
			last.Events[n-1].Changes = append(view.Changes, last.Events[n-1].Changes...)
			continue
		}
		last.Events = append(last.Events, view)
	}
	for _, day := range days {
		for i := range day.Events {
			if e := &day.Events[i]; e.kind == event.FieldChanged {
				e.Text = count("event.changes", len(e.Changes))
			}
		}
	}
	return days
}

// takes tells whether an older event folds into this one.
func (e *eventView) takes(older eventView) bool {
	return e.kind == event.FieldChanged && older.kind == event.FieldChanged && e.Actor == older.Actor && e.at.Sub(older.at) <= foldWithin
}

func (v *visit) eventView(e event.Event) eventView {
	view := eventView{At: v.stamp(&e.At), Actor: e.ActorName, Icon: eventIcon(e), kind: e.Kind, at: e.At}
	if e.Kind == event.FieldChanged {
		view.Changes = []changeView{describeChange(e)}
	} else {
		view.Text, view.Detail = describe(e)
		view.Sentence = member(e, "sentence")
	}
	if e.ConversationID.Valid {
		view.Conversation = "/conversations/" + e.ConversationID.UUID.String()
	}
	return view
}

// describe says what happened, in a line, and what it was about.
func describe(e event.Event) (what, about string) {
	switch e.Kind {
	case event.Created:
		return text("event.created", text("source."+member(e, "source"))), ""
	case event.IdentifierAdded, event.IdentifierRemoved, event.IdentifierPrimary:
		return text("event." + string(e.Kind)), member(e, "value")
	case event.Message:
		return text("event.message." + member(e, "direction")), firstOf(member(e, "subject"), e.Excerpt)
	case event.NoteAdded, event.NoteEdited, event.NoteDeleted:
		return text("event." + string(e.Kind)), firstOf(member(e, "after"), member(e, "text"))
	case event.Synced, event.SyncFailed:
		return text("event."+string(e.Kind), member(e, "connection")), firstOf(member(e, "detail"), text("done."+member(e, "done")))
	case event.Suggested:
		return text("event.suggestion made"), strings.TrimSpace(fieldLabel(member(e, "field")) + " " + member(e, "value"))
	default:
		return text("event." + string(e.Kind)), firstOf(member(e, "reason"), member(e, "detail"), member(e, "cause"))
	}
}

func describeChange(e event.Event) changeView {
	c := changeView{Label: fieldLabel(member(e, "field")), Sentence: member(e, "sentence")}
	before, after := member(e, "before"), member(e, "after")
	switch {
	case after == "":
		c.Text = text("event.field.cleared", before)
	case before == "" || before == "{}": // of metadata, that is nothing
		c.Text = after
	default:
		c.Text = text("event.field.was", after, before)
	}
	return c
}

func fieldLabel(name string) string {
	if f, ok := client.FieldNamed(name); ok {
		return f.Label
	}
	return strings.ReplaceAll(name, "_", " ")
}

// member reads a text of the payload.
func member(e event.Event, name string) string {
	switch value := e.Payload[name].(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func eventIcon(e event.Event) string {
	switch e.Kind {
	case event.Message, event.Call, event.ConversationEnded, event.ConversationLinked, event.ConversationMoved, event.ConversationUnlinked:
		return firstOf(map[string]string{"email": "mail", "sms": "sms", "chat": "chat", "voice": "phone"}[member(e, "channel")], "chat")
	case event.Synced, event.SyncFailed:
		return "sync"
	case event.Created:
		return "user"
	default:
		return "edit"
	}
}
