package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// fields reads a JSON object out of the body.
func (c *call) fields(t *table) (map[string]any, *failure) {
	var body map[string]any
	if err := json.Unmarshal(c.body, &body); err != nil || body == nil {
		return nil, payload(t, "An unexpected end of input or wrong token was found: %v", err)
	}
	return body, nil
}

// post answers POST to a set: a new row (S8).
func (c *call) post(t *table) (*answer, *failure) {
	if t.Virtual {
		if t.Name == "activitypointer" {
			return nil, c.notAllowed()
		}
		return nil, fail(400, "0x80040203", "The 'Create' method does not support entities of type '%s'.", t.Name)
	}
	body, refused := c.fields(t)
	if refused != nil {
		return nil, refused
	}
	r, refused := c.create(t, body, "", nil)
	if refused != nil {
		return nil, refused
	}
	return c.written(http.StatusCreated, t, r, t.Set+"("+r.ID+")")
}

// written answers a write: 204 with the address, or the row when it is wanted.
func (c *call) written(status int, t *table, r row, address string) (*answer, *failure) {
	if want, _ := c.prefers("return"); want == "representation" {
		s, refused := c.selected(t, map[string]string{"$select": c.options["$select"]})
		if refused != nil {
			return nil, refused
		}
		a, refused := c.one(status, t, r, s)
		if refused != nil {
			return nil, refused
		}
		a.header.Set("Preference-Applied", "return=representation")
		return a, nil
	}
	a := respond(http.StatusNoContent, nil)
	a.header.Set("OData-EntityId", c.root+address)
	if c.inBatch {
		a.header.Set("Location", c.root+address)
	}
	return a, nil
}

// patch answers PATCH of a row with the conditions of §12.2 S8.
func (c *call) patch(t *table) (*answer, *failure) {
	if t.Virtual && t.Name != "activityparty" {
		return nil, c.notAllowed()
	}
	body, refused := c.fields(t)
	if refused != nil {
		return nil, refused
	}
	id, keys, refused := c.address(t, c.segments[0].key)
	if refused != nil {
		return nil, refused
	}
	var r row
	var exists bool
	if keys == nil {
		r, exists = c.env.get(t, id)
	} else if r, exists, refused = c.env.byKey(t, keys); refused != nil {
		return nil, refused
	}
	if exists && c.request != nil && base.Does(c.request, doEditFirst) {
		if r, refused = c.env.put(t, r.clone()); refused != nil {
			return nil, refused
		}
	}
	match, noneMatch := c.header.Get("If-Match"), c.header.Get("If-None-Match")
	switch {
	case exists && noneMatch == "*":
		return nil, fail(http.StatusPreconditionFailed, "0x80040237", "A record with matching key values already exists.")
	case exists && match != "" && match != "*" && match != etag(r.Version):
		return nil, fail(http.StatusPreconditionFailed, "0x80060882", "The version of the existing record doesn't match the RowVersion property provided.")
	case !exists && match != "" && keys != nil:
		return nil, fail(http.StatusNotFound, "0x80060891", "A record with the specified key values does not exist in %s entity", t.Name)
	case !exists && match != "":
		return nil, noSuchRow(t, id)
	}
	address := c.segments[0].name + "(" + c.segments[0].key + ")"
	if !exists {
		r, refused = c.create(t, body, id, keys)
		if refused != nil {
			return nil, refused
		}
		return c.written(http.StatusCreated, t, r, address)
	}
	for name := range keys {
		delete(body, name) // dropped on update (§4.1)
	}
	if r, refused = c.update(t, r, body); refused != nil {
		return nil, refused
	}
	return c.written(http.StatusOK, t, r, address)
}

