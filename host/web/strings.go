package web

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed strings.txt
var stringsFile string

// english is the catalogue: what people read, by key. It is never changed.
var english = sync.OnceValue(func() map[string]string {
	catalogue := map[string]string{}
	for line := range strings.Lines(stringsFile) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok && !strings.HasPrefix(key, "#") {
			catalogue[key] = value
		}
	}
	return catalogue
})

// text is the catalogue's text for a key, with its arguments filled in. A key
// that is made from data and isn't there shows its last word.
func text(key string, args ...any) string {
	s, ok := english()[key]
	if !ok {
		return key[strings.LastIndexByte(key, '.')+1:]
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// count is the text for a number of things: key.one, key.other with %s.
func count(key string, n int) string {
	if n == 1 {
		return text(key + ".one")
	}
	return text(key+".other", number(n))
}
