package extract

import "strings"

// strength says how sure a phrase is to introduce a name.
type strength uint8

const (
	certainly strength = iota // "my name is": takes unknown and lower-case names
	probably                  // "this is": wants a capital or a known name
	possibly                  // "I'm": wants a capital and no ordinary word
	openly                    // "a table under": may be another's name, so a suggestion at most
)

// introTriggers are the words at which a phrase that introduces a name may
// stand; all other words cost one look-up.
var introTriggers = setOf(`name name's names named i'm im i this it's its it here from speaking talking calling call calls called go goes known
heiße heisse heiss m'appelle appelle llamo chiamo chamo heet heter hedder nazywam jmenuji jmenuju volám zovem zovu correct change under down spricht ici hívnak vagyok numesc cheamă nombre nom nome naam namn navn nimeni soy bin suis sono sou ben heit зовут adım ismim isim isem kutsutaan`)

// maxNames bounds the candidates that are weighed against each other.
const maxNames = 60

// introductions reads the phrases of a sentence in which a speaker says his
// name.
func (r *run) introductions(s *sentence, found []nameCandidate) []nameCandidate {
	if c, ok := r.bareAnswer(s); ok {
		found = append(found, c)
	}
	if !s.mayOpen(mayIntroduce) {
		return found
	}
	for i, t := range s.tokens {
		if t.may&mayIntroduce == 0 {
			continue
		}
		for _, f := range r.framesAt(s, i) {
			if len(found) >= maxNames {
				return found
			}
			if c, ok := r.consider(s, f); ok {
				found = append(found, c)
			}
		}
	}
	return found
}

// frame is a phrase and the place where it expects a name.
type frame struct {
	name     string
	strength strength
	at       int  // token where the name starts
	backward bool // the name ends before this token instead
}

func (s *sentence) low(i int) string {
	if i < 0 || i >= len(s.tokens) {
		return ""
	}
	return s.tokens[i].low
}

// skip steps over marks and fillers between a phrase and the name.
func (s *sentence) skip(i int) int {
	for {
		switch s.low(i) {
		case ":", "-", "\"", "“", "uh", "um", "er", "just", "actually", "also", "simply":
			i++
		case ",":
			i++
		default:
			return i
		}
	}
}

