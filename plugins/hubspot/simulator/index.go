package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// owner is one kind of record in one portal.
type owner struct {
	portal int64
	typ    string
}

// index finds records by unique values and keeps what search sees. It is built
// from the tables and never stored.
type index struct {
	ids    map[owner][]string    // all ids ever, in numeric order
	values map[string]string     // portal/type/property/value of live records -> id
	links  map[string][]string   // portal/type/id/other type -> other ids, in order
	past   map[string][]snapshot // portal/type/id -> what search has seen of late
}

// snapshot is a record as it was from a time on.
type snapshot struct {
	from       time.Time
	properties map[string]string
	live       bool
}

func newIndex() *index {
	return &index{
		ids: map[owner][]string{}, values: map[string]string{}, links: map[string][]string{}, past: map[string][]snapshot{},
	}
}

// valueKey is where a value is indexed; values compare without case.
func valueKey(portal int64, typ, property, value string) string {
	return fmt.Sprintf("%d/%s/%s/%s", portal, typ, property, strings.ToLower(value))
}

func (x *index) add(r record) {
	o := owner{r.Portal, r.Type}
	if at, found := slices.BinarySearchFunc(x.ids[o], r.ID, byID); !found {
		x.ids[o] = slices.Insert(x.ids[o], at, r.ID)
	}
	if !r.live() {
		return
	}
	for _, v := range keyedValues(r) {
		x.values[valueKey(r.Portal, r.Type, v[0], v[1])] = r.ID
	}
}

func (x *index) remove(r record) {
	for _, v := range keyedValues(r) {
		key := valueKey(r.Portal, r.Type, v[0], v[1])
		if x.values[key] == r.ID {
			delete(x.values, key)
		}
	}
}

// keyedValues lists property and value of everything a record can be found by;
// secondary addresses count as email.
func keyedValues(r record) [][2]string {
	var out [][2]string
	for name, value := range r.Properties {
		switch {
		case value == "" || len(value) > 500:
		case name == "hs_additional_emails":
			for one := range strings.SplitSeq(value, ";") {
				out = append(out, [2]string{"email", one})
			}
		default:
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

// find is the id of the live record that has a value.
func (x *index) find(portal int64, typ, property, value string) (string, bool) {
	id, ok := x.values[valueKey(portal, typ, property, value)]
	return id, ok
}

// maxLag is how far search can be behind.
const maxLag = 300 * time.Second

// remember keeps a record's state for search.
func (x *index) remember(r record, now time.Time) {
	key := r.key()
	list := append(x.past[key], snapshot{from: now, properties: maps.Clone(r.Properties), live: r.live()})
	// Of the states older than the greatest lag only the last can be asked for.
	for len(list) > 1 && list[1].from.Before(now.Add(-maxLag)) {
		list = list[1:]
	}
	x.past[key] = list
}

// seen is the record as search sees it at a time; false when it does not yet.
func (x *index) seen(r record, at time.Time) (map[string]string, bool) {
	list, ok := x.past[r.key()]
	if !ok {
		return r.Properties, r.live() // written before the simulator started
	}
	for i := len(list) - 1; i >= 0; i-- {
		if !list[i].from.After(at) {
			return list[i].properties, list[i].live
		}
	}
	return nil, false
}

// link notes an association in one direction.
func (x *index) link(l link) {
	key := linkKey(l.Portal, l.From, l.FromID, l.To)
	if !slices.Contains(x.links[key], l.ToID) {
		x.links[key] = append(x.links[key], l.ToID)
	}
}

func (x *index) unlink(l link) {
	key := linkKey(l.Portal, l.From, l.FromID, l.To)
	x.links[key] = slices.DeleteFunc(x.links[key], func(id string) bool { return id == l.ToID })
}

func linkKey(portal int64, from, fromID, to string) string {
	return fmt.Sprintf("%d/%s/%s/%s", portal, from, fromID, to)
}
