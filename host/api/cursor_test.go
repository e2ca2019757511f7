package api

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCursorComesBack(t *testing.T) {
	t.Parallel()
	type cursor struct {
		At time.Time
		ID string
	}
	rapid.Check(t, func(t *rapid.T) {
		want := cursor{time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at")).UTC(), rapid.StringMatching(`[0-9a-f-]{36}`).Draw(t, "id")}
		text, err := EncodeCursor(&want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeCursor[cursor](text)
		if err != nil || got != want {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

func FuzzDecodeCursor(f *testing.F) {
	for _, seed := range []string{"", "e30", "bnVsbA", "eyJBdCI6MX0", "====", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := DecodeCursor[struct{ At time.Time }](text)
		if p, ok := err.(*Problem); err != nil && (!ok || p.Status != 422) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
