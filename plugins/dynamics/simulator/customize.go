package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// mayCustomize checks the customizer's right.
func (c *call) mayCustomize(name string) *failure {
	if c.sim.settings.LocksSchema || c.sim.denied(name) {
		return fail(http.StatusForbidden, "0x80040220", "Principal user (Id=%s, type=8) is missing %s privilege.", c.user, name)
	}
	return nil
}

// createColumn is S6: a text, memo or number column.
func (c *call) createColumn(t *table) (*answer, *failure) {
	if refused := c.mayCustomize("prvCreateAttribute"); refused != nil {
		return nil, refused
	}
	var body struct {
		Type       string `json:"@odata.type"`
		SchemaName string
		MaxLength  int
		OptionSet  struct {
			Options []struct {
				Value int
				Label struct {
					LocalizedLabels []struct{ Label string }
				}
			}
		}
	}
	if err := json.Unmarshal(c.body, &body); err != nil {
		return nil, payload(t, "%v", err)
	}
	kind := strings.TrimSuffix(strings.TrimPrefix(body.Type, "Microsoft.Dynamics.CRM."), "AttributeMetadata")
	if !slices.Contains([]string{"String", "Memo", "Integer", "Decimal", "Double", "Boolean", "DateTime", "Picklist", "MultiSelectPicklist"}, kind) {
		return nil, payload(t, "The type '%s' is not a column's.", body.Type)
	}
	prefix, rest, ok := strings.Cut(body.SchemaName, "_")
	if !ok || prefix == "" || rest == "" {
		return nil, fail(400, "0x80040203", "The schema name '%s' must start with a publisher's prefix and an underscore.", body.SchemaName)
	}
	col := column{
		Name: strings.ToLower(body.SchemaName), Schema: body.SchemaName, Type: kind, MaxLength: body.MaxLength,
		Create: true, Update: true, Required: "None", Custom: true,
	}
	for _, o := range body.OptionSet.Options {
		label := ""
		if len(o.Label.LocalizedLabels) > 0 {
			label = o.Label.LocalizedLabels[0].Label
		}
		col.Options = append(col.Options, option{Value: o.Value, Label: label})
	}
	if _, exists := t.column(col.Name); exists {
		return nil, fail(400, "0x80044153", "An attribute with the specified name %s already exists.", col.Name)
	}
	t.add(col)
	c.env.columns.Put(t.Name+"."+col.Name, customColumn{Table: t.Name, Column: col, Created: c.now})
	return c.customized(t, "Attributes", c.env.id("column "+t.Name+"."+col.Name)), nil
}

// deleteColumn takes a custom column away with its values; one that a key needs
// stays.
func (c *call) deleteColumn(t *table, part segment) (*answer, *failure) {
	if refused := c.mayCustomize("prvDeleteAttribute"); refused != nil {
		return nil, refused
	}
	name := strings.Trim(strings.TrimPrefix(part.key, "LogicalName="), "'")
	made, ok := c.env.columns.Get(t.Name + "." + name)
	if !ok {
		return nil, fail(404, "0x80060888", "Could not find a custom attribute with name %s on entity %s.", name, t.Name)
	}
	for _, k := range c.env.keys.All() {
		if k.Table == t.Name && slices.Contains(k.Columns, name) {
			return nil, fail(400, "0x80040227", "The attribute %s is part of the entity key %s.", name, k.Name)
		}
	}
	c.env.columns.Delete(t.Name + "." + made.Column.Name)
	t.remove(name)
	for _, r := range snapshot(c.env, t) {
		if _, has := r.Values[name]; has {
			next := r.clone()
			delete(next.Values, name)
			if _, refused := c.env.put(t, next); refused != nil {
				return nil, refused
			}
		}
	}
	return respond(http.StatusNoContent, nil), nil
}

func (c *call) customized(t *table, part, id string) *answer {
	a := respond(http.StatusNoContent, nil)
	a.header.Set("OData-EntityId", c.root+"EntityDefinitions("+c.env.id("table "+t.Name)+")/"+part+"("+id+")")
	return a
}

