package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/sdk"
	base "github.com/clientele-crm/clientele/sdk/simulator"
)

func TestAnEditedSummaryChangesItsOneActivity(t *testing.T) {
	t.Parallel()
	for _, twoSteps := range []bool{false, true} {
		for _, channel := range []string{"email", "sms", "chat", "voice"} {
			t.Run(fmt.Sprint(channel, twoSteps), func(t *testing.T) {
				t.Parallel()
				c := installed(t, map[string]any{"complete_in_two_steps": twoSteps})
				c.set(map[string]any{"refuse_close_in_set": twoSteps})
				contactID := c.write(contact(1)).Outcomes[0].CRMID
				item := activityOf(1, channel, contactID)
				made := c.log(item).Outcomes[0]
				if made.Done != sdk.Created {
					t.Fatal(made.Err)
				}
				// Known by its id, and after a reply that was lost.
				item.Body = "Edited by hand."
				item.CRMID, item.CRMObject = made.CRMID, made.Object
				if o := c.log(item).Outcomes[0]; o.Done != sdk.Updated || o.CRMID != made.CRMID {
					t.Fatalf("edit: %+v %v", o, o.Err)
				}
				item.CRMID, item.CRMObject, item.Body = "", "", "Edited twice."
				if o := c.log(item).Outcomes[0]; o.Done != sdk.Updated || o.CRMID != made.CRMID {
					t.Fatalf("edit without id: %+v %v", o, o.Err)
				}
				rows := c.records("activitypointer")
				if len(rows) != 1 {
					t.Fatalf("%d activities, want 1", len(rows))
				}
				text, _ := rows[0]["description"].(string)
				if !strings.HasPrefix(text, "Edited twice.") || rows[0]["statecode"] != float64(1) || rows[0]["_regardingobjectid_value"] != contactID {
					t.Errorf("%+v", rows[0])
				}
			})
		}
	}
}

func TestTheActivityOfEachChannel(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	id := c.write(contact(1)).Outcomes[0].CRMID
	call := activityOf(1, "voice", id)
	call.CallStatus = "missed"
	out := activityOf(2, "voice", id)
	out.Direction = "outbound"
	c.log(call, out)
	c.log(activityOf(3, "email", id))
	c.log(activityOf(4, "sms", id))
	calls := c.records("phonecall")
	if calls[0]["subject"] != "Missed call: Delivery date" || calls[0]["directioncode"] != false || calls[0]["statuscode"] != float64(4) ||
		calls[0]["phonenumber"] != "+4512345678" || calls[0]["actualdurationminutes"] != float64(7) || calls[0]["actualend"] != "2026-03-01T10:09:00Z" {
		t.Errorf("incoming call: %+v", calls[0])
	}
	if calls[1]["directioncode"] != true || calls[1]["statuscode"] != float64(2) || calls[1]["phonenumber"] != "+4587654321" {
		t.Errorf("outgoing call: %+v", calls[1])
	}
	if text := c.records("email")[0]["description"].(string); !strings.Contains(text, "&lt;b&gt;") || !strings.Contains(text, "<br>") {
		t.Errorf("an email's body must be escaped HTML: %q", text)
	}
	if task := c.records("task")[0]; task["subject"] != "SMS: Delivery date" || task["category"] != "SMS" {
		t.Errorf("task: %+v", task)
	}
	roles := map[float64]int{}
	for _, p := range c.records("activityparty") {
		roles[p["participationtypemask"].(float64)]++
	}
	// Two senders (call in, mail in), two recipients (call out, our address),
	// regarding and owner of each activity from the server.
	if roles[1] != 2 || roles[2] != 2 || roles[8] != 4 || roles[9] != 4 {
		t.Errorf("parties by role: %v", roles)
	}
}

func TestOtherTablesForAChannel(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"annotation", "appointment", "new_conversation"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			c := installed(t, map[string]any{"activity_chat": table})
			id := c.write(contact(1)).Outcomes[0].CRMID
			item := activityOf(1, "chat", id)
			made := c.log(item).Outcomes[0]
			if made.Done != sdk.Created || made.Object != table {
				t.Fatalf("%+v %v", made, made.Err)
			}
			item.Subject = "Another subject"
			if o := c.log(item).Outcomes[0]; o.Done != sdk.Updated || o.CRMID != made.CRMID {
				t.Errorf("edit: %+v %v", o, o.Err)
			}
			if rows := c.records(table); len(rows) != 1 || rows[0]["subject"] != "Chat: Another subject" {
				t.Errorf("%+v", rows)
			}
			hits := c.find(table, []string{"subject"}, sdk.FindKey{ItemID: "f", By: sdk.FindByExternalKey, Value: item.ExternalKey})
			if len(hits) != 1 || hits[0].Record.ID != made.CRMID || hits[0].Record.ExternalKey != item.ExternalKey {
				t.Errorf("find: %+v", hits)
			}
		})
	}
}

