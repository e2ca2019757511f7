package connection_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	s, admin, _ := fixture(t, time.Now, "http://127.0.0.1:1")
	changed := 0
	s.Changed = func(context.Context, pgx.Tx, actor.Actor, connection.ID) error { changed++; return nil }
	c, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: "one", Settings: json.RawMessage(`{"org": "acme"}`), Secrets: token()})
	if err != nil {
		t.Fatal(err)
	}
	want := connection.DefaultPolicy()
	want.ClientObject = "Person" // the adapter's first
	if diff := cmp.Diff(want, c.Policy); diff != "" {
		t.Errorf("a new connection (-want +got):\n%s", diff)
	}
	want.ClientObject, want.Filter, want.WriteMode, want.Cron = "Prospect", `client.country == "US"`, sdk.ModeUpdate, "30 7 * * 1-5"
	want.UpdateEvery, want.ActivityChannels, want.Companies, want.Sensitive = time.Hour, []string{}, connection.CompaniesCreate, connection.SensitiveExclude
	got, err := s.Change(t.Context(), admin, c.ID, connection.Edit{Policy: &want})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Policy); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if changed != 1 {
		t.Errorf("everything became due %d times, want once", changed)
	}
	want.UpdateEvery = 2 * time.Hour
	if _, err := s.Change(t.Context(), admin, c.ID, connection.Edit{Policy: &want}); err != nil || changed != 1 {
		t.Errorf("another pace made everything due (%d times), %v", changed, err)
	}
}

func TestEverythingWrongWithAPolicyIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	s, admin, _ := fixture(t, time.Now, "http://127.0.0.1:1")
	p := connection.Policy{
		ClientObject: "Firm", Filter: "client.country ==", WriteMode: "replace", UpdateEvery: time.Second, Cron: "0 0 30 2 *",
		ActivityChannels: []string{"fax"}, Companies: "merge", Sensitive: "hide",
	}
	_, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: " ", Settings: json.RawMessage(`{}`), Policy: &p})
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, field := range []string{"name", "settings", "client_object", "filter", "write_mode", "update_every", "cron", "activity_channels", "companies", "sensitive"} {
		if !strings.Contains("\n"+err.Error(), "\n"+field+": ") {
			t.Errorf("%s is not named in:\n%v", field, err)
		}
	}
}

func TestNextUpdate(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 3, 2, 10, 4, 30, 0, time.UTC)
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct{ name, cron, at, want string }{
		{"its first moment is a tick", "", "2026-03-02T10:04:30Z", "2026-03-02T10:04:30Z"},
		{"the next quarter of an hour", "", "2026-03-02T10:04:31Z", "2026-03-02T10:19:30Z"},
		{"on the tick itself", "", "2026-03-02T10:19:30Z", "2026-03-02T10:19:30Z"},
		{"before it was made", "", "2026-03-02T09:00:00Z", "2026-03-02T10:04:30Z"},
		{"in the tenant's zone", "0 7 * * *", "2026-03-02T11:59:59Z", "2026-03-02T12:00:00Z"},
		{"after the clocks changed", "0 7 * * *", "2026-03-08T11:00:01Z", "2026-03-09T11:00:00Z"},
		{"at the very minute", "0 7 * * *", "2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := connection.DefaultPolicy()
			p.Cron = c.cron
			conn := connection.Connection{Policy: p, Timezone: "America/New_York", CreatedAt: made}
			if got := conn.NextUpdate(at(c.at)); !got.Equal(at(c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestDeniedAdapter(t *testing.T) {
	t.Parallel()
	s, admin, _ := fixture(t, time.Now, "http://127.0.0.1:1")
	make := func(name string) *connection.Connection {
		c, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: name, Settings: json.RawMessage(`{"org": "acme"}`), Secrets: token()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	working, resting := make("works"), make("rests")
	if err := s.SetPaused(t.Context(), admin, resting.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Deny(t.Context(), admin, admin.Tenant, "test", ""); err == nil {
		t.Error("an admin acted as the operator")
	}
	operator := actor.ForOperator("Olga")
	if err := s.Deny(t.Context(), operator, admin.Tenant, "test", "no contract"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), admin, connection.New{Adapter: "test", Name: "late", Settings: json.RawMessage(`{"org": "acme"}`), Secrets: token()}); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("a denied adapter was connected: %v", err)
	}
	state := func(id connection.ID) connection.Connection {
		c, err := s.Get(t.Context(), admin, id)
		if err != nil {
			t.Fatal(err)
		}
		return *c
	}
	if c := state(working.ID); c.State != connection.Parked || c.ParkedUntil != nil || !strings.Contains(c.Reason, "no contract") {
		t.Errorf("the working connection is %s until %v: %q", c.State, c.ParkedUntil, c.Reason)
	}
	// Resuming doesn't undo what the operator did.
	for _, id := range []connection.ID{working.ID, resting.ID} {
		if err := s.SetPaused(t.Context(), admin, id, false); err != nil {
			t.Fatal(err)
		}
		if c := state(id); c.State != connection.Parked || c.Hold != connection.HoldAdapter || !strings.Contains(c.Reason, "operator") {
			t.Errorf("resumed: %s, hold %q, %q", c.State, c.Hold, c.Reason)
		}
	}
	denials, err := s.Denials(t.Context(), admin, admin.Tenant)
	if err != nil || len(denials) != 1 || denials[0].DeniedBy != "Olga" {
		t.Errorf("denials %+v, %v", denials, err)
	}
	if err := s.Allow(t.Context(), operator, admin.Tenant, "test"); err != nil {
		t.Fatal(err)
	}
	if c := state(working.ID); c.State != connection.Active || c.Reason != "" || c.Hold != "" {
		t.Errorf("allowed again: %s, %q", c.State, c.Reason)
	}
}
