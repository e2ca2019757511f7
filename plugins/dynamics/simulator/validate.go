package simulator

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
)

// apply puts a body into a row. What it answers is done once the row is stored:
// the children of a deep insert.
func (c *call) apply(t *table, r *row, body map[string]any, creating bool) ([]func(row) *failure, *failure) {
	var later []func(row) *failure
	names := make([]string, 0, len(body))
	for name := range body {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := body[name]
		if nav, ok := strings.CutSuffix(name, "@odata.bind"); ok {
			if refused := c.bindLookup(t, r, nav, v); refused != nil {
				return nil, refused
			}
			continue
		}
		if strings.Contains(name, "@") {
			continue // annotations
		}
		if col, ok := t.column(name); ok {
			if refused := c.setColumn(t, r, col, v, creating); refused != nil {
				return nil, refused
			}
			continue
		}
		do, refused := c.deepInsert(t, r, name, v)
		if refused != nil {
			return nil, refused
		}
		later = append(later, do)
	}
	return later, nil
}

// bindLookup sets a lookup through its navigation property, whose name is
// case-sensitive and, for a lookup with several targets, target-specific.
func (c *call) bindLookup(t *table, r *row, nav string, v any) *failure {
	l, targetName, ok := t.navigation(nav)
	if !ok || l.ReadOnly {
		return payload(t, "An undeclared property '%s' which only has property annotations in the payload but no property value was found in the payload. In OData, only declared navigation properties and declared named streams can be represented as properties without values.", nav)
	}
	text, ok := v.(string)
	if !ok {
		return payload(t, "The value of '%s@odata.bind' must be a text.", nav)
	}
	at, refused := c.resolve(targetName, text)
	if refused != nil {
		return refused
	}
	r.Refs[l.Column] = at
	return nil
}

// resolve finds the row of a reference: /accounts(id), accounts(id), an absolute
// URL, an alternate key, or $1 in a change set.
func (c *call) resolve(tableName, ref string) (target, *failure) {
	if strings.HasPrefix(ref, "$") {
		if c.set == nil {
			return target{}, badReference(ref)
		}
		at, ok := c.set.made[strings.TrimPrefix(ref, "$")]
		if !ok {
			return target{}, badReference(ref)
		}
		return at, nil
	}
	path := strings.TrimPrefix(ref, c.root)
	if i := strings.LastIndex(path, "/"); i >= 0 {
		path = path[i+1:]
	}
	set, key, ok := strings.Cut(strings.TrimSuffix(path, ")"), "(")
	if !ok {
		return target{}, fail(400, "0x80048d19", "The reference '%s' is not a row's address.", ref)
	}
	t, known := c.env.setOf(set)
	if !known {
		// Tables that the simulator does not hold (queues, teams) are taken on trust.
		if id, ok := asGUID(key); ok {
			return target{tableName, id}, nil
		}
		return target{}, fail(404, "0x8006088a", "Resource not found for the segment '%s'.", set)
	}
	id, keys, refused := c.address(t, key)
	if refused != nil {
		return target{}, refused
	}
	if keys != nil {
		r, ok, refused := c.env.byKey(t, keys)
		if refused != nil {
			return target{}, refused
		}
		if !ok {
			return target{}, fail(404, "0x80060891", "A record with the specified key values does not exist in %s entity", t.Name)
		}
		id = r.ID
	}
	if _, ok := c.env.get(t, id); !ok {
		return target{}, noSuchRow(t, id)
	}
	if t.Name != tableName {
		return target{}, fail(400, "0x80048d19", "The reference '%s' is not to a row of %s.", ref, tableName)
	}
	return target{t.Name, id}, nil
}

// setColumn checks and sets one value (§2.2).
func (c *call) setColumn(t *table, r *row, col column, v any, creating bool) *failure {
	if col.Name == t.ID && (creating || v == r.ID) {
		return nil
	}
	if creating && !col.Create || !creating && !col.Update {
		if t.Activity && (col.Name == "statecode") {
			r.Values[col.Name] = v // judged by the state rules
			return nil
		}
		if c.sim.settings.RefuseReadOnly {
			return fail(400, "0x80040203", "The property '%s' cannot be set with this operation.", col.Name)
		}
		return nil
	}
	if v == nil || v == "" {
		if col.Required == "SystemRequired" {
			return fail(400, "0x80040203", "The property '%s' cannot be set to null.", col.Name)
		}
		delete(r.Values, col.Name)
		return nil
	}
	checked, refused := c.check(t, col, v)
	if refused != nil {
		return refused
	}
	r.Values[col.Name] = checked
	return nil
}