func (r *run) framesAt(s *sentence, i int) []frame {
	low, next, prev := s.low(i), s.low(i+1), s.low(i-1)
	switch low {
	case "name", "name's", "names", "named", "nombre", "nom", "nome", "naam", "namn", "navn", "nimeni":
		return r.nameFrames(s, i)
	case "i'm", "im":
		return []frame{{"im", possibly, s.skip(i + 1), false}}
	case "i":
		switch {
		case next == "am" && s.low(i+2) == "called":
			return []frame{{"called", certainly, s.skip(i + 3), false}}
		case next == "am", next == "m":
			return []frame{{"im", possibly, s.skip(i + 2), false}}
		case next == "'" && s.low(i+2) == "m":
			return []frame{{"im", possibly, s.skip(i + 3), false}}
		}
	case "this":
		switch {
		case next == "is" && (i == 0 || mayPrecedeName(s.tokens[i-1]) || prev == "and" || prev == "but" || prev == "so"):
			return []frame{{"this_is", probably, s.skip(i + 2), false}}
		case next == "here":
			return nil
		}
	case "it's", "its":
		return []frame{{"it_is", probably, s.skip(i + 1), false}}
	case "it":
		if next == "is" && prev != "is" {
			return []frame{{"it_is", probably, s.skip(i + 2), false}}
		}
	case "from":
		if i > 0 && s.announcesItself(i) { // "Jo Marsh from Acme here"
			return []frame{{"from_here", probably, i, true}}
		}
	case "talking":
		if (next == "to" || next == "with") && (prev == "you're" || prev == "are" && s.low(i-2) == "you") {
			return []frame{{"talking_to", probably, s.skip(i + 2), false}}
		}
	case "here", "speaking", "calling":
		if low == "speaking" && (next == "to" || next == "with") {
			if prev == "you're" || prev == "are" && s.low(i-2) == "you" {
				return []frame{{"talking_to", probably, s.skip(i + 2), false}}
			}
			return nil
		}
		if i > 0 && next != "in" && next != "at" && next != "is" && next != "to" || low == "calling" && i > 0 {
			return []frame{{"here", probably, i, true}}
		}
	case "call", "calls":
		if next == "me" && (prev == "can" || prev == "could" || prev == "may") && s.low(i-2) == "you" {
			return []frame{{"call_me", possibly, s.skip(i + 2), false}}
		}
		if next == "me" && prev != "to" && prev != "can" && prev != "could" && prev != "please" || next == "me" && prev == "please" {
			return []frame{{"call_me", probably, s.skip(i + 2), false}}
		}
	case "go", "goes":
		if next == "by" && (prev == "i" || prev == "i'll" || prev == "usually") {
			at := i + 2
			if s.low(at) == "the" && s.low(at+1) == "name" {
				return nil
			}
			return []frame{{"go_by", certainly, s.skip(at), false}}
		}
	case "under":
		switch {
		case next == "my" || next == "the":
		case prev == "it's" || prev == "be" || prev == "booked" || prev == "reserved" || prev == "is" && s.low(i-2) == "it":
			return []frame{{"booked_under", probably, s.skip(i + 1), false}}
		case aboutBooking(s):
			return []frame{{"under", openly, s.skip(i + 1), false}}
		}
	case "down":
		if next == "as" && prev == "it" && s.low(i-2) == "put" {
			return []frame{{"down_as", probably, s.skip(i + 2), false}}
		}
	case "called":
		if prev == "i'm" || prev == "im" {
			return []frame{{"called", certainly, s.skip(i + 1), false}}
		}
	case "correct", "change":
		// "My name is wrong, please change it to Ann Lee."
		if next == "it" && s.low(i+2) == "to" && r.d.asksToCorrectName(s) {
			return []frame{{"correction", certainly, s.skip(i + 3), false}}
		}
	case "known":
		if next == "as" && (prev == "am" || prev == "also" || prev == "better" || prev == "i'm") {
			return []frame{{"known_as", certainly, s.skip(i + 2), false}}
		}
	}
	return foreignFrames(s, i, low, prev, next)
}

// announcesItself: a few words after token i the sentence ends in "here",
// "speaking" or "calling".
func (s *sentence) announcesItself(i int) bool {
	for k := i + 2; k < len(s.tokens) && k <= i+6; k++ {
		switch s.low(k) {
		case "here", "speaking", "calling":
			return k == len(s.tokens)-1 || s.tokens[k+1].kind == punct || s.low(k+1) == "about" || s.low(k+1) == "again"
		}
	}
	return false
}

// nameFrames reads the phrases around the word "name".
func (r *run) nameFrames(s *sentence, i int) []frame {
	low := s.low(i)
	owner := i - 1
	for isNameAdjective(s.low(owner)) {
		owner--
	}
	prev := s.low(owner)
	if low == "named" {
		switch {
		case s.low(i+1) == "me":
			return []frame{{"named_me", certainly, s.skip(i + 2), false}}
		case (s.low(i-1) == "was" || s.low(i-1) == "am") && s.low(i-2) == "i":
			return []frame{{"named", certainly, s.skip(i + 1), false}}
		}
		return nil
	}
	if partOfName(s, i) != "" {
		return nil // firstAndLast puts the halves together
	}
	mine := prev == "my" || prev == "mi" || prev == "mon" || prev == "mio" || prev == "meu" || prev == "mijn" || prev == "mein" || prev == "mitt" || prev == "mit" || prev == "nimeni" || low == "nimeni"
	labelled := owner < 0 && s.low(i+1) == ":"
	theName := prev == "the" || owner < 0 || prev == "," || prev == "." || prev == "and"
	if mine && asksForOwnName(s, owner) {
		return nil
	}
	if f, ok := bookingName(s, i, prev); ok {
		return []frame{f}
	}
	at := i + 1
	copula := low == "name's" && mine || low == "name's" && theName
	for isNameCopula(s.low(at)) {
		copula = true
		at++
	}
	if mine && i >= 2 && s.low(owner-1) == "is" && !copula { // "Ann Lee is my name"
		return []frame{{"is_my_name", certainly, owner - 1, true}}
	}
	switch {
	case labelled:
		return []frame{{"label", certainly, s.skip(at), false}}
	case mine && copula:
		return []frame{{"my_name_is", certainly, s.skip(at), false}}
	case mine:
		return []frame{{"my_name", probably, s.skip(at), false}}
	case theName && copula:
		return []frame{{"the_name_is", certainly, s.skip(at), false}}
	case prev == "the" && s.low(owner-1) == "under" || prev == "under":
		if s.low(at) == "of" {
			at++
		}
		return []frame{{"under_the_name", certainly, s.skip(at), false}}
	}
	return nil
}

