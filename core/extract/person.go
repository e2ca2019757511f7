package extract

import (
	"strings"
	"unicode/utf8"
)

// person is a name read from a run of tokens.
type person struct {
	first, last string
	words       []token // its words without titles, initials and suffixes
	start, end  int     // bytes, titles left out
	next        int     // index of the token after it
	titled      bool    // "Mr", "Dr" stood before it
	given       bool    // its first word is a known given name
	surname     bool    // another word, or its only one, is a known surname
	known       bool    // given or surname
	lower       bool    // written without capitals in a script that has them
	possessive  bool    // "John's": speaks about him, not as him
}

// full is the display form.
func (p person) full() string { return strings.TrimSpace(p.first + " " + p.last) }

// maxNameWords bounds a name: two given names, a particle or two, two surnames.
const maxNameWords = 5

var (
	titles = map[string]bool{
		"mr": true, "mrs": true, "ms": true, "miss": true, "mx": true, "dr": true, "prof": true, "professor": true, "doctor": true, "sir": true, "madam": true, "dame": true, "lord": true, "lady": true,
		"rev": true, "reverend": true, "fr": true, "father": true, "sister": true, "capt": true, "captain": true, "lt": true, "sgt": true, "col": true, "gen": true, "maj": true, "hon": true, "eng": true, "ing": true, "dipl": true,
		"herr": true, "frau": true, "monsieur": true, "mme": true, "madame": true, "mlle": true, "señor": true, "senor": true, "señora": true, "senora": true, "sr": true, "sra": true, "srta": true, "don": true, "doña": true,
		"signor": true, "signora": true, "sig": true, "dott": true, "dhr": true, "mevr": true, "mevrouw": true, "meneer": true, "pan": true, "pani": true,
	}
	nameSuffixes = map[string]bool{
		"jr": true, "sr": true, "ii": true, "iii": true, "iv": true, "phd": true, "md": true, "dds": true, "esq": true, "cpa": true, "rn": true, "mba": true, "jd": true, "pe": true, "dvm": true, "msc": true, "bsc": true, "obe": true, "mbe": true, "cfa": true, "pmp": true,
	}
	particles = map[string]bool{
		"de": true, "da": true, "do": true, "dos": true, "das": true, "del": true, "della": true, "dello": true, "degli": true, "di": true, "du": true, "des": true, "la": true, "le": true, "los": true, "las": true, "lo": true,
		"van": true, "von": true, "vom": true, "der": true, "den": true, "ter": true, "ten": true, "te": true, "zu": true, "zur": true, "af": true, "av": true, "bin": true, "bint": true, "ibn": true, "al": true, "el": true, "ben": true, "abu": true,
		"mac": true, "mc": true, "ap": true, "y": true, "e": true, "i": true, "und": true, "st": true, "san": true, "santa": true, "saint": true, "o": true, "d": true,
	}
)

