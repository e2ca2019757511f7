package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// customField is a field the org's administrators made. One on Activity is on
// tasks and events (salesforce.md §4.4).
type customField struct {
	ID            string   `json:"id"`
	Object        string   `json:"object"`
	Name          string   `json:"name"`
	Label         string   `json:"label"`
	Kind          string   `json:"kind"`
	Length        int      `json:"length"`
	Required      bool     `json:"required"`
	Unique        bool     `json:"unique"`
	ExternalID    bool     `json:"external_id"`
	CaseSensitive bool     `json:"case_sensitive"`
	Picklist      []string `json:"picklist,omitempty"`
	Restricted    bool     `json:"restricted,omitempty"`
}

// fieldKinds maps the types of the Tooling API to those of describe.
func fieldKinds() map[string]string {
	return map[string]string{
		"Text": "string", "TextArea": "textarea", "LongTextArea": "textarea", "Email": "email", "Phone": "phone", "Url": "url",
		"Checkbox": "boolean", "Number": "double", "Currency": "currency", "Percent": "percent", "Date": "date", "DateTime": "datetime",
		"Picklist": "picklist", "MultiselectPicklist": "multipicklist",
	}
}

func (c customField) field() field {
	return field{
		name: c.Name, label: c.Label, kind: c.Kind, length: c.Length, createable: true, updateable: true, nillable: !c.Required && c.Kind != "boolean",
		defaulted: c.Kind == "boolean", unique: c.Unique, externalID: c.ExternalID, caseSensitive: c.CaseSensitive, custom: true,
		picklist: c.Picklist, restricted: c.Restricted,
	}
}

// objects are the objects a custom field is on.
func (c customField) objects() []string {
	if c.Object == "Activity" {
		return []string{"Task", "Event"}
	}
	return []string{c.Object}
}

// addCustomFields gives the objects the fields that were kept.
func (s *Simulator) addCustomFields() {
	for _, c := range s.custom.All() {
		s.addCustomField(c)
	}
}

func (s *Simulator) addCustomField(c customField) {
	for _, name := range c.objects() {
		o := s.objects[name]
		o.fields = append(slices.Clone(o.fields), c.field())
		s.objects[name] = o
	}
}

// makeField makes a custom field and returns its id.
func (s *Simulator) makeField(c customField) string {
	c.ID = longID(makeID("00N", s.next("00N")))
	s.custom.Put(c.Object+"."+c.Name, c)
	s.addCustomField(c)
	return c.ID
}

// visible tells whether the user may see a field. Custom fields stay hidden
// until a permission set of the user grants them (salesforce.md §9.3).
func (s *Simulator) visible(o object, f field) bool {
	if slices.Contains(s.settings.HiddenFields, o.name+"."+f.name) {
		return false
	}
	if strings.HasSuffix(f.name, "CountryCode") || strings.HasSuffix(f.name, "StateCode") {
		return s.settings.StateCountry
	}
	if strings.HasPrefix(f.name, "IsPerson") {
		return s.settings.PersonAccounts
	}
	return !f.custom || s.required(o, f) || s.granted(o, f, "PermissionsRead")
}

// required custom fields are visible to everybody.
func (s *Simulator) required(o object, f field) bool {
	c, ok := s.custom.Get(o.name + "." + f.name)
	return ok && c.Required
}

// granted tells whether one of the user's permission sets has a right on a field.
func (s *Simulator) granted(o object, f field, right string) bool {
	for _, p := range s.records["FieldPermissions"].All() {
		if p.deleted() || p.text("Field") != o.name+"."+f.name || !p.truth(right) {
			continue
		}
		for _, a := range s.records["PermissionSetAssignment"].All() {
			if !a.deleted() && a.text("PermissionSetId") == p.text("ParentId") && a.text("AssigneeId") == longID(adminUser) {
				return true
			}
		}
	}
	return false
}

