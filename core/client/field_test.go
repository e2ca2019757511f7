package client_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/match"
)

// What people type into a field, and what is stored; refused: the field's error.
func TestFieldsAsTypedAndAsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const refused = "refused"
	for _, test := range []struct{ requirement, field, typed, stored string }{
		{"R25", "first_name", "  Jose\u0301 ", "José"},
		{"R25", "first_name", strings.Repeat("字", 200), strings.Repeat("字", 200)},
		{"R25", "first_name", strings.Repeat("字", 201), refused},
		{"R26", "last_name", "O'Neil-Ångström", "O'Neil-Ångström"},
		{"R26", "last_name", strings.Repeat("x", 201), refused},
		{"R29", "company", " Acme GmbH & Co. KG ", "Acme GmbH & Co. KG"},
		{"R30", "street", "12 King St\nUnit 4", "12 King St\nUnit 4"},
		{"R31", "city", "São Paulo", "São Paulo"},
		{"R32", "state", "Ontario", "Ontario"},
		{"R33", "zip", "01234", "01234"},
		{"R34", "country", "ca", "CA"},
		{"R34", "country", "Canada", "CA"},
		{"R34", "country", "DEU", "DE"},
		{"R34", "country", "UK", "GB"},
		{"R34", "country", "côte d’ivoire", "CI"},
		{"R34", "country", "Atlantis", "Atlantis"},
		{"R34", "country", "ZZ", "ZZ"},
		{"R35", "date_of_birth", "1980-05-17", "1980-05-17"},
		{"R35", "date_of_birth", "--02-29", "--02-29"},
		{"R35", "date_of_birth", "1981-02-29", refused},
		{"R35", "date_of_birth", "--02-30", refused},
		{"R35", "date_of_birth", "2026-11-03", refused}, // tomorrow
		{"R35", "date_of_birth", "17 May 1980", refused},
		{"R37", "metadata", "{\"b\": 1.0,\n \"a\": \"\\u00e9\"}", "{\"b\": 1.0,\n \"a\": \"\\u00e9\"}"},
		{"R37", "metadata", `{"a":"` + strings.Repeat("x", 65536) + `"}`, refused},
		{"R37", "metadata", "null", refused},
		{"R37", "metadata", "[]", refused},
	} {
		c, err := w.clients.Create(t.Context(), w.admin, client.Edit{Fields: map[string]string{"first_name": "Ann", test.field: test.typed}})
		if test.stored == refused {
			if wrong, ok := errors.AsType[client.FieldErrors](err); !ok || wrong[0].Field != test.field || wrong[0].WayOut == "" {
				t.Errorf("%s: %s %.40q: %v, want it refused", test.requirement, test.field, test.typed, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %s %.40q: %v", test.requirement, test.field, test.typed, err)
			continue
		}
		f, _ := client.FieldNamed(test.field)
		if got := f.Get(w.get(c.ID)); got != test.stored {
			t.Errorf("%s: %s %.40q is stored as %.40q, want %.40q", test.requirement, test.field, test.typed, got, test.stored)
		}
	}
	for code, name := range map[string]string{"CA": "Canada", "DE": "Germany", "Atlantis": "Atlantis", "": ""} {
		if got := client.CountryName(code); got != name {
			t.Errorf("R34: %q is shown as %q, want %q", code, got, name)
		}
	}
	acme := w.create(client.Edit{Fields: map[string]string{"company": "Acme, Inc."}})
	if got := w.get(acme.ID).CompanyKey; got == "" || got != match.CompanyKey("ACME") {
		t.Errorf("R29: the company's key is %q", got)
	}
}

func TestIdentifiersAsTypedAndAsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		requirement              string
		kind                     client.IdentifierKind
		typed, normal, extension string
	}{
		{"R27", client.Email, " Ann@Bücher.Example ", "ann@xn--bcher-kva.example", ""},
		{"R27", client.Email, "ann+x@gmail.com", "ann+x@gmail.com", ""},
		{"R27", client.Email, "a.n.n@gmail.com", "a.n.n@gmail.com", ""},
		{"R28", client.Phone, "(416) 555-0100", "+14165550100", ""}, // the tenant is in Canada
		{"R28", client.Phone, "+49 30 901820 ext. 12", "+4930901820", "12"},
		{"R28", client.Phone, "ask for Ann", "", ""},
	} {
		c, err := w.clients.AddIdentifier(t.Context(), w.admin, w.named("Ann", "", "").ID, client.NewIdentifier{Kind: test.kind, Value: test.typed})
		if err != nil {
			t.Errorf("%s: %s: %v", test.requirement, test.typed, err)
			continue
		}
		if i := c.Identifiers[0]; i.Value != strings.TrimSpace(test.typed) || i.Normal != test.normal || i.Extension != test.extension || !i.IsPrimary || i.Source != client.FromHuman {
			t.Errorf("%s: %q is stored as %+v", test.requirement, test.typed, i)
		}
	}
	if got, err := w.clients.LikelyDuplicates(t.Context(), w.admin, client.Edit{Phone: ptr("ask for Ann")}); err != nil || len(got.Similar) != 0 {
		t.Errorf("R28: what can't be read as a number matched %+v, %v", got.Similar, err)
	}
}

