package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// field is one column of an object. Length is in characters.
type field struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Length   int    `json:"length"`
	Required bool   `json:"required"`
	Unique   bool   `json:"unique"`
}

func schema() map[string][]field {
	return map[string][]field{
		"people": {
			{Name: "first_name", Label: "First name", Length: 40},
			{Name: "last_name", Label: "Last name", Length: 80, Required: true},
			{Name: "email", Label: "Email", Length: 120, Unique: true},
			{Name: "phone", Label: "Phone", Length: 40},
			{Name: "city", Label: "City", Length: 80},
		},
		"notes": {
			{Name: "person", Label: "Person", Length: 40, Required: true},
			{Name: "title", Label: "Title", Length: 200, Required: true},
			{Name: "text", Label: "Text", Length: 4000},
			{Name: "channel", Label: "Channel", Length: 20},
			{Name: "at", Label: "At", Length: 40},
		},
	}
}

// record is one row of an object.
type record struct {
	Object  string            `json:"object"`
	ID      string            `json:"id"`
	Key     string            `json:"external_key"`
	Version int               `json:"version"`
	Changed time.Time         `json:"changed"`
	Fields  map[string]string `json:"fields"`
	// Seq orders changes; Gone and Into say what became of it.
	Seq  int    `json:"seq"`
	Gone bool   `json:"gone,omitempty"`
	Into string `json:"into,omitempty"`
}

func (r record) live() bool { return !r.Gone && r.Into == "" }

// row is one line of a batch: what to write, or what became of it. A null value
// empties a field, a missing one leaves it alone.
type row struct {
	Ref     string             `json:"ref"`
	ID      string             `json:"id,omitempty"`
	Key     string             `json:"external_key,omitempty"`
	Mode    string             `json:"mode,omitempty"`
	Version string             `json:"version,omitempty"`
	Fields  map[string]*string `json:"fields,omitempty"`
	Status  int                `json:"status,omitempty"`
	Error   *problem           `json:"error,omitempty"`
}

func (s *Simulator) batch(r *http.Request) (int, any, *problem) {
	var in struct {
		Rows []row `json:"rows"`
	}
	if refused := decode(r, &in); refused != nil {
		return 0, nil, refused
	}
	if len(in.Rows) > maxBatch {
		return 0, nil, refuse(http.StatusRequestEntityTooLarge, "TOO_MANY_ROWS", "At most %d rows, not %d.", maxBatch, len(in.Rows))
	}
	out := []row{}
	for _, one := range in.Rows {
		out = append(out, s.write(r.PathValue("object"), one))
	}
	if base.Does(r, doShort) && len(out) > 0 {
		out = out[:len(out)-1]
	}
	return http.StatusMultiStatus, map[string]any{"rows": out}, nil
}

// write creates or updates one record.
func (s *Simulator) write(object string, in row) row {
	found, exists, refused := s.target(object, in)
	status := http.StatusOK
	if refused == nil {
		if !exists {
			status = http.StatusCreated
			found = record{Object: object, ID: s.newID(object)}
		}
		found, refused = s.apply(found, in)
	}
	if refused != nil {
		return row{Ref: in.Ref, Status: refused.Status, Error: refused}
	}
	s.put(found)
	found, _ = s.records.Get(found.ID)
	if !exists {
		s.Counters.Made(object)
	}
	out := row{Ref: in.Ref, Status: status, ID: found.ID, Key: found.Key, Version: strconv.Itoa(found.Version), Fields: map[string]*string{}}
	for name, value := range found.Fields {
		out.Fields[name] = &value
	}
	return out
}

// target finds the record that a row means.
func (s *Simulator) target(object string, in row) (found record, exists bool, refused *problem) {
	if in.ID != "" {
		found, exists = s.records.Get(in.ID)
		switch {
		case !exists || found.Object != object || found.Gone:
			return found, false, refuse(http.StatusNotFound, "NOT_FOUND", "There is no record %s.", in.ID)
		case found.Into != "":
			p := refuse(http.StatusGone, "MERGED", "The record was merged into another.")
			p.Into = found.Into
			return found, false, p
		}
	} else {
		found, exists = s.first(object, func(r record) bool { return in.Key != "" && r.Key == in.Key })
	}
	switch {
	case exists && in.Mode == "create":
		return found, true, refuse(http.StatusConflict, "EXISTS", "A record with this key is there already.")
	case !exists && in.Mode == "update":
		return found, false, refuse(http.StatusNotFound, "NOT_FOUND", "There is no record with this key.")
	case exists && in.Version != "" && in.Version != strconv.Itoa(found.Version):
		return found, true, refuse(http.StatusPreconditionFailed, "STALE", "The record has changed since version %s.", in.Version)
	}
	return found, exists, nil
}

// apply checks and sets a row's values.
func (s *Simulator) apply(to record, in row) (record, *problem) {
	known := schema()[to.Object]
	to.Fields = maps.Clone(to.Fields)
	if to.Fields == nil {
		to.Fields = map[string]string{}
	}
	if in.Key != "" {
		to.Key = in.Key
	}
	for name, value := range in.Fields {
		i := slices.IndexFunc(known, func(f field) bool { return f.Name == name })
		switch {
		case i < 0:
			return to, invalid("NO_SUCH_FIELD", name, "There is no field %s.", name)
		case value == nil:
			delete(to.Fields, name)
		case utf8.RuneCountInString(*value) > known[i].Length:
			return to, invalid("TOO_LONG", name, "The value is longer than %d characters.", known[i].Length)
		default:
			to.Fields[name] = *value
		}
	}
	for _, f := range known {
		value := to.Fields[f.Name]
		if f.Required && value == "" {
			return to, invalid("REQUIRED", f.Name, "The field must have a value.")
		}
		if !f.Unique || value == "" {
			continue
		}
		if other, taken := s.first(to.Object, func(r record) bool { return r.ID != to.ID && strings.EqualFold(r.Fields[f.Name], value) }); taken {
			p := invalid("TAKEN", f.Name, "Another record has this value.")
			p.Status, p.Into = http.StatusConflict, other.ID
			return to, p
		}
	}
	return to, nil
}

func invalid(code, name, format string, args ...any) *problem {
	p := refuse(http.StatusUnprocessableEntity, code, format, args...)
	p.Field = name
	return p
}

// first is the first live record of an object that fits.
func (s *Simulator) first(object string, fits func(record) bool) (record, bool) {
	for _, r := range s.records.All() {
		if r.Object == object && r.live() && fits(r) {
			return r, true
		}
	}
	return record{}, false
}

func (s *Simulator) newID(object string) string {
	return fmt.Sprintf("%s-%d", object, s.records.Len()+1)
}

// put writes a record as a change of now.
func (s *Simulator) put(r record) {
	s.newest++
	r.Seq, r.Changed = s.newest, s.Clock.Now()
	r.Version++
	s.records.Put(r.ID, r)
}
