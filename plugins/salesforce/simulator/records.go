package simulator

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// record is one record by the schema's field names: text, numbers and truth
// values as JSON has them. Ids are kept with 18 characters; the tables' keys have
// 15.
type record map[string]any

func (r record) text(field string) string {
	s, _ := r[field].(string)
	return s
}

func (r record) truth(field string) bool {
	b, _ := r[field].(bool)
	return b
}

func (r record) deleted() bool { return r.truth("IsDeleted") }

// object is a kind of record by name, without case.
func (s *Simulator) object(name string) (object, bool) {
	if o, ok := s.objects[name]; ok {
		return o, true
	}
	for known, o := range s.objects {
		if strings.EqualFold(known, name) {
			return o, true
		}
	}
	return object{}, false
}

// get is a record by an id of 15 or 18 characters, deleted ones too.
func (s *Simulator) get(o object, id string) (record, bool) {
	short, ok := shortID(id)
	if !ok {
		return nil, false
	}
	return s.records[o.name].Get(short)
}

// live is get without the deleted.
func (s *Simulator) live(o object, id string) (record, bool) {
	r, ok := s.get(o, id)
	return r, ok && !r.deleted()
}

// byID finds a live record of any of the objects by its prefix.
func (s *Simulator) byID(names []string, id string) (object, record, bool) {
	for _, name := range names {
		o, ok := s.objects[name]
		if !ok || !strings.HasPrefix(id, o.prefix) {
			continue
		}
		r, ok := s.live(o, id)
		return o, r, ok
	}
	return object{}, nil, false
}

// next counts under a name, starting with 1.
func (s *Simulator) next(name string) int {
	n, _ := s.numbers.Get(name)
	s.numbers.Put(name, n+1)
	return n + 1
}

// insert adds a record that was found valid and returns its id.
func (s *Simulator) insert(o object, values record, user string) string {
	id := makeID(o.prefix, s.next(o.prefix))
	now := s.now()
	r := record{
		"Id": longID(id), "IsDeleted": false, "CreatedDate": now, "CreatedById": longID(user),
		"LastModifiedDate": now, "LastModifiedById": longID(user), "SystemModstamp": now,
	}
	for _, f := range o.fields {
		if f.kind == "boolean" && r[f.name] == nil {
			r[f.name] = false
		}
	}
	defaults(o, r, longID(user))
	for name, value := range values {
		r[name] = value
	}
	s.derive(o, r)
	s.put(o, id, r)
	s.Counters.Add("created "+o.name, 1)
	return id
}

// defaults are the values a record has when nobody gave any.
func defaults(o object, r record, user string) {
	if _, has := o.find("OwnerId"); has {
		r["OwnerId"] = user
	}
	switch o.name {
	case "Task":
		r["Status"], r["Priority"], r["TaskSubtype"] = "Not Started", "Normal", "Task"
	case "Lead":
		r["Status"], r["IsUnreadByOwner"] = "Open - Not Contacted", true
	case "EmailMessage":
		r["Status"] = "0"
	}
}

// update changes a record that was found valid.
func (s *Simulator) update(o object, id string, values record, user string) {
	old, _ := s.get(o, id)
	r := maps.Clone(old)
	for name, value := range values {
		r[name] = value
	}
	now := s.now()
	r["LastModifiedDate"], r["LastModifiedById"], r["SystemModstamp"] = now, longID(user), now
	s.derive(o, r)
	s.put(o, id[:15], r)
}

// touch moves a record's SystemModstamp without a user's edit.
func (s *Simulator) touch(o object, id string, change func(record)) {
	old, ok := s.get(o, id)
	if !ok {
		return
	}
	r := maps.Clone(old)
	change(r)
	r["SystemModstamp"] = s.now()
	s.put(o, id[:15], r)
}

// remove puts a record into the recycle bin.
func (s *Simulator) remove(o object, id string) {
	s.touch(o, id, func(r record) { r["IsDeleted"] = true })
}

// derive fills the fields Salesforce computes (salesforce.md §11.1).
func (s *Simulator) derive(o object, r record) {
	if _, first := o.find("FirstName"); first {
		r["Name"] = strings.TrimSpace(r.text("FirstName") + " " + r.text("LastName"))
	}
	if o.name == "Task" {
		closed := r.text("Status") == "Completed"
		if closed && !r.truth("IsClosed") {
			r["CompletedDateTime"] = s.now()
		}
		if !closed {
			delete(r, "CompletedDateTime")
		}
		r["IsClosed"], r["IsHighPriority"] = closed, r.text("Priority") == "High"
		s.accountOf(r)
		s.touchPerson(r)
	}
}

