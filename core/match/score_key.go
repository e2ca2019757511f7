package match

import (
	"slices"
	"strings"
	"unicode"
)

// The kinds of blocking key, the part of a key before its colon.
const (
	BlockEmail = "email"
	BlockPhone = "phone"
)

// maxKey cuts keys made of long names; two that differ behind it meet, and the
// score tells them apart.
const maxKey = 100

// Keys are the blocking keys of a client: two clients are compared when they have
// one in common. They are many and strict, so that each leads to few others even
// among a million (research/clients.md §2.2): email; local part; local part and
// last name; phone; its last seven digits and an initial; the last name's sound
// and three of the zip; all names in one order, short forms led back; the sound of
// first and last name; company and last name; birth date and an initial; external
// id. Sorted, without repeats.
func Keys(p Profile) []string {
	s := newSide(p)
	var b blocks
	family := s.name.last
	if len(family) == 0 {
		family = s.name.first
	}
	b.identifiers(s, family)
	b.names(s)
	for _, w := range family {
		if s.zip != "" {
			b.add("zip", sound(w), firstRunes(s.zip, 3))
		}
		if s.company != "" {
			b.add("work", s.company, w)
		}
	}
	if len(p.BirthDate) == len("2006-01-02") {
		for _, initial := range s.name.initials() {
			b.add("born", p.BirthDate, initial)
		}
	}
	if s.nameless() {
		b.add("company", s.company)
		b.addName(strings.Fields(s.company)...) // a person's name may be a firm's
	}
	slices.Sort(b)
	return slices.Compact(b)
}

// BlockKind is the part of a blocking key that says what it was made of.
func BlockKind(key string) string {
	kind, _, _ := strings.Cut(key, ":")
	return kind
}

// BlockValue is the rest of it: for emails and phones the normal form.
func BlockValue(key string) string {
	_, value, _ := strings.Cut(key, ":")
	return value
}

type blocks []string

// add appends a key, unless a part of it is empty.
func (b *blocks) add(kind string, parts ...string) {
	if slices.Contains(parts, "") {
		return
	}
	*b = append(*b, firstRunes(kind+":"+strings.Join(parts, " "), maxKey))
}

func (b *blocks) identifiers(s side, family []string) {
	initials := s.name.initials()
	for _, e := range s.emails {
		b.add(BlockEmail, e.Normal)
		if IsRoleAddress(e.Normal) {
			b.add("role", e.plain, firstRunes(e.domain, 3))
			continue
		}
		if len(e.plain) >= 6 {
			b.add("local", e.plain)
		}
		for _, w := range family {
			b.add("mail", e.plain, w)
		}
	}
	for _, h := range s.phones {
		b.add(BlockPhone, line(h.Normal))
		for _, initial := range initials {
			b.add("digits", ending(h.Normal, 7), initial)
		}
	}
	for _, h := range s.ids {
		b.add("id", h.Normal)
	}
}

// names adds all words in one order, the last name with each full name that the
// first word can be short for, and how both sound, for typos.
func (b *blocks) names(s side) {
	b.addName(append(slices.Clone(s.name.first), s.name.last...)...)
	if len(s.name.first) == 0 || len(s.name.last) == 0 {
		return
	}
	first, last := s.name.first[0], s.name.last[len(s.name.last)-1]
	for _, full := range fullNames(first) {
		b.addName(full, last)
	}
	heard := []string{sound(first), sound(last)}
	slices.Sort(heard)
	b.add("sound", heard...)
}

func (b *blocks) addName(words ...string) {
	if len(words) > 0 {
		slices.Sort(words)
		b.add("name", words...)
	}
}

// maxFullNames bounds the keys of a short form that many names have.
const maxFullNames = 6

// fullNames are the lines of the nickname list that a name stands on, named by
// their first word; a name that is not there stands for itself.
func fullNames(given string) []string {
	groups := nicknames()[given]
	if len(groups) == 0 {
		return []string{given}
	}
	var full []string
	for _, g := range groups[:min(len(groups), maxFullNames)] {
		full = append(full, nicknameHeads()[g])
	}
	return full
}

func (n personName) initials() []string {
	var found []string
	for _, w := range [][]string{n.first, n.last} {
		if len(w) > 0 {
			found = append(found, firstRunes(w[0], 1))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func firstRunes(s string, n int) string {
	r := []rune(s)
	return string(r[:min(len(r), n)])
}

// sound is a rough key of how a name sounds in Latin script: its first letter and
// the consonants after it, with those that are heard alike made one. Other
// scripts stay as they are.
func sound(word string) string {
	var b strings.Builder
	var last rune
	for i, r := range word {
		r = heard(r)
		if r == 0 && i == 0 {
			r = 'a'
		}
		if r != 0 && r != last && b.Len() < 6 {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// heard gives one letter for those that sound alike, 0 for vowels and for h, w
// and y, which come and go in transcription.
func heard(r rune) rune {
	switch r {
	case 'a', 'e', 'i', 'o', 'u', 'y', 'h', 'w':
		return 0
	case 'c', 'q', 'g', 'x':
		return 'k'
	case 'z', 'j':
		return 's'
	case 'd':
		return 't'
	case 'b':
		return 'p'
	case 'v':
		return 'f'
	case 'm':
		return 'n'
	}
	return unicode.ToLower(r)
}
