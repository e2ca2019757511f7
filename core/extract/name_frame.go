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
var introTriggers = setOf(`name name's names named i'm im i this it's its it here speaking calling call calls called go goes known
heiße heisse heiss m'appelle appelle llamo chiamo chamo heet heter hedder nazywam jmenuji jmenuju volám zovem zovu correct change under hívnak vagyok numesc cheamă nombre nom nome naam namn navn nimeni soy bin suis sono sou ben heit зовут adım ismim isim isem kutsutaan`)

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
	case "here", "speaking", "calling":
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
		if s.low(i+1) != "my" && s.low(i+1) != "the" && aboutBooking(s) {
			return []frame{{"under", openly, s.skip(i + 1), false}}
		}
	case "correct", "change":
		// "My name is wrong, please change it to Emma Brun."
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

// weigh gives a candidate's confidence; 0 drops it without a trace.
func (r *run) weigh(s *sentence, p person, f frame) float64 {
	single := len(p.words) == 1
	ordinary := r.ordinary(p)
	good, bad := r.follow(s, p)
	if p.titled {
		good = true
	}
	capitals := s.casing == casingMixed && !p.lower
	if name, _ := r.d.words.taught(p.words[0].low); name {
		ordinary = false
	}
	switch {
	case f.strength == openly:
		if ordinary && !p.given || single && !p.given || bad {
			return 0
		}
		return 0.6
	case f.strength == certainly && capitals:
		if ordinary && single && !p.given {
			return 0.45
		}
		return 0.95
	case f.strength == certainly && s.casing != casingMixed && !p.lower: // TITLE, UPPER
		if p.given || p.known && !single {
			return 0.85
		}
		return 0.6
	case f.strength == certainly:
		if ordinary && !p.given || bad && !p.known {
			return 0.3
		}
		return 0.65
	case !capitals && p.lower:
		return r.weighLower(p, f, ordinary, good, bad)
	case !capitals: // title or upper case
		switch {
		case ordinary || bad:
			return 0
		case p.given && p.surname && !single:
			return 0.82
		case p.given && good && f.strength == probably:
			return 0.82
		case p.given && good:
			return 0.6
		}
		return 0
	case single:
		return weighSingle(p, f, ordinary, good, bad)
	}
	switch {
	case ordinary && !p.given:
		return 0
	case p.given && !bad:
		return 0.93
	case p.known && good:
		return 0.9
	case p.given || good && !ordinary && f.strength == probably:
		return 0.85
	case good:
		return 0.82
	case p.known:
		return 0.7
	case bad:
		return 0.4
	}
	return 0.6
}

func weighSingle(p person, f frame, ordinary, good, bad bool) float64 {
	switch {
	case ordinary && !p.given || bad && !p.given:
		return 0
	case p.given && !ordinary && (good || !bad):
		return 0.9
	case p.given && good:
		return 0.82
	case p.given:
		return 0.55
	case f.name == "call_me" && good, p.titled && p.surname:
		return 0.82
	case p.surname && good:
		return 0.7
	case good:
		return 0.6
	}
	return 0.3
}

func (r *run) weighLower(p person, f frame, ordinary, good, bad bool) float64 {
	single := len(p.words) == 1
	switch {
	case ordinary || bad:
		return 0
	case p.given && p.surname && !single:
		return 0.65
	case f.strength == possibly && !good, f.strength == possibly && single && !p.given:
		return 0
	case f.name == "call_me" && single && good:
		return 0.5
	case f.strength == possibly && !p.known:
		if hasOrdinaryEnding(p.words[1].low) || r.d.words.isCommon(p.words[1].low) {
			return 0
		}
		return 0.5
	case p.given && good:
		return 0.6
	case p.known && good && !single:
		return 0.58
	case good && f.strength == probably && (!single || f.name == "it_is" && r.callsIn(p)):
		return 0.52
	}
	return 0
}

// callsIn says whether "calling" or "speaking" stands right after a name.
func (r *run) callsIn(p person) bool {
	after := strings.TrimLeft(r.d.low[p.end:min(len(r.d.low), p.end+12)], " ")
	return strings.HasPrefix(after, "calling") || strings.HasPrefix(after, "speaking")
}

// ordinary says whether a candidate's words are those of a sentence and not of
// a name.
func (r *run) ordinary(p person) bool {
	first := p.words[0].low
	if r.d.words.isCommon(first) {
		return true
	}
	return hasOrdinaryEnding(first) && !p.given && (len(p.words) == 1 || p.lower)
}