// readPerson reads a name that starts at tokens[i]. In strict mode every word
// needs a capital, as in text that uses capitals as usual; otherwise the word
// lists alone say where a name ends.
func readPerson(text string, words *lexicon, tokens []token, i int, strict bool) (person, bool) {
	var p person
	for i < len(tokens) && tokens[i].kind == word && titles[tokens[i].low] && i+1 < len(tokens) {
		next := i + 1
		if tokens[next].low == "." && next+1 < len(tokens) {
			next++
		}
		if tokens[next].kind != word || strict && tokens[next].capital == lowerCase || words.isGiven(tokens[i].low) && !titles[tokens[next].low] && !words.isSurname(tokens[next].low) && tokens[i].low != "dr" && tokens[i].low != "mr" {
			break
		}
		p.titled = true
		i = next
	}
	particleAt := -1
	j := i
	for j < len(tokens) && len(p.words) < maxNameWords {
		t := tokens[j]
		if len(p.words) > 0 && gap(text, tokens[j-1], t) {
			break
		}
		if t.kind == punct && len(p.words) > 0 {
			if skip := nickname(tokens, j); skip > 0 {
				j += skip
				continue
			}
			break
		}
		if t.kind != word {
			break
		}
		if len(p.words) > 0 && particles[t.low] && particleJoins(text, words, tokens, j, strict) {
			if particleAt < 0 {
				particleAt = len(p.words)
			}
			p.words = append(p.words, t)
			j++
			continue
		}
		if isInitial(text, t) && (t.capital != lowerCase || !strict) {
			after := j + 1
			if after < len(tokens) && tokens[after].low == "." && tokens[after].start == t.end {
				after++
			}
			if t.low == "i" && after == j+1 {
				break
			}
			nameFollows := after < len(tokens) && tokens[after].kind == word && nameWord(words, tokens[after], strict, len(p.words) > 0) && !gap(text, tokens[after-1], tokens[after])
			switch {
			case len(p.words) == 0 && nameFollows:
				p.words = append(p.words, t)
			case len(p.words) == 0, !nameFollows && t.capital == lowerCase:
				return p.finish(text, words, particleAt, j)
			case !nameFollows && !(after > j+1) && strict:
				return p.finish(text, words, particleAt, j)
			}
			j = after
			continue
		}
		if len(p.words) > 0 && nameSuffixes[strings.ReplaceAll(t.low, ".", "")] && !(words.isSurname(t.low) && t.capital == upperFirst) {
			j++
			continue
		}
		if !nameWord(words, t, strict, len(p.words) > 0) {
			break
		}
		p.words = append(p.words, t)
		j++
	}
	return p.finish(text, words, particleAt, j)
}

func (p person) finish(text string, words *lexicon, particleAt, next int) (person, bool) {
	for len(p.words) > 0 && particles[p.words[len(p.words)-1].low] && len(p.words)-1 == particleAt && p.words[len(p.words)-1].capital == lowerCase {
		p.words = p.words[:len(p.words)-1]
		next--
		particleAt = -1
	}
	if particleAt >= len(p.words) {
		particleAt = -1
	}
	n := len(p.words)
	if n == 0 {
		return p, false
	}
	p.next = next
	p.start, p.end = p.words[0].start, p.words[n-1].end
	last := p.words[n-1]
	if strings.HasSuffix(last.low, "'s") {
		p.possessive = true
	}
	p.given = words.isGiven(p.words[0].low)
	for k, t := range p.words {
		if t.capital == lowerCase && !particles[t.low] {
			p.lower = true
		}
		if (k > 0 || n == 1) && words.isSurname(t.low) {
			p.surname = true
		}
	}
	if n == 2 && !p.given && words.isGiven(last.low) && !words.isSurname(last.low) {
		p.surname = true // a given name in second place: the other is a family name
	}
	p.known = p.given || p.surname
	p.split(text, words, particleAt)
	if p.first == "" && utf8.RuneCountInString(p.last) < 2 || p.last == "" && utf8.RuneCountInString(p.first) < 2 && p.words[0].capital != noCase {
		return p, false
	}
	return p, true
}

// split divides the words into first and last name.
func (p *person) split(text string, words *lexicon, particleAt int) {
	n := len(p.words)
	cut := 1
	switch {
	case n == 1:
		if p.titled || !p.given && p.surname {
			cut = 0
		}
	case particleAt > 0:
		cut = particleAt
	case n == 2:
		// Family name first: a surname that is no given name before a given
		// name that is no surname.
		a, b := p.words[0].low, p.words[1].low
		if (words.isSurname(a) || words.familyFirst) && !words.isGiven(a) && words.isGiven(b) && !words.isSurname(b) {
			p.first, p.last = text[p.words[1].start:p.words[1].end], text[p.words[0].start:p.words[0].end]
			p.given = true
			return
		}
	default:
		cut = 1
		for cut < n-1 && words.isGiven(p.words[cut].low) && !(words.isSurname(p.words[cut].low) && cut == n-2 && words.isSurname(p.words[n-1].low)) {
			cut++
		}
	}
	p.first = joinWords(text, p.words[:cut])
	p.last = joinWords(text, p.words[cut:])
}

