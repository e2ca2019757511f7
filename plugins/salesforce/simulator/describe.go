package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// versions answers GET /services/data, which needs no token. One label has the
// odd apostrophe of real answers (salesforce.md §10, quirk 31).
func (s *Simulator) versions(w http.ResponseWriter, r *http.Request) {
	s.commonHeaders(w)
	var out []any
	for n := oldestVersion; n <= s.settings.NewestVersion; n++ {
		apostrophe := "'"
		if n == 42 {
			apostrophe = "’"
		}
		version := fmt.Sprintf("%d.0", n)
		out = append(out, ordered{{"label", release(n, apostrophe)}, {"url", "/services/data/v" + version}, {"version", version}})
	}
	answer(w, r, http.StatusOK, out)
}

// release is the name of an API version: three a year, 33 being Spring '15.
func release(n int, apostrophe string) string {
	year := 15 + (n-33)/3
	if n < 33 {
		year = 15 - (35-n)/3
	}
	season := []string{"Spring", "Summer", "Winter"}[(n%3+3)%3]
	if season == "Winter" {
		year++
	}
	return fmt.Sprintf("%s %s%02d", season, apostrophe, year)
}

func (s *Simulator) resources(w http.ResponseWriter, r *request) {
	var out ordered
	for _, name := range []string{"sobjects", "query", "queryAll", "limits", "composite", "jobs", "tooling"} {
		out = append(out, pair{name, r.path("/" + name)})
	}
	answer(w, r.Request, http.StatusOK, append(out, pair{"identity", s.identity(r.Request, r.user)}))
}

func (s *Simulator) limits(w http.ResponseWriter, r *request) {
	limit := func(top, left int) any { return ordered{{"Max", top}, {"Remaining", max(left, 0)}} }
	answer(w, r.Request, http.StatusOK, ordered{
		{"DailyApiRequests", limit(s.settings.DailyLimit, s.settings.DailyLimit-s.usage)},
		{"DailyBulkApiBatches", limit(15000, 15000)}, {"DailyBulkV2QueryJobs", limit(10000, 10000)},
		{"DailyStreamingApiEvents", limit(10000, 10000)}, {"DataStorageMB", limit(5, 5)}, {"FileStorageMB", limit(20, 20)},
		{"HourlyTimeBasedWorkflow", limit(1000, 1000)}, {"MassEmail", limit(10, 10)},
		{"PermissionSets", ordered{{"Max", 1500}, {"Remaining", 1498}, {"CreateCustom", limit(1000, 998)}}}, {"SingleEmail", limit(15, 15)},
	})
}

func (s *Simulator) describeGlobal(w http.ResponseWriter, r *request) {
	var names []string
	for name := range s.objects {
		names = append(names, name)
	}
	slices.Sort(names)
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = s.globalItem(r, s.objects[name])
	}
	answer(w, r.Request, http.StatusOK, ordered{{"encoding", "UTF-8"}, {"maxBatchSize", batchMax}, {"sobjects", out}})
}

func (s *Simulator) basicInfo(w http.ResponseWriter, r *request) {
	o, ok := s.object(r.PathValue("object"))
	if !ok {
		refuse(w, r.Request, notFound())
		return
	}
	answer(w, r.Request, http.StatusOK, ordered{{"objectDescribe", s.globalItem(r, o)}, {"recentItems", []any{}}})
}