// grantField makes a field visible, as an administrator would.
func (s *Simulator) grantField(c customField) {
	const name = "Sim_Grants"
	set := ""
	for id, p := range s.records["PermissionSet"].All() {
		if p.text("Name") == name {
			set = longID(id)
		}
	}
	if set == "" {
		set = longID(s.insert(s.objects["PermissionSet"], record{"Name": name, "Label": name}, adminUser))
		s.insert(s.objects["PermissionSetAssignment"], record{"PermissionSetId": set, "AssigneeId": longID(adminUser)}, adminUser)
	}
	for _, on := range c.objects() {
		s.insert(s.objects["FieldPermissions"], record{
			"ParentId": set, "SobjectType": on, "Field": on + "." + c.Name, "PermissionsRead": true, "PermissionsEdit": true,
		}, adminUser)
	}
}

// createField answers POST tooling/sobjects/CustomField (salesforce.md §9.3).
func (s *Simulator) createField(w http.ResponseWriter, r *request) {
	var in struct {
		FullName string
		Metadata struct {
			Label         string `json:"label"`
			Type          string `json:"type"`
			Length        int    `json:"length"`
			Required      bool   `json:"required"`
			Unique        bool   `json:"unique"`
			ExternalID    bool   `json:"externalId"`
			CaseSensitive bool   `json:"caseSensitive"`
		}
	}
	f := r.object(&in)
	on, name, dotted := strings.Cut(in.FullName, ".")
	kind := fieldKinds()[in.Metadata.Type]
	_, known := s.objects[on]
	developer := strings.TrimSuffix(name, "__c")
	switch {
	case f != nil:
	case !s.settings.CustomizeApplication:
		f = fail(http.StatusForbidden, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")
	case !dotted || !known && on != "Activity":
		f = bad("INVALID_TYPE", "Cannot use: "+on+" in this version")
	case !strings.HasSuffix(name, "__c") || strings.Contains(developer, "__"):
		f = bad("INVALID_FULL_NAME", "Enter a full name that ends in __c and has no namespace", "FullName")
	case kind == "":
		f = bad("FIELD_INTEGRITY_EXCEPTION", "Must specify a valid type for the CustomField", "Metadata")
	case in.Metadata.Label == "":
		f = bad("REQUIRED_FIELD_MISSING", "Required fields are missing: [label]", "label")
	case kind == "string" && (in.Metadata.Length < 1 || in.Metadata.Length > 255):
		f = bad("FIELD_INTEGRITY_EXCEPTION", "Text fields need a length from 1 to 255", "Metadata")
	}
	if _, taken := s.custom.Get(in.FullName); f == nil && taken {
		f = bad("DUPLICATE_DEVELOPER_NAME", "There is already a field named "+developer+" on "+on+".", "FullName")
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	m := in.Metadata
	id := s.makeField(customField{
		Object: on, Name: name, Label: m.Label, Kind: kind, Length: m.Length, Required: m.Required, Unique: m.Unique,
		ExternalID: m.ExternalID, CaseSensitive: m.CaseSensitive,
	})
	answer(w, r.Request, http.StatusCreated, ordered{
		{"id", id}, {"success", true}, {"errors", []any{}}, {"warnings", []any{}}, {"infos", []any{}},
	})
}

// queryFields answers tooling/query over CustomField.
func (s *Simulator) queryFields(w http.ResponseWriter, r *request) {
	q, f := parse(r.URL.Query().Get("q"))
	if f == nil && !strings.EqualFold(q.from.text, "CustomField") {
		f = bad("INVALID_TYPE", place(q.text, q.from.at)+"sObject type '"+q.from.text+"' is not supported.")
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	o := object{name: "CustomField", prefix: "00N", fields: []field{
		{name: "Id", kind: "id"}, {name: "DeveloperName", kind: "string"}, {name: "TableEnumOrId", kind: "string"}, {name: "NamespacePrefix", kind: "string"},
	}}
	rows := map[string]record{}
	c, f := s.run(q, o, func(yield func(record) bool) {
		for _, one := range s.custom.All() {
			row := record{"Id": one.ID, "DeveloperName": strings.TrimSuffix(one.Name, "__c"), "TableEnumOrId": one.Object}
			rows[one.ID[:15]] = row
			if !yield(row) {
				return
			}
		}
	})
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	out := make([]any, len(c.ids))
	for i, id := range c.ids {
		out[i] = s.project(r.version, o, rows[id], c.paths)
	}
	answer(w, r.Request, http.StatusOK, ordered{{"size", len(out)}, {"totalSize", len(out)}, {"done", true}, {"records", out}})
}
