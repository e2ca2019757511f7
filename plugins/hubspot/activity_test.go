package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
)

func TestEachChannelHasItsActivity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	contact := r.seed(1)[0]
	voice := talk(4, "voice", contact)
	voice.Direction, voice.CallStatus = "outbound", "missed"
	out, err := r.log(talk(1, "email", contact), talk(2, "sms", contact), talk(3, "chat", contact), voice)
	if err != nil {
		t.Fatal(err)
	}
	html := "<p><strong>Invoice 17</strong></p><p>Wants a call back &lt;soon&gt;.<br>Open: the invoice.</p>" +
		`<p><a href="https://clientele.example/conversations/17">Open the conversation</a></p>`
	for _, tc := range []struct {
		item, object string
		want         map[string]string
	}{
		{"talk-1", emails, map[string]string{
			"hs_timestamp": "2026-11-22T09:31:00.000Z", "hs_email_direction": "INCOMING_EMAIL", "hs_email_subject": "Invoice 17",
			"hs_email_text":       "Wants a call back <soon>.\nOpen: the invoice.\n\nhttps://clientele.example/conversations/17",
			"hs_email_headers":    `{"from":{"email":"a@example.test"},"to":[{"email":"b@example.test"}]}`,
			"hs_email_from_email": "a@example.test", "hs_email_to_email": "b@example.test",
		}},
		{"talk-2", communications, map[string]string{
			"hs_timestamp": "2026-11-22T09:32:00.000Z", "hs_communication_channel_type": "SMS",
			"hs_communication_logged_from": "CRM", "hs_communication_body": html,
		}},
		{"talk-3", notes, map[string]string{"hs_timestamp": "2026-11-22T09:33:00.000Z", "hs_note_body": html}},
		{"talk-4", calls, map[string]string{
			"hs_timestamp": "2026-11-22T09:34:00.000Z", "hs_call_title": "Invoice 17", "hs_call_direction": "OUTBOUND",
			"hs_call_status": "NO_ANSWER", "hs_call_duration": "90000", "hs_call_from_number": "a@example.test",
			"hs_call_to_number": "b@example.test",
			"hs_call_body":      strings.TrimPrefix(html, "<p><strong>Invoice 17</strong></p>"),
		}},
	} {
		o := out[tc.item]
		if o.Done != sdk.Created || o.Object != tc.object {
			t.Errorf("%s: %+v", tc.item, o)
			continue
		}
		held := r.records(tc.object)
		if len(held) != 1 || held[0].ID != o.CRMID {
			t.Errorf("%s: HubSpot holds %+v", tc.object, held)
			continue
		}
		got := map[string]string{}
		for name, v := range held[0].Properties {
			if _, ours := tc.want[name]; ours || name == keyField {
				got[name] = v
			}
		}
		tc.want[keyField] = got[keyField]
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.object, diff)
		}
		if to := held[0].Associations[contacts]; len(to) != 1 || to[0] != contact {
			t.Errorf("%s is associated with %v, want %s", tc.object, to, contact)
		}
	}
}

func TestAReplayUpdatesInsteadOfDoubling(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{"unique": `"activity_key":"unique"`, "search": `"activity_key":"search"`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := bareRig(t, settings)
			if name == "search" {
				r.admin("PATCH", "settings", `{"unique_activities":false}`)
			}
			if _, err := r.Install(t.Context(), sdk.InstallRequest{Connection: r.conn}); err != nil {
				t.Fatal(err)
			}
			contact := r.seed(1)[0]
			first, err := r.log(talk(1, "chat", contact), talk(2, "email", contact))
			if err != nil {
				t.Fatal(err)
			}
			edited := talk(1, "chat", contact)
			edited.Body = "A person edited this."
			second, err := r.log(edited, talk(2, "email", contact), talk(3, "email", contact))
			if err != nil {
				t.Fatal(err)
			}
			a, b := first["talk-1"], second["talk-1"]
			if a.Done != sdk.Created || b.Done != sdk.Updated || a.CRMID != b.CRMID || second["talk-3"].Done != sdk.Created {
				t.Errorf("first %+v, second %+v", first, second)
			}
			note := r.records(notes)
			if len(note) != 1 || !strings.Contains(note[0].Properties["hs_note_body"], "edited") {
				t.Errorf("notes: %+v", note)
			}
			if n := len(r.records(emails)); n != 2 {
				t.Errorf("%d emails, want 2", n)
			}
		})
	}
}

