package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
)

var nameShape = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// schemaKind reads the object of a path and checks the schema scopes.
func (s *Simulator) schemaKind(c *call, writes bool) (object, *answer) {
	o, ok := objectOf(c.PathValue("type"))
	if !ok {
		a := s.fail(http.StatusBadRequest, "", "Unable to infer object type from: "+c.PathValue("type"))
		return o, &a
	}
	noun := "contacts"
	if o.plural == "companies" {
		noun = "companies"
	}
	if writes {
		return o, s.need(c, "crm.schemas."+noun+".write")
	}
	return o, s.need(c, "crm.schemas."+noun+".read", "crm.objects."+noun+".read", "crm.objects."+noun+".write")
}

func (s *Simulator) listProperties(c *call) answer {
	o, refused := s.schemaKind(c, false)
	if refused != nil {
		return *refused
	}
	return answer{http.StatusOK, map[string]any{
		"results": s.definitions(c.portal, o, c.URL.Query().Get("archived") == "true"),
	}}
}

func (s *Simulator) readProperty(c *call) answer {
	o, refused := s.schemaKind(c, false)
	if refused != nil {
		return *refused
	}
	p, ok := s.definition(c.portal, o, c.PathValue("name"))
	if !ok {
		return s.noProperty(c.PathValue("name"))
	}
	return answer{http.StatusOK, p}
}

func (s *Simulator) noProperty(name string) answer {
	return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", fmt.Sprintf("Property %q does not exist", name))
}

func (s *Simulator) createProperty(c *call) answer {
	o, refused := s.schemaKind(c, true)
	if refused != nil {
		return *refused
	}
	var in property
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	p, no := s.addProperty(c, o, in)
	if no != nil {
		return no.answer()
	}
	return answer{http.StatusCreated, p}
}

// fieldTypes are the ways to show a type.
func fieldTypes(kind string) []string {
	return map[string][]string{
		"string": {"text", "textarea", "html", "phonenumber", "file"}, "number": {"number"}, "bool": {"booleancheckbox"},
		"enumeration": {"select", "radio", "checkbox", "booleancheckbox"}, "date": {"date"}, "datetime": {"date"},
		"phone_number": {"phonenumber"},
	}[kind]
}

// mostUnique is how many unique properties an object may have.
const mostUnique = 10

func (s *Simulator) addProperty(c *call, o object, in property) (property, *refusal) {
	refuse := func(status int, category, format string, args ...any) *refusal {
		a := s.fail(status, category, fmt.Sprintf(format, args...))
		f, _ := a.body.(failure)
		return &refusal{status: status, failure: f}
	}
	old, exists := s.properties.Get(propertyKey(c.portal, o, in.Name))
	_, own := s.catalogue.find(o, in.Name)
	switch {
	case in.Name == "" || in.Label == "" || in.GroupName == "" || in.Type == "" || in.FieldType == "":
		return in, s.missing("Some required fields were not set.", "name", "label", "groupName", "type", "fieldType")
	case !nameShape.MatchString(in.Name):
		return in, refuse(400, "VALIDATION_ERROR", "The property name %q is not valid", in.Name)
	case !slices.Contains(fieldTypes(in.Type), in.FieldType):
		return in, refuse(400, "VALIDATION_ERROR", "fieldType %q does not fit type %q", in.FieldType, in.Type)
	case !s.hasGroup(c, o, in.GroupName):
		return in, refuse(400, "VALIDATION_ERROR", "Property group %q does not exist", in.GroupName)
	case own || exists && !old.Archived:
		return in, refuse(409, "CONFLICT", "A property named %q already exists.", in.Name)
	case in.HasUniqueValue && o.activity() && !s.settings.UniqueActivities:
		return in, refuse(400, "VALIDATION_ERROR", "hasUniqueValue is not supported for object type %s", o.id)
	}
	if in.HasUniqueValue {
		n := 0
		for _, p := range s.definitions(c.portal, o, false) {
			if p.HasUniqueValue {
				n++
			}
		}
		if n >= mostUnique {
			return in, refuse(400, "VALIDATION_ERROR", "An object can have at most %d unique properties", mostUnique)
		}
	}
	if in.Options == nil {
		in.Options = []option{}
	}
	if in.DisplayOrder == 0 {
		in.DisplayOrder = -1
	}
	in.Archived, in.Calculated, in.HubSpotDefined = false, false, false
	in.CreatedAt, in.UpdatedAt = stamp(c.now), stamp(c.now)
	in.Modification = modification{Archivable: true}
	s.properties.Put(propertyKey(c.portal, o, in.Name), in)
	return in, nil
}

