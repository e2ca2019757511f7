package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// batchMax is the most records of one collection call.
const batchMax = 200

// collection reads the body of a collection write (salesforce.md §5.3).
func (s *Simulator) collection(r *request) (allOrNone bool, records []json.RawMessage, f *failure) {
	var in struct {
		AllOrNone bool              `json:"allOrNone"`
		Records   []json.RawMessage `json:"records"`
	}
	if f := r.object(&in); f != nil {
		return false, nil, f
	}
	switch {
	case len(in.Records) == 0:
		return false, nil, bad("REQUIRED_FIELD_MISSING", "At least 1 record is required")
	case len(in.Records) > batchMax:
		return false, nil, bad("EXCEEDED_MAX_SIZE_REQUEST", fmt.Sprintf("record limit reached. cannot submit more than %d records in this call", batchMax))
	}
	runs, last := 0, ""
	for _, raw := range in.Records {
		if name := recordType(raw); name != last || runs == 0 {
			runs, last = runs+1, name
		}
	}
	if runs > 10 {
		return false, nil, bad("INVALID_INPUT", "the records change their type more than 10 times: group them by type")
	}
	return in.AllOrNone, in.Records, nil
}

func recordType(raw json.RawMessage) string {
	var head struct {
		Attributes struct{ Type string } `json:"attributes"`
	}
	_ = json.Unmarshal(raw, &head) // a record without attributes has no type
	return head.Attributes.Type
}

// row is one record of a collection, read.
type row struct {
	object object
	given  []member
}

func (s *Simulator) readRow(raw json.RawMessage) (row, *failure) {
	given, err := readMembers(raw)
	if err != nil {
		return row{}, bad("JSON_PARSER_ERROR", "Cannot deserialize instance of sobject from the value given")
	}
	o, ok := s.object(recordType(raw))
	first := len(given) > 0 && given[0].name == "attributes"
	if !ok || s.settings.AttributesFirst && !first {
		if ok || recordType(raw) == "" {
			return row{}, attributesMissing()
		}
		return row{}, bad("INVALID_TYPE", "sObject type '"+recordType(raw)+"' is not supported.")
	}
	return row{o, given}, nil
}

// without takes the member of a name out and returns its text.
func (r row) without(name string) (rest []member, text string, found bool) {
	for _, m := range r.given {
		if strings.EqualFold(m.name, name) {
			found = true
			_ = json.Unmarshal(m.raw, &text) // a key that is no text matches nothing
			continue
		}
		rest = append(rest, m)
	}
	return rest, text, found
}

