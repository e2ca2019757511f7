package simulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// faulty tells whether a fault inside the CRM applies to the request.
func (s *Simulator) faulty(c *call, name string) bool { return base.Does(c.Request, name) }

// kind reads the object of the path and checks the scope for it (§1.6):
// activities go with the contacts scopes.
func (s *Simulator) kind(c *call, writes bool) (object, *answer) {
	return s.kindNamed(c, c.PathValue("type"), writes)
}

func (s *Simulator) kindNamed(c *call, name string, writes bool) (object, *answer) {
	o, ok := objectOf(name)
	if !ok {
		a := s.fail(http.StatusBadRequest, "", "Unable to infer object type from: "+name)
		return o, &a
	}
	scope := "crm.objects.contacts."
	if o.plural == "companies" {
		scope = "crm.objects.companies."
	}
	if writes {
		return o, s.need(c, scope+"write")
	}
	return o, s.need(c, scope+"read")
}

func (s *Simulator) create(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var in input
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	r, no := s.insert(c, o, in)
	if no != nil {
		return no.answer()
	}
	return answer{http.StatusCreated, s.showWritten(o, r)}
}

func (s *Simulator) read(c *call) answer {
	o, refused := s.kind(c, false)
	if refused != nil {
		return *refused
	}
	q := c.URL.Query()
	if !s.identifies(c, o, q.Get("idProperty")) {
		return s.notUnique(o, q.Get("idProperty"))
	}
	if q.Get("archived") == "true" {
		r, ok := s.records.Get(record{Portal: c.portal, Type: o.plural, ID: c.PathValue("id")}.key())
		if !ok || r.ArchivedAt.IsZero() {
			return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
		}
		return answer{http.StatusOK, s.show(o, r, names(q["properties"]), nil)}
	}
	r, ok := s.locate(c, o, c.PathValue("id"), q.Get("idProperty"), true)
	if !ok {
		return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
	}
	v := s.show(o, r, names(q["properties"]), names(q["propertiesWithHistory"]))
	v.Associations = s.associationsFor(c, o, r, names(q["associations"]))
	return answer{http.StatusOK, v}
}

func (s *Simulator) update(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var in input
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	by := c.URL.Query().Get("idProperty")
	if !s.identifies(c, o, by) {
		return s.notUnique(o, by)
	}
	r, ok := s.locate(c, o, c.PathValue("id"), by, true)
	if !ok {
		return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
	}
	if len(in.Properties) == 0 {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "No properties found to update, please provide at least one.")
	}
	r, no := s.modify(c, o, r, in)
	if no != nil {
		return no.answer()
	}
	return answer{http.StatusOK, s.showSent(o, r, in)}
}

// showSent is what an update answers: what was sent, the id and the times.
func (s *Simulator) showSent(o object, r record, in input) view {
	v := s.show(o, r, nil, nil)
	v.Properties = map[string]*string{}
	for _, name := range append([]string{"hs_object_id", o.modified(), o.createdProperty()}, keys(in.Properties)...) {
		if value, ok := r.Properties[name]; ok {
			v.Properties[name] = &value
		}
	}
	return v
}

func (s *Simulator) archive(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	if r, ok := s.get(c.portal, o, c.PathValue("id"), false); ok {
		s.remove(c, o, r)
	}
	return answer{status: http.StatusNoContent}
}

// list answers a page in the order of ids; its cursor is the first id of the
// next page.
func (s *Simulator) list(c *call) answer {
	o, refused := s.kind(c, false)
	if refused != nil {
		return *refused
	}
	q := c.URL.Query()
	limit, most := 10, 100
	if len(q["propertiesWithHistory"]) > 0 {
		most = 50
	}
	if q.Has("limit") {
		n, err := strconv.Atoi(q.Get("limit"))
		if err != nil || n < 1 || n > most {
			return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "limit must be between 1 and "+strconv.Itoa(most))
		}
		limit = n
	}
	after := q.Get("after")
	if _, err := strconv.ParseUint(after, 10, 64); after != "" && err != nil || after != "" && len(after) < 8 {
		return s.fail(http.StatusBadRequest, "", "Cannot deserialize value of type `PagingToken` from String "+strconv.Quote(after))
	}
	page := linkedPage{Results: []view{}}
	for _, r := range s.all(c.portal, o, q.Get("archived") == "true") {
		if byID(r.ID, after) < 0 {
			continue
		}
		if len(page.Results) == limit {
			page.Paging = &paging{Next: &next{After: r.ID, Link: "https://api.hubapi.com" + c.URL.Path + "?after=" + r.ID}}
			break
		}
		v := s.show(o, r, names(q["properties"]), names(q["propertiesWithHistory"]))
		v.Associations = s.associationsFor(c, o, r, names(q["associations"]))
		page.Results = append(page.Results, v)
	}
	return answer{http.StatusOK, page}
}

// merge joins two records into a third, or into the first where the account
// keeps primary ids (§8).
func (s *Simulator) merge(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var in struct{ PrimaryObjectID, ObjectIDToMerge string }
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	if in.PrimaryObjectID == in.ObjectIDToMerge {
		return s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "Cannot merge a record with itself")
	}
	winner, ok := s.get(c.portal, o, in.PrimaryObjectID, true)
	loser, also := s.get(c.portal, o, in.ObjectIDToMerge, true)
	if !ok || !also {
		return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
	}
	old := strings.Split(winner.Properties["hs_merged_object_ids"], ";")
	if len(old) >= 250 {
		return s.fail(http.StatusRequestURITooLong, "", "Cannot have more than 250 identities on a profile")
	}
	merged := s.join(c, o, winner, loser)
	s.emit(c, o, merged, "merge", map[string]any{
		"primaryObjectId": number(winner.ID), "mergedObjectIds": []int64{number(loser.ID)}, "newObjectId": number(merged.ID),
	})
	return answer{http.StatusOK, s.showWritten(o, merged)}
}

func (s *Simulator) gdprDelete(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var in struct{ ObjectID, IDProperty string }
	if refused := s.decode(c, &in); refused != nil {
		return *refused
	}
	r, ok := s.locate(c, o, in.ObjectID, in.IDProperty, true)
	if !ok && in.IDProperty != "email" {
		return s.fail(http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
	}
	if !ok {
		s.blocked.Put(blockKey(c.portal, in.ObjectID), true)
		return answer{status: http.StatusNoContent}
	}
	for _, v := range keyedValues(r) {
		if v[0] == "email" {
			s.blocked.Put(blockKey(c.portal, v[1]), true)
		}
	}
	s.index.remove(r)
	s.records.Delete(r.key())
	s.emit(c, o, r, "privacyDeletion", nil)
	return answer{status: http.StatusNoContent}
}

func (s *Simulator) notUnique(o object, name string) answer {
	return s.fail(http.StatusBadRequest, "VALIDATION_ERROR",
		"Unable to perform update/upsert by non-unique "+o.id+" property: "+name)
}

// names reads a list that may be repeated or comma separated.
func names(given []string) []string {
	var out []string
	for _, g := range given {
		for one := range strings.SplitSeq(g, ",") {
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return unique(out)
}

func keys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func number(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