// R26: a client is called by what is known of him.
func TestDisplayNameFallsBack(t *testing.T) {
	t.Parallel()
	email := client.Identifier{Kind: client.Email, Value: "ann@x.com"}
	phone := client.Identifier{Kind: client.Phone, Value: "416 555 0100", Normal: "+14165550100"}
	for want, c := range map[string]client.Client{
		"Ann Lee":        {FirstName: "Ann", LastName: "Lee", Company: "Acme"},
		"Ann":            {FirstName: "Ann", Company: "Acme"},
		"Lee":            {LastName: "Lee"},
		"Acme":           {Company: "Acme", Identifiers: []client.Identifier{email}},
		"ann@x.com":      {Identifiers: []client.Identifier{phone, email}},
		"+14165550100":   {Identifiers: []client.Identifier{phone}},
		"Unknown (chat)": {Identifiers: []client.Identifier{{Kind: client.Chat, Value: "s1"}}},
	} {
		if got := c.DisplayName(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// R93: a client by hand needs a name, a company, an email or a phone, and must
// keep something to be known by.
func TestSomethingToKnowTheClientBy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, e := range map[string]client.Edit{
		"nothing": {}, "an address": {Fields: map[string]string{"city": "Bath"}}, "blanks": {Fields: map[string]string{"first_name": "  "}, Email: ptr(" ")},
	} {
		if _, err := w.clients.Create(t.Context(), w.admin, e); !errors.As(err, new(client.FieldErrors)) {
			t.Errorf("%s is enough to make a client: %v", name, err)
		}
	}
	for name, e := range map[string]client.Edit{
		"first name": {Fields: map[string]string{"first_name": "Ann"}}, "last name": {Fields: map[string]string{"last_name": "Lee"}},
		"company": {Fields: map[string]string{"company": "Acme"}}, "email": {Email: ptr("ann@x.com")}, "phone": {Phone: ptr("416 555 0100")},
	} {
		c, err := w.clients.Create(t.Context(), w.admin, e)
		if err != nil {
			t.Errorf("%s is not enough to make a client: %v", name, err)
			continue
		}
		clear := client.Edit{Fields: map[string]string{"first_name": "", "last_name": "", "company": ""}, Email: ptr(""), Phone: ptr("")}
		if _, err := w.clients.Update(t.Context(), w.admin, c.ID, clear); !errors.As(err, new(client.FieldErrors)) {
			t.Errorf("%s: nothing is left to know the client by: %v", name, err)
		}
	}
}

// R38, R39: preferences and sensitivity are kept through an edit of other things.
func TestPreferencesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.named("Ann", "", "")
	w.exec(`UPDATE client SET preferred_channels = '{phone,email}', contact_windows = '[{"days": ["fri"], "start": "22:00", "end": "02:00"}]',
  timezone = 'America/New_York', never_auto_send = true, human_review_required = true, sensitive = true WHERE id = $1`, c.ID)
	if _, err := w.clients.Update(t.Context(), w.admin, c.ID, client.Edit{Fields: map[string]string{"city": "Bath"}}); err != nil {
		t.Fatal(err)
	}
	got := w.get(c.ID)
	if !slices.Equal(got.PreferredChannels, []string{"phone", "email"}) || got.Timezone != "America/New_York" || !bytes.Contains(got.ContactWindows, []byte(`"22:00"`)) ||
		!got.NeverAutoSend || !got.HumanReviewRequired || !got.Sensitive || got.City != "Bath" {
		t.Errorf("stored: %+v", got)
	}
}

// Every field of the catalogue is stored, cleared, found missing, merged and kept
// out of logs, with no more than its line there.
func TestALineInTheCatalogueIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	samples := map[string]string{"country": "CA", "date_of_birth": "1980-05-17", "metadata": `{"k":"zanzibar"}`}
	for _, f := range client.Fields() {
		value := samples[f.Name]
		if value == "" {
			value = "zanzibar"
		}
		full := w.create(client.Edit{Fields: map[string]string{f.Name: value}, Email: ptr(f.Name + "@full.example")})
		bare := w.create(client.Edit{Email: ptr(f.Name + "@bare.example")})
		if got := f.Get(w.get(full.ID)); got != value || f.Label == "" || f.MaxLength <= 0 || f.Class == "" {
			t.Errorf("%s: stored as %q: %+v", f.Name, got, f)
		}
		list, err := w.clients.List(t.Context(), w.admin, client.Query{Missing: []string{f.Name}, Search: f.Name + "@"})
		if err != nil || len(list.Clients) != 1 || list.Clients[0].ID != bare.ID {
			t.Errorf("%s: missing at %d clients, %v, want one", f.Name, len(list.Clients), err)
		}
		sources, err := w.clients.Sources(t.Context(), w.admin, full.ID)
		if err != nil || !slices.ContainsFunc(sources, func(v client.SourcedValue) bool { return v.Field == f.Name && v.Value == value }) {
			t.Errorf("%s: sources %+v, %v", f.Name, sources, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("a client", "client", w.get(full.ID))
		if f.Class != client.Plain && (strings.Contains(log.String(), value) || !strings.Contains(log.String(), f.Name)) || strings.Contains(log.String(), "@") {
			t.Errorf("%s: the log says %s", f.Name, log.String())
		}
		m := w.merge(bare, full)
		if got := f.Get(w.get(bare.ID)); got != value || len(m.Differences) == 0 {
			t.Errorf("%s: the merge made it %q", f.Name, got)
		}
		w.undo(m)
		if !f.Empty(w.get(bare.ID)) {
			t.Errorf("%s: the undo left %q", f.Name, f.Get(w.get(bare.ID)))
		}
		if _, err := w.clients.Update(t.Context(), w.admin, full.ID, client.Edit{Fields: map[string]string{f.Name: ""}}); err != nil || !f.Empty(w.get(full.ID)) {
			t.Errorf("%s: cleared: %q, %v", f.Name, f.Get(w.get(full.ID)), err)
		}
	}
}