// rows runs the records of a collection and answers one result each. With
// allOrNone a failure takes everything back.
func (s *Simulator) rows(w http.ResponseWriter, r *request, upsert bool, save func(n int, one row) (id string, created bool, f *failure)) {
	allOrNone, records, f := s.collection(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	results := make([]any, len(records))
	guilty := make([]bool, len(records))
	failed := false
	for i, raw := range records {
		one, f := s.readRow(raw)
		var id string
		var created bool
		if f == nil {
			id, created, f = save(i, one)
		}
		if f != nil && f.Code == "JSON_PARSER_ERROR" && s.settings.WrongTypeFailsCall {
			s.Store.Rollback()
			refuse(w, r.Request, f)
			return
		}
		if f != nil {
			results[i], guilty[i], failed = rowFailure(f, upsert), true, true
			continue
		}
		results[i] = saved(id, upsert, created)
	}
	if allOrNone && failed {
		s.Store.Rollback()
		for i := range results {
			if !guilty[i] {
				results[i] = rowFailure(bad("ALL_OR_NONE_OPERATION_ROLLED_BACK",
					"Record rolled back because not all records were valid and the request was using AllOrNone header"), upsert)
			}
		}
	}
	answer(w, r.Request, http.StatusOK, results)
}

// rowFailure has no id, and created even then when it is an upsert.
func rowFailure(f *failure, upsert bool) ordered {
	out := ordered{{"success", false}, {"errors", []any{f.asRow()}}}
	if upsert {
		out = append(out, pair{"created", false})
	}
	return out
}

func (s *Simulator) createMany(w http.ResponseWriter, r *request) {
	s.rows(w, r, false, func(_ int, one row) (string, bool, *failure) {
		id, f := s.save(s.writeOf(r, one, "", one.given))
		return id, true, f
	})
}

func (s *Simulator) writeOf(r *request, one row, id string, given []member) write {
	return write{object: one.object, id: id, given: given, user: r.user, request: r.Request, allowDuplicates: allowsDuplicates(r.Header)}
}

func (s *Simulator) updateMany(w http.ResponseWriter, r *request) {
	s.rows(w, r, false, func(_ int, one row) (string, bool, *failure) {
		given, id, found := one.without("Id")
		if !found || id == "" {
			return "", false, bad("MISSING_ARGUMENT", "Id not specified in an update call")
		}
		if f := s.present(one.object, id); f != nil {
			return "", false, f
		}
		saved, f := s.save(s.writeOf(r, one, id, given))
		return saved, false, f
	})
}

// present tells what is wrong with the id of a row.
func (s *Simulator) present(o object, id string) *failure {
	short, ok := shortID(id)
	if !ok || !strings.HasPrefix(short, o.prefix) {
		return bad("MALFORMED_ID", o.name+" ID: id value of incorrect type: "+id, "Id")
	}
	switch found, ok := s.get(o, id); {
	case !ok:
		return bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	case found.deleted():
		return bad("ENTITY_IS_DELETED", "entity is deleted")
	}
	return nil
}

func (s *Simulator) upsertMany(w http.ResponseWriter, r *request) {
	o, f := s.writeTo(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	key, f := s.keyField(o, r.PathValue("field"))
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	times := s.timesOfKeys(r, key)
	s.rows(w, r, true, func(_ int, one row) (string, bool, *failure) {
		given, value, found := one.without(key.name)
		switch {
		case one.object.name != o.name:
			return "", false, bad("INVALID_TYPE", "the record is no "+o.name)
		case !found || value == "":
			return "", false, bad("MISSING_ARGUMENT", key.name+" not specified")
		case times[fold(key, value)] > 1:
			return "", false, bad("DUPLICATE_VALUE", "Duplicate external id specified: "+value)
		}
		switch matches := s.byKey(o, key, value); len(matches) {
		case 0:
			id, f := s.save(s.writeOf(r, one, "", append(given, keyMember(key, value))))
			return id, true, f
		case 1:
			id, f := s.save(s.writeOf(r, one, matches[0].text("Id"), given))
			return id, false, f
		default:
			return "", false, bad("DUPLICATE_EXTERNAL_ID", key.name+": more than one record found for external id field: ["+matches[0].text("Id")+", "+matches[1].text("Id")+"]")
		}
	})
}

// timesOfKeys counts how often each key is in the request.
func (s *Simulator) timesOfKeys(r *request, key field) map[string]int {
	times := map[string]int{}
	if _, records, f := s.collection(r); f == nil {
		for _, raw := range records {
			if one, f := s.readRow(raw); f == nil {
				_, value, _ := one.without(key.name)
				times[fold(key, value)]++
			}
		}
	}
	return times
}

// deleteMany answers DELETE composite/sobjects?ids=, the one place where
// allOrNone counts in the URL.
func (s *Simulator) deleteMany(w http.ResponseWriter, r *request) {
	ids := strings.Split(r.URL.Query().Get("ids"), ",")
	if len(ids) > batchMax {
		refuse(w, r.Request, bad("EXCEEDED_MAX_SIZE_REQUEST", fmt.Sprintf("record limit reached. cannot submit more than %d records in this call", batchMax)))
		return
	}
	results := make([]any, len(ids))
	failed := false
	for i, id := range ids {
		if f := s.deleteOne(id); f != nil {
			results[i], failed = rowFailure(f, false), true
			continue
		}
		results[i] = saved(id[:15], false, false)
	}
	if failed && strings.EqualFold(r.URL.Query().Get("allOrNone"), "true") {
		s.Store.Rollback()
	}
	answer(w, r.Request, http.StatusOK, results)
}

func (s *Simulator) deleteOne(id string) *failure {
	for _, o := range s.objects {
		if len(id) > 2 && strings.HasPrefix(id, o.prefix) {
			f := s.present(o, id)
			if f == nil {
				s.remove(o, id)
			}
			return f
		}
	}
	return bad("MALFORMED_ID", "malformed id "+id)
}

// retrieveMany reads records by id; an unknown one is null.
func (s *Simulator) retrieveMany(w http.ResponseWriter, r *request) {
	in := struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}{strings.Split(r.URL.Query().Get("ids"), ","), strings.Split(r.URL.Query().Get("fields"), ",")}
	o, f := s.writeTo(r)
	if f == nil && r.Method == http.MethodPost {
		f = r.object(&in)
	}
	if f == nil && len(in.IDs) > 2000 {
		f = bad("EXCEEDED_MAX_SIZE_REQUEST", "record limit reached. cannot submit more than 2000 records in this call")
	}
	var paths []path
	for _, name := range in.Fields {
		if f != nil {
			break
		}
		var p path
		p, f = s.resolve(o, name)
		paths = append(paths, p)
	}
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	out := make([]any, len(in.IDs))
	for i, id := range in.IDs {
		if found, ok := s.live(o, id); ok {
			out[i] = s.project(r.version, o, found, paths)
		}
	}
	answer(w, r.Request, http.StatusOK, out)
}