// accountOf derives a task's account from what it is about, else from whom.
func (s *Simulator) accountOf(r record) {
	delete(r, "AccountId")
	if what := r.text("WhatId"); strings.HasPrefix(what, s.objects["Account"].prefix) {
		r["AccountId"] = what
	} else if contact, ok := s.live(s.objects["Contact"], r.text("WhoId")); ok && contact.text("AccountId") != "" {
		r["AccountId"] = contact.text("AccountId")
	}
}

// touchPerson rolls a task up into its person's last activity.
func (s *Simulator) touchPerson(r record) {
	date := r.text("ActivityDate")
	person, who, ok := s.byID([]string{"Contact", "Lead"}, r.text("WhoId"))
	if !s.settings.TouchPeople || !ok || date == "" || date <= who.text("LastActivityDate") || !r.truth("IsClosed") {
		return
	}
	s.touch(person, who.text("Id"), func(p record) { p["LastActivityDate"] = date })
}

// put stores a record and makes it findable.
func (s *Simulator) put(o object, id string, r record) {
	s.records[o.name].Put(id, r)
	s.indexRecord(o, id, r)
}

// indexed tells whether records are looked up by a field.
func indexed(f field) bool { return f.externalID || f.unique || f.idLookup && f.name != "Id" }

// indexRecord notes the values of a record. Entries are never taken out: who
// looks up checks the record.
func (s *Simulator) indexRecord(o object, id string, r record) {
	for _, f := range o.fields {
		value, ok := r[f.name].(string)
		if !ok || value == "" || !indexed(f) {
			continue
		}
		name := o.name + "." + f.name
		if s.index[name] == nil {
			s.index[name] = map[string][]string{}
		}
		if ids := s.index[name][fold(f, value)]; !slices.Contains(ids, id) {
			s.index[name][fold(f, value)] = append(ids, id)
		}
	}
}

// lookup finds the live records with a value in an indexed field.
func (s *Simulator) lookup(o object, f field, value string) []record {
	var found []record
	for _, id := range s.index[o.name+"."+f.name][fold(f, value)] {
		if r, ok := s.live(o, id); ok && fold(f, r.text(f.name)) == fold(f, value) {
			found = append(found, r)
		}
	}
	return found
}

// fold is a value as it is compared: without case, unless the field has it.
func fold(f field, value string) string {
	if f.caseSensitive {
		return value
	}
	return strings.ToLower(value)
}

// archive hides closed activities of over 365 days ago from query
// (salesforce.md §4.4).
func (s *Simulator) archive() int {
	n := 0
	limit := s.Clock.Now().Add(-365 * 24 * time.Hour).Format(time.DateOnly)
	for _, name := range []string{"Task", "Event"} {
		o := s.objects[name]
		for id, r := range s.records[name].All() {
			date := r.text("ActivityDate")
			if date == "" && len(r.text("CreatedDate")) >= 10 {
				date = r.text("CreatedDate")[:10]
			}
			if r.deleted() || r.truth("IsArchived") || name == "Task" && !r.truth("IsClosed") || date >= limit {
				continue
			}
			s.touch(o, id, func(r record) { r["IsArchived"] = true })
			n++
		}
	}
	return n
}

// seed makes the org's own records when there are none.
func (s *Simulator) seed() {
	if s.records["Organization"].Len() > 0 {
		return
	}
	s.put(s.objects["Organization"], orgID, record{
		"Id": longID(orgID), "Name": "Example Org", "OrganizationType": "Developer Edition", "InstanceName": "SIM1", "IsSandbox": false,
		"IsDeleted": false, "SystemModstamp": s.now(), "CreatedDate": s.now(), "LastModifiedDate": s.now(),
	})
	s.put(s.objects["User"], adminUser, record{
		"Id": longID(adminUser), "Username": username, "FirstName": "Ada", "LastName": "Admin", "Name": "Ada Admin", "Email": username,
		"IsActive": true, "IsDeleted": false, "SystemModstamp": s.now(), "CreatedDate": s.now(), "LastModifiedDate": s.now(),
	})
	for i, status := range []string{"Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"} {
		s.insert(s.objects["TaskStatus"], record{
			"MasterLabel": status, "ApiName": status, "SortOrder": float64(i + 1), "IsDefault": i == 0, "IsClosed": status == "Completed",
		}, adminUser)
	}
}
