package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// definitions is S5 and S6: the metadata below EntityDefinitions (§3.3).
func (c *call) definitions() (*answer, *failure) {
	if c.sim.denied("prvReadEntity") {
		return nil, fail(http.StatusForbidden, "0x80040220", "Principal user (Id=%s, type=8) is missing prvReadEntity privilege.", c.user)
	}
	head := c.segments[0]
	if !head.keyed {
		return c.allDefinitions()
	}
	t, ok := c.definedTable(head.key)
	if !ok {
		return nil, fail(404, "0x80060888", "Could not find an entity with name %s.", strings.Trim(strings.TrimPrefix(head.key, "LogicalName="), "'"))
	}
	if len(c.segments) == 1 {
		if c.method != http.MethodGet {
			return nil, c.notAllowed()
		}
		return c.meta("EntityDefinitions", c.definition(t))
	}
	switch part := c.segments[1]; {
	case part.name == "Attributes" && c.method == http.MethodPost && !part.keyed:
		return c.createColumn(t)
	case part.name == "Attributes" && c.method == http.MethodDelete && part.keyed:
		return c.deleteColumn(t, part)
	case part.name == "Attributes" && c.method == http.MethodGet:
		return c.attributes(t, part)
	case part.name == "Keys" && c.method == http.MethodPost && !part.keyed:
		return c.createKey(t)
	case part.name == "Keys" && c.method == http.MethodDelete && part.keyed:
		return c.deleteKey(t, part)
	case part.name == "Keys" && c.method == http.MethodGet:
		return c.listKeys(t, part)
	case part.name == "ManyToOneRelationships" && c.method == http.MethodGet:
		return c.relationships(t)
	}
	return nil, fail(404, "0x8006088a", "Resource not found for the segment '%s'.", c.segments[1].name)
}

func (c *call) definedTable(key string) (*table, bool) {
	name := strings.Trim(strings.TrimPrefix(key, "LogicalName="), "'")
	if t, ok := c.env.tables[name]; ok {
		return t, true
	}
	for _, t := range c.env.tables {
		if c.env.id("table "+t.Name) == key {
			return t, true
		}
	}
	return nil, false
}

func (c *call) allDefinitions() (*answer, *failure) {
	var list []map[string]any
	names := make([]string, 0, len(c.env.tables))
	for name := range c.env.tables {
		names = append(names, name)
	}
	slices.Sort(names)
	filter := c.options["$filter"]
	for _, name := range names {
		t := c.env.tables[name]
		if strings.Contains(filter, "IsActivity eq true") && !t.Activity {
			continue
		}
		if _, want, ok := strings.Cut(filter, "LogicalName eq '"); ok && strings.TrimSuffix(want, "'") != name {
			continue
		}
		list = append(list, c.definition(t))
	}
	return c.metaList("EntityDefinitions", list)
}

func (c *call) definition(t *table) map[string]any {
	return map[string]any{
		"LogicalName": t.Name, "SchemaName": title(t.Name), "EntitySetName": t.Set, "PrimaryIdAttribute": t.ID, "PrimaryNameAttribute": t.Title,
		"ObjectTypeCode": t.Code, "ChangeTrackingEnabled": slices.Contains(c.sim.settings.TrackedTables, t.Name),
		"IsOptimisticConcurrencyEnabled": true, "IsActivity": t.Activity, "HasNotes": !t.Virtual, "IsCustomEntity": strings.Contains(t.Name, "_"),
		"DisplayName": c.label(title(t.Name)), "DisplayCollectionName": c.label(title(t.Set)), "MetadataId": c.env.id("table " + t.Name),
	}
}

