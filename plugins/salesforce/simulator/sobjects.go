package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// create answers POST sobjects/{object}.
func (s *Simulator) create(w http.ResponseWriter, r *request) {
	o, f := s.writeTo(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	in, f := s.readWrite(r, o, "")
	if f == nil {
		var id string
		if id, f = s.save(in); f == nil {
			s.created(w, r, o, id, false)
			return
		}
	}
	refuse(w, r.Request, f)
}

func (s *Simulator) created(w http.ResponseWriter, r *request, o object, id string, upsert bool) {
	w.Header().Set("Location", r.path("/sobjects/"+o.name+"/"+longID(id)))
	answer(w, r.Request, http.StatusCreated, saved(id, upsert, true))
}

// saved is the answer to a save that went well; created is told for upserts
// alone.
func saved(id string, upsert, created bool) ordered {
	out := ordered{{"id", longID(id)}, {"success", true}, {"errors", []any{}}}
	if upsert {
		out = append(out, pair{"created", created})
	}
	return out
}

// writeTo is the object of the path.
func (s *Simulator) writeTo(r *request) (object, *failure) {
	o, ok := s.object(r.PathValue("object"))
	if !ok || o.name == "Organization" && r.Method != http.MethodGet {
		return object{}, notFound()
	}
	return o, nil
}

// readWrite reads the body of a single record.
func (s *Simulator) readWrite(r *request, o object, id string) (write, *failure) {
	given, err := readMembers(r.body)
	if err != nil {
		return write{}, bad("JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body, or it is no JSON object.")
	}
	return write{
		object: o, id: id, given: given, user: r.user, request: r.Request,
		allowDuplicates: allowsDuplicates(r.Header),
	}, nil
}

func allowsDuplicates(h http.Header) bool {
	for _, part := range strings.Split(h.Get("Sforce-Duplicate-Rule-Header"), ";") {
		name, value, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(name), "allowSave") && strings.EqualFold(strings.TrimSpace(value), "true") {
			return true
		}
	}
	return false
}

// byPathID finds the record of the path; a deleted one is told apart.
func (s *Simulator) byPathID(r *request) (object, string, record, *failure) {
	o, f := s.writeTo(r)
	if f != nil {
		return o, "", nil, f
	}
	id := r.PathValue("id")
	found, ok := s.get(o, id)
	switch {
	case !ok:
		return o, "", nil, fail(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+id)
	case found.deleted():
		return o, "", nil, fail(http.StatusNotFound, "ENTITY_IS_DELETED", "entity is deleted", []string{}...)
	}
	return o, id[:15], found, nil
}

