package simulator

import (
	"slices"
	"strings"
)

// checkRequired refuses an empty required field: on creation all of them, on
// update those that would be emptied.
func (s *Simulator) checkRequired(in write, values record) *failure {
	var missing []string
	for _, f := range in.object.fields {
		if !f.createable || f.nillable || f.defaulted {
			continue
		}
		value, given := values[f.name]
		if value == nil && (given || in.id == "") {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return bad("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
	}
	return nil
}

// checkReferences refuses ids of records that are not there, and an activity of
// a lead that is about something (salesforce.md §4.4).
func (s *Simulator) checkReferences(in write, values record) *failure {
	for _, f := range in.object.fields {
		id, ok := values[f.name].(string)
		if !ok || f.kind != "reference" {
			continue
		}
		if _, _, found := s.byID(f.references, id); !found {
			return bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", f.name)
		}
	}
	if in.object.name == "Task" || in.object.name == "Event" {
		full := s.merged(in, values)
		if strings.HasPrefix(full.text("WhoId"), s.objects["Lead"].prefix) && full.text("WhatId") != "" {
			return bad("FIELD_INTEGRITY_EXCEPTION", "WhatId must be empty when WhoId is a lead", "WhatId")
		}
	}
	if in.object.name == "Lead" && in.id != "" {
		if old, _ := s.get(in.object, in.id); old.truth("IsConverted") {
			return bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
		}
	}
	return nil
}

// merged is the record as it would be.
func (s *Simulator) merged(in write, values record) record {
	full := record{}
	if in.id != "" {
		old, _ := s.get(in.object, in.id)
		for k, v := range old {
			full[k] = v
		}
	}
	for k, v := range values {
		full[k] = v
	}
	return full
}

// countries is the short list of an org with state and country picklists
// (salesforce.md §3.6), with the states of those that have any.
func countries() []country {
	return []country{
		{"AU", "Australia", []state{{"NSW", "New South Wales"}, {"VIC", "Victoria"}, {"WA", "Western Australia"}}},
		{"CA", "Canada", []state{{"BC", "British Columbia"}, {"ON", "Ontario"}, {"QC", "Quebec"}}},
		{"DE", "Germany", nil},
		{"FR", "France", nil},
		{"GB", "United Kingdom", nil},
		{"IE", "Ireland", nil},
		{"US", "United States", []state{{"CA", "California"}, {"NY", "New York"}, {"TX", "Texas"}, {"WA", "Washington"}}},
	}
}

func countryCodes() []string {
	var codes []string
	for _, c := range countries() {
		codes = append(codes, c.code)
	}
	return codes
}

// stateCodes are unique within a country alone (salesforce.md §3.6).
func stateCodes() []string {
	var codes []string
	for _, c := range countries() {
		for _, st := range c.states {
			if !slices.Contains(codes, st.code) {
				codes = append(codes, st.code)
			}
		}
	}
	return codes
}

type country struct {
	code, label string
	states      []state
}

type state struct{ code, label string }

// checkAddress holds texts against the picklists and fills the texts from codes.
func (s *Simulator) checkAddress(in write, values record) *failure {
	if !s.settings.StateCountry {
		return nil
	}
	full := s.merged(in, values)
	for _, f := range in.object.fields {
		prefix, is := strings.CutSuffix(f.name, "CountryCode")
		if !is {
			continue
		}
		code, name := prefix+"CountryCode", prefix+"Country"
		if value, given := values[code]; given {
			full[name] = nil
			for _, c := range countries() {
				if c.code == value {
					full[name] = c.label
				}
			}
			values[name] = full[name]
		}
		label := full.text(name)
		at := slices.IndexFunc(countries(), func(c country) bool { return strings.EqualFold(c.label, label) || strings.EqualFold(c.code, label) })
		if label != "" && at < 0 {
			return bad("FIELD_INTEGRITY_EXCEPTION", "There's a problem with this country, even though it may appear correct. "+
				"Please select a country/territory from the list of valid countries.: "+spaced(name), name)
		}
		if at >= 0 {
			values[code], values[name] = countries()[at].code, countries()[at].label
		} else if _, given := values[name]; given {
			values[code] = nil
		}
		if f := checkState(values, full, prefix, at); f != nil {
			return f
		}
	}
	return nil
}

func checkState(values, full record, prefix string, at int) *failure {
	name, code := prefix+"State", prefix+"StateCode"
	given := full.text(name)
	if value, set := values[code].(string); set {
		given = value
	}
	if given == "" {
		return nil
	}
	if at >= 0 {
		for _, st := range countries()[at].states {
			if strings.EqualFold(st.label, given) || strings.EqualFold(st.code, given) {
				values[name], values[code] = st.label, st.code
				return nil
			}
		}
	}
	return bad("FIELD_INTEGRITY_EXCEPTION", "There's a problem with this state, even though it may appear correct. "+
		"Please select a state from the list of valid states.: "+spaced(name), name)
}

// checkRules are the org's validation rules.
func (s *Simulator) checkRules(in write, values record) *failure {
	full := s.merged(in, values)
	if s.settings.ContactNeedsChannel && in.object.name == "Contact" && full.text("Email") == "" && full.text("Phone") == "" && full.text("MobilePhone") == "" {
		return bad("FIELD_CUSTOM_VALIDATION_EXCEPTION", "A contact needs a phone number or an email address.")
	}
	for i, rule := range s.settings.RejectRows {
		if full.text(rule.Field) != rule.Value || rule.Times > 0 && s.rejected[i] >= rule.Times {
			continue
		}
		s.rejected[i]++
		return bad(rule.Code, rule.Message, rule.Field)
	}
	return nil
}

// checkUnique refuses a second record with the same unique value.
func (s *Simulator) checkUnique(in write, values record) *failure {
	for _, f := range in.object.fields {
		value, ok := values[f.name].(string)
		if !ok || !f.unique {
			continue
		}
		for _, other := range s.lookup(in.object, f, value) {
			if in.id == "" || other.text("Id")[:15] != in.id[:15] {
				return bad("DUPLICATE_VALUE", "duplicate value found: "+f.name+" duplicates value on record with id: "+other.text("Id"))
			}
		}
	}
	switch in.object.name {
	case "PermissionSet":
		return s.checkPair(in, values, "DUPLICATE_DEVELOPER_NAME", "Name")
	case "PermissionSetAssignment":
		return s.checkPair(in, values, "DUPLICATE_VALUE", "AssigneeId", "PermissionSetId")
	}
	return nil
}

// checkPair refuses a second record with the same values in several fields.
func (s *Simulator) checkPair(in write, values record, code string, fields ...string) *failure {
	for _, other := range s.records[in.object.name].All() {
		same := !other.deleted() && in.id == ""
		for _, f := range fields {
			same = same && other[f] == values[f]
		}
		if same {
			return bad(code, "duplicate value found: <unknown> duplicates value on record with id: <unknown>", fields...)
		}
	}
	return nil
}

// checkDuplicates is the org's duplicate rule: the same email and last name. An
// alert fails the save too, unless the caller allows it (salesforce.md §8).
func (s *Simulator) checkDuplicates(in write, values record) *failure {
	rule := s.settings.DuplicateRule
	person := in.object.name == "Contact" || in.object.name == "Lead"
	if !person || rule != "alert" && rule != "block" || rule == "alert" && in.allowDuplicates {
		return nil
	}
	full := s.merged(in, values)
	email, _ := in.object.find("Email")
	var matches []any
	for _, name := range []string{in.object.name, map[string]string{"Contact": "Lead", "Lead": "Contact"}[in.object.name]} {
		for _, other := range s.lookup(s.objects[name], email, full.text("Email")) {
			same := name == in.object.name && in.id != "" && other.text("Id")[:15] == in.id[:15]
			if !same && strings.EqualFold(other.text("LastName"), full.text("LastName")) && !other.truth("IsConverted") {
				matches = append(matches, matchRecord(name, other.text("Id")))
			}
		}
	}
	if len(matches) == 0 {
		return nil
	}
	key := "duplicateResut"
	if s.settings.CorrectSpelling {
		key = "duplicateResult"
	}
	f := bad("DUPLICATES_DETECTED", "Use one of these records?")
	f.extra = map[string]any{key: map[string]any{
		"allowSave": rule == "alert", "duplicateRule": "Standard_" + in.object.name + "_Duplicate_Rule",
		"duplicateRuleEntityType": in.object.name, "errorMessage": f.Message,
		"matchResults": []any{map[string]any{
			"entityType": in.object.name, "errors": []any{}, "matchEngine": "ExactMatchEngine", "matchRecords": matches,
			"rule": "Standard_" + in.object.name + "_Match_Rule_v1_0", "size": len(matches), "success": true,
		}},
	}}
	return f
}

func matchRecord(object, id string) any {
	return map[string]any{
		"additionalInformation": []any{}, "fieldDiffs": []any{}, "matchConfidence": 100.0,
		"record": ordered{
			{"attributes", ordered{{"type", object}, {"url", "/services/data/v66.0/sobjects/" + object + "/" + id}}}, {"Id", id},
		},
	}
}

// afterWrite are the org's own consequences of a write.
func (s *Simulator) afterWrite(o object, id string) {
	if o.name == "EmailMessage" {
		s.emailTask(id)
	}
}

// emailTask logs a task for an email that is not for a case (salesforce.md §4.6).
func (s *Simulator) emailTask(id string) {
	r, _ := s.get(s.objects["EmailMessage"], id)
	if r.text("ParentId") != "" || r.text("ActivityId") != "" {
		return
	}
	task := s.insert(s.objects["Task"], record{
		"Subject": "Email: " + cut(r.text("Subject"), 240), "Description": cut(r.text("TextBody"), 32000), "TaskSubtype": "Email",
		"Status": "Completed", "ActivityDate": s.now()[:10],
	}, adminUser)
	s.touch(s.objects["EmailMessage"], id, func(r record) { r["ActivityId"] = longID(task) })
}

// cut keeps the first n characters.
func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n])
	}
	return text
}