func joinWords(text string, words []token) string {
	parts := make([]string, len(words))
	for i, t := range words {
		parts[i] = text[t.start:t.end]
	}
	return strings.Join(parts, " ")
}

// gap says whether two tokens stand too far apart for one name: on two lines.
func gap(text string, a, b token) bool {
	return b.start > a.end && strings.ContainsAny(text[a.end:b.start], "\n\t") || b.start-a.end > 3
}

// nameWord says whether a word can be part of a name at this place.
func nameWord(words *lexicon, t token, strict, inside bool) bool {
	name, notName := words.taught(t.low)
	if notName {
		return false
	}
	if name {
		return true
	}
	if strict && t.capital == lowerCase {
		return false
	}
	if strings.ContainsAny(t.low, "0123456789") || functionWords[t.low] {
		return false
	}
	base := strings.TrimSuffix(t.low, "'s")
	if words.isCommon(base) {
		// Brown, Young, Rich are names where a name goes on; Will and Grace are
		// where a capital means something.
		return inside && words.isSurname(base) || strict && words.isGiven(base)
	}
	return true
}

func isInitial(text string, t token) bool {
	return t.end-t.start == 1 || utf8.RuneCountInString(text[t.start:t.end]) == 1 && t.capital != noCase
}

// particleJoins says whether a particle at tokens[j] leads to a further name
// word, maybe over another particle.
func particleJoins(text string, words *lexicon, tokens []token, j int, strict bool) bool {
	for k := j + 1; k < len(tokens) && k <= j+3; k++ {
		t := tokens[k]
		if gap(text, tokens[k-1], t) {
			return false
		}
		if t.kind == word && particles[t.low] {
			continue
		}
		if t.low == "'" || t.low == "." {
			continue
		}
		if t.kind != word || isInitial(text, t) || !nameWord(words, t, strict, true) {
			return false
		}
		// In text without capitals "de" and "la" are ordinary words too.
		return strict && t.capital != lowerCase || words.isSurname(t.low) || words.isGiven(t.low)
	}
	return false
}

// nickname gives the length of a bracketed or quoted name inside a name.
func nickname(tokens []token, j int) int {
	open := tokens[j].low
	shut := map[string]string{"(": ")", "\"": "\"", "“": "”"}[open]
	if shut == "" || j+3 >= len(tokens) || tokens[j+1].kind != word || tokens[j+2].low != shut || tokens[j+3].kind != word {
		return 0
	}
	return 3
}

// readLoneName reads text that is nothing but a name.
func readLoneName(words *lexicon, text string) (person, bool) {
	if len(text) > 80 {
		return person{}, false
	}
	tokens := tokenize(text, lowerASCII(text), 0, len(text), nil)
	p, ok := readPerson(text, words, tokens, 0, true)
	if !ok || p.possessive {
		return p, false
	}
	for _, t := range tokens[p.next:] {
		if t.kind != punct || !strings.Contains(".,!-", t.low) {
			return p, false
		}
	}
	return p, true
}

