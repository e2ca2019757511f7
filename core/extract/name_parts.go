package extract

// partOfName knows "first name" and "last name" before token i ("name").
func partOfName(s *sentence, i int) string {
	switch s.low(i - 1) {
	case "first", "given", "christian", "fore":
		return "first"
	case "last", "family", "sur", "second":
		return "last"
	}
	return ""
}

// partTriggers are the words that name a part of a name.
var partTriggers = setOf("name name's surname lastname firstname")

// firstAndLast joins "my first name is Ann" with "and my last name is Lee",
// also over two sentences.
func (r *run) firstAndLast(found []nameCandidate) []nameCandidate {
	var first, last nameCandidate
	for k := range r.d.sentences {
		s := &r.d.sentences[k]
		if !s.mayOpen(mayBePart) {
			continue
		}
		for i, t := range s.tokens {
			part := ""
			switch {
			case t.kind != word:
			case t.low == "name" || t.low == "name's":
				part = partOfName(s, i)
			case t.low == "surname" || t.low == "lastname":
				part = "last"
			case t.low == "firstname":
				part = "first"
			}
			if part == "" || !ownsNamePart(s, i) {
				continue
			}
			at := i + 1
			for isNameCopula(s.low(at)) {
				at++
			}
			if at == i+1 && s.low(at) != ":" && t.low != "name's" && !(at < len(s.tokens) && s.casing == casingMixed && s.tokens[at].capital == upperFirst) {
				continue
			}
			p, ok := r.readForward(s, s.skip(at))
			if !ok || r.d.words.isCommon(p.words[0].low) && !p.known {
				continue
			}
			c := nameCandidate{person: p, origin: OriginText, detector: "name.parts", line: s.line, confidence: 0.95}
			if p.lower {
				c.confidence = 0.65
			}
			if part == "first" {
				c.first, c.last = r.d.text[p.words[0].start:p.words[0].end], ""
				first = c
			} else {
				c.first, c.last = "", p.full()
				last = c
			}
		}
	}
	switch {
	case first.confidence > 0 && last.confidence > 0:
		first.last = last.last
		first.confidence = min(first.confidence, last.confidence)
		first.end = max(first.end, last.end)
		return append(found, first)
	case first.confidence > 0:
		return append(found, first)
	case last.confidence > 0:
		return append(found, last)
	}
	return found
}

// ownsNamePart refuses "her last name", "my wife's first name".
func ownsNamePart(s *sentence, i int) bool {
	for k := i - 1; k >= 0 && k >= i-3; k-- {
		switch low := s.low(k); low {
		case "my", "the":
			return true
		case "her", "his", "their", "your", "what's", "what", "whose":
			return false
		default:
			if len(low) > 2 && low[len(low)-2:] == "'s" {
				return false
			}
		}
	}
	return true
}
