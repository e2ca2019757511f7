package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// wireTime is how Salesforce writes a time: an offset without a colon, which
// RFC 3339 does not know (salesforce.md §3.4).
const wireTime = "2006-01-02T15:04:05.000-0700"

// wireValue is a value as Salesforce takes it: null clears, a multi-select
// picklist is joined with semicolons. Empty text clears as well, on purpose,
// since some tools read it as "leave alone" (salesforce.md §5.1).
func wireValue(v sdk.Value) any {
	switch v.Kind() {
	case sdk.KindText:
		if v.Text() == "" {
			return nil
		}
		return v.Text()
	case sdk.KindList:
		if len(v.List()) == 0 {
			return nil
		}
		return strings.Join(v.List(), ";")
	default:
		return v.Any()
	}
}

// readValue turns what Salesforce answers into a value. A compound field or a
// parent record has no one value; it is kept as JSON text.
func readValue(raw json.RawMessage) sdk.Value {
	var v sdk.Value
	if err := v.UnmarshalJSON(raw); err != nil {
		return sdk.Text(string(raw))
	}
	if v.Kind() == sdk.KindText {
		if at, ok := readTime(v.Text()); ok {
			return sdk.Text(at.Format(time.RFC3339))
		}
	}
	return v
}

// readTime reads a time as Salesforce writes it.
func readTime(s string) (time.Time, bool) {
	at, err := time.Parse(wireTime, s)
	return at.UTC(), err == nil
}
