package main

import (
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// How ids, keys and filters are written in a Dataverse URL (§2.3, §4.4).

// byID addresses a row by its primary id.
func byID(set, id string) string { return set + "(" + id + ")" }

// byKey addresses a row by an alternate key. The value is quoted even when it
// looks like a GUID: the column is text (quirk 11).
func byKey(set, column, value string) string {
	return set + "(" + column + "='" + escape(strings.ReplaceAll(value, "'", "''")) + "')"
}

// keySafe tells whether a value may stand in a key URL: anything outside this
// alphabet breaks GET and PATCH by key, whatever the encoding (quirk 8).
func keySafe(value string) bool {
	for _, r := range value {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("._-", r) {
			return false
		}
	}
	return value != "" && len(value) <= keyLength
}

// guid checks and normalises an id before it becomes part of a URL.
func guid(id string) (string, bool) {
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != len(uuid.UUID{}.String()) {
		return "", false
	}
	return parsed.String(), true
}

// literal is a text in a filter.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// in is the condition that a column has one of the values. Compared to a chain
// of eq it counts as one condition however many values there are.
func in(column string, values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = literal(v)
	}
	return "Microsoft.Dynamics.CRM.In(PropertyName='" + column + "',PropertyValues=[" + strings.Join(quoted, ",") + "])"
}

// query joins options to a path. Names and option words go as they are, values
// are percent-encoded with %20 for a blank, which every OData server reads.
func query(path string, options ...option) string {
	var b strings.Builder
	b.WriteString(path)
	for i, o := range options {
		if i == 0 {
			b.WriteByte('?')
		} else {
			b.WriteByte('&')
		}
		b.WriteString(o.name)
		b.WriteByte('=')
		b.WriteString(escape(o.value))
	}
	return b.String()
}

// option is one query option.
type option struct{ name, value string }

func selecting(columns []string) option { return option{"$select", strings.Join(columns, ",")} }

func filtering(condition string) option { return option{"$filter", condition} }

// escape percent-encodes a value; a few marks that are harmless in a query stay
// readable, since people read these URLs in transcripts.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%2C", ",", "%28", "(", "%29", ")", "%27", "'", "%24", "$", "%3D", "=", "%3A", ":", "%2F", "/").Replace(url.QueryEscape(s))
}

// etag turns a version into the header's form and back; versions are the digits
// of W/"123" (§4.3).
func etag(version string) string { return `W/"` + version + `"` }

func versionOf(etag string) string {
	return strings.TrimSuffix(strings.TrimPrefix(etag, `W/"`), `"`)
}
