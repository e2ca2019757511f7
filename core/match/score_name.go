package match

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// What agreeing names are worth is in lists/given_bits.txt and
// lists/family_bits.txt: the rarer, the more. A name in neither list is rare.
const (
	rareGiven  = 7  // m 0.85, u 1/150: what is left of given names after the listed ones
	rareFamily = 10 // m 0.90, u 1/1100
)

// Parts that differ.
const (
	nicknameCost    = 1    // m of a short form beside the full one is half of m of the same
	partialCost     = 2    // one half of a double name, a particle dropped
	swappedCost     = 1    // family name in the first name's place
	similarShare    = 0.6  // Jaro–Winkler above 0.92, or one letter off in five and more
	likeShare       = 0.35 // above 0.88
	initialBits     = 1.5  // m 0.95, u 1/3: initials are few
	doubtfulAgainst = -4   // m 0.01, u 0.15: another name, however near
	firstAgainst    = -8   // m 0.004, u 0.98: first names change least
	familyAgainst   = -5   // m 0.03, u 0.99: marriage
	familyDoubtful  = -2
	samePerson      = 0.92
	nearlySame      = 0.88
	notFar          = 0.70
)

// nameEvidence is what two people's names say.
type nameEvidence struct {
	first, last evidence
	firstAgrees bool
}

func (e nameEvidence) bits() float64 { return e.first.bits + e.last.bits }

// compareNames takes the better of both orders, since half of the world puts the
// family name first.
func compareNames(a, b side) nameEvidence {
	x, y := a.name, b.name
	if x.empty() || y.empty() {
		return nameEvidence{}
	}
	if x.key() > y.key() { // what follows reads x's slots first
		x, y = y, x
	}
	best := compareParts(x, y)
	if x.joined() == y.joined() {
		best = sameWords(x, y)
	}
	if other := compareParts(x, personName{y.last, y.first}); other.bits()-swappedCost > best.bits() {
		best = other
		best.first.bits -= swappedCost
	}
	best.tell()
	return best
}

func compareParts(a, b personName) nameEvidence {
	first, last := givenEvidence(a.first, b.first), familyEvidence(a.last, b.last)
	return nameEvidence{first: first, last: last, firstAgrees: first.bits > initialBits}
}

// sameWords: all words are the same, whichever field they are in.
func sameWords(a, b personName) nameEvidence {
	e := compareParts(a, b)
	if straight := e.bits(); straight > 0 && len(a.first) == len(b.first) {
		return e
	}
	words := append(slices.Clone(a.first), a.last...)
	e = nameEvidence{last: evidence{bits: familyBits(words[len(words)-1]), reason: "same last name", household: true}}
	if len(words) > 1 {
		e.first = evidence{bits: givenBits(words[0]) - swappedCost, reason: "same first name"}
		e.firstAgrees = true
	}
	return e
}

// tell words both parts as one where they say the same.
func (e *nameEvidence) tell() {
	for _, both := range []string{"same", "similar", "different"} {
		if e.first.reason == both+" first name" && e.last.reason == both+" last name" {
			e.first.reason, e.last.reason = both+" name", ""
		}
	}
	if e.first.reason == "same first name" && e.last.reason == "similar last name" ||
		e.first.reason == "similar first name" && e.last.reason == "same last name" {
		e.first.reason, e.last.reason = "similar name", ""
	}
}

func givenEvidence(a, b []string) evidence {
	if len(a) == 0 || len(b) == 0 {
		return evidence{}
	}
	x, y := strings.Join(a, ""), strings.Join(b, "")
	bits := min(givenBits(a[0]), givenBits(b[0]))
	same := evidence{bits: bits, reason: "same first name"}
	switch {
	case x == y:
		return same
	case initialOf(a[0], b[0]) && a[0] != b[0]:
		return evidence{bits: initialBits, reason: "same initial"}
	case contains(a, b) || contains(b, a):
		same.bits = bits - nicknameCost
		return same
	case anyNickname(a, b):
		return evidence{bits: bits - nicknameCost, reason: "short form of the same first name"}
	case slices.Contains(b, a[0]) || slices.Contains(a, b[0]), otherGiven(x, y):
		// Thi Lan and Thi Hoa, Mario and Maria: near, and two people.
		return evidence{bits: doubtfulAgainst, reason: "different first name", otherPerson: true}
	case alike(x, y) > samePerson || oneTypo(x, y):
		return evidence{bits: bits * similarShare, reason: "similar first name"}
	case alike(x, y) > nearlySame:
		return evidence{bits: bits * likeShare, reason: "similar first name"}
	case alike(x, y) > notFar:
		return evidence{bits: doubtfulAgainst, reason: "different first name", otherPerson: true}
	}
	return evidence{bits: firstAgainst, reason: "different first name", otherPerson: true}
}