// create makes a row from a body. keys fill in what the body leaves out.
func (c *call) create(t *table, body map[string]any, id string, keys map[string]string) (row, *failure) {
	if refused := c.may("Create", t); refused != nil {
		return row{}, refused
	}
	if given, ok := body[t.ID].(string); ok && id == "" {
		var valid bool
		if id, valid = asGUID(given); !valid {
			return row{}, payload(t, "Cannot convert the literal '%s' to the expected type 'Edm.Guid'.", given)
		}
	}
	if id == "" {
		id = newID()
	}
	if c.taken(t, id) {
		return row{}, fail(http.StatusPreconditionFailed, "0x80040237", "A record with matching key values already exists.")
	}
	r := row{ID: id, Values: map[string]any{t.ID: id}, Refs: map[string]target{
		"ownerid": {"systemuser", c.user}, "createdby": {"systemuser", c.user}, "modifiedby": {"systemuser", c.user},
	}}
	for name, v := range keys {
		r.Values[name] = v
	}
	c.env.defaults(t, &r)
	later, refused := c.apply(t, &r, body, true)
	if refused != nil {
		return row{}, refused
	}
	if t.Activity && r.number("statecode") != 0 {
		return row{}, fail(400, "0x80048408", "%d is not a valid status code for state code on creation of %s.", r.number("statuscode"), t.Name)
	}
	if refused := c.env.checkState(t, r); refused != nil {
		return row{}, refused
	}
	r.Values["createdon"] = stamp(c.now)
	if at, ok := r.Values["overriddencreatedon"].(string); ok {
		r.Values["createdon"] = at
	}
	if refused := c.rules(t, r); refused != nil {
		return row{}, refused
	}
	c.derive(t, &r)
	if r, refused = c.env.put(t, r); refused != nil {
		return row{}, refused
	}
	c.sim.Counters.Add("created "+t.Name, 1)
	for _, do := range later {
		if refused := do(r); refused != nil {
			return row{}, refused
		}
	}
	if t.Activity {
		c.serverParties(t, r)
	}
	c.hook("Create", t, r, body)
	return r, nil
}

// taken tells whether an id is used; activities share one space of ids.
func (c *call) taken(t *table, id string) bool {
	if t.Activity {
		_, ok := c.env.get(c.env.tables["activitypointer"], id)
		return ok
	}
	_, ok := c.env.get(t, id)
	return ok
}

// update changes a row.
func (c *call) update(t *table, old row, body map[string]any) (row, *failure) {
	if refused := c.may("Write", t); refused != nil {
		return row{}, refused
	}
	r := old.clone()
	if refused := c.closed(t, old, body); refused != nil {
		return row{}, refused
	}
	later, refused := c.apply(t, &r, body, false)
	if refused != nil {
		return row{}, refused
	}
	if refused := c.env.checkState(t, r); refused != nil {
		return row{}, refused
	}
	if refused := c.rules(t, r); refused != nil {
		return row{}, refused
	}
	c.derive(t, &r)
	if r, refused = c.env.put(t, r); refused != nil {
		return row{}, refused
	}
	for _, do := range later {
		if refused := do(r); refused != nil {
			return row{}, refused
		}
	}
	c.hook("Update", t, r, body)
	return r, nil
}

// rules are the customer's own: a plug-in that insists on a column, and duplicate
// detection where the caller turned it on (§8).
func (c *call) rules(t *table, r row) *failure {
	for _, wanted := range c.sim.settings.PluginRequires {
		name, column, _ := strings.Cut(wanted, ".")
		if name == t.Name && r.Values[column] == nil {
			return fail(400, "0x80040265", "Contoso rule: column '%s' must be filled in.", column)
		}
	}
	if c.header.Get("MSCRM.SuppressDuplicateDetection") != "false" || !c.sim.settings.DuplicateRules {
		return nil
	}
	if len(c.env.duplicates(t, r)) > 0 {
		return fail(c.sim.settings.DuplicateStatus, "0x80040333", "A record was not created or updated because a duplicate of the current record already exists.")
	}
	return nil
}