// globalItem is an object as the global list shows it (salesforce.md §3.1).
func (s *Simulator) globalItem(r *request, o object) ordered {
	write := o.name != "Organization" && o.name != "TaskStatus"
	merge := o.name == "Contact" || o.name == "Lead" || o.name == "Account"
	url := r.path("/sobjects/" + o.name)
	return ordered{
		{"activateable", false}, {"associateEntityType", nil}, {"associateParentEntity", nil},
		{"createable", write && !slices.Contains(s.settings.NoCreate, o.name)}, {"custom", false}, {"customSetting", false}, {"deepCloneable", false},
		{"deletable", write}, {"deprecatedAndHidden", false}, {"feedEnabled", merge}, {"hasSubtypes", false}, {"isInterface", false},
		{"isSubtype", false}, {"keyPrefix", o.prefix}, {"label", spaced(o.name)}, {"labelPlural", o.plural}, {"layoutable", write},
		{"mergeable", merge}, {"mruEnabled", write}, {"name", o.name}, {"queryable", true}, {"replicateable", true}, {"retrieveable", true},
		{"searchable", write}, {"triggerable", write}, {"undeletable", write}, {"updateable", write},
		{"urls", ordered{{"rowTemplate", url + "/{ID}"}, {"describe", url + "/describe"}, {"sobject", url}}},
	}
}

// describe answers an object's description with Last-Modified and ETag; an
// unchanged one is 304 (salesforce.md §3.1).
func (s *Simulator) describe(w http.ResponseWriter, r *request) {
	o, ok := s.object(r.PathValue("object"))
	if !ok {
		refuse(w, r.Request, notFound())
		return
	}
	body := s.description(r, o)
	data, err := marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sum := sha256.Sum256(data)
	tag := hex.EncodeToString(sum[:8])
	known := s.described[o.name]
	if known.tag != tag {
		known = description{tag: tag, changed: s.Clock.Now().Truncate(time.Second)}
		s.described[o.name] = known
	}
	w.Header().Set("Last-Modified", known.changed.Format(http.TimeFormat))
	w.Header().Set("ETag", `"`+tag+`"`)
	if since, err := http.ParseTime(r.Header.Get("If-Modified-Since")); err == nil && !known.changed.After(since) {
		answer(w, r.Request, http.StatusNotModified, nil)
		return
	}
	answer(w, r.Request, http.StatusOK, body)
}

// description is what was last described of an object, and since when it is so.
type description struct {
	tag     string
	changed time.Time
}

func (s *Simulator) description(r *request, o object) ordered {
	var fields []any
	for _, f := range o.fields {
		if s.visible(o, f) {
			fields = append(fields, s.describeField(o, f))
		}
	}
	url := r.path("/sobjects/" + o.name)
	item := s.globalItem(r, o) // its urls come last and are others here
	out := ordered{{"actionOverrides", []any{}}, {"childRelationships", s.children(o)}, {"compactLayoutable", true}}
	out = append(out, item[:len(item)-1]...)
	return append(out,
		pair{"fields", fields}, pair{"listviewable", nil}, pair{"lookupLayoutable", nil}, pair{"namedLayoutInfos", []any{}},
		pair{"networkScopeFieldName", nil}, pair{"recordTypeInfos", []any{ordered{
			{"active", true}, {"available", true}, {"defaultRecordTypeMapping", true}, {"developerName", "Master"}, {"master", true},
			{"name", "Master"}, {"recordTypeId", "012000000000000AAA"}, {"urls", ordered{{"layout", url + "/describe/layouts/012000000000000AAA"}}},
		}}}, pair{"searchLayoutable", true}, pair{"sobjectDescribeOption", "FULL"},
		pair{"supportedScopes", []any{ordered{{"label", "All " + o.plural}, {"name", "everything"}}}},
		pair{"urls", ordered{{"rowTemplate", url + "/{ID}"}, {"describe", url + "/describe"}, {"sobject", url}}})
}

// children are the lookups of other objects to this one.
func (s *Simulator) children(o object) []any {
	out := []any{}
	for _, child := range []string{"Contact", "Lead", "Account", "Task", "Event", "EmailMessage"} {
		for _, f := range s.objects[child].fields {
			if slices.Contains(f.references, o.name) && f.createable {
				out = append(out, ordered{
					{"cascadeDelete", false}, {"childSObject", child}, {"deprecatedAndHidden", false}, {"field", f.name},
					{"junctionIdListNames", []any{}}, {"junctionReferenceTo", []any{}}, {"relationshipName", nil}, {"restrictedDelete", false},
				})
			}
		}
	}
	return out
}