// oneTypo: one edit, in words that are long enough for it to be a slip.
func oneTypo(a, b string) bool {
	return min(utf8.RuneCountInString(a), utf8.RuneCountInString(b)) >= 5 && edits(a, b) == 1
}

// otherGiven knows near names that are never typos of each other: both are in use
// (Daniel, Danielle), one goes on where the other ends (Erik, Erika), or they end
// in another vowel (Mario, Maria).
func otherGiven(a, b string) bool {
	if knownGiven(a) && knownGiven(b) || strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
		return true
	}
	const ends = "aeou"
	n := len(a) - 1
	at, one := oneReplaced(a, b)
	return one && at == n && strings.IndexByte(ends, a[n]) >= 0 && strings.IndexByte(ends, b[n]) >= 0
}

func familyEvidence(a, b []string) evidence {
	if len(a) == 0 || len(b) == 0 {
		return evidence{}
	}
	x, y := strings.Join(a, ""), strings.Join(b, "")
	near := alike(x, y)
	bits := min(rarest(a), rarest(b))
	e := evidence{household: true}
	switch {
	case x == y:
		e.bits, e.reason = bits, "same last name"
	case contains(a, b) || contains(b, a):
		e.bits, e.reason = max(bits-partialCost, 1), "same last name in part"
	case len(a) == 1 && len(b) == 1 && initialOf(a[0], b[0]):
		e.bits, e.reason = initialBits, "same initial of the last name"
	case listedFamily(x) && listedFamily(y): // Hansen and Jensen are no typos
		e.bits, e.reason = familyDoubtful, "different last name"
	case near > samePerson || oneTypo(x, y):
		e.bits, e.reason = bits*similarShare, "similar last name"
	case near > nearlySame:
		e.bits, e.reason = bits*likeShare, "similar last name"
	case near > notFar, slices.ContainsFunc(a, func(w string) bool { return slices.Contains(b, w) }):
		e.bits, e.reason = familyDoubtful, "different last name"
	default:
		e.bits, e.reason = familyAgainst, "different last name"
	}
	return e
}

func anyNickname(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return sameNickname(x, y) })
	})
}

// contains tells whether all of part's words stand in whole.
func contains(whole, part []string) bool {
	return !slices.ContainsFunc(part, func(w string) bool { return len(w) < 2 || !slices.Contains(whole, w) })
}

func (n personName) key() string {
	return strings.Join(n.first, " ") + "," + strings.Join(n.last, " ")
}

func (n personName) joined() string {
	words := append(slices.Clone(n.first), n.last...)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// comparedWords are a name's words for comparing: transcription, particles and
// generation marks are dropped where something is left.
func comparedWords(name string) []string {
	words := nameWords(name)
	kept := make([]string, 0, len(words))
	for _, w := range words {
		if !nameParticles[w] && !isGeneration(w) {
			kept = append(kept, loose(w))
		}
	}
	if len(kept) > 0 {
		return kept
	}
	return words
}

func isGeneration(word string) bool {
	switch word {
	case "jr", "sr", "ii", "iii", "jnr", "snr":
		return true
	}
	return false
}

func rarest(words []string) float64 {
	most := 0.0
	for _, w := range words {
		most = max(most, familyBits(w))
	}
	return most
}

func givenBits(word string) float64 {
	if bits, ok := commonGiven()[word]; ok {
		return bits
	}
	return rareGiven
}

func familyBits(word string) float64 {
	if bits, ok := commonFamily()[word]; ok {
		return bits
	}
	return rareFamily
}

func knownGiven(word string) bool {
	_, listed := commonGiven()[word]
	return listed || len(nicknames()[word]) > 0
}

func listedFamily(word string) bool { _, ok := commonFamily()[word]; return ok }