// follow judges what stands after a candidate: an end, or the words that go on
// after a name, against those that go on after an adjective.
func (r *run) follow(s *sentence, p person) (good, bad bool) {
	if p.next >= len(s.tokens) {
		return true, false
	}
	t := s.tokens[p.next]
	if t.kind == punct {
		return t.low != "'" && t.low != "/" && t.low != "%" && t.low != "&", false
	}
	if t.kind == number {
		return false, false
	}
	switch t.low {
	case "and", "but", "from", "with", "at", "here", "calling", "speaking", "i", "i'm", "im", "i've", "i'd", "i'll", "my", "originally", "aka", "again", "who", "a", "the", "can", "could", "please", "just", "we", "owner", "ceo", "by", "now", "how", "what", "is", "and i", "its", "it's", "ok", "hi", "hello", "with a", "you", "also", "und", "et", "y", "e", "de", "von", "aus":
		return true, false
	}
	if t.capital == lowerCase && hasOrdinaryEnding(t.low) {
		return false, true
	}
	switch t.low {
	case "to", "for", "about", "that", "of", "in", "on", "than", "as", "if", "because", "too", "enough", "when", "until", "since", "not", "so", "or", "like", "out", "up", "off", "into", "over", "some", "any", "your", "his", "her", "their", "this", "these", "there", "was", "are":
		return false, true
	}
	return false, false
}

// insideQuotation knows a phrase between quotation marks after a colon:
// tracy: "i'm roberto".
func insideQuotation(s *sentence, p person) bool {
	for i, t := range s.tokens {
		if t.start >= p.start {
			break
		}
		if (t.low == "\"" || t.low == "“") && (i > 0 && (s.low(i-1) == ":" || s.low(i-1) == "said" || s.low(i-1) == ",")) {
			return true
		}
	}
	return false
}

func corrects(s *sentence) bool {
	for i := range s.tokens {
		switch s.low(i) {
		case "meant", "correction", "actually", "misspelled", "typo":
			return true
		case "no":
			if i == 0 && (s.low(1) == "," || s.low(1) == "it's" || s.low(1) == "my") {
				return true
			}
		}
	}
	return false
}

// bareAnswer takes a short answer to our question for the name.
func (r *run) bareAnswer(s *sentence) (nameCandidate, bool) {
	if s.question == "" || len(s.tokens) > 24 || !asksForName(s.question) {
		return nameCandidate{}, false
	}
	from := 0
	for from < len(s.tokens) && opensAnswer(s.tokens[from]) {
		from++
	}
	if from >= len(s.tokens) {
		return nameCandidate{}, false
	}
	p, ok := readPerson(r.d.text, r.d.words, s.tokens, from, s.casing != casingLower)
	if !ok {
		p, ok = readPerson(r.d.text, r.d.words, s.tokens, from, false)
	}
	if !ok || isSpelled(s.tokens[from:]) {
		return nameCandidate{}, false
	}
	if p.next < len(s.tokens) && s.tokens[p.next].kind != punct && s.low(p.next) != "and" && s.low(p.next) != "please" && s.low(p.next) != "thanks" {
		return nameCandidate{}, false
	}
	c := nameCandidate{person: p, origin: OriginText, detector: "name.answer", confidence: 0.93, line: s.line, corrected: corrects(s)}
	switch {
	case r.ordinary(p) && !p.given:
		return c, false
	case p.lower:
		c.confidence = 0.65
	}
	return c, true
}

func opensAnswer(t token) bool {
	if t.kind == punct {
		return t.low != "("
	}
	switch t.low {
	case "yes", "sure", "ok", "okay", "yeah", "yep", "of", "course", "hi", "hello", "it's", "its", "it", "is", "thanks", "thank", "you", "uh", "um", "er", "well", "certainly", "name", "that's", "thats", "that", "would", "be", "noise", "the":
		return true
	}
	return false
}

// asksForName says whether our side asked who the client is.
func asksForName(question string) bool {
	if strings.Contains(question, "who am i speaking") || strings.Contains(question, "who is this") || strings.Contains(question, "who's calling") || strings.Contains(question, "who is calling") || strings.Contains(question, "whom am i") || strings.Contains(question, "who do i have") || strings.Contains(question, "who i'm speaking") || strings.Contains(question, "who am i talking") {
		return true
	}
	if !hasWord(question, "name") && !hasWord(question, "names") && !hasWord(question, "nombre") && !hasWord(question, "nom") && !strings.Contains(question, "heißen sie") {
		return false
	}
	for _, other := range [...]string{"company", "business", "user name", "product", "item", "pet", "maiden", "street", "city", "file", "event", "employer", "organisation", "organization", "agent", "my name", "recipient", "beneficiary", "restaurant", "hotel", "brand", "doctor"} {
		if strings.Contains(question, other) && !strings.Contains(question, "your full name") && !strings.Contains(question, "your name") {
			return false
		}
	}
	return true
}
