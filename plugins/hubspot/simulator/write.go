package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// input is the body of a write and one row of a batch.
type input struct {
	ID           string         `json:"id"`
	IDProperty   string         `json:"idProperty"`
	TraceID      string         `json:"objectWriteTraceId"`
	Properties   map[string]any `json:"properties"`
	Associations []inputLink    `json:"associations"`
}

// refusal is why a row cannot be written.
type refusal struct {
	status int
	failure
	existing string // the record in the way
}

func (r refusal) answer() answer { return answer{r.status, r.failure} }

// values turns JSON values into the strings that HubSpot stores.
func (in input) values() map[string]string {
	out := map[string]string{}
	for name, v := range in.Properties {
		switch x := v.(type) {
		case nil:
			out[name] = ""
		case string:
			out[name] = x
		case float64:
			out[name] = strconv.FormatFloat(x, 'f', -1, 64)
		default:
			out[name] = fmt.Sprint(x)
		}
	}
	return out
}

// insert creates a record with its associations, or says why not.
func (s *Simulator) insert(c *call, o object, in input) (record, *refusal) {
	r := record{Portal: c.portal, Type: o.plural, Properties: map[string]string{}, CreatedAt: c.now}
	values := in.values()
	if o.plural == "contacts" && values["email"] == "" && values["firstname"] == "" && values["lastname"] == "" {
		return r, s.missing("At least one of email, firstname or lastname is required to create a contact.",
			"email", "firstname", "lastname")
	}
	for _, name := range requiredToCreate(o) {
		if values[name] == "" {
			return r, s.missing("Some required properties were not set.", name)
		}
	}
	links, refused := s.resolve(c, o, in.Associations)
	if refused != nil {
		return r, refused
	}
	r, refused = s.apply(c, o, r, values)
	if refused != nil {
		return r, refused
	}
	r.ID = s.newID(c.portal, o)
	s.put(o, r, c.now)
	s.Counters.Made(o.plural)
	s.emit(c, o, r, "creation", nil)
	for _, l := range links {
		if !s.faulty(c, doWithdrawAssociation) {
			s.associateBoth(c.portal, o.plural, r.ID, l.to, l.toID, l.types)
		}
	}
	r, _ = s.records.Get(r.key())
	return r, nil
}

// modify updates a live record, or says why not.
func (s *Simulator) modify(c *call, o object, r record, in input) (record, *refusal) {
	values := in.values()
	before := maps.Clone(r.Properties)
	r, refused := s.apply(c, o, r, values)
	if refused != nil {
		return r, refused
	}
	changed := false
	for name, v := range values {
		if before[name] != r.Properties[name] {
			changed = true
			s.emit(c, o, r, "propertyChange", map[string]any{"propertyName": name, "propertyValue": v})
		}
	}
	if !changed {
		s.Counters.Add("writes that changed nothing", 1)
	}
	s.put(o, r, c.now)
	r, _ = s.records.Get(r.key())
	return r, nil
}

// apply checks values against the definitions and sets them on a copy of r. One
// bad value refuses the whole record.
func (s *Simulator) apply(c *call, o object, r record, values map[string]string) (record, *refusal) {
	var faults []fault
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if f := s.check(c.portal, o, name, values[name]); f != nil {
			faults = append(faults, *f)
			continue
		}
		def, _ := s.definition(c.portal, o, name)
		other, taken := s.index.find(c.portal, o.plural, name, values[name])
		if def.HasUniqueValue && values[name] != "" && taken && other != r.ID {
			faults = append(faults, fault{
				Name: name, Error: uniqueTaken, Message: fmt.Sprintf("%s already has the value %s.", other, values[name]),
			})
		}
	}
	if len(faults) > 0 {
		return r, &refusal{status: http.StatusBadRequest, failure: s.invalid(faults)}
	}
	if c.version == "2026-09" && o.plural == "contacts" {
		for _, name := range s.settings.RequiredProperties {
			if values[name] == "" && r.Properties[name] == "" {
				return r, s.missing("Some required properties were not set.", name)
			}
		}
	}
	if email := values["email"]; o.plural == "contacts" && email != "" {
		if other, taken := s.index.find(c.portal, o.plural, "email", email); taken && other != r.ID {
			return r, &refusal{status: http.StatusConflict, existing: other, failure: failure{
				Status: "error", Category: "CONFLICT", CorrelationID: s.lastID(),
				Message: "Contact already exists. Existing ID: " + other,
			}}
		}
	}
	r.Properties = maps.Clone(r.Properties)
	r.History = maps.Clone(r.History)
	if r.History == nil {
		r.History = map[string][]version{}
	}
	for name, v := range values {
		if name == "lifecyclestage" && backwards(r.Properties[name], v) {
			continue // accepted and ignored (§3.1)
		}
		if r.Properties[name] != v {
			past := append([]version{{v, c.now, "INTEGRATION", appID}}, r.History[name]...)
			r.History[name] = past[:min(len(past), 20)]
		}
		r.Properties[name] = v
	}
	return r, nil
}

// backwards tells whether a lifecycle stage would go back.
func backwards(from, to string) bool {
	stages := []string{
		"subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other",
	}
	return to != "" && slices.Index(stages, to) < slices.Index(stages, from)
}

func (s *Simulator) missing(message string, names ...string) *refusal {
	return &refusal{status: http.StatusBadRequest, failure: failure{
		Status: "error", Category: "VALIDATION_ERROR", CorrelationID: s.lastID(), Message: message,
		Errors:  []detail{{Message: message, Code: requiredField, Context: map[string][]string{"properties": names}}},
		Context: map[string][]string{"properties": names},
	}}
}

// locate finds the record that a path or a row names, by id or by a unique
// property.
func (s *Simulator) locate(c *call, o object, id, idProperty string, followMerges bool) (record, bool) {
	if idProperty != "" && idProperty != "hs_object_id" {
		found, ok := s.index.find(c.portal, o.plural, idProperty, id)
		if !ok {
			return record{}, false
		}
		id = found
	}
	return s.get(c.portal, o, id, followMerges)
}

// identifies tells whether a property may be used as an id: email on contacts, or
// a unique one.
func (s *Simulator) identifies(c *call, o object, name string) bool {
	if name == "hs_object_id" || name == "" || o.plural == "contacts" && name == "email" {
		return true
	}
	def, ok := s.definition(c.portal, o, name)
	return ok && def.HasUniqueValue
}

// remove archives a record.
func (s *Simulator) remove(c *call, o object, r record) {
	s.index.remove(r)
	r.ArchivedAt = c.now
	s.records.Put(r.key(), r)
	s.index.remember(r, c.now)
	s.emit(c, o, r, "deletion", nil)
}
