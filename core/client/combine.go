package client

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/core/match"
)

// Choices are a person's decisions in a merge: by field, the client whose value
// is kept. Besides the catalogue's fields "email" and "phone" choose the primary
// one, "preferred_channels" and "contact_windows" (with their time zone) the
// preferences.
type Choices map[string]ID

// Difference is a field in which the clients of a merge differ.
type Difference struct {
	Field  string       `json:"field"`
	Values []FieldValue `json:"values"`
	// Kept is what the merged client has; From whose value that is.
	Kept string `json:"kept"`
	From ID     `json:"from"`
	// Ask: the values contradict each other, so that a person must choose (R153).
	Ask bool `json:"ask"`
}

// FieldValue is one client's value of a field.
type FieldValue struct {
	Client ID     `json:"client"`
	Value  string `json:"value"`
}

// combination is what becomes of the survivor's own values in a merge.
type combination struct {
	client      Client // the survivor with the values it will have
	from        map[string]ID
	asks        map[string]bool
	differences []Difference
	effects     []string
}

// combine merges values by the rules of research/clients.md §2.1: the survivor
// wins and its blanks are filled in the order of others; names and addresses are
// never mixed from two people; restrictions add up, and windows are taken whole
// or not at all, because a union would widen them. Cleared are fields of the
// survivor that a person emptied: they stay empty unless chosen.
func combine(survivor *Client, others []*Client, cleared map[string]bool, choices Choices) combination {
	m := combination{client: *survivor, from: map[string]ID{}, asks: map[string]bool{}}
	m.client.Tags = slices.Clone(survivor.Tags)
	for _, o := range others {
		m.names(o, cleared, choices)
		m.address(o, cleared)
		m.single(o, cleared, choices)
		m.preferences(o)
		m.restrict(o)
		m.frame(o)
	}
	m.choose(append([]*Client{survivor}, others...), choices)
	m.compare(append([]*Client{survivor}, others...))
	m.foresee(survivor)
	return m
}

func (m *combination) names(o *Client, cleared map[string]bool, choices Choices) {
	c := &m.client
	agreement := match.NamesAgree(c.FirstName, c.LastName, o.FirstName, o.LastName)
	blank := c.FirstName == "" && c.LastName == ""
	if blank || agreement == match.Agree {
		m.fill(o, cleared, fieldsIn(NameBlock))
	}
	_, first := choices["first_name"]
	_, last := choices["last_name"]
	if agreement == match.Conflict && !first && !last {
		m.asks["first_name"] = m.asks["first_name"] || !same(c.FirstName, o.FirstName)
		m.asks["last_name"] = m.asks["last_name"] || !same(c.LastName, o.LastName)
	}
}

func (m *combination) address(o *Client, cleared map[string]bool) {
	parts := fieldsIn(AddressBlock)
	for _, f := range parts {
		if mine, theirs := f.Get(&m.client), f.Get(o); mine != "" && theirs != "" && !same(mine, theirs) {
			return
		}
	}
	m.fill(o, cleared, parts)
}

func (m *combination) single(o *Client, cleared map[string]bool, choices Choices) {
	for _, f := range fieldsIn("") {
		if f.json {
			continue // two objects are joined, not chosen from
		}
		m.fill(o, cleared, []Field{f})
		_, chosen := choices[f.Name]
		if f.Asks && !chosen && !cleared[f.Name] && !f.Empty(o) && f.Get(o) != f.Get(&m.client) {
			m.asks[f.Name] = true
		}
	}
	if metadata := mergeMetadata(m.client.Metadata, o.Metadata); len(metadata) <= maxMetadata {
		m.client.Metadata = metadata
	} else {
		m.effects = append(m.effects, "the metadata of "+o.DisplayName()+" is left out: together they would be larger than 64 KB")
	}
}

func (m *combination) fill(o *Client, cleared map[string]bool, fields []Field) {
	for _, f := range fields {
		if f.Empty(&m.client) && !f.Empty(o) && !cleared[f.Name] {
			f.set(&m.client, f.Get(o))
			m.from[f.Name] = o.ID
		}
	}
}

func fieldsIn(block string) []Field {
	return slices.DeleteFunc(Fields(), func(f Field) bool { return f.Block != block })
}

func (m *combination) preferences(o *Client) {
	if len(m.client.PreferredChannels) == 0 {
		m.client.PreferredChannels = o.PreferredChannels
	}
	if m.client.hasWindows() {
		return
	}
	if o.hasWindows() {
		m.takeWindows(o)
	} else if m.client.Timezone == "" {
		m.client.Timezone = o.Timezone
	}
}

