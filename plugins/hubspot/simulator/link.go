package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// link is an association in one direction.
type link struct {
	Portal           int64
	From, FromID, To string
	ToID             string
	Types            []int
}

func (l link) key() string {
	return fmt.Sprintf("%d/%s/%s/%s/%s", l.Portal, l.From, l.FromID, l.To, l.ToID)
}

// typeIDs are HubSpot's association types, the default first (§4.2).
func typeIDs(from, to string) []int {
	return map[string][]int{
		"notes/contacts": {202}, "contacts/notes": {201}, "notes/companies": {190}, "companies/notes": {189},
		"communications/contacts": {81}, "contacts/communications": {82},
		"communications/companies": {87}, "companies/communications": {88},
		"calls/contacts": {194}, "contacts/calls": {193}, "calls/companies": {182}, "companies/calls": {181},
		"emails/contacts": {198}, "contacts/emails": {197}, "emails/companies": {186}, "companies/emails": {185},
		"meetings/contacts": {200}, "contacts/meetings": {199}, "meetings/companies": {188}, "companies/meetings": {187},
		"tasks/contacts": {204}, "contacts/tasks": {203}, "tasks/companies": {192}, "companies/tasks": {191},
		"contacts/companies": {279, 1}, "companies/contacts": {280, 2},
		"contacts/contacts": {449},
	}[from+"/"+to]
}

// reverse is the type of the other direction.
func reverse(from, to string, id int) int {
	at := slices.Index(typeIDs(from, to), id)
	back := typeIDs(to, from)
	if at < 0 || at >= len(back) {
		return id
	}
	return back[at]
}

// flexID is an id that may come as a JSON string or number.
type flexID string

// UnmarshalJSON takes both forms.
func (id *flexID) UnmarshalJSON(data []byte) error {
	*id = flexID(strings.Trim(string(data), `"`))
	return nil
}

type spec struct {
	Category string `json:"associationCategory"`
	TypeID   int    `json:"associationTypeId"`
}

// associateBoth stores an association in both directions; contact to company
// becomes the primary one if there is none.
func (s *Simulator) associateBoth(portal int64, from, fromID, to, toID string, types []int) {
	if from == "contacts" && to == "companies" && len(s.index.links[linkKey(portal, from, fromID, to)]) == 0 {
		types = append(slices.Clone(types), 1)
	}
	back := make([]int, len(types))
	for i, id := range types {
		back[i] = reverse(from, to, id)
	}
	s.putLink(link{Portal: portal, From: from, FromID: fromID, To: to, ToID: toID, Types: types})
	s.putLink(link{Portal: portal, From: to, FromID: toID, To: from, ToID: fromID, Types: back})
}

func (s *Simulator) putLink(l link) {
	if old, ok := s.links.Get(l.key()); ok {
		l.Types = append(slices.Clone(old.Types), l.Types...)
	}
	slices.Sort(l.Types)
	l.Types = slices.Compact(l.Types)
	s.links.Put(l.key(), l)
	s.index.link(l)
}

func (s *Simulator) removeLink(portal int64, from, fromID, to, toID string) {
	for _, l := range []link{
		{Portal: portal, From: from, FromID: fromID, To: to, ToID: toID},
		{Portal: portal, From: to, FromID: toID, To: from, ToID: fromID},
	} {
		s.links.Delete(l.key())
		s.index.unlink(l)
	}
}

// moveLinks gives the associations of one record to another.
func (s *Simulator) moveLinks(portal int64, typ, fromID, toID string) {
	for _, other := range objects() {
		for _, id := range slices.Clone(s.index.links[linkKey(portal, typ, fromID, other.plural)]) {
			l, _ := s.links.Get(link{Portal: portal, From: typ, FromID: fromID, To: other.plural, ToID: id}.key())
			s.removeLink(portal, typ, fromID, other.plural, id)
			s.associateBoth(portal, typ, toID, other.plural, id, l.Types)
		}
	}
}

// linkTarget has its id as a number, whatever the specification says (§4.3).
type linkTarget struct {
	ToObjectID int64       `json:"toObjectId"`
	Types      []shownType `json:"associationTypes"`
}

type shownType struct {
	Category string  `json:"category"`
	TypeID   int     `json:"typeId"`
	Label    *string `json:"label"`
}

func (s *Simulator) targets(portal int64, from, fromID, to string) []linkTarget {
	out := []linkTarget{}
	for _, id := range s.index.links[linkKey(portal, from, fromID, to)] {
		l, _ := s.links.Get(link{Portal: portal, From: from, FromID: fromID, To: to, ToID: id}.key())
		t := linkTarget{ToObjectID: number(id)}
		for _, typeID := range l.Types {
			t.Types = append(t.Types, shownType{Category: "HUBSPOT_DEFINED", TypeID: typeID, Label: labelOf(typeID)})
		}
		out = append(out, t)
	}
	return out
}
