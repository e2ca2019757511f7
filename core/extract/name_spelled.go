package extract

import "strings"

// spelling is a run of letters that were said one by one.
type spelling struct {
	letters  string
	from, to int // tokens
	breakAt  int // letters before a "space", 0 for none
}

// minSpelled is the shortest run taken for a spelling outside an answer to
// our request to spell.
const minSpelled = 3

// isSpelled says whether an answer is mostly single letters or alphabet words.
func isSpelled(tokens []token) bool {
	pieces, words := 0, 0
	for _, t := range tokens {
		if t.kind != word {
			continue
		}
		words++
		if t.end-t.start <= 2 || isNato(t.low) || letterNames[t.low] != "" || t.low == "double" {
			pieces++
		}
	}
	return words >= 2 && pieces*10 >= words*7
}

// spelledNames reads names that a caller spells: "r o n a l d", "Mike Alpha
// Romeo Kilo", "jon, that's j o n". They come out as suggestions: what a
// recogniser heard letter by letter a person should see once.
func (r *run) spelledNames(found []nameCandidate) []nameCandidate {
	for k := range r.d.sentences {
		s := &r.d.sentences[k]
		asked := s.question != "" && (asksForName(s.question) || strings.Contains(s.question, "spell"))
		if asked && isSpelled(s.tokens) {
			if sp, ok := spellAll(s); ok {
				found = append(found, r.spelledCandidate(s, sp))
				continue
			}
		}
		found = r.spelledRuns(s, asked, found)
	}
	return found
}

// spellAll joins a whole answer, also where the recogniser glued two letters.
func spellAll(s *sentence) (spelling, bool) {
	var b strings.Builder
	sp := spelling{from: -1}
	for i := 0; i < len(s.tokens); {
		piece, n := letterAtToken(s, i, true)
		if n == 0 {
			if s.low(i) == "space" && b.Len() > 0 {
				sp.breakAt = b.Len()
			}
			i++
			continue
		}
		if sp.from < 0 {
			sp.from = i
		}
		b.WriteString(piece)
		i += n
		sp.to = i
	}
	sp.letters = b.String()
	return sp, sp.from >= 0 && len([]rune(sp.letters)) >= 2 && b.Len() <= 40
}

// letterAtToken reads one spelled letter at token i: "b", "double l", "bravo",
// "b as in boy", "b for boy". loose takes two glued letters too.
func letterAtToken(s *sentence, i int, loose bool) (string, int) {
	t := s.tokens[i]
	if t.kind != word {
		return "", 0
	}
	low := t.low
	switch {
	case low == "double" && i+1 < len(s.tokens):
		if l, n := letterAtToken(s, i+1, false); n > 0 && len(l) == 1 {
			return l + l, n + 1
		}
		return "", 0
	case low == "hyphen" || low == "dash":
		return "-", 1
	case low == "apostrophe":
		return "'", 1
	}
	if l, ok := natoLetter(low); ok {
		return l, 1
	}
	if l, ok := letterNames[low]; ok && loose && len(low) > 1 {
		return l, 1
	}
	single := len([]rune(low)) == 1
	if single || loose && len([]rune(low)) == 2 && low != "as" && low != "is" && low != "it" && low != "my" {
		// "b as in boy", "m for mother"
		if single {
			if s.low(i+1) == "as" && s.low(i+2) == "in" && i+3 < len(s.tokens) {
				return low, 4
			}
			if (s.low(i+1) == "for" || s.low(i+1) == "like") && i+2 < len(s.tokens) && strings.HasPrefix(s.low(i+2), low) && len(s.low(i+2)) > 1 {
				return low, 3
			}
		}
		return low, 1
	}
	return "", 0
}

// spelledRuns finds runs of letters inside a sentence, where the words around
// speak of a name.
func (r *run) spelledRuns(s *sentence, asked bool, found []nameCandidate) []nameCandidate {
	cue := asked
	var runs []spelling
	for i := 0; i < len(s.tokens); {
		switch s.low(i) {
		case "name", "spell", "spelled", "spelt", "spelling", "that's", "surname":
			cue = true
		}
		var b strings.Builder
		from, letters := i, 0
		j := i
		for j < len(s.tokens) {
			l, n := letterAtToken(s, j, false)
			if n == 0 || s.tokens[j].low == "i" && (j+1 < len(s.tokens) && s.low(j+1) == "am") || s.tokens[j].low == "a" && letters == 0 && j+1 < len(s.tokens) && len(s.low(j+1)) > 1 && !isNato(s.low(j+1)) {
				break
			}
			b.WriteString(l)
			letters++
			j += n
			if s.low(j) == "-" || s.low(j) == "," || s.low(j) == "." {
				if _, next := letterIf(s, j+1); next > 0 {
					j++
				}
			}
		}
		if letters >= minSpelled && !leadsToAddress(s, j) && !strings.HasPrefix(b.String(), "-") {
			runs = append(runs, spelling{letters: b.String(), from: from, to: j})
		}
		i = max(j, i+1)
	}
	if !cue || len(runs) == 0 {
		return found
	}
	if len(runs) >= 2 {
		c := r.spelledCandidate(s, runs[0])
		c.first, c.last = properCase(runs[0].letters), properCase(runs[1].letters)
		return append(found, c)
	}
	return append(found, r.spelledCandidate(s, runs[0]))
}

func letterIf(s *sentence, i int) (string, int) {
	if i >= len(s.tokens) {
		return "", 0
	}
	return letterAtToken(s, i, false)
}

// leadsToAddress: the letters are those of an email address.
func leadsToAddress(s *sentence, i int) bool {
	switch s.low(i) {
	case "at", "@", "dot", "underscore":
		return true
	}
	return false
}

// spelledCandidate divides letters into first and last name with the word
// lists, longest known given name first.
func (r *run) spelledCandidate(s *sentence, sp spelling) nameCandidate {
	first, last := splitSpelled(r.d.words, sp.letters, sp.breakAt)
	p := person{first: properCase(first), last: properCase(last), start: s.tokens[sp.from].start, end: s.tokens[sp.to-1].end, lower: true}
	return nameCandidate{person: p, origin: OriginText, detector: "name.spelled", confidence: 0.7, line: s.line}
}

func splitSpelled(words *lexicon, letters string, breakAt int) (first, last string) {
	if breakAt > 0 && breakAt < len(letters) {
		return letters[:breakAt], letters[breakAt:]
	}
	if words.isGiven(letters) {
		return letters, ""
	}
	guess := ""
	for cut := len(letters) - 2; cut >= 2; cut-- {
		if letters[cut]&0xc0 == 0x80 || !words.isGiven(letters[:cut]) {
			continue
		}
		if words.isSurname(letters[cut:]) || words.common[letters[cut:]] && len(letters)-cut > 3 {
			return letters[:cut], letters[cut:]
		}
		if guess == "" && cut >= 3 && len(letters)-cut >= 4 {
			guess = letters[:cut]
		}
	}
	if guess != "" {
		return guess, letters[len(guess):]
	}
	if words.isSurname(letters) {
		return "", letters
	}
	return letters, ""
}
