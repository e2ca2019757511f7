package client

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMergedMetadata(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ mine, theirs, want string }{
		"nothing here":             {`{}`, `{ "a":1 }`, `{ "a":1 }`},
		"nothing there":            {`{ "a":1 }`, `{}`, `{ "a":1 }`},
		"mine wins, bytes stay":    {"{\n \"a\" : 1.00 }", `{"a":2}`, "{\n \"a\" : 1.00 }"},
		"theirs is added":          {"{\"a\": 1\n}", `{"b":[1, 2]}`, "{\"a\": 1\n,\"b\":[1, 2]}"},
		"inside objects":           {`{"o": {"x":1}, "p": {}}`, `{"o":{"x":2,"y":3},"p":{"z":null}}`, `{"o": {"x":1,"y":3}, "p": {"z":null}}`},
		"an object and no object":  {`{"o": {"x":1}}`, `{"o":5}`, `{"o": {"x":1}}`},
		"braces in texts and keys": {`{"}": "}"}`, `{"{\"": "{}"}`, `{"}": "}","{\"":"{}"}`},
		"what can't be read":       {`{"a":1}`, `[1]`, `{"a":1}`},
	} {
		if got := mergeMetadata(test.mine, test.theirs); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Whatever objects meet: the result is an object, every member of mine is as it
// was or has grown, every other member is theirs.
func TestMergedMetadataHasAllMembers(t *testing.T) {
	t.Parallel()
	object := rapid.MapOf(rapid.StringOf(rapid.SampledFrom([]rune(`ab"}{,: é`))), rapid.OneOf(
		rapid.IntRange(-9, 9).AsAny(), rapid.String().AsAny(), rapid.MapOf(rapid.SampledFrom([]string{"a", "b"}), rapid.IntRange(-9, 9)).AsAny()))
	rapid.Check(t, func(r *rapid.T) {
		mine, theirs := object.Draw(r, "mine"), object.Draw(r, "theirs")
		var got map[string]any
		if err := json.Unmarshal([]byte(mergeMetadata(encoded(r, mine), encoded(r, theirs))), &got); err != nil {
			r.Fatalf("no object: %v", err)
		}
		for name, value := range theirs {
			if _, both := mine[name]; !both && encoded(r, got[name]) != encoded(r, value) {
				r.Fatalf("%q is %v, want theirs", name, got[name])
			}
		}
		for name, value := range mine {
			if _, nested := value.(map[string]int); !nested && encoded(r, got[name]) != encoded(r, value) {
				r.Fatalf("%q is %v, want mine", name, got[name])
			}
		}
		if len(got) > len(mine)+len(theirs) {
			r.Fatalf("%d members from %d and %d", len(got), len(mine), len(theirs))
		}
	})
}

func encoded(r *rapid.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		r.Fatalf("%v", err)
	}
	return string(text)
}

func TestRulesOfAMerge(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	early, late := day(1), day(9)
	windows, none := json.RawMessage(`[{"days":["mon"]}]`), json.RawMessage(`[]`)
	plain := Client{ID: NewID(), Kind: Person, ContactWindows: none, Metadata: "{}", CreatedAt: day(5), Review: Unreviewed}
	with := func(change func(*Client)) *Client {
		c := plain
		c.ID = NewID()
		change(&c)
		return &c
	}
	for name, test := range map[string]struct {
		into, from *Client
		holds      func(m combination) bool
	}{
		"blanks are filled": {with(func(c *Client) { c.FirstName = "Ann" }), with(func(c *Client) { c.FirstName, c.LastName, c.Company = "Ann", "Lee", "Acme" }),
			func(m combination) bool { return m.client.LastName == "Lee" && m.client.Company == "Acme" }},
		"two people's names are not mixed": {with(func(c *Client) { c.FirstName = "Ann" }), with(func(c *Client) { c.FirstName, c.LastName = "Bob", "Roe" }),
			func(m combination) bool { return m.client.LastName == "" && m.asks["first_name"] }},
		"two addresses are not mixed": {with(func(c *Client) { c.City = "Bath" }), with(func(c *Client) { c.City, c.Zip = "York", "YO1" }),
			func(m combination) bool { return m.client.City == "Bath" && m.client.Zip == "" }},
		"one address is completed": {with(func(c *Client) { c.City = "Bath" }), with(func(c *Client) { c.City, c.Zip = "bath", "BA1" }),
			func(m combination) bool { return m.client.City == "Bath" && m.client.Zip == "BA1" }},
		"dates of birth ask": {with(func(c *Client) { c.DateOfBirth = "1980-01-01" }), with(func(c *Client) { c.DateOfBirth = "1981-01-01" }),
			func(m combination) bool { return m.asks["date_of_birth"] && m.client.DateOfBirth == "1980-01-01" }},
		"the strictest automation wins": {with(func(*Client) {}), with(func(c *Client) { c.NeverAutoSend, c.HumanReviewRequired, c.Sensitive = true, true, true }),
			func(m combination) bool {
				return m.client.NeverAutoSend && m.client.HumanReviewRequired && m.client.Sensitive && len(m.effects) == 3
			}},
		"strictness is not lost": {with(func(c *Client) { c.NeverAutoSend, c.Sensitive = true, true }), with(func(*Client) {}),
			func(m combination) bool { return m.client.NeverAutoSend && m.client.Sensitive && len(m.effects) == 0 }},
		"windows come with their zone": {with(func(c *Client) { c.Timezone = "Europe/Paris" }), with(func(c *Client) { c.ContactWindows, c.Timezone = windows, "America/Toronto" }),
			func(m combination) bool { return m.client.hasWindows() && m.client.Timezone == "America/Toronto" }},
		"windows are never joined": {with(func(c *Client) { c.ContactWindows, c.Timezone = windows, "UTC" }), with(func(c *Client) { c.ContactWindows, c.Timezone = json.RawMessage(`[1]`), "Asia/Tokyo" }),
			func(m combination) bool {
				return string(m.client.ContactWindows) == string(windows) && m.client.Timezone == "UTC"
			}},
		"earliest creation, latest contact": {with(func(*Client) {}), with(func(c *Client) { c.CreatedAt, c.LastContactAt = early, &late }),
			func(m combination) bool { return m.client.CreatedAt.Equal(early) && m.client.LastContactAt.Equal(late) }},
		"tags add up": {with(func(c *Client) { c.Tags = []string{"b"} }), with(func(c *Client) { c.Tags = []string{"a", "b"} }),
			func(m combination) bool { return slices.Equal(m.client.Tags, []string{"b", "a"}) }},
		"a visitor becomes what he is merged with": {with(func(c *Client) { c.Kind = Anonymous }), with(func(*Client) {}),
			func(m combination) bool { return m.client.Kind == Person }},
	} {
		if m := combine(test.into, []*Client{test.from}, nil, nil); !test.holds(m) {
			t.Errorf("%s: %+v, asks %v, effects %v", name, m.client, m.asks, m.effects)
		}
	}
}