// parseDisplayName reads the name in a mail header: "Lee, Ann", "Ann M Lee
// (Leeds)", "Ann via Shop", or nothing when it names a function or a company.
func parseDisplayName(words *lexicon, display, email string) (first, last string, ok bool) {
	display = normalText(strings.Trim(display, " \t\"'"))
	if i := strings.IndexByte(display, '/'); i > 0 && strings.Contains(display, "@") {
		display = display[:i] // Lotus Notes: "Ann Lee/NYC/ACME@ACME"
	}
	if display == "" || len(display) > 100 || strings.Contains(display, "@") {
		return "", "", false
	}
	low := strings.ToLower(display)
	for _, cut := range [...]string{" via ", " on behalf of ", " (", " [", " | ", " - ", " / ", " from ", " at "} {
		if i := strings.Index(low, cut); i > 0 {
			display, low = display[:i], low[:i]
		}
	}
	for _, w := range strings.FieldsFunc(low, func(r rune) bool { return r == ' ' || r == ',' || r == '.' }) {
		if officeWords[w] {
			return "", "", false
		}
	}
	if family, rest, comma := strings.Cut(display, ","); comma {
		family, rest = strings.TrimSpace(family), strings.TrimSpace(rest)
		if !nameSuffixes[strings.ToLower(strings.Trim(rest, ". "))] {
			f, okF := readHeaderName(words, rest)
			l, okL := readHeaderName(words, family)
			if okF && okL {
				return f.full(), l.full(), true
			}
		}
		display = family
	}
	p, ok := readHeaderName(words, display)
	if !ok {
		return "", "", false
	}
	if len(p.words) == 1 && !p.known {
		// A lone unknown word may be a company; its domain says so.
		if at := strings.IndexByte(email, '@'); at >= 0 && strings.HasPrefix(email[at+1:], strings.ToLower(p.full())+".") {
			return "", "", false
		}
		return "", p.full(), true
	}
	if len(p.words) == 1 && p.surname {
		return "", p.full(), true // in headers a lone word is a family name
	}
	return p.first, p.last, true
}

// readHeaderName reads a display name, where even ordinary words are names.
func readHeaderName(words *lexicon, s string) (person, bool) {
	s = strings.TrimSpace(s)
	if strings.ToLower(s) == s && s != "" { // typed without capitals
		fields := strings.Fields(s)
		for i, f := range fields {
			r, n := utf8.DecodeRuneInString(f)
			fields[i] = strings.ToUpper(string(r)) + f[n:]
		}
		s = strings.Join(fields, " ")
	}
	free := &lexicon{wordLists: &wordLists{given: words.given, surnames: words.surnames}, names: words.names, notNames: words.notNames, familyFirst: words.familyFirst}
	return readLoneName(free, s)
}

// officeWords in a display name mean that it names no person.
var officeWords = map[string]bool{
	"team": true, "support": true, "sales": true, "info": true, "billing": true, "office": true, "newsletter": true, "news": true, "admin": true, "service": true, "services": true, "customer": true, "customers": true, "help": true, "helpdesk": true, "desk": true,
	"hr": true, "marketing": true, "accounts": true, "accounting": true, "department": true, "dept": true, "noreply": true, "no-reply": true, "reply": true, "scheduler": true, "system": true, "notifications": true, "notification": true, "alerts": true, "mailer": true, "daemon": true, "postmaster": true, "webmaster": true,
	"inc": true, "llc": true, "ltd": true, "gmbh": true, "corp": true, "corporation": true, "company": true, "co": true, "ag": true, "plc": true, "group": true, "bank": true, "university": true, "hotel": true, "school": true, "college": true, "shop": true, "store": true, "online": true, "club": true, "center": true, "centre": true,
	"questions": true, "contact": true, "reservations": true, "bookings": true, "orders": true, "resources": true, "human": true, "security": true, "reception": true, "kundenservice": true, "kundendienst": true, "the": true,
}

// blankSeparator turns what parts the words of an address into blanks.
func blankSeparator(r rune) rune {
	switch r {
	case '.', '_', '-', '+':
		return ' '
	}
	return r
}

// agreesWithSender says whether a name has a word in common with the sender's.
func agreesWithSender(s Sender, p person) bool {
	mine := strings.ToLower(" " + s.First + " " + s.Last + " ")
	if local, _, ok := strings.Cut(s.Email, "@"); ok {
		mine += strings.Map(blankSeparator, local) + " "
	}
	for _, t := range p.words {
		if len(t.low) > 1 && strings.Contains(mine, " "+t.low+" ") {
			return true
		}
	}
	return false
}