// A conversation that was moved to another client leaves the first one.
func TestAKnownActivityFollowsItsClient(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.seed(3)
	first, err := r.log(talk(1, "voice", ids[0]))
	if err != nil {
		t.Fatal(err)
	}
	moved := talk(1, "voice", ids[1])
	moved.CRMID, moved.CRMObject = first["talk-1"].CRMID, first["talk-1"].Object
	moved.ContactCRMIDs = []string{ids[1], ids[2]}
	out, err := r.log(moved)
	if err != nil || out["talk-1"].Done != sdk.Updated {
		t.Fatal(out, err)
	}
	if diff := cmp.Diff([]string{ids[1], ids[2]}, r.records(calls)[0].Associations[contacts]); diff != "" {
		t.Errorf("associations (-want +got):\n%s", diff)
	}
	before := r.counts().Counts
	if out, err = r.log(moved); err != nil || out["talk-1"].Done != sdk.Updated {
		t.Fatal(out, err)
	}
	if spent := r.counts().Counts["bucket associations"] - before["bucket associations"]; spent != 1 {
		t.Errorf("%d association calls where nothing had to change, want the one that looks", spent)
	}
}

func TestActivitiesThatCannotBeLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	contact := r.seed(1)[0]
	nobody, fax, when, gone := talk(1, "chat", ""), talk(2, "fax", contact), talk(3, "chat", contact), talk(4, "chat", "99999999")
	nobody.ContactCRMIDs = nil
	when.StartedAt, when.EndedAt = "yesterday", ""
	deleted := talk(5, "chat", contact)
	deleted.CRMID, deleted.CRMObject = "70559999", notes
	out, err := r.log(nobody, fax, when, gone, deleted, talk(6, "chat", contact))
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, out["talk-1"].Err, sdk.ClassValidation, "contact_crm_ids")
	wantError(t, out["talk-2"].Err, sdk.ClassValidation, "channel")
	wantError(t, out["talk-3"].Err, sdk.ClassValidation, "started_at")
	wantError(t, out["talk-4"].Err, sdk.ClassNotFound, "association")
	wantError(t, out["talk-5"].Err, sdk.ClassNotFound, "")
	if out["talk-6"].Done != sdk.Created {
		t.Errorf("the good one: %+v", out["talk-6"])
	}
}

func TestALongBodySaysThatItWasShortened(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	contact := r.seed(1)[0]
	long := talk(1, "chat", contact)
	long.Body, long.Link = strings.Repeat("<ä>", 30_000), "javascript:alert(1)"
	out, err := r.log(long)
	if err != nil || out["talk-1"].Done != sdk.Created {
		t.Fatal(out, err)
	}
	body := r.records(notes)[0].Properties["hs_note_body"]
	if len(body) > 65_536 || !strings.Contains(body, "(shortened)") || strings.Contains(body, "javascript") {
		t.Errorf("%d bytes, ends %q", len(body), body[max(0, len(body)-80):])
	}
}

func TestUnknownOutcomesWaitForTheIndexWhereTheKeyIsSearched(t *testing.T) {
	t.Parallel()
	r := newRig(t, `"activity_key":"search"`)
	contact := r.seed(1)[0]
	r.fault(`{"path":"/crm/objects/2026-09/notes/batch/create","cut":"after"}`)
	_, err := r.log(talk(1, "chat", contact))
	e, _ := err.(*sdk.Error)
	if e == nil || e.Class != sdk.ClassUnknownOutcome || e.After < indexLag {
		t.Errorf("got %+v, want unknown_outcome after the index lag", e)
	}
}