// attributes answers columns, one or all, plain or cast to a derived type. What
// only the derived type has needs the cast (quirk 30).
func (c *call) attributes(t *table, part segment) (*answer, *failure) {
	cast := ""
	if len(c.segments) > 2 {
		cast = strings.TrimSuffix(strings.TrimPrefix(c.segments[2].name, "Microsoft.Dynamics.CRM."), "AttributeMetadata")
		if cast == "Enum" {
			return nil, fail(400, "0x0", "The abstract type 'Microsoft.Dynamics.CRM.EnumAttributeMetadata' cannot be used in a cast.")
		}
	}
	for _, name := range strings.Split(c.options["$select"], ",") {
		if cast == "" && slices.Contains([]string{"MaxLength", "OptionSet", "Targets", "FormatName", "DateTimeBehavior"}, name) {
			return nil, fail(400, "0x0", "Could not find a property named '%s' on type 'Microsoft.Dynamics.CRM.AttributeMetadata'.", name)
		}
	}
	var list []map[string]any
	for _, col := range t.Columns {
		if cast != "" && cast != col.Type {
			continue
		}
		list = append(list, c.attribute(t, col, cast))
	}
	for _, l := range t.Lookups {
		kind := l.metaType()
		if cast != "" && cast != "Lookup" {
			continue
		}
		m := c.attribute(t, column{Name: l.Column, Schema: l.Column, Type: kind, Create: !l.ReadOnly, Update: !l.ReadOnly, Required: "None"}, "")
		if cast != "" {
			m["Targets"] = l.targets()
		}
		list = append(list, m)
	}
	if !part.keyed {
		return c.metaList("EntityDefinitions('"+t.Name+"')/Attributes", list)
	}
	name := strings.Trim(strings.TrimPrefix(part.key, "LogicalName="), "'")
	for _, m := range list {
		if m["LogicalName"] == name || m["MetadataId"] == name {
			if c.fresh(t, m["LogicalName"].(string)) {
				break
			}
			return c.meta("EntityDefinitions('"+t.Name+"')/Attributes", m)
		}
	}
	return nil, fail(404, "0x80060888", "Could not find an attribute with name %s on entity %s.", name, t.Name)
}

// fresh tells whether a new column still answers 404 (quirk 26).
func (c *call) fresh(t *table, name string) bool {
	made, ok := c.env.columns.Get(t.Name + "." + name)
	age := c.now.Sub(made.Created).Milliseconds()
	return ok && c.header.Get("Consistency") != "Strong" && age < int64(c.sim.settings.MetadataMillis)
}

func (l lookup) metaType() string {
	switch l.Column {
	case "ownerid":
		return "Owner"
	case "parentcustomerid":
		return "Customer"
	}
	return "Lookup"
}

func (l lookup) targets() []string {
	var out []string
	for _, b := range l.Binds {
		if !slices.Contains(out, b.Target) {
			out = append(out, b.Target)
		}
	}
	return out
}

func (c *call) attribute(t *table, col column, cast string) map[string]any {
	m := map[string]any{
		"@odata.type": "#Microsoft.Dynamics.CRM." + col.Type + "AttributeMetadata",
		"LogicalName": col.Name, "SchemaName": col.Schema, "AttributeType": col.Type, "AttributeTypeName": map[string]any{"Value": col.Type + "Type"},
		"IsValidForCreate": col.Create, "IsValidForUpdate": col.Update, "IsValidForRead": true, "IsValidODataAttribute": true,
		"IsPrimaryId": col.Name == t.ID, "IsPrimaryName": col.Name == t.Title, "IsCustomAttribute": col.Custom, "AttributeOf": nil,
		"RequiredLevel": map[string]any{"Value": col.Required, "CanBeChanged": col.Required != "SystemRequired", "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings"},
		"DisplayName":   c.label(labelOf(col)), "MetadataId": c.env.id("column " + t.Name + "." + col.Name),
	}
	if cast == "" {
		return m
	}
	switch col.Type {
	case "String", "Memo":
		m["MaxLength"] = col.MaxLength
		if n, changed := c.sim.settings.MaxLengths[t.Name+"."+col.Name]; changed {
			m["MaxLength"] = n
		}
		m["FormatName"] = map[string]any{"Value": "Text"}
	case "DateTime":
		m["Format"], m["DateTimeBehavior"] = "DateAndTime", map[string]any{"Value": "UserLocal"}
		if col.DateOnly {
			m["Format"], m["DateTimeBehavior"] = "DateOnly", map[string]any{"Value": "DateOnly"}
		}
	case "Integer":
		m["MinValue"], m["MaxValue"] = 0, 2147483647
	case "Picklist", "MultiSelectPicklist", "State", "Status":
		m["OptionSet"] = map[string]any{"MetadataId": c.env.id("options " + t.Name + "." + col.Name), "Options": c.choicesOf(t, col)}
		m["GlobalOptionSet"] = nil
	case "Boolean":
		m["OptionSet"] = map[string]any{"MetadataId": c.env.id("options " + t.Name + "." + col.Name), "TrueOption": map[string]any{"Value": 1}, "FalseOption": map[string]any{"Value": 0}}
	}
	return m
}