// createKey makes an alternate key; its index is built in the background, and
// fails when rows collide (§4.4).
func (c *call) createKey(t *table) (*answer, *failure) {
	if refused := c.mayCustomize("prvCreateAttribute"); refused != nil {
		return nil, refused
	}
	var body struct {
		SchemaName    string
		KeyAttributes []string
		DisplayName   struct {
			LocalizedLabels []struct{ Label string }
		}
	}
	if err := json.Unmarshal(c.body, &body); err != nil || body.SchemaName == "" || len(body.KeyAttributes) == 0 {
		return nil, payload(t, "SchemaName and KeyAttributes are required.")
	}
	k := alternateKey{
		Table: t.Name, Name: strings.ToLower(body.SchemaName), Schema: body.SchemaName, Columns: body.KeyAttributes, Created: c.now,
		Label: body.SchemaName, Failed: c.sim.settings.KeyIndexFails, ID: c.env.id("key " + t.Name + "." + body.SchemaName),
	}
	if labels := body.DisplayName.LocalizedLabels; len(labels) > 0 {
		k.Label = labels[0].Label
	}
	for _, name := range k.Columns {
		if _, ok := t.column(name); !ok {
			return nil, fail(400, "0x80041103", "The specified attribute '%s' does not exist on this entity.", name)
		}
	}
	count := 0
	for _, other := range c.env.keys.All() {
		if other.Table != t.Name {
			continue
		}
		count++
		if other.Name == k.Name {
			return nil, fail(400, "0x80060893", "An entity key with the name %s already exists on entity %s.", k.Name, t.Name)
		}
		if slices.Equal(other.Columns, k.Columns) {
			return nil, fail(400, "0x80060894", "An entity key with the selected attributes already exists on entity.")
		}
	}
	if count >= 10 {
		return nil, fail(400, "0x80060895", "The maximum number of entity keys has been reached.")
	}
	c.env.buildIndex(t, &k)
	c.env.keys.Put(t.Name+"."+k.Name, k)
	return c.customized(t, "Keys", k.ID), nil
}

// buildIndex enters all rows; a collision makes the key fail.
func (e *environment) buildIndex(t *table, k *alternateKey) {
	if k.Failed {
		return
	}
	for id, r := range e.all(t) {
		v, set := k.value(r)
		if !set {
			continue
		}
		if _, taken := e.index.Get(v); taken {
			k.Failed = true
			return
		}
		e.index.Put(v, id)
	}
}

func (c *call) deleteKey(t *table, part segment) (*answer, *failure) {
	if refused := c.mayCustomize("prvDeleteAttribute"); refused != nil {
		return nil, refused
	}
	for name, k := range c.env.keys.All() {
		if k.Table == t.Name && (k.ID == part.key || part.key == "LogicalName='"+k.Name+"'") {
			c.env.keys.Delete(name)
			for _, r := range c.env.all(t) {
				if v, set := k.value(r); set {
					c.env.index.Delete(v)
				}
			}
			return respond(http.StatusNoContent, nil), nil
		}
	}
	return nil, fail(404, "0x80060890", "The specified key attributes are not a defined key for the %s entity", t.Name)
}

func (c *call) listKeys(t *table, part segment) (*answer, *failure) {
	var list []map[string]any
	for _, k := range c.env.keys.All() {
		if k.Table == t.Name {
			list = append(list, map[string]any{
				"SchemaName": k.Schema, "LogicalName": k.Name, "EntityLogicalName": t.Name, "KeyAttributes": k.Columns,
				"EntityKeyIndexStatus": k.status(c.sim), "DisplayName": c.label(k.Label), "MetadataId": k.ID,
			})
		}
	}
	if !part.keyed {
		return c.metaList("EntityDefinitions('"+t.Name+"')/Keys", list)
	}
	name := strings.Trim(strings.TrimPrefix(part.key, "LogicalName="), "'")
	for _, m := range list {
		if m["LogicalName"] == name || m["MetadataId"] == name {
			return c.meta("EntityDefinitions('"+t.Name+"')/Keys", m)
		}
	}
	return nil, fail(404, "0x80060890", "Could not find a key with name %s.", name)
}

// reactivateKey builds a failed index again.
func (c *call) reactivateKey() (*answer, *failure) {
	var body struct{ EntityLogicalName, EntityKeyLogicalName string }
	if err := json.Unmarshal(c.body, &body); err != nil {
		return nil, syntax()
	}
	k, ok := c.env.keys.Get(body.EntityLogicalName + "." + body.EntityKeyLogicalName)
	if !ok {
		return nil, fail(404, "0x80060890", "The specified key attributes are not a defined key for the %s entity", body.EntityLogicalName)
	}
	if !k.Failed {
		return nil, fail(400, "0x80060897", "Reactivate entity key is only supported for failed job")
	}
	t := c.env.tables[k.Table]
	for _, r := range c.env.all(t) {
		if v, set := k.value(r); set {
			c.env.index.Delete(v)
		}
	}
	k.Failed, k.Created = c.sim.settings.KeyIndexFails, c.now
	c.env.buildIndex(t, &k)
	c.env.keys.Put(k.Table+"."+k.Name, k)
	return respond(http.StatusNoContent, nil), nil
}
