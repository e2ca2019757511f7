package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
)

// maxCursor bounds what is decoded; ours are shorter.
const maxCursor = 300

// EncodeCursor makes where a list goes on opaque to callers, so that it can
// change. Nil, at a list's end, is the empty text.
func EncodeCursor[T any](next *T) (string, error) {
	if next == nil {
		return "", nil
	}
	text, err := json.Marshal(next)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(text), nil
}

// DecodeCursor reads a cursor; the empty text is the start of a list. A cursor
// only says where to go on in what the caller may see anyway, so a forged one
// does no harm.
func DecodeCursor[T any](text string) (at T, err error) {
	if text == "" {
		return at, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil || len(text) > maxCursor {
		p := newProblem(http.StatusUnprocessableEntity, "query.cursor: is none of ours")
		p.Errors = []FieldError{{Field: "query.cursor", Rule: "is none of ours", WayOut: "send `next` of the page before, or leave it out to start"}}
		return *new(T), p
	}
	return at, nil
}
