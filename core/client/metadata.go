package client

import (
	"bytes"
	"encoding/json"
	"strings"
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
