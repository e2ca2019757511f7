package extract

import "strings"

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
// Bob: "I'm Ann".
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