func TestATableThatIsNoneStopsOnlyItsItems(t *testing.T) {
	t.Parallel()
	c := installed(t, map[string]any{"activity_chat": "nosuch", "activity_sms": "contact"})
	id := c.write(contact(1)).Outcomes[0].CRMID
	out := c.log(activityOf(1, "chat", id), activityOf(2, "voice", id), activityOf(3, "sms", id), activityOf(4, "pigeon", id)).Outcomes
	want := []sdk.Class{sdk.ClassSchema, "", sdk.ClassSchema, sdk.ClassValidation}
	for i, o := range out {
		class := sdk.Class("")
		if o.Err != nil {
			class = o.Err.Class
		}
		if class != want[i] {
			t.Errorf("item %d: %v, want %q", i, o.Err, want[i])
		}
	}
}

func TestLongTextIsCutOpenly(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	id := c.write(contact(1)).Outcomes[0].CRMID
	item := activityOf(1, "voice", id)
	item.Subject, item.Body = strings.Repeat("subject ", 40), strings.Repeat("word 😀 ", 500)
	o := c.log(item).Outcomes[0]
	if o.Done != sdk.Created || len(o.Notes) != 2 {
		t.Fatalf("%+v %v", o, o.Err)
	}
	row := c.records("phonecall")[0]
	if !strings.HasSuffix(row["description"].(string), item.Link) || !strings.Contains(row["description"].(string), "…") {
		t.Errorf("the cut text lost its mark or its link: %q", row["description"])
	}
}

func TestCutTextFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text, tail := rapid.String().Draw(t, "text"), rapid.StringN(0, 10, 20).Draw(t, "tail")
		limit := rapid.IntRange(50, 120).Draw(t, "limit")
		got, was := cutText(text, limit, tail)
		if n := len(utf16.Encode([]rune(got))); n > limit {
			t.Fatalf("%d units, limit %d", n, limit)
		}
		if !strings.HasSuffix(got, tail) {
			t.Fatalf("%q lost its tail %q", got, tail)
		}
		if !was && got != text+tail {
			t.Fatalf("%q changed to %q without saying so", text+tail, got)
		}
	})
}

func TestTheContactOfAnActivityIsGone(t *testing.T) {
	t.Parallel()
	c := installed(t, nil)
	id := c.write(contact(1)).Outcomes[0].CRMID
	made := c.log(activityOf(1, "voice", id)).Outcomes[0]
	gone := c.log(activityOf(2, "voice", "0a0b0c0d-1111-4222-8333-0123456789ab")).Outcomes[0]
	if gone.Err == nil || gone.Err.Class != sdk.ClassNotFound || gone.Err.Field != fieldAssociation {
		t.Errorf("contact gone: %+v", gone.Err)
	}
	c.post("/edit/org-a/phonecall", map[string]any{"id": made.CRMID, "delete": true})
	item := activityOf(1, "voice", id)
	item.CRMID, item.CRMObject = made.CRMID, made.Object
	lost := c.log(item).Outcomes[0]
	if lost.Err == nil || lost.Err.Class != sdk.ClassNotFound || lost.Err.Field != "" {
		t.Errorf("activity gone: %+v", lost.Err)
	}
	item.CRMID = ""
	if again := c.log(item).Outcomes[0]; again.Done != sdk.Created {
		t.Errorf("made anew: %+v", again.Err)
	}
}

// In two steps the second may be lost: the repetition completes what is open.
func TestAnActivityLeftOpenIsCompleted(t *testing.T) {
	t.Parallel()
	c := installed(t, map[string]any{"complete_in_two_steps": true})
	id := c.write(contact(1)).Outcomes[0].CRMID
	c.fault(base.Fault{Method: "POST", Path: "/org-a/api/data/v9.2/$batch", Skip: 1, Cut: "before"})
	o := c.log(activityOf(1, "voice", id)).Outcomes[0]
	if o.Err == nil || o.Err.Class != sdk.ClassUnknownOutcome {
		t.Fatalf("%+v", o)
	}
	c.clearFaults()
	if o := c.log(activityOf(1, "voice", id)).Outcomes[0]; o.Done != sdk.Updated {
		t.Errorf("%+v %v", o, o.Err)
	}
	if rows := c.records("phonecall"); len(rows) != 1 || rows[0]["statecode"] != float64(1) {
		t.Errorf("%+v", rows)
	}
}

func TestActivityIDs(t *testing.T) {
	t.Parallel()
	a, b := activityID("c1", "x"), activityID("c2", "x")
	if a != activityID("c1", "x") || a == b || a == activityID("c1", "y") {
		t.Error("an id must depend on connection and conversation and on nothing else")
	}
	if id, err := uuid.Parse(a); err != nil || id.Version() != 5 {
		t.Errorf("%s is no UUIDv5: %v", a, err)
	}
}
