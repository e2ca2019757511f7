package simulator

import (
	"fmt"
	"strings"
)

const (
	idDigits       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	checksumDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
)

// longID adds the three checksum characters to an id of 15: each tells which of
// five characters are upper case (salesforce.md §11.1).
func longID(id string) string {
	if len(id) != 15 {
		return id
	}
	out := id
	for group := 0; group < 15; group += 5 {
		bits := 0
		for n := range 5 {
			if c := id[group+n]; c >= 'A' && c <= 'Z' {
				bits |= 1 << n
			}
		}
		out += checksumDigits[bits : bits+1]
	}
	return out
}

// shortID is the first 15 characters of an id of 15 or 18; ok is false for
// anything that has not the form of an id or whose checksum is wrong.
func shortID(id string) (short string, ok bool) {
	if len(id) != 15 && len(id) != 18 || strings.Trim(id, idDigits) != "" {
		return "", false
	}
	return id[:15], len(id) == 15 || longID(id[:15]) == id
}

// makeID is the nth id of a prefix.
func makeID(prefix string, n int) string {
	digits := ""
	for ; n > 0; n /= len(idDigits) {
		digits = idDigits[n%len(idDigits):][:1] + digits
	}
	return fmt.Sprintf("%sSi%s%s", prefix, strings.Repeat("0", max(10-len(digits), 0)), digits)
}