// describeField has all keys of salesforce.md §3.3, in order.
func (s *Simulator) describeField(o object, f field) ordered {
	text := f.length > 0
	long := !filterable(f)
	precision, scale := 0, 0
	if f.kind == "double" || f.kind == "currency" {
		precision, scale = 18, 2
	}
	digits, length := 0, f.length
	if f.kind == "int" {
		digits, length, text = f.length, 0, false
	}
	bytes := 0
	switch {
	case f.kind == "id" || f.kind == "reference":
		bytes = length
	case text:
		bytes = 3 * length
	}
	writable := func(can bool) bool {
		return can && !slices.Contains(s.settings.ReadOnlyFields, o.name+"."+f.name) && (!f.custom || s.required(o, f) || s.granted(o, f, "PermissionsEdit"))
	}
	return ordered{
		{"aggregatable", f.kind != "boolean" && !long}, {"aiPredictionField", false}, {"autoNumber", false}, {"byteLength", bytes},
		{"calculated", false}, {"calculatedFormula", nil}, {"cascadeDelete", false}, {"caseSensitive", f.caseSensitive},
		{"compoundFieldName", orNil(f.compound)}, {"controllerName", nil}, {"createable", writable(f.createable)}, {"custom", f.custom},
		{"defaultValue", map[bool]any{true: false, false: nil}[f.kind == "boolean"]}, {"defaultValueFormula", nil}, {"defaultedOnCreate", f.defaulted},
		{"dependentPicklist", false}, {"deprecatedAndHidden", false}, {"digits", digits}, {"displayLocationInDecimal", false}, {"encrypted", false},
		{"externalId", f.externalID}, {"extraTypeInfo", nil}, {"filterable", !long}, {"filteredLookupInfo", nil},
		{"formulaTreatNullNumberAsZero", false}, {"groupable", !long && f.kind != "double" && f.kind != "datetime"}, {"highScaleNumber", false},
		{"htmlFormatted", false}, {"idLookup", f.idLookup || f.externalID}, {"inlineHelpText", nil}, {"label", f.label}, {"length", length},
		{"mask", nil}, {"maskType", nil}, {"name", f.name}, {"nameField", f.name == "Name"}, {"namePointing", len(f.references) > 1},
		{"nillable", f.nillable}, {"permissionable", f.nillable}, {"picklistValues", s.picks(f)}, {"polymorphicForeignKey", len(f.references) > 1},
		{"precision", precision}, {"queryByDistance", f.kind == "address"}, {"referenceTargetField", nil}, {"referenceTo", orEmpty(f.references)},
		{"relationshipName", orNil(f.relationship())}, {"relationshipOrder", nil}, {"restrictedDelete", false}, {"restrictedPicklist", f.restricted},
		{"scale", scale}, {"searchPrefilterable", false}, {"soapType", soapType(f.kind)}, {"sortable", !long}, {"type", f.kind},
		{"unique", f.unique}, {"updateable", writable(f.updateable)}, {"writeRequiresMasterRead", false},
	}
}

func (s *Simulator) picks(f field) []any {
	out := []any{}
	for _, value := range f.picklist {
		label := value
		for _, c := range countries() {
			if c.code == value && f.kind == "picklist" && f.length == 10 {
				label = c.label
			}
		}
		out = append(out, ordered{{"active", true}, {"defaultValue", false}, {"label", label}, {"validFor", nil}, {"value", value}})
	}
	return out
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func soapType(kind string) string {
	switch kind {
	case "id", "reference":
		return "tns:ID"
	case "boolean":
		return "xsd:boolean"
	case "int":
		return "xsd:int"
	case "double", "currency", "percent":
		return "xsd:double"
	case "date":
		return "xsd:date"
	case "datetime":
		return "xsd:dateTime"
	case "address":
		return "urn:address"
	default:
		return "xsd:string"
	}
}
