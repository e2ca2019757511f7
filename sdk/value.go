package sdk

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// ValueKind says what a [Value] holds.
type ValueKind string

// The kinds of value. The zero Value is KindClear, so that a value nobody set
// empties a field visibly instead of writing a default.
const (
	KindClear  ValueKind = ""
	KindText   ValueKind = "text"
	KindNumber ValueKind = "number"
	KindBool   ValueKind = "bool"
	KindList   ValueKind = "list"
)

// Value is what a field becomes: cleared, or set to text, a number, a truth
// value or a list of texts. Leaving a field alone is said by not naming it.
// Dates are text (2006-01-02), times are text (RFC 3339 UTC). Values are
// immutable and safe for concurrent use.
type Value struct {
	kind   ValueKind
	text   string
	number float64
	truth  bool
	list   []string
}

// Clear empties a field.
func Clear() Value { return Value{} }

// Text sets a field to s.
func Text(s string) Value { return Value{kind: KindText, text: s} }

// Number sets a field to n; NaN and infinities are refused by the wire format.
func Number(n float64) Value { return Value{kind: KindNumber, number: n} }

// Bool sets a field to b.
func Bool(b bool) Value { return Value{kind: KindBool, truth: b} }

// List sets a multi-valued field.
func List(items ...string) Value { return Value{kind: KindList, list: slices.Clone(items)} }

// Kind tells which of the accessors has the value.
func (v Value) Kind() ValueKind { return v.kind }

// IsClear tells whether the value empties the field.
func (v Value) IsClear() bool { return v.kind == KindClear }

// Text returns the text of a KindText value, else "".
func (v Value) Text() string { return v.text }

// Number returns the number of a KindNumber value, else 0.
func (v Value) Number() float64 { return v.number }

// Bool returns the truth of a KindBool value, else false.
func (v Value) Bool() bool { return v.truth }

// List returns a copy of the items of a KindList value, else nil.
func (v Value) List() []string { return slices.Clone(v.list) }

// Any returns the value as nil, string, float64, bool or []string, for JSON.
func (v Value) Any() any {
	switch v.kind {
	case KindText:
		return v.text
	case KindNumber:
		return v.number
	case KindBool:
		return v.truth
	case KindList:
		return v.List()
	default:
		return nil
	}
}

// Equal tells whether two values would write the same.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.text == w.text && v.number == w.number &&
		v.truth == w.truth && slices.Equal(v.list, w.list)
}

// String shows the value in tests and previews.
func (v Value) String() string {
	if v.kind == KindClear {
		return "(clear)"
	}
	return fmt.Sprint(v.Any())
}

// MarshalJSON writes null, a string, a number, a truth value or an array.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.kind == KindNumber && (math.IsNaN(v.number) || math.IsInf(v.number, 0)) {
		return nil, fmt.Errorf("value %v: not a finite number", v.number)
	}
	if v.kind == KindList && v.list == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(v.Any())
}

// UnmarshalJSON reads what MarshalJSON writes; objects and mixed arrays are
// refused.
func (v *Value) UnmarshalJSON(data []byte) error {
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	switch x := raw.(type) {
	case nil:
		*v = Clear()
	case string:
		*v = Text(x)
	case float64:
		*v = Number(x)
	case bool:
		*v = Bool(x)
	case []any:
		items := make([]string, len(x))
		for i, item := range x {
			s, ok := item.(string)
			if !ok {
				return fmt.Errorf("value list item %d: want a string", i)
			}
			items[i] = s
		}
		*v = List(items...)
	default:
		return fmt.Errorf("value: want null, string, number, bool or a list of strings")
	}
	return nil
}
