package match_test

import (
	"slices"
	"testing"

	"github.com/clientele-crm/clientele/core/match"
	"pgregory.net/rapid"
)

func TestEmail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"Ann@Example.COM ", "ann@example.com"},
		{" mailto:ann+x@example.com", "ann+x@example.com"},
		{"<ann.lee@example.com>", "ann.lee@example.com"},
		{"ann@Bücher.example", "ann@xn--bcher-kva.example"},
		{"ann＠example.com", "ann@example.com"},
		{"o'neil@example.ie", "o'neil@example.ie"},
		{"ann", ""}, {"@example.com", ""}, {"ann@", ""}, {"ann@localhost", ""},
		{"ann@127.0.0.1", ""}, {"ann..lee@example.com", ""}, {".ann@example.com", ""},
		{"ann lee@example.com", ""}, {"ann@-example.com", ""}, {"ann@example..com", ""},
	} {
		got, ok := match.Email(c.raw)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Email(%q) = %q, %v; want %q", c.raw, got, ok, c.want)
		}
	}
}

func TestEmailIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-z.+'_-]{1,12}@[A-Za-zäøß-]{1,12}\.[a-z]{2,5}`)).Draw(t, "raw")
		once, ok := match.Email(raw)
		if !ok {
			return
		}
		if twice, ok := match.Email(once); !ok || twice != once {
			t.Fatalf("Email(%q) = %q, again %q, %v", raw, once, twice, ok)
		}
	})
}

func TestPhone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, region, e164, ext string }{
		{"(416) 555-0100", "CA", "+14165550100", ""},
		{"416.555.0100", "ca", "+14165550100", ""},
		{"+1 416 555 0100", "", "+14165550100", ""},
		{"tel:+14165550100", "GB", "+14165550100", ""},
		{"416/555-0100", "CA", "+14165550100", ""},
		{"416-555-0100 ext. 12", "CA", "+14165550100", "12"},
		{"020 7946 0018 x7", "GB", "+442079460018", "7"},
		{"12345", "US", "", ""}, {"", "US", "", ""}, {"call me", "US", "", ""}, {"416-555-0100", "", "", ""},
	} {
		got, ok := match.Phone(c.raw, c.region)
		if got.E164 != c.e164 || got.Extension != c.ext || ok != (c.e164 != "") {
			t.Errorf("Phone(%q, %q) = %+v, %v; want %s ext %s", c.raw, c.region, got, ok, c.e164, c.ext)
		}
	}
}

func TestPhoneVariantsMeet(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"+551187654321", "+5511987654321"},
		{"+541123456789", "+5491123456789"},
		{"+525512345678", "+5215512345678"},
	} {
		for _, p := range [][2]string{pair, {pair[1], pair[0]}} {
			if v := match.PhoneVariants(p[0]); v[0] != p[0] || !slices.Contains(v, p[1]) {
				t.Errorf("PhoneVariants(%s) = %v, want itself first and %s", p[0], v, p[1])
			}
		}
	}
	if v := match.PhoneVariants("+14165550100"); len(v) != 1 {
		t.Errorf("a Canadian number has variants %v", v)
	}
}

func TestKindsOfAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		email         string
		role, noReply bool
	}{
		{"info@acme.com", true, false},
		{"Sales2@acme.com", true, false},
		{"support+case7@acme.com", true, false},
		{"kundenservice@acme.de", true, false},
		{"ann.lee@acme.com", false, false},
		{"no-reply@shop.com", true, true},
		{"do_not_reply@shop.com", false, true},
		{"MAILER-DAEMON@mx.example.net", false, true},
		{"bounces+ann=example.com@mail.example.org", false, true},
		{"dev-request@lists.example.org", false, true},
		{"notifications@github.example", false, true},
		{"not an address", false, false},
	} {
		if got := match.IsRoleAddress(c.email); got != c.role {
			t.Errorf("IsRoleAddress(%q) = %v", c.email, got)
		}
		if got := match.IsNoReply(c.email); got != c.noReply {
			t.Errorf("IsNoReply(%q) = %v", c.email, got)
		}
	}
}

func TestIsShortCode(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"72345": true, "ACMEBANK": true, "anonymous": true, "Withheld": true, "": true, "Acme24": true,
		"+14165550100": false, "(416) 555-0100": false, "555-0100": false,
	} {
		if got := match.IsShortCode(raw); got != want {
			t.Errorf("IsShortCode(%q) = %v, want %v", raw, got, want)
		}
	}
}