// duplicates are the active rows that the default rules match: the same email
// address, or first and last name.
func (e *environment) duplicates(t *table, r row) []row {
	var out []row
	for _, other := range e.all(t) {
		if other.ID == r.ID || other.number("statecode") != 0 {
			continue
		}
		email := r.text("emailaddress1") != "" && strings.EqualFold(r.text("emailaddress1"), other.text("emailaddress1"))
		name := t.Name == "contact" && r.text("firstname") != "" && r.text("lastname") != "" &&
			strings.EqualFold(r.text("firstname"), other.text("firstname")) && strings.EqualFold(r.text("lastname"), other.text("lastname"))
		if email || name || t.Name == "account" && r.text("name") != "" && strings.EqualFold(r.text("name"), other.text("name")) {
			out = append(out, other)
		}
	}
	return out
}

// derive recomputes what the server computes.
func (c *call) derive(t *table, r *row) {
	r.Values["modifiedon"] = stamp(c.now)
	r.Refs["modifiedby"] = target{"systemuser", c.user}
	if t.Name == "contact" {
		r.set("fullname", strings.TrimSpace(r.text("firstname")+" "+r.text("lastname")))
		delete(r.Refs, "accountid")
		delete(r.Refs, "parentcontactid")
		if ref, ok := r.Refs["parentcustomerid"]; ok {
			r.Refs[map[string]string{"account": "accountid", "contact": "parentcontactid"}[ref.Table]] = ref
		}
	}
	for _, prefix := range []string{"address1_", "address2_"} {
		if _, has := t.column(prefix + "composite"); has {
			var lines []string
			for _, part := range []string{"line1", "line2", "line3", "city", "stateorprovince", "postalcode", "country"} {
				if text := r.text(prefix + part); text != "" {
					lines = append(lines, text)
				}
			}
			r.set(prefix+"composite", strings.Join(lines, "\r\n"))
		}
	}
	if t.Activity {
		r.set("sortdate", firstText(r.text("actualend"), r.text("scheduledend"), r.text("createdon")))
	}
}

func (r *row) set(name, text string) {
	if text == "" {
		delete(r.Values, name)
		return
	}
	r.Values[name] = text
}

func firstText(words ...string) string {
	i := slices.IndexFunc(words, func(w string) bool { return w != "" })
	if i < 0 {
		return ""
	}
	return words[i]
}

// delete answers DELETE of a row.
func (c *call) delete(t *table) (*answer, *failure) {
	if t.Virtual {
		return nil, c.notAllowed()
	}
	if refused := c.may("Delete", t); refused != nil {
		return nil, refused
	}
	r, refused := c.find(t)
	if refused != nil {
		return nil, refused
	}
	if match := c.header.Get("If-Match"); match != "" && match != "*" && match != etag(r.Version) {
		return nil, fail(http.StatusPreconditionFailed, "0x80060882", "The version of the existing record doesn't match the RowVersion property provided.")
	}
	c.env.removeDeep(t, r, c.now)
	c.hook("Delete", t, r, nil)
	return respond(http.StatusNoContent, nil), nil
}

// onPart answers what stands behind a row: one property, a lookup's $ref, a
// collection, or a function bound to the row.
func (c *call) onPart(t *table) (*answer, *failure) {
	name := c.segments[1].name
	if strings.HasPrefix(name, "Microsoft.Dynamics.CRM.RetrieveUserPrivileges") && t.Name == "systemuser" {
		return c.userPrivileges()
	}
	r, refused := c.find(t)
	if refused != nil {
		return nil, refused
	}
	ref := len(c.segments) == 3 && c.segments[2].name == "$ref"
	if l, targetName, ok := t.navigation(name); ok {
		return c.onLookup(t, r, l, targetName, ref)
	}
	for _, ch := range t.Children {
		if ch.Name == name {
			return c.onChildren(t, r, ch, ref)
		}
	}
	col, ok := t.column(name)
	if !ok || len(c.segments) > 2 {
		return nil, fail(http.StatusNotFound, "0x8006088a", "Resource not found for the segment '%s'.", name)
	}
	switch c.method {
	case http.MethodGet:
		return respond(http.StatusOK, map[string]any{
			"@odata.context": c.root + "$metadata#" + t.Set + "(" + r.ID + ")/" + name, "value": r.value(col.Name),
		}), nil
	case http.MethodPut:
		var body struct {
			Value any `json:"value"`
		}
		if err := json.Unmarshal(c.body, &body); err != nil {
			return nil, payload(t, "%v", err)
		}
		_, refused = c.update(t, r, map[string]any{name: body.Value})
	case http.MethodDelete:
		_, refused = c.update(t, r, map[string]any{name: nil})
	default:
		return nil, c.notAllowed()
	}
	if refused != nil {
		return nil, refused
	}
	return respond(http.StatusNoContent, nil), nil
}