// bookingName reads "the name on the booking is X", "reservation name: X", "in
// the name of X", "X is the name".
func bookingName(s *sentence, i int, prev string) (frame, bool) {
	at := i + 1
	if (s.low(at) == "on" || s.low(at) == "for") && bookingWords[s.low(at+2)] && s.low(at+3) == "is" {
		return frame{"booking_name", certainly, s.skip(at + 4), false}, true
	}
	if bookingWords[strings.TrimSuffix(prev, "'s")] && (s.low(at) == ":" || s.low(at) == "is") {
		return frame{"booking_name", certainly, s.skip(at + 1), false}, true
	}
	if s.low(at) == "of" && (prev == "," || prev == "reservation" || prev == "booking") {
		return frame{"name_of", probably, s.skip(at + 1), false}, true
	}
	if prev == "the" && s.low(i-2) == "in" && s.low(at) == "of" {
		return frame{"in_the_name_of", certainly, s.skip(at + 1), false}, true
	}
	if prev == "the" && s.low(i-2) == "is" && i >= 4 && at >= len(s.tokens)-1 {
		return frame{"is_the_name", certainly, i - 2, true}, true
	}
	return frame{}, false
}

var bookingWords = setOf("booking reservation table account order appointment ticket card booking's reservation's file policy")

// aboutBooking says whether a sentence speaks of something booked.
func aboutBooking(s *sentence) bool {
	for i := range s.tokens {
		if bookingWords[s.low(i)] || s.low(i) == "booked" || s.low(i) == "reserved" || s.low(i) == "put" || s.low(i) == "it's" {
			return true
		}
	}
	return false
}

// asksToCorrectName says whether the message says that the name is wrong.
func (d *document) asksToCorrectName(s *sentence) bool {
	text := d.low[s.start:s.end]
	return hasWord(text, "name") && (strings.Contains(text, "incorrect") || strings.Contains(text, "not correct") || strings.Contains(text, "wrong") || strings.Contains(text, "misspel") || strings.Contains(text, "typo"))
}

func isNameAdjective(low string) bool {
	switch low {
	case "full", "real", "given", "legal", "complete", "actual", "whole", "own", "birth", "nick", "preferred", "vollständiger", "nombre", "completo":
		return true
	}
	return false
}

func isNameCopula(low string) bool {
	switch low {
	case "is", "was", "be", "would", "will", "'s", "as", "es", "est", "è", "é", "ist", "är", "er", "on", "should", "now", "here":
		return low != "on" && low != "here"
	}
	return false
}

// asksForOwnName knows "what is my name", "do you think my name is Jeff".
func asksForOwnName(s *sentence, owner int) bool {
	for k := owner - 1; k >= 0 && k >= owner-4; k-- {
		switch s.low(k) {
		case ",", ".", ";", ":", "and", "-":
			return false
		case "what", "what's", "whats", "think", "know", "guess", "remember", "forget", "forgot", "spell", "if", "whether", "isn't", "not", "did", "does", "do", "why", "how", "tell", "pronounce":
			return true
		case "is":
			return k == owner-1 && k == 0
		}
	}
	return false
}