func (s *Simulator) retrieve(w http.ResponseWriter, r *request) {
	o, _, found, f := s.byPathID(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	s.sendRecord(w, r, o, found)
}

// sendRecord answers a record, with the fields asked for.
func (s *Simulator) sendRecord(w http.ResponseWriter, r *request, o object, found record) {
	names := s.visibleNames(o)
	if asked := r.URL.Query().Get("fields"); asked != "" {
		names = strings.Split(asked, ",")
	}
	var paths []path
	for _, name := range names {
		p, f := s.resolve(o, strings.TrimSpace(name))
		if f != nil {
			refuse(w, r.Request, f)
			return
		}
		paths = append(paths, p)
	}
	answer(w, r.Request, http.StatusOK, s.project(r.version, o, found, paths))
}

func (s *Simulator) visibleNames(o object) []string {
	var names []string
	for _, f := range o.fields {
		if s.visible(o, f) {
			names = append(names, f.name)
		}
	}
	return names
}

func (s *Simulator) patch(w http.ResponseWriter, r *request) {
	o, id, _, f := s.byPathID(r)
	if f == nil {
		var in write
		if in, f = s.readWrite(r, o, id); f == nil {
			if _, f = s.save(in); f == nil {
				answer(w, r.Request, http.StatusNoContent, nil)
				return
			}
		}
	}
	refuse(w, r.Request, f)
}

func (s *Simulator) destroy(w http.ResponseWriter, r *request) {
	o, id, _, f := s.byPathID(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	s.remove(o, id)
	answer(w, r.Request, http.StatusNoContent, nil)
}

// keyOf is the external key of the path: {field}/{value}.
func (s *Simulator) keyOf(r *request) (object, field, string, *failure) {
	o, f := s.writeTo(r)
	if f != nil {
		return o, field{}, "", f
	}
	key, failed := s.keyField(o, r.PathValue("field"))
	return o, key, r.PathValue("value"), failed
}

// keyField is a field that may serve as key: visible, and an external id or one
// for lookups.
func (s *Simulator) keyField(o object, name string) (field, *failure) {
	f, ok := o.find(name)
	if !ok || !s.visible(o, f) || !f.externalID && !f.idLookup {
		return f, fail(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+name)
	}
	return f, nil
}

// byKey finds the records with a key.
func (s *Simulator) byKey(o object, f field, value string) []record {
	if f.name == "Id" {
		if r, ok := s.live(o, value); ok {
			return []record{r}
		}
		return nil
	}
	return s.lookup(o, f, value)
}

func (s *Simulator) retrieveByKey(w http.ResponseWriter, r *request) {
	o, key, value, f := s.keyOf(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	switch found := s.byKey(o, key, value); len(found) {
	case 0:
		refuse(w, r.Request, notFound())
	case 1:
		s.sendRecord(w, r, o, found[0])
	default:
		s.choices(w, r, o, found)
	}
}

// choices is the answer when several records have the key: nothing is written.
func (s *Simulator) choices(w http.ResponseWriter, r *request, o object, found []record) {
	urls := make([]string, len(found))
	for i, one := range found {
		urls[i] = r.path("/sobjects/" + o.name + "/" + one.text("Id"))
	}
	answer(w, r.Request, http.StatusMultipleChoices, urls)
}

// upsert answers PATCH and POST sobjects/{object}/{field}/{value} (salesforce.md
// §5.2).
func (s *Simulator) upsert(w http.ResponseWriter, r *request) {
	o, key, value, f := s.keyOf(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	found := s.byKey(o, key, value)
	in, f := s.readWrite(r, o, "")
	switch {
	case f != nil:
	case len(found) > 1:
		s.choices(w, r, o, found)
		return
	case slices.ContainsFunc(in.given, func(m member) bool { return strings.EqualFold(m.name, key.name) }):
		f = bad("INVALID_FIELD", "The "+key.name+" field should not be specified in the sobject data.")
	case len(found) == 0 && strings.EqualFold(r.URL.Query().Get("updateOnly"), "true"):
		f = notFound()
	case len(found) == 1:
		in.id = found[0].text("Id")
		if _, f = s.save(in); f == nil {
			answer(w, r.Request, http.StatusOK, saved(in.id[:15], true, false))
			return
		}
	default:
		in.given = append(in.given, keyMember(key, value))
		var id string
		if id, f = s.save(in); f == nil {
			s.created(w, r, o, id, true)
			return
		}
	}
	refuse(w, r.Request, f)
}

// keyMember gives a new record the key it was addressed by.
func keyMember(f field, value string) member {
	raw, _ := marshal(value) // text can always be written
	return member{f.name, raw}
}

// destroyByKey answers DELETE sobjects/{object}/{field}/{value}.
func (s *Simulator) destroyByKey(w http.ResponseWriter, r *request) {
	o, key, value, f := s.keyOf(r)
	if f != nil {
		refuse(w, r.Request, f)
		return
	}
	found := s.byKey(o, key, value)
	switch len(found) {
	case 0:
		refuse(w, r.Request, notFound())
	case 1:
		s.remove(o, found[0].text("Id"))
		answer(w, r.Request, http.StatusNoContent, nil)
	default:
		s.choices(w, r, o, found)
	}
}
