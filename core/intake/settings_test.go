package intake_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Every setting of R192 is in force on the next message.
func TestSettingsHoldFromTheNextMessage(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change tenant.Change
		// outcome pushes a message and tells what came of it.
		outcome func(w *world) string
		before  string
		after   string
	}{
		{"creation by channel", tenant.Change{NoCreation: &[]string{"sms"}},
			func(w *world) string { return w.take(sms("+14165550100", "Hello")).Rule }, "nobody matches", "creation is off"},
		{"detectors", tenant.Change{Off: &[]extract.Field{extract.FieldName}},
			nameOf("I'm Ann Lee."), "Ann Lee", ""},
		{"threshold to write", tenant.Change{Accept: &map[extract.Field]float64{extract.FieldName: 1}},
			nameOf("I'm Ann Lee."), "Ann Lee", ""},
		{"threshold to suggest", tenant.Change{Suggest: ptr(0.79)}, func(w *world) string {
			r := w.take(sms("+14165550100", "my name is ann lee"))
			w.delete(r, "mistake")
			return suggested(w, "first_name Ann")
		}, "suggested", "not suggested"},
		{"region", tenant.Change{Region: ptr("gb")}, phonesOf("My number is 020 7946 0018."), "", "+442079460018"},
		{"own domains", tenant.Change{OwnDomains: &[]string{"x.com"}},
			func(w *world) string { return w.take(email("ann@x.com", "Hello")).Rule }, "nobody matches", "no identifier"},
		{"own addresses", tenant.Change{OwnAddresses: &[]string{"ann@x.com"}},
			func(w *world) string { return w.take(email("ann@x.com", "Hello")).Rule }, "nobody matches", "no identifier"},
		{"own numbers", tenant.Change{OwnNumbers: &[]string{"416-555-0199"}}, phonesOf("My number is 416-555-0199."), "+14165550199", ""},
		{"own people", tenant.Change{Agents: &[]string{"Ann Lee"}}, nameOf("I'm Ann Lee."), "Ann Lee", ""},
		{"words that are no names", tenant.Change{NotNames: &[]string{"Ann"}}, nameOf("I'm Ann."), "Ann", ""},
		{"words that are names", tenant.Change{Names: &[]string{"Zabriskie"}}, nameOf("Zabriskie here."), "", "Zabriskie"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if got := c.outcome(w); got != c.before {
				t.Errorf("before: got %q, want %q", got, c.before)
			}
			w.exec(`UPDATE client SET deleted_at = $1, deleted_reason = 'mistake' WHERE deleted_at IS NULL`, noon)
			w.exec(`UPDATE client_identifier SET active = false`)
			w.exec(`DELETE FROM suggestion`)
			if _, err := w.intake.Tenants.ChangeSettings(t.Context(), w.actor, c.change); err != nil {
				t.Fatal(err)
			}
			if got := c.outcome(w); got != c.after {
				t.Errorf("after: got %q, want %q", got, c.after)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func nameOf(text string) func(w *world) string {
	return func(w *world) string {
		w.take(chat("s", "Hello, my email is zed@x.com"))
		w.take(chat("s", text))
		c := w.only()
		return strings.TrimSpace(c.FirstName + " " + c.LastName)
	}
}

func phonesOf(text string) func(w *world) string {
	return func(w *world) string {
		w.take(email("ann@x.com", text))
		var phones []string
		for _, id := range w.only().Identifiers {
			if id.Kind == client.Phone {
				phones = append(phones, id.Normal)
			}
		}
		return strings.Join(phones, ",")
	}
}

func suggested(w *world, value string) string {
	if slices.Contains(w.suggestions(), "value "+value) {
		return "suggested"
	}
	return "not suggested"
}

// Idle time is read with each message too.
func TestIdleSettingHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.intake.Tenants.ChangeSettings(t.Context(), w.actor, tenant.Change{IdleMinutes: &map[string]int{"chat": 5}}); err != nil {
		t.Fatal(err)
	}
	w.take(chat("s1", "Hello"))
	own, err := w.intake.Tenants.ReadSettings(t.Context(), w.actor)
	if err != nil || own.Settings.Idle("chat").Minutes() != 5 {
		t.Errorf("idle %v, %v", own.Settings.Idle("chat"), err)
	}
	var minutes float64
	w.scan(&minutes, `SELECT extract(epoch FROM idle_at - last_message_at) / 60 FROM conversation`)
	if minutes != 5 {
		t.Errorf("the conversation ends after %v minutes of silence, want 5", minutes)
	}
}

// A change with anything wrong in it changes nothing, and names field, rule and
// way out of each mistake.
func TestWrongSettingsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before, err := w.intake.Tenants.ReadSettings(t.Context(), w.actor)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		field  string
		change tenant.Change
	}{
		{"region", tenant.Change{Region: ptr("XQ")}},
		{"timezone", tenant.Change{Timezone: ptr("+02:00")}},
		{"no_creation[0]", tenant.Change{NoCreation: &[]string{"fax"}}},
		{"idle_minutes.chat", tenant.Change{IdleMinutes: &map[string]int{"chat": 0}}},
		{"idle_minutes.fax", tenant.Change{IdleMinutes: &map[string]int{"fax": 5}}},
		{"off[0]", tenant.Change{Off: &[]extract.Field{"shoe"}}},
		{"accept.name", tenant.Change{Accept: &map[extract.Field]float64{"name": 1.5}}},
		{"suggest", tenant.Change{Suggest: ptr(-1.0)}},
		{"own_domains[0]", tenant.Change{OwnDomains: &[]string{"https://acme.com/"}}},
		{"own_addresses[0]", tenant.Change{OwnAddresses: &[]string{"acme"}}},
		{"own_numbers[0]", tenant.Change{OwnNumbers: &[]string{"12"}}},
		{"agents[0]", tenant.Change{Agents: &[]string{" "}}},
		{"not_names[1]", tenant.Change{NotNames: &[]string{"Boxer", ""}}},
		{"names", tenant.Change{Names: ptr(make([]string, 6000))}},
		{"endpoint.url", tenant.Change{Endpoint: &tenant.Endpoint{URL: "ftp://x", Model: "m"}}},
		{"endpoint.url", tenant.Change{Endpoint: &tenant.Endpoint{URL: "https://user:secret@x.example", Model: "m"}}},
		{"endpoint.model", tenant.Change{Endpoint: &tenant.Endpoint{URL: "https://x.example"}}},
		{"endpoint.timeout_seconds", tenant.Change{Endpoint: &tenant.Endpoint{URL: "https://x.example", Model: "m", TimeoutSeconds: 99}}},
		{"endpoint.calls_per_day", tenant.Change{Endpoint: &tenant.Endpoint{URL: "https://x.example", Model: "m", CallsPerDay: -1}}},
	}
	for _, c := range cases {
		c.change.Agents = cmp.Or(c.change.Agents, &[]string{"Somebody New"})
		_, err := w.intake.Tenants.ChangeSettings(t.Context(), w.actor, c.change)
		invalid, ok := errors.AsType[*tenant.InvalidError](err)
		if !ok || invalid.Field != c.field || invalid.Rule == "" || invalid.WayOut == "" {
			t.Errorf("%s: got %v", c.field, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes a secret", c.field)
		}
	}
	after, err := w.intake.Tenants.ReadSettings(t.Context(), w.actor)
	if err != nil || len(after.Settings.Extraction.Agents) != len(before.Settings.Extraction.Agents) {
		t.Errorf("a refused change was stored: %+v, %v", after.Settings, err)
	}
}