func (s *Simulator) updateProperty(c *call) answer {
	o, refused := s.schemaKind(c, true)
	if refused != nil {
		return *refused
	}
	p, ok := s.definition(c.portal, o, c.PathValue("name"))
	if !ok {
		return s.noProperty(c.PathValue("name"))
	}
	kept := p
	if refused := s.decode(c, &p); refused != nil {
		return *refused
	}
	// The name and uniqueness can never be changed.
	p.Name, p.HasUniqueValue, p.HubSpotDefined, p.Modification = kept.Name, kept.HasUniqueValue, kept.HubSpotDefined, kept.Modification
	p.UpdatedAt = stamp(c.now)
	s.properties.Put(propertyKey(c.portal, o, p.Name), p)
	return answer{http.StatusOK, p}
}

func (s *Simulator) archiveProperty(c *call) answer {
	o, refused := s.schemaKind(c, true)
	if refused != nil {
		return *refused
	}
	s.dropProperty(c, o, c.PathValue("name"))
	return answer{status: http.StatusNoContent}
}

func (s *Simulator) dropProperty(c *call, o object, name string) {
	if p, ok := s.definition(c.portal, o, name); ok {
		p.Archived = true
		s.properties.Put(propertyKey(c.portal, o, name), p)
	}
}

// propertyBatch is the body and the answer of the batch calls.
type propertyBatch struct {
	Inputs []property `json:"inputs"`
}

func (s *Simulator) propertyRows(c *call, good int, one func(in property) (property, *refusal)) answer {
	var in propertyBatch
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	results := []property{}
	var failures []failure
	for _, p := range in.Inputs {
		done, no := one(p)
		if no != nil {
			no.failure.Context = map[string][]string{"name": {p.Name}}
			failures = append(failures, no.failure)
			continue
		}
		results = append(results, done)
	}
	return s.linkAnswer(c, good, results, failures)
}

func (s *Simulator) batchCreateProperties(c *call) answer {
	o, refused := s.schemaKind(c, true)
	if refused != nil {
		return *refused
	}
	return s.propertyRows(c, http.StatusCreated, func(in property) (property, *refusal) { return s.addProperty(c, o, in) })
}

func (s *Simulator) batchReadProperties(c *call) answer {
	o, refused := s.schemaKind(c, false)
	if refused != nil {
		return *refused
	}
	return s.propertyRows(c, http.StatusOK, func(in property) (property, *refusal) {
		p, ok := s.definition(c.portal, o, in.Name)
		if !ok {
			f, _ := s.noProperty(in.Name).body.(failure)
			return p, &refusal{status: http.StatusNotFound, failure: f}
		}
		return p, nil
	})
}

func (s *Simulator) batchArchiveProperties(c *call) answer {
	o, refused := s.schemaKind(c, true)
	if refused != nil {
		return *refused
	}
	var in propertyBatch
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	for _, p := range in.Inputs {
		s.dropProperty(c, o, p.Name)
	}
	return answer{status: http.StatusNoContent}
}

// validationRules answers the account's rules: none but the required properties.
func (s *Simulator) validationRules(c *call) answer {
	if _, refused := s.schemaKind(c, false); refused != nil {
		return *refused
	}
	rules := []map[string]string{}
	for _, name := range s.settings.RequiredProperties {
		rules = append(rules, map[string]string{"propertyName": name, "ruleType": "REQUIRED"})
	}
	return answer{http.StatusOK, map[string]any{"results": rules}}
}
