package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// selection is what a read answers of a row.
type selection struct {
	columns []string // properties in order; nil means all
	expand  []expansion
}

type expansion struct {
	name    string
	options map[string]string
}

// selected reads $select and $expand.
func (c *call) selected(t *table, options map[string]string) (selection, *failure) {
	var s selection
	if text := options["$select"]; text != "" {
		for _, name := range strings.Split(text, ",") {
			name = strings.TrimSpace(name)
			if !c.readable(t, name) {
				return s, noSuchProperty(t, name)
			}
			s.columns = append(s.columns, name)
		}
		if !slices.Contains(s.columns, t.ID) {
			s.columns = append(s.columns, t.ID)
		}
		// Any part of an address brings the whole one (§2.3).
		for _, prefix := range []string{"address1_", "address2_"} {
			whole := prefix + "composite"
			if _, has := t.column(whole); has && !slices.Contains(s.columns, whole) &&
				slices.ContainsFunc(s.columns, func(n string) bool { return strings.HasPrefix(n, prefix) }) {
				s.columns = append(s.columns, whole)
			}
		}
	}
	if text := options["$expand"]; text != "" {
		for _, one := range splitOutsideParens(text, ',') {
			name, inner, _ := strings.Cut(strings.TrimSpace(one), "(")
			e := expansion{name: name, options: map[string]string{}}
			for _, o := range splitOutsideParens(strings.TrimSuffix(inner, ")"), ';') {
				if k, v, ok := strings.Cut(o, "="); ok {
					e.options[strings.TrimSpace(k)] = v
				}
			}
			s.expand = append(s.expand, e)
		}
	}
	return s, nil
}

// readable tells whether a property can be selected.
func (c *call) readable(t *table, name string) bool {
	if _, ok := t.column(name); ok {
		return true
	}
	_, ok := t.lookupByProperty(name)
	return ok
}

func splitOutsideParens(text string, at byte) []string {
	var out []string
	depth, start := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case at:
			if depth == 0 {
				out = append(out, text[start:i])
				start = i + 1
			}
		}
	}
	return append(out, text[start:])
}

// render writes a row as JSON.
func (c *call) render(t *table, r row, s selection) (map[string]any, *failure) {
	out := map[string]any{"@odata.etag": etag(r.Version)}
	want := s.columns
	if want == nil {
		for _, col := range t.Columns {
			want = append(want, col.Name)
		}
		for _, l := range t.Lookups {
			want = append(want, l.property())
		}
	}
	notes, _ := c.prefers("odata.include-annotations")
	all := notes == "*"
	for _, name := range want {
		if slices.Contains(c.sim.settings.HiddenColumns, t.Name+"."+name) {
			out[name] = nil
			continue
		}
		if l, ok := t.lookupByProperty(name); ok {
			ref, set := r.Refs[l.Column]
			if !set {
				out[name] = nil
				continue
			}
			out[name] = ref.ID
			if all {
				out[name+"@Microsoft.Dynamics.CRM.lookuplogicalname"] = ref.Table
				for _, b := range l.Binds {
					if b.Target == ref.Table {
						out[name+"@Microsoft.Dynamics.CRM.associatednavigationproperty"] = b.Name
						break
					}
				}
			}
			if all || strings.Contains(notes, "FormattedValue") {
				out[name+"@OData.Community.Display.V1.FormattedValue"] = c.env.titleOf(ref)
			}
			continue
		}
		out[name] = r.value(name)
		if all || strings.Contains(notes, "FormattedValue") {
			if text, ok := formatted(t, r, name); ok {
				out[name+"@OData.Community.Display.V1.FormattedValue"] = text
			}
		}
	}
	for _, e := range s.expand {
		if refused := c.expand(out, t, r, e); refused != nil {
			return nil, refused
		}
	}
	return out, nil
}

func (r row) value(name string) any {
	if name == "versionnumber" {
		return r.Version
	}
	return r.Values[name]
}

func etag(version int64) string { return fmt.Sprintf(`W/"%d"`, version) }

// expand adds one related row or collection, one level deep.
func (c *call) expand(out map[string]any, t *table, r row, e expansion) *failure {
	if l, targetName, ok := t.navigation(e.name); ok {
		ref, set := r.Refs[l.Column]
		out[e.name] = nil
		if !set || ref.Table != targetName {
			return nil
		}
		other, ok := c.env.tables[ref.Table]
		if !ok {
			return nil
		}
		sel, refused := c.selected(other, e.options)
		if refused != nil {
			return refused
		}
		if found, ok := c.env.get(other, ref.ID); ok {
			body, refused := c.render(other, found, sel)
			if refused != nil {
				return refused
			}
			out[e.name] = body
		}
		return nil
	}
	for _, ch := range t.Children {
		if ch.Name != e.name {
			continue
		}
		other := c.env.tables[ch.Table]
		sel, refused := c.selected(other, e.options)
		if refused != nil {
			return refused
		}
		list := []any{}
		for _, child := range c.env.children(t, r.ID, ch) {
			body, refused := c.render(other, child, sel)
			if refused != nil {
				return refused
			}
			list = append(list, body)
		}
		out[e.name] = list
		return nil
	}
	return noSuchProperty(t, e.name)
}

