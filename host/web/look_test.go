package web

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/event"
)

// TestEveryTemplate executes every page with nothing in it and with everything
// in it.
func TestEveryTemplate(t *testing.T) {
	t.Parallel()
	samples := map[string]any{
		"clients": &clientsPage{}, "client": &clientPage{}, "conversations": &conversationsPage{}, "conversation": &conversationPage{},
		"connections": &connectionsPage{}, "keys": &keysPage{}, "tenants": &tenantsPage{}, "signin": &signInPage{}, "welcome": &welcomePage{}, "error": &errorPage{}, "client_form": &clientForm{},
	}
	l, err := loadLook()
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range l.pages {
		data, ok := samples[name]
		if !ok {
			t.Errorf("page %s has no sample: add one", name)
			continue
		}
		for range 2 {
			var b bytes.Buffer
			if err := page.ExecuteTemplate(&b, "layout", data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			checkHTML(t, name, b.String())
			fill(reflect.ValueOf(data).Elem())
		}
	}
}

// fill gives every field of a page a value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("value")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(404)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			switch {
			case f.CanSet():
				fill(f)
			case v.Type().Field(i).Anonymous: // an embedded part: its own fields can be set
				fill(reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem())
			}
		}
	}
}

// checkHTML looks for what makes a page hard to use with a screen reader, and
// for what the content policy would block.
func checkHTML(t *testing.T, name, page string) {
	t.Helper()
	if n := strings.Count(page, "<h1"); n != 1 {
		t.Errorf("%s has %d h1", name, n)
	}
	if regexp.MustCompile(`\s(style|on[a-z]+)="`).MatchString(page) || regexp.MustCompile(`<(style|script)>`).MatchString(page) {
		t.Errorf("%s has inline style or script", name)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("%s has the id %s twice", name, m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`\s(?:for|aria-labelledby|aria-describedby)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		for _, id := range strings.Fields(m[1]) {
			if !ids[id] {
				t.Errorf("%s refers to %s, which isn't there", name, id)
			}
		}
	}
	if regexp.MustCompile(`(?:src|href|action)="(?:https?:)?//`).MatchString(page) {
		t.Errorf("%s loads something from elsewhere", name)
	}
}

// TestCatalogue finds texts that are used and missing, or there and unused.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	var prefixes []string
	use := func(pattern, content string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(content, -1) {
			used[m[1]] = true
			if strings.HasSuffix(m[1], ".") {
				prefixes = append(prefixes, m[1])
			}
		}
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		use(`\b(?:text|count)\("([^"]+)"`, string(content))
		use(`\bs\.frame\(v, "([^"]+)"`, string(content))
	}
	templates, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		use(`\{\{-? ?t "([^"]+)"`, string(content))
		use(`\bt "([^"]+)"`, string(content))
	}
	for key := range used {
		_, plain := english()[key]
		_, plural := english()[key+".one"]
		if !plain && !plural && !strings.HasSuffix(key, ".") {
			t.Errorf("%s is not in the catalogue", key)
		}
	}
	for key := range english() {
		known := used[key] || used[strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")]
		for _, p := range prefixes {
			known = known || strings.HasPrefix(key, p)
		}
		if !known {
			t.Errorf("%s is in the catalogue and nowhere used", key)
		}
	}
	for _, kind := range []event.Kind{event.Created, event.IdentifierAdded, event.ConversationLinked, event.Call, event.Synced, event.SyncFailed, event.Merged} {
		if what, _ := describe(event.Event{Kind: kind}); what == string(kind) || what == "" {
			t.Errorf("event %q is shown as %q", kind, what)
		}
	}
}

// TestContrast holds the colour pairs that carry text to WCAG 2.2 AA, 4.5:1, and
// borders of controls to 3:1, in light and dark.
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := fs.ReadFile(files, "static/base.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string][2]float64{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)`).FindAllStringSubmatch(string(css), -1) {
		colours[m[1]] = [2]float64{luminance(t, m[2]), luminance(t, m[3])}
	}
	for _, pair := range []struct {
		front, back string
		least       float64
	}{
		{"text", "ground", 7}, {"text", "surface", 7}, {"text", "sunken", 7}, {"text", "accent-soft", 7},
		{"muted", "ground", 4.5}, {"muted", "surface", 4.5}, {"muted", "sunken", 4.5}, {"muted", "accent-soft", 4.5},
		{"accent", "ground", 4.5}, {"accent", "surface", 4.5}, {"accent", "accent-soft", 4.5}, {"on-accent", "accent", 4.5},
		{"alert", "surface", 4.5}, {"alert", "alert-soft", 4.5}, {"note", "note-soft", 4.5}, {"good", "good-soft", 4.5},
		{"edge", "surface", 3}, {"edge", "ground", 3}, {"edge", "sunken", 3},
	} {
		front, back := colours[pair.front], colours[pair.back]
		if front == back {
			t.Errorf("%s and %s are not both in base.css", pair.front, pair.back)
		}
		for i, theme := range []string{"light", "dark"} {
			ratio := (math.Max(front[i], back[i]) + .05) / (math.Min(front[i], back[i]) + .05)
			if ratio < pair.least {
				t.Errorf("%s on %s, %s: %.2f, at least %.1f is needed", pair.front, pair.back, theme, ratio, pair.least)
			}
		}
	}
}

// luminance is WCAG's relative luminance of a colour.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift int) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*linear(16) + .7152*linear(8) + .0722*linear(0)
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %s", n, got)
		}
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/clients?q=a%20b": "/clients?q=a%20b", "": "/", "clients": "/", "//evil.example": "/", "https://evil.example/": "/",
		`/\evil.example`: "/", "/\t/evil.example": "/", "javascript:alert(1)": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	got := fmt.Sprint(metadata(`{"b": "two", "a": {"x":1}, "n": null}`))
	if want := `[{b two <nil>} {a {"x":1} <nil>} {n null <nil>}]`; got != want {
		t.Errorf("metadata: %s, want %s", got, want)
	}
	for _, bad := range []string{"", "[]", "{", `{"a":`} {
		if got := metadata(bad); len(got) != 0 {
			t.Errorf("metadata(%q) = %v", bad, got)
		}
	}
}
