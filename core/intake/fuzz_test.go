package intake_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/clientele-crm/clientele/core/intake"
)

// FuzzMessage: whatever JSON a pusher sends, it is a message that is accepted, or
// refused with field, rule and way out.
func FuzzMessage(f *testing.F) {
	for _, text := range []string{
		`{"channel":"sms","channel_identifier":"+14165550100","text":"Hello"}`,
		`{"channel":"chat","session":{"id":"s1","pre_chat":{"email":"ann@x.com"}}}`,
		`{"channel":"voice","call":{"id":"c1","status":"busy","turns":[{"role":"client","text":"hi"}]}}`,
		`{"channel":"email","mime":"RnJvbTogYUBiLmNvbQoKaGk=","time":"2026-11-02T12:00:00Z"}`, `{"channel":"fax"}`, `{}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var m intake.Message
		if json.Unmarshal(text, &m) != nil {
			return
		}
		err := m.Validate()
		if err == nil {
			return
		}
		invalid, ok := errors.AsType[*intake.InvalidError](err)
		if !ok {
			t.Fatalf("refused with %v", err)
		}
		for _, p := range invalid.Problems {
			if p.Field == "" || p.Rule == "" || p.WayOut == "" {
				t.Fatalf("half a problem: %+v", p)
			}
		}
	})
}
