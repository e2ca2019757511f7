package match

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Agreement is the outcome of comparing two names.
type Agreement string

// Two names agree when they can be one person's (nicknames, initials beside a
// full surname, swapped order), conflict when they can't, and are unknown when
// one of them says too little.
const (
	Agree    Agreement = "agree"
	Unknown  Agreement = "unknown"
	Conflict Agreement = "conflict"
)

// NamesAgree compares two people's names. A part may be empty.
func NamesAgree(aFirst, aLast, bFirst, bLast string) Agreement {
	a := personName{nameWords(aFirst), nameWords(aLast)}
	b := personName{nameWords(bFirst), nameWords(bLast)}
	if a.empty() || b.empty() {
		return Unknown
	}
	straight := a.compare(b)
	if straight == Conflict && a.compare(personName{b.last, b.first}) == Agree {
		return Agree // family name first
	}
	return straight
}

type personName struct{ first, last []string }

func (n personName) empty() bool { return len(n.first)+len(n.last) == 0 }

func (n personName) compare(o personName) Agreement {
	last := compareLast(n.last, o.last)
	first := compareFirst(n.first, o.first)
	switch {
	case last == Conflict || first == Conflict:
		return Conflict
	case last == Agree || first == Agree:
		return Agree
	case len(n.last) == 0 && len(o.first) == 0 || len(n.first) == 0 && len(o.last) == 0:
		return n.compareAcross(o)
	}
	return Unknown
}

// compareAcross meets a lone first name with a lone last name: the same word
// in the other slot agrees, different words can still be one person.
func (n personName) compareAcross(o personName) Agreement {
	if strings.Join(append(n.first, n.last...), " ") == strings.Join(append(o.first, o.last...), " ") {
		return Agree
	}
	return Unknown
}

// compareLast lets a double name agree with one of its halves (Smith-Jones,
// García Márquez).
func compareLast(a, b []string) Agreement {
	if len(a) == 0 || len(b) == 0 {
		return Unknown
	}
	for _, x := range a {
		for _, y := range b {
			if x == y && !nameParticles[x] {
				return Agree
			}
		}
	}
	if strings.Join(a, "") == strings.Join(b, "") {
		return Agree
	}
	if len(a) == 1 && len(b) == 1 && initialOf(a[0], b[0]) {
		return Unknown
	}
	return Conflict
}

func compareFirst(a, b []string) Agreement {
	if len(a) == 0 || len(b) == 0 {
		return Unknown
	}
	if strings.Join(a, "") == strings.Join(b, "") || a[0] == b[0] && len(a[0]) > 1 {
		return Agree
	}
	if initialOf(a[0], b[0]) {
		return Unknown
	}
	if sameNickname(a[0], b[0]) {
		return Agree
	}
	// A middle name that is used: "Anna Maria" and "Maria".
	for _, x := range a {
		for _, y := range b {
			if len(x) > 1 && x == y {
				return Agree
			}
		}
	}
	return Conflict
}

func initialOf(a, b string) bool {
	ra, rb := []rune(a), []rune(b)
	return (len(ra) == 1 || len(rb) == 1) && ra[0] == rb[0]
}

func sameNickname(a, b string) bool {
	groups := nicknames()
	for _, x := range groups[a] {
		for _, y := range groups[b] {
			if x == y {
				return true
			}
		}
	}
	return false
}

var nameParticles = map[string]bool{
	"de": true, "da": true, "do": true, "dos": true, "das": true, "del": true, "della": true, "di": true, "la": true, "le": true, "los": true,
	"van": true, "von": true, "der": true, "den": true, "ter": true, "ten": true, "zu": true, "af": true, "av": true,
	"bin": true, "bint": true, "ibn": true, "al": true, "el": true, "ben": true, "y": true, "e": true, "st": true,
}

// nameWords folds a name for comparing: case, accents and punctuation go, and
// an apostrophe joins ("O'Neil" is "ONeil").
func nameWords(name string) []string {
	folded := apostrophes.Replace(Fold(name))
	return strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// apostrophes, like every Replacer, never changes and may be used concurrently.
var apostrophes = strings.NewReplacer("'", "", "’", "", "`", "")

// Fold makes text comparable across keyboards: compatibility forms, case and
// accents are dropped, and letters that don't decompose get their usual base
// (ø is o, ß is ss).
func Fold(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		if base, ok := baseLetters[r]; ok {
			b.WriteString(base)
			continue
		}
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

var baseLetters = map[rune]string{
	'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'ı': "i", 'ħ': "h",
}
