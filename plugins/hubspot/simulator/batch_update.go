package simulator

import (
	"fmt"
	"net/http"
	"strings"
)

// batchUpdate takes record ids only; a bad value anywhere refuses the whole
// batch, an unknown id only its row (§2.4).
func (s *Simulator) batchUpdate(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var body batchInput
	if refused := s.inputs(c, &body, func() int { return len(body.Inputs) }); refused != nil {
		return *refused
	}
	if a := s.refuseRepeated(body); a != nil {
		return *a
	}
	out := batch{good: http.StatusOK}
	var missing []string
	var faults []fault
	for _, in := range body.Inputs {
		if in.IDProperty == "email" || !s.identifies(c, o, in.IDProperty) {
			return s.notUnique(o, in.IDProperty)
		}
		if in.IDProperty == "" && strings.Contains(in.ID, "@") {
			continue // silently ignored (§11.3)
		}
		r, ok := s.locate(c, o, in.ID, in.IDProperty, false)
		if !ok {
			missing = append(missing, in.ID)
			continue
		}
		bad := s.wrong(c, o, in)
		faults = append(faults, bad...)
		if len(faults) > 0 {
			continue
		}
		r, no := s.modify(c, o, r, in)
		if no != nil {
			s.undo()
			return no.answer()
		}
		out.results = append(out.results, s.showSent(o, r, in))
	}
	if len(faults) > 0 {
		s.undo()
		return answer{http.StatusBadRequest, s.invalid(onePerProperty(faults))}
	}
	if len(missing) > 0 {
		out.errors = append(out.errors, notFound(o, missing))
	}
	return s.finish(c, out)
}

// wrong checks a row's values without writing it.
func (s *Simulator) wrong(c *call, o object, in input) []fault {
	var out []fault
	for name, v := range in.values() {
		if f := s.check(c.portal, o, name, v); f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// onePerProperty keeps the first fault of each property and message.
func onePerProperty(faults []fault) []fault {
	seen := map[fault]bool{}
	var out []fault
	for _, f := range faults {
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	return out
}

func (s *Simulator) refuseRepeated(body batchInput) *answer {
	twice := body.repeated()
	if len(twice) == 0 {
		return nil
	}
	return &answer{http.StatusBadRequest, failure{
		Status: "error", Category: "VALIDATION_ERROR", CorrelationID: s.lastID(),
		Message: fmt.Sprintf("Duplicate IDs found in batch input: [%s]. IDs must be unique", strings.Join(twice, ", ")),
		Context: map[string][]string{"ids": twice},
	}}
}

func (s *Simulator) batchUpsert(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var body batchInput
	if refused := s.inputs(c, &body, func() int { return len(body.Inputs) }); refused != nil {
		return *refused
	}
	if a := s.refuseRepeated(body); a != nil {
		return *a
	}
	if s.faulty(c, doConflictOnce) {
		return s.fail(http.StatusConflict, "CONFLICT", "A record with this key is being created by another request.")
	}
	out := batch{good: http.StatusOK}
	for _, in := range body.Inputs {
		if !s.identifies(c, o, in.IDProperty) {
			return s.notUnique(o, in.IDProperty)
		}
		v, no := s.upsert(c, o, in)
		switch {
		case no == nil:
			out.results = append(out.results, v)
		case body.traced():
			out.errors = append(out.errors, rowFailure(in, no))
		default:
			s.undo()
			return no.answer()
		}
	}
	return s.finish(c, out)
}

func (s *Simulator) upsert(c *call, o object, in input) (view, *refusal) {
	if in.IDProperty == "email" && s.settings.StrictEmailUpsert && in.Properties["email"] == nil {
		return view{}, s.missing("email must be among the properties of an upsert by email", "email")
	}
	r, exists := s.locate(c, o, in.ID, in.IDProperty, false)
	var no *refusal
	if exists {
		r, no = s.modify(c, o, r, in)
	} else {
		if in.Properties == nil {
			in.Properties = map[string]any{}
		}
		if in.IDProperty != "" && in.IDProperty != "hs_object_id" {
			in.Properties[in.IDProperty] = in.ID
		}
		r, no = s.insert(c, o, in)
	}
	if no != nil {
		return view{}, no
	}
	v := s.showSent(o, r, in)
	if in.IDProperty != "" && in.IDProperty != "hs_object_id" {
		key := r.Properties[in.IDProperty]
		v.Properties[in.IDProperty] = &key
	}
	created := !exists
	v.New, v.TraceID = &created, in.TraceID
	return v, nil
}

func (s *Simulator) batchArchive(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var body batchInput
	if refused := s.inputs(c, &body, func() int { return len(body.Inputs) }); refused != nil {
		return *refused
	}
	for _, in := range body.Inputs {
		if r, ok := s.get(c.portal, o, in.ID, false); ok {
			s.remove(c, o, r)
		}
	}
	return answer{status: http.StatusNoContent}
}