func (c *call) check(t *table, col column, v any) (any, *failure) {
	wrong := func(edm string) *failure {
		return payload(t, "Cannot convert the literal '%v' to the expected type '%s' for property '%s'.", v, edm, col.Name)
	}
	switch col.Type {
	case "String", "Memo":
		text, ok := v.(string)
		if !ok {
			return nil, wrong("Edm.String")
		}
		limit := col.MaxLength
		if n, changed := c.sim.settings.MaxLengths[t.Name+"."+col.Name]; changed {
			limit = n
		}
		if limit > 0 && len(utf16.Encode([]rune(text))) > limit {
			return nil, fail(400, "0x80044331",
				"A validation error occurred.  The length of the '%s' attribute of the '%s' entity exceeded the maximum allowed length of '%d'.", col.Name, t.Name, limit)
		}
		return text, nil
	case "Picklist", "Status", "State", "Integer", "BigInt":
		n, ok := v.(float64)
		if !ok || n != math.Trunc(n) {
			return nil, wrong("Edm.Int32")
		}
		if len(col.Options) > 0 && !slices.ContainsFunc(col.Options, func(o option) bool { return o.Value == int(n) }) {
			return nil, fail(400, "0x8004431a", "A validation error occurred. The value '%d' of attribute '%s' on record of type '%s' is outside the valid range.", int(n), col.Name, t.Name)
		}
		return n, nil
	case "Decimal", "Double", "Money":
		if n, ok := v.(float64); ok {
			return n, nil
		}
		return nil, wrong("Edm.Decimal")
	case "Boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, wrong("Edm.Boolean")
	case "DateTime":
		return checkTime(col, v, wrong)
	case "MultiSelectPicklist":
		text, ok := v.(string)
		if !ok {
			return nil, wrong("Edm.String")
		}
		for _, one := range strings.Split(text, ",") {
			n, err := strconv.Atoi(one)
			if err != nil || !slices.ContainsFunc(col.Options, func(o option) bool { return o.Value == n }) {
				return nil, fail(400, "0x8004431a", "A validation error occurred. The value '%s' of attribute '%s' is outside the valid range.", one, col.Name)
			}
		}
		return text, nil
	case "Uniqueidentifier":
		text, _ := v.(string)
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, wrong("Edm.Guid")
		}
		return id.String(), nil
	}
	return v, nil
}

// checkTime wants YYYY-MM-DD of a date-only column, an offset of others
// (quirk 20). overriddencreatedon is called date-only and takes both.
func checkTime(col column, v any, wrong func(string) *failure) (any, *failure) {
	text, ok := v.(string)
	if !ok {
		return nil, wrong("Edm.DateTimeOffset")
	}
	_, notDate := time.Parse(time.DateOnly, text)
	if col.DateOnly && notDate == nil {
		return text, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err == nil && (!col.DateOnly || col.Name == "overriddencreatedon") {
		return stamp(at), nil
	}
	if col.DateOnly {
		return nil, wrong("Edm.Date")
	}
	return nil, wrong("Edm.DateTimeOffset")
}

// deepInsert makes related rows in the same transaction (§4.1): a collection of
// children, or the row a lookup will point to.
func (c *call) deepInsert(t *table, r *row, name string, v any) (func(row) *failure, *failure) {
	if l, targetName, ok := t.navigation(name); ok && !l.ReadOnly {
		body, isObject := v.(map[string]any)
		other, known := c.env.tables[targetName]
		if !isObject || !known {
			return nil, payload(t, "The property '%s' wants an object.", name)
		}
		made, refused := c.create(other, body, "", nil)
		if refused != nil {
			return nil, refused
		}
		r.Refs[l.Column] = target{other.Name, made.ID}
		return func(row) *failure { return nil }, nil
	}
	for _, ch := range t.Children {
		if ch.Name != name {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			return nil, payload(t, "The property '%s' wants an array.", name)
		}
		if ch.Table == "activityparty" {
			return func(stored row) *failure { return c.parties(t, stored, list) }, nil
		}
		return func(stored row) *failure { return c.insertChildren(t, stored, ch, list) }, nil
	}
	return nil, fail(400, "0x0", "An error occurred while validating input parameters: Microsoft.OData.ODataException: Invalid property '%s' was found in entity 'Microsoft.Dynamics.CRM.%s'.", name, t.Name)
}

func (c *call) insertChildren(t *table, parent row, ch child, list []any) *failure {
	other := c.env.tables[ch.Table]
	for _, one := range list {
		body, ok := one.(map[string]any)
		if !ok {
			return payload(t, "The property '%s' wants objects.", ch.Name)
		}
		made, refused := c.create(other, body, "", nil)
		if refused != nil {
			return refused
		}
		next := made.clone()
		next.Refs[ch.Column] = target{t.Name, parent.ID}
		c.derive(other, &next)
		if _, refused := c.env.put(other, next); refused != nil {
			return refused
		}
	}
	return nil
}