// onLookup answers a single-valued navigation property.
func (c *call) onLookup(t *table, r row, l lookup, targetName string, ref bool) (*answer, *failure) {
	switch {
	case c.method == http.MethodGet:
		at, ok := r.Refs[l.Column]
		if !ok || at.Table != targetName {
			return respond(http.StatusNoContent, nil), nil
		}
		other := c.env.tables[at.Table]
		found, ok := c.env.get(other, at.ID)
		if !ok {
			return respond(http.StatusNoContent, nil), nil
		}
		s, refused := c.selected(other, c.options)
		if refused != nil {
			return nil, refused
		}
		return c.one(http.StatusOK, other, found, s)
	case !ref:
		return nil, c.notAllowed()
	case c.method == http.MethodDelete:
		next := r.clone()
		delete(next.Refs, l.Column)
		c.derive(t, &next)
		if _, refused := c.env.put(t, next); refused != nil {
			return nil, refused
		}
	case c.method == http.MethodPut:
		var body map[string]string
		if err := json.Unmarshal(c.body, &body); err != nil {
			return nil, payload(t, "%v", err)
		}
		if _, refused := c.update(t, r, map[string]any{c.segments[1].name + "@odata.bind": body["@odata.id"]}); refused != nil {
			return nil, refused
		}
	default:
		return nil, c.notAllowed()
	}
	return respond(http.StatusNoContent, nil), nil
}

// onChildren answers a collection navigation property: reading it, adding an
// existing row with $ref, and replacing an email's parties (§5.1).
func (c *call) onChildren(t *table, r row, ch child, ref bool) (*answer, *failure) {
	other := c.env.tables[ch.Table]
	switch {
	case c.method == http.MethodGet:
		s, refused := c.selected(other, c.options)
		if refused != nil {
			return nil, refused
		}
		list := []any{}
		for _, one := range c.env.children(t, r.ID, ch) {
			body, refused := c.render(other, one, s)
			if refused != nil {
				return nil, refused
			}
			list = append(list, body)
		}
		return respond(http.StatusOK, map[string]any{"@odata.context": c.root + "$metadata#" + other.Set + contextOf(s), "value": list}), nil
	case c.method == http.MethodPost && ref:
		var body map[string]string
		if err := json.Unmarshal(c.body, &body); err != nil {
			return nil, payload(t, "%v", err)
		}
		at, refused := c.resolve(other.Name, body["@odata.id"])
		if refused != nil {
			return nil, refused
		}
		found, _ := c.env.get(other, at.ID)
		next := found.clone()
		next.Refs[ch.Column] = target{t.Name, r.ID}
		c.derive(other, &next)
		if _, refused := c.env.put(other, next); refused != nil {
			return nil, refused
		}
	case c.method == http.MethodPut && ch.Table == "activityparty":
		var body struct {
			Value []any `json:"value"`
		}
		if err := json.Unmarshal(c.body, &body); err != nil {
			return nil, payload(t, "%v", err)
		}
		for _, p := range c.env.children(t, r.ID, ch) {
			c.env.rows["activityparty"].Delete(p.ID)
		}
		if refused := c.parties(t, r, body.Value); refused != nil {
			return nil, refused
		}
		c.serverParties(t, r)
	default:
		return nil, c.notAllowed()
	}
	return respond(http.StatusNoContent, nil), nil
}
