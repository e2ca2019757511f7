package simulator

import (
	"slices"
	"time"
)

// defaults are what the server fills in on creation.
func (e *environment) defaults(t *table, r *row) {
	if _, ok := t.column("statecode"); ok {
		r.Values["statecode"] = float64(0)
		r.Values["statuscode"] = float64(defaultStatus(t, 0))
	}
	if _, ok := t.column("directioncode"); ok {
		r.Values["directioncode"] = true
	}
	for _, name := range []string{"merged", "isdocument", "donotemail", "donotphone", "donotbulkemail", "donotfax", "donotpostalmail"} {
		if _, ok := t.column(name); ok {
			r.Values[name] = false
		}
	}
	if t.Activity {
		r.Values["activitytypecode"] = t.Name
		r.Values["isregularactivity"] = true
		r.Values["prioritycode"] = float64(1)
	}
}

// defaultStatus is the first statuscode of a state.
func defaultStatus(t *table, state int) int {
	status, _ := t.column("statuscode")
	for _, o := range status.Options {
		if o.State == state {
			return o.Value
		}
	}
	return 0
}

// checkState wants statecode and statuscode to go together (§5.2).
func (e *environment) checkState(t *table, r row) *failure {
	status, ok := t.column("statuscode")
	if !ok {
		return nil
	}
	state, _ := t.column("statecode")
	for _, o := range status.Options {
		if o.Value == r.number("statuscode") && o.State == r.number("statecode") {
			return nil
		}
	}
	label := ""
	for _, o := range state.Options {
		if o.Value == r.number("statecode") {
			label = o.Label
		}
	}
	return fail(400, "0x80048408", "%d is not a valid status code for state code %sState.%s on %s with Id %s.", r.number("statuscode"), title(t.Name), label, t.Name, r.ID)
}

// closed refuses changes of an activity that is not open, unless they open it.
func (c *call) closed(t *table, old row, body map[string]any) *failure {
	if !t.Activity {
		return nil
	}
	if made := c.set; made != nil && c.sim.settings.RefuseCloseInSet && body["statecode"] != nil && slices.Contains(made.created, old.ID) {
		return fail(400, "0x80048408", "The state of %s %s cannot change in the change set that creates it.", t.Name, old.ID)
	}
	if old.number("statecode") == 0 || old.number("statecode") == 3 || !c.sim.settings.RefuseClosedEdits {
		return nil
	}
	if body["statecode"] == float64(0) {
		return nil
	}
	for name := range body {
		if name != "statecode" && name != "statuscode" {
			return fail(400, "0x80040233", "The %s with Id %s is closed: property '%s' cannot be changed.", t.Name, old.ID, name)
		}
	}
	if body["statecode"] == old.Values["statecode"] {
		return fail(400, "0x80040233", "The %s with Id %s has that state already.", t.Name, old.ID)
	}
	return nil
}

// parties makes the participants of an activity.
func (c *call) parties(t *table, r row, list []any) *failure {
	party := c.env.tables["activityparty"]
	senders := 0
	for _, one := range list {
		body, ok := one.(map[string]any)
		if !ok {
			return payload(t, "A party must be an object.")
		}
		p := row{ID: newID(), Values: map[string]any{}, Refs: map[string]target{"activityid": {t.Name, r.ID}}}
		p.Values["activitypartyid"] = p.ID
		if _, refused := c.apply(party, &p, body, true); refused != nil {
			return refused
		}
		role := p.number("participationtypemask")
		if !slices.Contains(t.Roles, role) {
			return fail(400, "0x80043506", "Cannot create activity party of specified object type.")
		}
		if _, has := p.Refs["partyid"]; !has && p.text("addressused") == "" {
			return fail(400, "0x80043504", "Activity party object Id or type is missing")
		}
		if role == 1 {
			senders++
		}
		if t.Name == "email" && senders > 1 {
			return fail(400, "0x80043518", "An email has one sender.")
		}
		p.Version = c.env.nextVersion()
		c.env.rows["activityparty"].Put(p.ID, p)
	}
	return nil
}

// serverParties adds who the activity is regarding and who owns it (§5.2).
func (c *call) serverParties(t *table, r row) {
	add := func(at target, role int) {
		p := row{ID: newID(), Version: c.env.nextVersion(), Refs: map[string]target{"activityid": {t.Name, r.ID}, "partyid": at}}
		p.Values = map[string]any{"activitypartyid": p.ID, "participationtypemask": float64(role)}
		c.env.rows["activityparty"].Put(p.ID, p)
	}
	if at, ok := r.Refs["regardingobjectid"]; ok {
		add(at, 8)
	}
	add(r.Refs["ownerid"], 9)
}

// removeDeep deletes a row with its notes, regarding activities and their
// parties, and unlinks what else points to it (§3.1).
func (e *environment) removeDeep(t *table, r row, now time.Time) {
	points := func(other row, column string) bool {
		ref, ok := other.Refs[column]
		return ok && ref.Table == t.Name && ref.ID == r.ID
	}
	for _, p := range snapshot(e, e.tables["activityparty"]) {
		if points(p, "activityid") {
			e.rows["activityparty"].Delete(p.ID)
		}
	}
	for _, n := range snapshot(e, e.tables["annotation"]) {
		if points(n, "objectid") {
			e.remove(e.tables["annotation"], n, now)
		}
	}
	if !t.Activity {
		for _, a := range e.activities() {
			for _, one := range snapshot(e, a) {
				if points(one, "regardingobjectid") {
					e.removeDeep(a, one, now)
				}
			}
		}
		for _, name := range []string{"contact", "account"} {
			for _, one := range snapshot(e, e.tables[name]) {
				next, changed := one.clone(), false
				for column := range one.Refs {
					if points(one, column) {
						delete(next.Refs, column)
						changed = true
					}
				}
				if changed {
					_, _ = e.put(e.tables[name], next) // no key changes
				}
			}
		}
	}
	e.remove(t, r, now)
}

// snapshot copies a table's rows, so that they can be removed while walking.
func snapshot(e *environment, t *table) []row {
	var out []row
	for _, r := range e.all(t) {
		out = append(out, r)
	}
	return out
}
