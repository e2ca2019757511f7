package client

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxMetadata is the most bytes that a client's metadata may have (R37).
const maxMetadata = 65536

// mergeMetadata adds to the object mine what theirs has besides, also inside
// objects that both have. Every byte of mine that need not change stays.
func mergeMetadata(mine, theirs string) string {
	own, ok := members(mine)
	other, readable := members(theirs)
	switch {
	case !ok || !readable || len(other) == 0:
		return mine
	case len(own) == 0:
		return theirs
	}
	var out, added strings.Builder
	from := 0
	for _, m := range own {
		o, both := lookUp(other, m.name)
		if !both || !isObject(m.value) || !isObject(o.value) {
			continue
		}
		out.WriteString(mine[from:m.start])
		out.WriteString(mergeMetadata(m.value, o.value))
		from = m.start + len(m.value)
	}
	for _, o := range other {
		if _, have := lookUp(own, o.name); have {
			continue
		}
		name, _ := json.Marshal(o.name) // a string always encodes
		added.WriteString("," + string(name) + ":" + o.value)
	}
	end := strings.LastIndexByte(mine, '}')
	out.WriteString(mine[from:end])
	out.WriteString(added.String())
	out.WriteString(mine[end:])
	return out.String()
}

// maxPair is the most characters of a pair by which metadata is found.
const maxPair = 300

// metadataPairs are an object's plain values as folded "key=value" texts, those
// of objects inside it with a path ("car.colour=red"), by which a client is found
// (R37). Long values are left out.
func metadataPairs(object string) []string {
	found := map[string]bool{}
	collectPairs("", object, found)
	return slices.Sorted(maps.Keys(found))
}

func collectPairs(path, object string, found map[string]bool) {
	all, _ := members(object) // what is no object has no members
	for _, m := range all {
		name := path + m.name
		values := []json.RawMessage{json.RawMessage(m.value)}
		if strings.HasPrefix(m.value, "[") && json.Unmarshal([]byte(m.value), &values) != nil {
			continue
		}
		for _, v := range values {
			if isObject(string(v)) {
				collectPairs(name+".", string(v), found)
				continue
			}
			text := string(v)
			var plain string
			if json.Unmarshal(v, &plain) == nil && text != "null" {
				text = plain
			}
			if pair := metadataPair(name + "=" + text); utf8.RuneCountInString(pair) <= maxPair {
				found[pair] = true
			}
		}
	}
}

// metadataPair is the form in which a typed key=value is looked for.
func metadataPair(typed string) string {
	return SearchForm(strings.ReplaceAll(strings.ToValidUTF8(typed, ""), "\x00", ""))
}

// member is one member of an object: where its value starts, and its text.
type member struct {
	name  string
	start int
	value string
}

func members(object string) ([]member, bool) {
	d := json.NewDecoder(strings.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	var found []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		text := string(bytes.TrimSpace(value))
		found = append(found, member{name: name.(string), start: int(d.InputOffset()) - len(text), value: text})
	}
	return found, true
}

func lookUp(all []member, name string) (member, bool) {
	for _, m := range all {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

func isObject(value string) bool { return strings.HasPrefix(value, "{") }