// takeWindows brings the zone along: without it the hours would mean others.
func (m *combination) takeWindows(o *Client) {
	m.client.ContactWindows, m.client.Timezone = o.ContactWindows, o.Timezone
}

func (m *combination) restrict(o *Client) {
	c := &m.client
	c.Sensitive = c.Sensitive || o.Sensitive
	c.NeverAutoSend = c.NeverAutoSend || o.NeverAutoSend
	c.HumanReviewRequired = c.HumanReviewRequired || o.HumanReviewRequired
}

func (m *combination) frame(o *Client) {
	c := &m.client
	for _, tag := range o.Tags {
		if !slices.Contains(c.Tags, tag) {
			c.Tags = append(c.Tags, tag)
		}
	}
	if c.Kind == Anonymous {
		c.Kind = o.Kind
	}
	if o.Review == Confirmed {
		c.Review = Confirmed
	}
	if o.CreatedAt.Before(c.CreatedAt) {
		c.CreatedAt = o.CreatedAt
	}
	if o.LastContactAt != nil && (c.LastContactAt == nil || c.LastContactAt.Before(*o.LastContactAt)) {
		c.LastContactAt = o.LastContactAt
	}
}

func (m *combination) choose(all []*Client, choices Choices) {
	for name, id := range choices {
		i := slices.IndexFunc(all, func(c *Client) bool { return c.ID == id })
		if i < 0 {
			continue // Merge has refused it
		}
		switch name {
		case "preferred_channels":
			m.client.PreferredChannels = all[i].PreferredChannels
		case "contact_windows":
			m.takeWindows(all[i])
		}
		if f, ok := FieldNamed(name); ok {
			f.set(&m.client, f.Get(all[i]))
			m.from[name] = id
		}
	}
}

func (m *combination) compare(all []*Client) {
	for _, f := range Fields() {
		d := Difference{Field: f.Name, Kept: f.Get(&m.client), From: all[0].ID, Ask: m.asks[f.Name]}
		if id, ok := m.from[f.Name]; ok {
			d.From = id
		}
		differs := false
		for _, c := range all {
			d.Values = append(d.Values, FieldValue{Client: c.ID, Value: f.Get(c)})
			differs = differs || f.Get(c) != f.Get(all[0])
		}
		if differs {
			m.differences = append(m.differences, d)
		}
	}
}

// foresee says in words what changes beyond the fields.
func (m *combination) foresee(before *Client) {
	after := &m.client
	for _, effect := range []struct {
		comes bool
		words string
	}{
		{after.Sensitive && !before.Sensitive, "the client becomes sensitive: every automated message needs a person's review"},
		{after.HumanReviewRequired && !before.HumanReviewRequired, "every automated message needs a person's review"},
		{after.NeverAutoSend && !before.NeverAutoSend, "nothing is sent automatically any more"},
		{!bytes.Equal(after.ContactWindows, before.ContactWindows), "the contact windows are those of the merged client"},
		{!slices.Equal(after.PreferredChannels, before.PreferredChannels), "the preferred channels are " + strings.Join(after.PreferredChannels, ", ")},
	} {
		if effect.comes {
			m.effects = append(m.effects, effect.words)
		}
	}
}

// refusals are the contradictions that nobody has decided yet.
func (m *combination) refusals() FieldErrors {
	var all FieldErrors
	for _, d := range m.differences {
		if d.Ask {
			all = append(all, &FieldError{Field: d.Field, Rule: "contradicts between the clients", WayOut: "choose whose to keep"})
		}
	}
	return all
}

// check refuses choices that name a field or a client the merge doesn't have.
func (c Choices) check(all []ID) FieldErrors {
	var wrong FieldErrors
	for name, id := range c {
		_, known := FieldNamed(name)
		known = known || slices.Contains([]string{"email", "phone", "preferred_channels", "contact_windows"}, name)
		switch {
		case !known:
			wrong = append(wrong, &FieldError{Field: name, Rule: "is no field of a client", WayOut: "choose for fields that differ"})
		case !slices.Contains(all, id):
			wrong = append(wrong, &FieldError{Field: name, Rule: fmt.Sprintf("is chosen from %s, which is not part of the merge", id), WayOut: "choose one of the merged clients"})
		}
	}
	slices.SortFunc(wrong, func(a, b *FieldError) int { return strings.Compare(a.Field, b.Field) })
	return wrong
}

func (c *Client) hasWindows() bool {
	windows := bytes.TrimSpace(c.ContactWindows)
	return len(windows) > 0 && !bytes.Equal(windows, []byte("[]"))
}

func same(a, b string) bool { return SearchForm(a) == SearchForm(b) }
