package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/sdk"
)

// conversations are activities of the four channels in turn, one for each
// contact.
func conversations(contacts []string) []sdk.Activity {
	out := make([]sdk.Activity, len(contacts))
	for i, contact := range contacts {
		out[i] = sdk.Activity{
			ItemID: fmt.Sprint("talk-", i), ExternalKey: key(500_000 + i), Channel: channels()[i%4], Subject: "Delivery date", Body: "Asked about delivery.",
			Link: "https://clientele.example/conversations/1", Direction: "inbound", StartedAt: "2026-01-01T10:00:00Z", EndedAt: "2026-01-01T10:03:20Z",
			ContactCRMIDs: []string{contact}, ContactObject: "Contact", From: "anna@example.org", To: "office@example.org", CallStatus: "completed",
		}
	}
	return out
}

func (r *rig) log(items ...sdk.Activity) sdk.WriteReply {
	r.t.Helper()
	reply, err := r.a.LogActivities(r.t.Context(), sdk.LogActivitiesRequest{Connection: r.conn, Items: items})
	if err != nil {
		r.t.Fatalf("log activities: %v", err)
	}
	return reply
}

func TestConversationsBecomeTasksOnce(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{``, `{"activity_key_field":"CallObject"}`} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "ready", settings)
			contact := r.create("Contact", `{"LastName":"Fischer"}`)
			talks := conversations([]string{contact, contact, contact, contact})
			first := byItem(t, r.log(talks...).Outcomes)
			for _, talk := range talks {
				if o := first[talk.ItemID]; o.Done != sdk.Created || o.Object != "Task" {
					t.Errorf("%s: %+v", talk.Channel, o)
				}
			}
			// A replay, an edited summary by key, and one by known id.
			for i := range talks {
				talks[i].Body = "Asked twice about delivery."
			}
			talks[0].CRMID, talks[0].CRMObject = first["talk-0"].CRMID, "Task"
			for range 2 {
				for item, o := range byItem(t, r.log(talks...).Outcomes) {
					if o.Done != sdk.Updated || o.CRMID != first[item].CRMID {
						t.Errorf("again: %+v, want %s updated", o, first[item].CRMID)
					}
				}
			}
			tasks := r.records("Task")
			if len(tasks) != 4 {
				t.Fatalf("the org holds %d tasks, want 4", len(tasks))
			}
			var subtypes []string
			for _, task := range tasks {
				subtypes = append(subtypes, task["TaskSubtype"].(string))
				if !strings.HasPrefix(task["Description"].(string), "Asked twice about delivery.\n\nFrom: anna@example.org") || task["IsClosed"] != true || task["WhoId"] != contact {
					t.Errorf("task: %v", task)
				}
				if task["TaskSubtype"] == "Call" && (task["CallDurationInSeconds"] != 200.0 || task["CallType"] != "Inbound" || task["CallDisposition"] != "completed") {
					t.Errorf("call: %v", task)
				}
			}
			slices.Sort(subtypes)
			if got := strings.Join(subtypes, " "); got != "Call Email Task Task" {
				t.Errorf("subtypes %s", got)
			}
		})
	}
}

func TestPeoplesEditsOfATaskStay(t *testing.T) {
	t.Parallel()
	r := newRig(t, "ready", "")
	contact := r.create("Contact", `{"LastName":"Fischer"}`)
	talk := conversations([]string{contact})[0]
	id := r.log(talk).Outcomes[0].CRMID
	if status, body := r.rest("PATCH", "/services/data/v66.0/sobjects/Task/"+id, `{"Status":"In Progress"}`); status != 204 {
		t.Fatal(status, body)
	}
	talk.CRMID, talk.CRMObject = id, "Task"
	r.log(talk)
	if task := r.records("Task")[0]; task["Status"] != "In Progress" {
		t.Errorf("status %v, want the one a person set", task["Status"])
	}
}

func TestLongTextIsCutOpenly(t *testing.T) {
	t.Parallel()
	o := &org{settings: defaultSettings()}
	rapid.Check(t, func(t *rapid.T) {
		a := sdk.Activity{
			ItemID: "a", ExternalKey: key(1), Channel: "chat", StartedAt: "2026-01-01T00:00:00Z", Link: rapid.StringN(0, 3000, -1).Draw(t, "link"),
			Subject: strings.Repeat(rapid.SampledFrom([]string{"x", "ü", "😀"}).Draw(t, "letter"), rapid.IntRange(0, 400).Draw(t, "subject")),
			Body:    strings.Repeat(rapid.SampledFrom([]string{"x", "ü", "😀"}).Draw(t, "text"), rapid.IntRange(0, 33_000).Draw(t, "length")),
		}
		item, notes := o.task(a)
		subject, text := item.Fields["Subject"].Text(), item.Fields["Description"].Text()
		if units(subject) > subjectMax || units(text) > descriptionMax {
			t.Fatalf("subject of %d, description of %d units", units(subject), units(text))
		}
		whole := strings.HasPrefix(text, a.Body) && strings.Contains(subject, strings.TrimSpace(a.Subject))
		if whole != (len(notes) == 0) {
			t.Fatalf("whole: %v, notes: %v", whole, notes)
		}
	})
}