// choicesOf are the choices of a column as metadata lists them.
func (c *call) choicesOf(t *table, col column) []any {
	out := []any{}
	for _, o := range col.Options {
		one := map[string]any{
			"Value": o.Value, "Color": nil, "IsManaged": true, "ExternalValue": nil, "ParentValues": []any{}, "Tag": nil, "IsHidden": false,
			"MetadataId": nil, "HasChanged": nil, "Label": c.label(o.Label),
			"Description": map[string]any{"LocalizedLabels": []any{}, "UserLocalizedLabel": nil},
		}
		switch col.Type {
		case "State":
			one["@odata.type"], one["DefaultStatus"], one["InvariantName"] = "#Microsoft.Dynamics.CRM.StateOptionMetadata", defaultStatus(t, o.Value), o.Label
		case "Status":
			one["@odata.type"], one["State"], one["TransitionData"] = "#Microsoft.Dynamics.CRM.StatusOptionMetadata", o.State, nil
		}
		out = append(out, one)
	}
	return out
}

func (c *call) relationships(t *table) (*answer, *failure) {
	var list []map[string]any
	for _, l := range t.Lookups {
		for _, b := range l.Binds {
			if strings.HasPrefix(b.Name, "regardingobjectid_") && strings.Count(b.Name, "_") == 1 && t.Name != "activitypointer" {
				continue // the short form is inherited, not a relationship of the table
			}
			list = append(list, map[string]any{
				"SchemaName": t.Name + "_" + b.Name, "ReferencingEntity": t.Name, "ReferencingAttribute": l.Column, "ReferencedEntity": b.Target,
				"ReferencingEntityNavigationPropertyName": b.Name, "MetadataId": c.env.id("relation " + t.Name + "." + b.Name),
			})
		}
	}
	return c.metaList("EntityDefinitions('"+t.Name+"')/ManyToOneRelationships", list)
}

// label is a text as metadata writes it.
func (c *call) label(text string) map[string]any {
	one := map[string]any{"Label": text, "LanguageCode": 1033, "IsManaged": true, "MetadataId": c.env.id("label " + text), "HasChanged": nil}
	return map[string]any{"LocalizedLabels": []any{one}, "UserLocalizedLabel": one}
}

// labelOf splits a schema name into words: FirstName is First Name.
func labelOf(c column) string {
	var b strings.Builder
	for i, r := range c.Schema {
		if i > 0 && r >= 'A' && r <= 'Z' && c.Schema[i-1] >= 'a' && c.Schema[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ReplaceAll(b.String(), "_", " ")
}

// meta answers one piece of metadata with what $select wants; MetadataId is
// always there.
func (c *call) meta(context string, m map[string]any) (*answer, *failure) {
	m = c.narrow(m)
	m["@odata.context"] = c.root + "$metadata#" + context + "/$entity"
	return respond(http.StatusOK, m), nil
}

func (c *call) metaList(context string, list []map[string]any) (*answer, *failure) {
	out := []any{}
	for _, m := range list {
		out = append(out, c.narrow(m))
	}
	return respond(http.StatusOK, map[string]any{"@odata.context": c.root + "$metadata#" + context, "value": out}), nil
}

func (c *call) narrow(m map[string]any) map[string]any {
	text := c.options["$select"]
	if text == "" {
		return m
	}
	out := map[string]any{"MetadataId": m["MetadataId"]}
	if kind, ok := m["@odata.type"]; ok {
		out["@odata.type"] = kind
	}
	for _, name := range strings.Split(text, ",") {
		if v, ok := m[strings.TrimSpace(name)]; ok {
			out[strings.TrimSpace(name)] = v
		}
	}
	for _, one := range splitOutsideParens(c.options["$expand"], ',') {
		name, _, _ := strings.Cut(one, "(")
		if v, ok := m[name]; ok {
			out[name] = v
		}
	}
	return out
}
