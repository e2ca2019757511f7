package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
)

// activityKind is a table that conversations can be logged in (§5.1, §5.2).
type activityKind struct {
	table, label, set string
	// id is the primary id column: activityid for every real activity.
	id string
	// text is the column of the body, textMax its length in UTF-16 units.
	text             string
	subject, textMax int
	// html: the body is HTML and must be escaped.
	html bool
	// note: no activity but an annotation, without state, times and parties.
	note bool
	// parties is the collection of participants, or empty.
	parties string
	// category: the table has a column for the channel.
	category bool
	// open and the two closed states as statecode and statuscode.
	open, closedIn, closedOut state
	// regarding is the navigation property for a contact, where it is known.
	regarding string
}

type state struct{ Code, Status int }

// standardKinds are the out-of-the-box tables. An email's status 3 and 4 (sent,
// received) do not make the server send; 6 and 7 would, and are never set.
func standardKinds() []activityKind {
	return []activityKind{
		{
			table: "email", label: "Email", set: "emails", id: "activityid", text: "description", subject: 200, textMax: 100_000, html: true,
			parties: "email_activity_parties", open: state{0, 1}, closedIn: state{1, 4}, closedOut: state{1, 3},
		},
		{
			table: "phonecall", label: "Phone Call", set: "phonecalls", id: "activityid", text: "description", subject: 200, textMax: 2000,
			parties: "phonecall_activity_parties", category: true, open: state{0, 1}, closedIn: state{1, 4}, closedOut: state{1, 2},
		},
		{
			table: "task", label: "Task", set: "tasks", id: "activityid", text: "description", subject: 200, textMax: 2000,
			category: true, open: state{0, 2}, closedIn: state{1, 5}, closedOut: state{1, 5},
		},
		{
			table: "appointment", label: "Appointment", set: "appointments", id: "activityid", text: "description", subject: 200, textMax: 100_000,
			parties: "appointment_activity_parties", open: state{0, 1}, closedIn: state{1, 3}, closedOut: state{1, 3},
		},
		{
			table: "annotation", label: "Note", set: "annotations", id: "annotationid", text: "notetext", subject: 500, textMax: 100_000, note: true,
		},
	}
}

// regardingProperty is the navigation property that binds the activity to a
// record of owner: the typed form of the official samples (§5.3).
func (k activityKind) regardingProperty(owner string) string {
	switch {
	case k.regarding != "":
		return k.regarding
	case k.note:
		return "objectid_" + owner
	default:
		return "regardingobjectid_" + owner + "_" + k.table
	}
}

// kindOf finds an activity table by its logical name; a custom one is looked up
// in the metadata once (§5.5). The zero kind means that name is none: contact,
// account.
func (s *session) kindOf(ctx context.Context, a *adapter, name, owner string) (activityKind, *sdk.Error) {
	if _, bad := tableOf(name); bad == nil {
		return activityKind{}, nil
	}
	for _, k := range standardKinds() {
		if k.table == name {
			return k, nil
		}
	}
	if !validName(name) {
		return activityKind{}, refuse(sdk.ClassSchema, "", "object %q: want the logical name of a table", name)
	}
	cached := s.settings.BaseURL + " " + name + " " + owner
	a.mu.Lock()
	k, known := a.kinds[cached]
	a.mu.Unlock()
	if known {
		return k, nil
	}
	k, failed := s.readKind(ctx, name, owner)
	if failed != nil {
		return activityKind{}, failed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kinds[cached] = k
	return k, nil
}

// readKind asks the metadata about a custom activity table, in one request.
func (s *session) readKind(ctx context.Context, name, owner string) (activityKind, *sdk.Error) {
	definition := "EntityDefinitions(LogicalName='" + name + "')"
	answers, failed := s.batch(ctx, singles([]operation{
		{method: http.MethodGet, path: query(definition, selecting([]string{"EntitySetName", "IsActivity"}))},
		{method: http.MethodGet, path: query(definition+"/ManyToOneRelationships",
			selecting([]string{"ReferencingAttribute", "ReferencedEntity", "ReferencingEntityNavigationPropertyName"}))},
	}), false)
	if failed != nil {
		return activityKind{}, failed
	}
	var meta struct {
		EntitySetName string
		IsActivity    bool
	}
	var relations struct {
		Value []struct {
			ReferencingAttribute, ReferencedEntity, ReferencingEntityNavigationPropertyName string
		} `json:"value"`
	}
	for i, out := range []any{&meta, &relations} {
		if len(answers[i]) == 0 {
			return activityKind{}, missing(false)
		}
		if answers[i][0].Status != http.StatusOK {
			return activityKind{}, classify(answers[i][0], false)
		}
		if err := json.Unmarshal(answers[i][0].Body, out); err != nil {
			return activityKind{}, &sdk.Error{Class: sdk.ClassTransient, Retry: sdk.RetryLater, Message: "the table's definition cannot be read: " + err.Error()}
		}
	}
	if !meta.IsActivity {
		return activityKind{}, refuse(sdk.ClassSchema, "", "table %q is no activity table; choose another one in the connection's settings", name)
	}
	k := activityKind{
		table: name, label: name, set: meta.EntitySetName, id: "activityid", text: "description", subject: 200, textMax: 2000,
		parties: name + "_activity_parties", open: state{0, 1}, closedIn: state{1, 2}, closedOut: state{1, 2},
	}
	for _, r := range relations.Value {
		if r.ReferencingAttribute == "regardingobjectid" && r.ReferencedEntity == owner {
			k.regarding = r.ReferencingEntityNavigationPropertyName
			return k, nil
		}
	}
	return activityKind{}, refuse(sdk.ClassSchema, "regardingobjectid", "table %q cannot be regarding a %s: enable activities for %s in the CRM", name, owner, owner)
}
