package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// write is one record on its way in.
type write struct {
	object object
	// id is the record to change, "" for a new one.
	id string
	// allowDuplicates is allowSave=true of the duplicate rule header.
	allowDuplicates bool
	user            string
	request         *http.Request
	// given are the members of the JSON object, in the order they came.
	given []member
}

type member struct {
	name string
	raw  json.RawMessage
}

// readMembers reads a JSON object keeping its order, which Salesforce cares
// about for attributes.
func readMembers(raw json.RawMessage) ([]member, error) {
	in := json.NewDecoder(bytes.NewReader(raw))
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("want a JSON object")
	}
	var out []member
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		text, _ := name.(string)
		out = append(out, member{text, value})
	}
	return out, nil
}

// save checks a record in the order of salesforce.md §11.1 and writes it. It
// returns the record's id of 15 characters.
func (s *Simulator) save(in write) (string, *failure) {
	values, f := s.accept(in)
	if f != nil {
		return "", f
	}
	if in.id == "" {
		if slices.Contains(s.settings.NoCreate, in.object.name) {
			return "", fail(http.StatusForbidden, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
		}
		if s.settings.StorageFull {
			return "", bad("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
		}
	}
	for _, check := range []func(write, record) *failure{
		s.checkRequired, s.checkReferences, s.checkAddress, s.checkRules, s.checkUnique, s.checkDuplicates,
	} {
		if f := check(in, values); f != nil {
			return "", f
		}
	}
	if in.id != "" {
		s.update(in.object, in.id, values, in.user)
		s.afterWrite(in.object, in.id)
		return in.id[:15], nil
	}
	id := s.insert(in.object, values, in.user)
	s.afterWrite(in.object, id)
	return id, nil
}

// accept reads the members one by one: known, writable, of the right type, short
// enough, well formed.
func (s *Simulator) accept(in write) (record, *failure) {
	if base.Does(in.request, doLockRows) {
		return nil, bad("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: "+longID(in.id))
	}
	if base.Does(in.request, doLockInTrigger) {
		return nil, bad("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "OnContact: execution of AfterUpdate caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access to this record: []")
	}
	values := record{}
	var readOnly []string
	for _, m := range in.given {
		if strings.EqualFold(m.name, "attributes") {
			continue
		}
		f, known := in.object.find(m.name)
		if !known {
			id, f, failed := s.related(in.object, m)
			if failed != nil {
				return nil, failed
			}
			values[f.name] = id
			continue
		}
		if !s.visible(in.object, f) {
			return nil, noColumn(in.object, m.name)
		}
		if !s.writable(in, f) {
			readOnly = append(readOnly, f.name)
			continue
		}
		value, failed := s.readValue(f, m.raw)
		if failed != nil {
			return nil, failed
		}
		values[f.name] = value
	}
	if len(readOnly) > 0 {
		return nil, bad("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+strings.Join(readOnly, ", ")+
			". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", readOnly...)
	}
	return values, nil
}

func noColumn(o object, name string) *failure {
	return bad("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+o.name)
}

// writable tells whether the user may write a field now. A person account's
// contact has its name on the account (salesforce.md §4.3).
func (s *Simulator) writable(in write, f field) bool {
	if slices.Contains(s.settings.ReadOnlyFields, in.object.name+"."+f.name) {
		return false
	}
	if in.id == "" {
		return f.createable
	}
	if old, _ := s.get(in.object, in.id); old.truth("IsPersonAccount") && f.compound == "Name" {
		return false
	}
	return f.updateable
}

// related reads a parent given by its external id, such as
// {"Account": {"Key__c": "a-7"}}. In a lookup of several objects attributes must
// name the type and come first (salesforce.md §5.2).
func (s *Simulator) related(o object, m member) (string, field, *failure) {
	at := slices.IndexFunc(o.fields, func(f field) bool { return f.relationship() != "" && strings.EqualFold(f.relationship(), m.name) })
	if at < 0 {
		return "", field{}, noColumn(o, m.name)
	}
	f := o.fields[at]
	inner, err := readMembers(m.raw)
	if err != nil || len(inner) == 0 {
		return "", f, bad("JSON_PARSER_ERROR", "Cannot deserialize instance of "+m.name+" from the value given or request may be missing a required field at [line:1, column:1]")
	}
	target := f.references[0]
	if len(f.references) > 1 {
		var attributes struct{ Type string }
		if inner[0].name != "attributes" || json.Unmarshal(inner[0].raw, &attributes) != nil {
			return "", f, attributesMissing()
		}
		target = attributes.Type
	}
	parent, ok := s.object(target)
	key := inner[len(inner)-1]
	kf, known := parent.find(key.name)
	if !ok || !known || !kf.externalID && !kf.idLookup {
		return "", f, bad("INVALID_FIELD", "No such column '"+key.name+"' on sobject of type "+target)
	}
	var value string
	_ = json.Unmarshal(key.raw, &value) // a value that is no text matches nothing
	found := s.lookup(parent, kf, value)
	if len(found) == 0 {
		return "", f, bad("INVALID_CROSS_REFERENCE_KEY", "Foreign key external ID: "+value+" not found for field "+kf.name+" in entity "+parent.name)
	}
	return found[0].text("Id"), f, nil
}

func attributesMissing() *failure {
	return bad("JSON_PARSER_ERROR", "Nested object for polymorphic foreign key must have an attributes field before any other fields.")
}

// readValue reads one JSON value into a field of its type.
func (s *Simulator) readValue(f field, raw json.RawMessage) (any, *failure) {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, bad("JSON_PARSER_ERROR", "Unexpected input at [line:1, column:1]")
	}
	if value == nil && f.kind != "boolean" || value == "" {
		return nil, nil
	}
	wrong := func(javaType string) *failure {
		token := map[bool]string{true: "VALUE_STRING", false: "VALUE_NUMBER_INT"}[raw[0] == '"']
		return bad("JSON_PARSER_ERROR", fmt.Sprintf("Cannot deserialize instance of %s from %s value %s or request may be missing a required field at [line:1, column:1]",
			javaType, token, strings.Trim(string(raw), `"`)))
	}
	switch f.kind {
	case "boolean":
		if b, ok := value.(bool); ok {
			return b, nil
		}
		return nil, wrong("boolean")
	case "int", "double", "currency", "percent":
		if n, ok := value.(float64); ok && (f.kind != "int" || n == float64(int64(n))) {
			return n, nil
		}
		return nil, wrong(f.kind)
	}
	text, ok := value.(string)
	if !ok {
		return nil, wrong("string")
	}
	switch f.kind {
	case "date":
		day, ok := readDate(text)
		if !ok {
			return nil, wrong("date")
		}
		return day, nil
	case "datetime":
		at, ok := readTime(text)
		if !ok {
			return nil, wrong("datetime")
		}
		return stamp(at), nil
	case "reference", "id":
		id, ok := shortID(text)
		if !ok || !s.refersTo(f, id) {
			return nil, bad("MALFORMED_ID", f.label+": id value of incorrect type: "+text, f.name)
		}
		return longID(id), nil
	}
	return s.readText(f, text)
}

var emailForm = regexp.MustCompile(`^[^\s@<>"(),;:]+@[^\s@.]+(\.[^\s@.]+)+$`)

// readText checks the texts: length in characters, addresses, picklists.
func (s *Simulator) readText(f field, text string) (any, *failure) {
	if f.length > 0 && utf8.RuneCountInString(text) > f.length {
		return nil, bad("STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", f.label, text, f.length), f.name)
	}
	if f.kind == "email" && !emailForm.MatchString(text) {
		return nil, bad("INVALID_EMAIL_ADDRESS", f.label+": invalid email address: "+text, f.name)
	}
	if f.restricted && f.kind == "picklist" && !slices.Contains(f.picklist, text) {
		return nil, badPick(f, text)
	}
	if f.restricted && f.kind == "multipicklist" {
		for _, one := range strings.Split(text, ";") {
			if !slices.Contains(f.picklist, one) {
				return nil, badPick(f, one)
			}
		}
	}
	return text, nil
}

func badPick(f field, value string) *failure {
	return bad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f.label+": bad value for restricted picklist field: "+value, f.name)
}

// refersTo tells whether an id has the prefix of one of a lookup's objects.
func (s *Simulator) refersTo(f field, id string) bool {
	if f.kind == "id" {
		return true
	}
	for _, name := range f.references {
		if o, ok := s.objects[name]; ok && strings.HasPrefix(id, o.prefix) {
			return true
		}
	}
	return false
}

// readDate reads a day, or the day of a time.
func readDate(text string) (string, bool) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.Format(time.DateOnly), true
	}
	at, ok := readTime(text)
	return at.Format(time.DateOnly), ok
}

// readTime reads ISO 8601 with a zone.
func readTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999-0700", "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