// children are the rows that point to a row through a collection property.
func (e *environment) children(t *table, id string, ch child) []row {
	var out []row
	for _, r := range e.all(e.tables[ch.Table]) {
		if ref, ok := r.Refs[ch.Column]; ok && ref.ID == id && ref.Table == t.Name {
			out = append(out, r)
		}
	}
	return out
}

// titleOf is the name of the row a lookup points to.
func (e *environment) titleOf(ref target) string {
	t, ok := e.tables[ref.Table]
	if !ok {
		return ref.ID
	}
	r, ok := e.get(t, ref.ID)
	if !ok {
		return ref.ID
	}
	return r.text(t.Title)
}

// formatted is the display text of a value.
func formatted(t *table, r row, name string) (string, bool) {
	c, ok := t.column(name)
	if !ok || r.Values[name] == nil {
		return "", false
	}
	switch v := r.Values[name].(type) {
	case float64:
		for _, o := range c.Options {
			if o.Value == int(v) {
				return o.Label, true
			}
		}
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		for _, o := range c.Options {
			if (o.Value == 1) == v {
				return o.Label, true
			}
		}
	case string:
		if c.Type == "DateTime" {
			return v, true
		}
	}
	return "", false
}

// one answers a single row.
func (c *call) one(status int, t *table, r row, s selection) (*answer, *failure) {
	body, refused := c.render(t, r, s)
	if refused != nil {
		return nil, refused
	}
	body["@odata.context"] = c.root + "$metadata#" + t.Set + contextOf(s) + "/$entity"
	a := respond(status, body)
	a.header.Set("ETag", etag(r.Version))
	return a, nil
}

func contextOf(s selection) string {
	names := slices.Clone(s.columns)
	for _, e := range s.expand {
		names = append(names, e.name+"("+e.options["$select"]+")")
	}
	if len(names) == 0 {
		return ""
	}
	return "(" + strings.Join(names, ",") + ")"
}

// retrieve answers GET of one row (S7).
func (c *call) retrieve(t *table) (*answer, *failure) {
	if refused := c.may("Read", t); refused != nil {
		return nil, refused
	}
	r, refused := c.find(t)
	if refused != nil {
		return nil, refused
	}
	s, refused := c.selected(t, c.options)
	if refused != nil {
		return nil, refused
	}
	if tag := c.header.Get("If-None-Match"); tag == etag(r.Version) && len(s.expand) == 0 && !c.annotated() {
		return respond(http.StatusNotModified, nil), nil
	}
	return c.one(http.StatusOK, t, r, s)
}

// find finds the row that the first segment addresses.
func (c *call) find(t *table) (row, *failure) {
	id, keys, refused := c.address(t, c.segments[0].key)
	if refused != nil {
		return row{}, refused
	}
	if keys == nil {
		r, ok := c.env.get(t, id)
		if !ok {
			return row{}, noSuchRow(t, id)
		}
		return r, nil
	}
	r, ok, refused := c.env.byKey(t, keys)
	if refused != nil {
		return row{}, refused
	}
	if !ok {
		return row{}, fail(http.StatusNotFound, "0x80060891", "A record with the specified key values does not exist in %s entity", t.Name)
	}
	return r, nil
}

// address reads what stands between the parentheses: a GUID, or the values of an
// alternate key.
func (c *call) address(t *table, key string) (string, map[string]string, *failure) {
	if id, ok := asGUID(key); ok {
		return id, nil, nil
	}
	if name, value, ok := strings.Cut(key, "="); ok && name == t.ID {
		if id, ok := asGUID(strings.Trim(value, "'")); ok {
			return id, nil, nil
		}
	}
	keys := map[string]string{}
	for _, pair := range splitOutsideApostrophes(key, ',') {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			return "", nil, fail(400, "0x80060888", "Error identified in Payload provided by the user for Entity :''. The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.%s'.", t.Name)
		}
		text, quoted := strings.CutPrefix(value, "'")
		if quoted {
			text = strings.ReplaceAll(strings.TrimSuffix(text, "'"), "''", "'")
		}
		if col, ok := t.column(name); ok && (col.Type == "String") != quoted {
			return "", nil, syntax() // text quoted, numbers bare (quirk 11)
		}
		// No encoding helps with these (quirk 8).
		if strings.ContainsAny(text, `/<>*%&:\?+#`) {
			return "", nil, fail(c.sim.settings.KeyValueStatus, "0x80060888", "Bad Request - Invalid URL")
		}
		keys[name] = text
	}
	return "", keys, nil
}

func splitOutsideApostrophes(text string, at byte) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\'':
			quoted = !quoted
		case at:
			if !quoted {
				out = append(out, text[start:i])
				start = i + 1
			}
		}
	}
	return append(out, text[start:])
}
