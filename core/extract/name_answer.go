package extract

import "strings"

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
