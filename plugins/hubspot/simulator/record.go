package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a kind of record and its two names (§4).
type object struct{ plural, singular, id string }

// objects are the kinds the simulator knows.
func objects() []object {
	return []object{
		{"contacts", "contact", "0-1"},
		{"companies", "company", "0-2"},
		{"notes", "note", "0-46"},
		{"communications", "communication", "0-18"},
		{"calls", "call", "0-48"},
		{"emails", "email", "0-49"},
		{"meetings", "meeting", "0-47"},
		{"tasks", "task", "0-27"},
	}
}

// objectOf finds a kind by plural, singular or type id.
func objectOf(name string) (object, bool) {
	for _, o := range objects() {
		if name == o.plural || name == o.singular || name == o.id {
			return o, true
		}
	}
	return object{}, false
}

func (o object) activity() bool { return o.plural != "contacts" && o.plural != "companies" }

// modified is the property that holds the time of the last change (§3.1).
func (o object) modified() string {
	if o.plural == "contacts" {
		return "lastmodifieddate"
	}
	return "hs_lastmodifieddate"
}

// createdProperty is the property that holds the time of creation.
func (o object) createdProperty() string {
	if o.activity() {
		return "hs_createdate"
	}
	return "createdate"
}

// record is one row of a portal.
type record struct {
	Portal     int64
	Type       string // plural
	ID         string
	Properties map[string]string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	ArchivedAt time.Time // zero: live
	MergedInto string
	History    map[string][]version
}

// version is one value a property has had.
type version struct {
	Value      string    `json:"value"`
	Timestamp  time.Time `json:"timestamp"`
	SourceType string    `json:"sourceType"`
	SourceID   string    `json:"sourceId"`
}

func (r record) key() string { return fmt.Sprintf("%d/%s/%s", r.Portal, r.Type, r.ID) }

func (r record) live() bool { return r.ArchivedAt.IsZero() && r.MergedInto == "" }

// get finds a live record, following merges when follow is set.
func (s *Simulator) get(portal int64, o object, id string, follow bool) (record, bool) {
	for range 300 {
		r, ok := s.records.Get(record{Portal: portal, Type: o.plural, ID: id}.key())
		if ok && r.MergedInto != "" && follow {
			id = r.MergedInto
			continue
		}
		return r, ok && r.live()
	}
	return record{}, false
}

// put stores a record with its computed properties and tells the index.
func (s *Simulator) put(o object, r record, now time.Time) {
	r.UpdatedAt = now
	p := r.Properties
	p["hs_object_id"] = r.ID
	p["hs_object_source"], p["hs_object_source_id"] = "INTEGRATION", appID
	p[o.createdProperty()], p[o.modified()] = stamp(r.CreatedAt), stamp(now)
	switch o.plural {
	case "contacts":
		compute(p)
	case "emails":
		computeEmail(p)
	}
	old, had := s.records.Get(r.key())
	if had {
		s.index.remove(old)
	}
	s.records.Put(r.key(), r)
	s.index.add(r)
	s.index.remember(r, now)
}

// compute fills the read-only properties of a contact.
func compute(p map[string]string) {
	email := strings.ToLower(p["email"])
	if p["email"] != "" {
		p["email"] = email
		_, p["hs_email_domain"], _ = strings.Cut(email, "@")
	}
	p["hs_full_name_or_email"] = cmp.Or(strings.TrimSpace(p["firstname"]+" "+p["lastname"]), email)
	p["hs_searchable_calculated_phone_number"] = national(p["phone"])
	p["hs_searchable_calculated_mobile_number"] = national(p["mobilephone"])
	if p["lifecyclestage"] == "" {
		p["lifecyclestage"] = "lead"
	}
	p["hs_all_contact_vids"] = p["hs_object_id"]
}

// computeEmail fills the addresses of an email from its headers, which are JSON
// inside a string (§4.1).
func computeEmail(p map[string]string) {
	var headers struct {
		From struct{ Email string }
		To   []struct{ Email string }
	}
	if json.Unmarshal([]byte(p["hs_email_headers"]), &headers) != nil {
		return
	}
	p["hs_email_from_email"] = headers.From.Email
	to := make([]string, len(headers.To))
	for i, one := range headers.To {
		to[i] = one.Email
	}
	p["hs_email_to_email"] = strings.Join(to, ";")
}

// newID gives the next id: people and companies count from one number,
// activities from another.
func (s *Simulator) newID(portal int64, o object) string {
	series, first := "records", 90210001
	if o.activity() {
		series, first = "activities", 70550001
	}
	key := fmt.Sprintf("%d/%s", portal, series)
	n, ok := s.numbers.Get(key)
	if !ok {
		n = first
	}
	s.numbers.Put(key, n+1)
	return strconv.Itoa(n)
}

// all lists the live (or the archived) records of a kind in the order of the API.
func (s *Simulator) all(portal int64, o object, archived bool) []record {
	var out []record
	for _, id := range s.index.ids[owner{portal, o.plural}] {
		r, ok := s.records.Get(record{Portal: portal, Type: o.plural, ID: id}.key())
		if ok && r.MergedInto == "" && r.ArchivedAt.IsZero() != archived {
			out = append(out, r)
		}
	}
	return out
}

// byID orders ids as numbers.
func byID(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// national is what HubSpot's searchable helper holds: digits without a country
// code. Only the codes that the simulator's callers use are known: a real
// account knows all.
func national(phone string) string {
	digits := onlyDigits(phone)
	if !strings.HasPrefix(strings.TrimSpace(phone), "+") {
		return strings.TrimPrefix(digits, "0")
	}
	for _, code := range []string{"1", "7", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45",
		"46", "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
		"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98"} {
		if rest, ok := strings.CutPrefix(digits, code); ok {
			return rest
		}
	}
	return digits[min(3, len(digits)):]
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// unique removes repeated texts, keeping the first.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
