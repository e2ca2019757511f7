package crmsync_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/sdk"
)

// Every error class, for one record and for a whole call: what state results, what
// people read, whose turn it is, and that it ends in the CRM once the cause has
// gone.
func TestEveryErrorClass(t *testing.T) {
	t.Parallel()
	type want struct {
		state      string // of the client
		connection connection.State
		lane       string // that rests
		field      string // that is parked
		who        string
		next, text string // parts of the sentences
	}
	type wants struct{ record, call want }
	either := func(w want) wants { return wants{w, w} } // whether one record fails or the whole call
	for _, class := range sdk.Classes() {
		wants := map[sdk.Class]wants{
			sdk.ClassThrottled:    either(want{"due", connection.Parked, "", "", "nobody", "when the CRM's pause is over", "asks to slow down"}),
			sdk.ClassQuota:        either(want{"due", connection.Active, "new", "", "nobody", "when the CRM's allowance starts again", "allowance is used up"}),
			sdk.ClassAuth:         either(want{"due", connection.Parked, "", "", "admin", "Connect the account again", "refuses the credentials"}),
			sdk.ClassPermission:   either(want{"synced", connection.Active, "", "town", "crm_admin", "Give the connection's user the right", "left out until the CRM takes it again: town"}),
			sdk.ClassSchema:       either(want{"synced", connection.Active, "", "town", "crm_admin", "Bring the field back", "left out until the CRM takes it again: town"}),
			sdk.ClassValidation:   either(want{"parked", connection.Active, "", "", "data_owner", "Correct the value here", "refuses a value"}),
			sdk.ClassBatchRefused: either(want{"parked", connection.Active, "", "", "data_owner", "This record alone made the CRM refuse its batch", "refuses a value"}),
			sdk.ClassDuplicate:    either(want{"due", connection.Active, "", "", "data_owner", "Choose the right record", "its search doesn't find yet"}),
			sdk.ClassConflict:     either(want{"due", connection.Active, "", "", "nobody", "read and written again", "conflict"}),
			sdk.ClassNotFound:     either(want{"due", connection.Active, "", "", "data_owner", "written again when it changes", "not_found"}),
			sdk.ClassRemapped:     either(want{"due", connection.Active, "", "", "nobody", "goes to the record that took its place", "remapped"}),
			sdk.ClassLock:         either(want{"due", connection.Active, "", "", "nobody", "tried again by itself", "lock"}),
			sdk.ClassTransient:    {want{"due", connection.Active, "", "", "nobody", "tried again by itself", "transient"}, want{"due", connection.Parked, "", "", "nobody", "tried again by itself", "can't be reached"}},
			sdk.ClassUnknownOutcome: {
				want{"due", connection.Active, "", "", "nobody", "looked up by its key", "unknown_outcome"},
				want{"due", connection.Parked, "", "", "nobody", "looked up by its key", "can't be reached"}},
			sdk.ClassUnknown: either(want{"due", connection.Active, "", "", "admin", "not a known one", "unknown"}),
		}[class]
		for scope, expect := range map[string]want{"one record": wants.record, "whole call": wants.call} {
			t.Run(string(class)+"/"+scope, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				failing := true
				fail := &sdk.Error{Class: class, Retry: sdk.RetryLater, After: time.Hour, Code: "E42", Message: "the CRM's own words"}
				switch class {
				case sdk.ClassPermission, sdk.ClassSchema:
					fail.Field = "TOWN"
				case sdk.ClassValidation, sdk.ClassAuth, sdk.ClassBatchRefused:
					fail.Retry = sdk.RetryNever
				}
				w.crm.one = func(i sdk.WriteItem) (sdk.Outcome, bool) {
					_, town := i.Fields["town"]
					return sdk.Fail(i.ItemID, fail), failing && scope == "one record" && (fail.Field == "" || town)
				}
				fieldSent := func() bool { return w.crm.count("write") == 1 }
				w.crm.before = func(call string, _ []string) error {
					if call == "write" && scope == "whole call" && failing && (fail.Field == "" || fieldSent()) {
						return fail
					}
					return nil
				}
				id := w.client("ann@example.org")
				w.edit(id, "city", "Oslo")
				w.start()
				w.until("the client's failure to be settled", func() bool {
					s := w.state(id)
					return s.State == expect.state && (s.Class == class || s.State == "synced")
				})
				check(t, w, id, class, expect.state, expect.connection, expect.lane, expect.field, expect.who, expect.next, expect.text)

				// The cause goes; nobody does anything.
				w.crm.set(func() { failing = false })
				w.until("the client to land", func() bool {
					w.soon()
					s := w.state(id)
					return s.State == "synced" && len(s.Held) == 0
				})
				if got := w.crm.held()[id.String()]; got.fields["town"].Text() != "Oslo" {
					t.Errorf("the CRM holds %v", got)
				}
				problems, err := w.status.Problems(t.Context(), w.actor, w.connection.ID)
				if err != nil || len(problems) != 0 {
					t.Errorf("problems are left: %+v, %v", problems, err)
				}
			})
		}
	}
}

func check(t *testing.T, w *world, id client.ID, class sdk.Class, state string, conn connection.State, lane, field, who, next, text string) {
	t.Helper()
	s, c := w.state(id), w.reload()
	if s.State != state || c.State != conn {
		t.Errorf("the client is %s, the connection %s (%s); want %s and %s", s.State, c.State, c.Reason, state, conn)
	}
	if !strings.Contains(s.Why, text) && !strings.Contains(s.Reason, text) {
		t.Errorf("why %q, reason %q: want %q in it", s.Why, s.Reason, text)
	}
	problems, err := w.status.Problems(t.Context(), w.actor, w.connection.ID)
	if err != nil {
		t.Fatal(err)
	}
	var rests, parked string
	for _, p := range problems {
		switch p.Stops {
		case "lane":
			rests = p.Name
		case "field":
			parked = strings.TrimPrefix(p.Name, "contacts.")
		}
		if p.Next == "" || p.Who == "" {
			t.Errorf("a problem without advice: %+v", p)
		}
	}
	if rests != lane || parked != field {
		t.Errorf("lane %q rests, field %q is parked; want %q and %q", rests, parked, lane, field)
	}
	if advice := crmsync.Advise(class); advice.Who != who || !strings.Contains(advice.Next, next) {
		t.Errorf("advice %+v, want %s and %q", advice, who, next)
	}
	if s.State == "due" && (s.DueAt == nil || s.Reason == "" || s.Advice == nil) {
		t.Errorf("it waits without time, reason or advice: %+v", s)
	}
	if errors.Is(err, nil) && s.State != "synced" && len(s.Outcomes) == 0 {
		t.Error("no attempt is in the log")
	}
}