func TestIsFreeMail(t *testing.T) {
	t.Parallel()
	for domain, want := range map[string]bool{
		"gmail.com": true, "Yahoo.co.uk": true, "hotmail.fr": true, "web.de": true, "privaterelay.appleid.com": true,
		"acme.com": false, "bbc.co.uk": false, "nonsense": false,
	} {
		if got := match.IsFreeMail(domain); got != want {
			t.Errorf("IsFreeMail(%q) = %v, want %v", domain, got, want)
		}
	}
}

func TestCompanyKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ACME Corp.": "acme", "The Acme Company": "acme", "acme": "acme", "Müller & Söhne GmbH": "muller and sohne",
		"Bell & Howell": "bell and howell", "Meyer & Co.": "meyer", "A.B.C. Ltd": "abc", "The": "the", "Company": "company", "…": "",
	} {
		if got := match.CompanyKey(name); got != want {
			t.Errorf("CompanyKey(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNamesAgree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		af, al, bf, bl string
		want           match.Agreement
	}{
		{"Ann", "Lee", "Ann", "Lee", match.Agree},
		{"Ann", "Lee", "ANN", "", match.Agree},
		{"Ann", "Lee", "", "Lee", match.Agree},
		{"Bob", "Roe", "Robert", "Roe", match.Agree},
		{"José", "García", "Jose", "Garcia Márquez", match.Agree},
		{"Ann-Marie", "O'Neil", "Ann Marie", "ONeil", match.Agree},
		{"Mei", "Chen", "Chen", "Mei", match.Agree},
		{"J.", "Smith", "John", "Smith", match.Agree},
		{"Ann", "Lee", "Bob", "Roe", match.Conflict},
		{"Ann", "Lee", "Bob", "Lee", match.Conflict},
		{"Ann", "Lee", "Ann", "Roe", match.Conflict},
		{"Ann", "", "Bob", "", match.Conflict},
		{"Jan", "van Dyck", "Jan", "van Rijn", match.Conflict},
		{"J", "", "John", "", match.Unknown},
		{"Ann", "Lee", "", "", match.Unknown},
		{"", "", "", "", match.Unknown},
		{"Ann", "", "", "Lee", match.Unknown},
	} {
		if got := match.NamesAgree(c.af, c.al, c.bf, c.bl); got != c.want {
			t.Errorf("NamesAgree(%q %q, %q %q) = %s, want %s", c.af, c.al, c.bf, c.bl, got, c.want)
		}
		if back := match.NamesAgree(c.bf, c.bl, c.af, c.al); back != c.want {
			t.Errorf("NamesAgree isn't symmetric for %q %q, %q %q: %s", c.af, c.al, c.bf, c.bl, back)
		}
	}
}

// FuzzPhone and FuzzEmail: any text is read or refused, and a normal form reads
// as itself.
func FuzzPhone(f *testing.F) {
	for _, s := range []string{"(416) 555-0100", "+55 11 8765-4321", "416-555-0100 ext. 12", "1-800-FLOWERS", "tel:", "+", "०१२३४५६७८९", "416/555-0100;ext=4"} {
		f.Add(s, "CA")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		n, ok := match.Phone(raw, region)
		if !ok {
			return
		}
		if again, ok := match.Phone(n.E164, ""); !ok || again.E164 != n.E164 {
			t.Fatalf("Phone(%q, %q) = %s, which reads as %+v, %v", raw, region, n.E164, again, ok)
		}
		if v := match.PhoneVariants(n.E164); v[0] != n.E164 {
			t.Fatalf("PhoneVariants(%s) = %v", n.E164, v)
		}
		if match.IsShortCode(n.E164) {
			t.Logf("%s is short", n.E164)
		}
	})
}

func FuzzEmail(f *testing.F) {
	for _, s := range []string{"Ann@Example.COM ", "mailto:a+b@x.example", "ann@bücher.example", "a@b", "@", "<a@b.cd>", "a@b.cd.", "ａ＠b.cd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, ok := match.Email(raw)
		if !ok {
			return
		}
		if twice, ok := match.Email(once); !ok || twice != once {
			t.Fatalf("Email(%q) = %q, again %q, %v", raw, once, twice, ok)
		}
		match.IsRoleAddress(once)
		match.IsNoReply(once)
	})
}
