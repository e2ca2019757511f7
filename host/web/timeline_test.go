package web

import (
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/event"
)

func TestTimelineFoldsAForm(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	change := func(who, field string, after any, at time.Time) event.Event {
		return event.Event{Kind: event.FieldChanged, ActorName: who, Payload: event.Change(field, "", after, "human"), At: at}
	}
	v := &visit{zone: time.UTC, now: noon}
	days := v.timeline([]event.Event{ // newest first
		change("Ann", "city", "Oslo", noon),
		change("Ann", "street", "Gate 1", noon.Add(-time.Minute)),
		change("Bob", "zip", "0150", noon.Add(-2*time.Minute)),
		change("Bob", "company", "Acme", noon.Add(-20*time.Minute)),
		{Kind: event.Created, Payload: map[string]any{"source": "manual"}, At: noon.Add(-21 * time.Minute)},
		change("Bob", "company", "Acme", noon.Add(-13*time.Hour)),
	})
	if len(days) != 2 || days[0].Day != "2 Mar 2026" || len(days[0].Events) != 4 || len(days[1].Events) != 1 {
		t.Fatalf("days %+v", days)
	}
	form := days[0].Events[0]
	if form.Text != "2 values changed" || form.Changes[0].Label != "Street" || form.Changes[1].Text != "Oslo" {
		t.Errorf("folded into %+v", form)
	}
	if got := days[0].Events[3].Text; got != "Created from a person" {
		t.Errorf("creation reads %q", got)
	}
}