// foreignFrames reads introductions in other languages.
func foreignFrames(s *sentence, i int, low, prev, next string) []frame {
	at := -1
	weight := certainly
	switch low {
	case "heiße", "heisse", "heiss":
		if prev == "ich" || i == 0 {
			at = i + 1
		}
	case "m'appelle", "chiamo", "chamo", "llamo":
		if low == "m'appelle" || prev == "mi" || prev == "me" {
			at = i + 1
		}
	case "appelle":
		if prev == "m" || prev == "'" {
			at = i + 1
		}
	case "heet", "heter", "hedder", "heit":
		if prev == "ik" || prev == "jag" || prev == "jeg" || prev == "eg" {
			at = i + 1
		}
	case "nazywam", "jmenuji", "jmenuju", "volám", "zovem":
		at = i + 1
		if n := s.low(at); n == "się" || n == "se" || n == "sa" {
			at++
		}
	case "numesc", "cheamă":
		if prev == "mă" || prev == "ma" {
			at = i + 1
		}
	case "зовут":
		if prev == "меня" {
			at = i + 1
		}
	case "adım", "ismim":
		at = i + 1
	case "spricht":
		if prev == "hier" {
			at, weight = i+1, probably
		}
	case "ici":
		if i == 0 || prev == "," || prev == "bonjour" || prev == "allô" || prev == "salut" {
			at, weight = i+1, probably
		}
	case "soy", "bin", "suis", "sono", "sou", "ben":
		weight = possibly
		if low == "soy" || low == "sou" && prev == "eu" || low == "bin" && prev == "ich" || low == "suis" && prev == "je" || low == "sono" && (i == 0 || prev == "," || prev == "buongiorno" || prev == "ciao") || low == "ben" && prev == "ik" {
			at = i + 1
		}
	case "hívnak":
		return []frame{{"foreign", certainly, i, true}}
	}
	if at < 0 {
		return nil
	}
	return []frame{{"foreign", weight, s.skip(at), false}}
}

// consider reads the name a phrase expects and weighs it.
func (r *run) consider(s *sentence, f frame) (nameCandidate, bool) {
	var p person
	var ok bool
	if f.backward {
		p, ok = r.readBackward(s, f.at)
	} else {
		p, ok = r.readForward(s, f.at)
	}
	if !ok {
		return nameCandidate{}, false
	}
	c := nameCandidate{person: p, origin: OriginText, detector: "name." + f.name, line: s.line}
	if f.backward {
		p.next = f.at
		if f.name == "here" && s.low(f.at+1) == "about" {
			return c, false
		}
	}
	c.confidence = r.weigh(s, p, f)
	if insideQuotation(s, p) {
		c.reason = "somebody else's words"
	}
	c.corrected = corrects(s)
	return c, c.confidence > 0
}

func (r *run) readForward(s *sentence, at int) (person, bool) {
	if at >= len(s.tokens) {
		return person{}, false
	}
	strict := s.casing == casingMixed
	p, ok := readPerson(r.d.text, r.d.words, s.tokens, at, strict)
	if !ok && strict {
		// "My name is john" in text that has capitals elsewhere.
		p, ok = readPerson(r.d.text, r.d.words, s.tokens, at, false)
	}
	return p, ok
}

// readBackward reads the name that ends right before tokens[at].
func (r *run) readBackward(s *sentence, at int) (person, bool) {
	end := at
	for end > 0 && s.low(end-1) == "," {
		end--
	}
	strict := s.casing == casingMixed
	for start := max(0, end-4); start < end; start++ {
		if start > 0 && !mayPrecedeName(s.tokens[start-1]) {
			continue
		}
		p, ok := readPerson(r.d.text, r.d.words, s.tokens[:end], start, strict)
		if ok && p.next == end {
			return p, true
		}
	}
	return person{}, false
}

// mayPrecedeName: "X here" starts a sentence or follows a greeting or a mark.
func mayPrecedeName(t token) bool {
	if t.kind == punct {
		return true
	}
	switch t.low {
	case "hi", "hello", "hey", "hallo", "morning", "afternoon", "evening", "it's", "its", "is", "yes", "yeah", "sorry", "there":
		return true
	}
	return false
}
