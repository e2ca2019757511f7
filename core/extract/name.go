package extract

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/core/match"
)

// nameCandidate is a name that somebody may bear, before the candidates of a
// message are weighed against each other.
type nameCandidate struct {
	person
	origin     Origin
	detector   string
	confidence float64
	line       int
	corrected  bool   // "no, it's …"
	reason     string // set: refused
}

// findNames collects the speaker's name from everywhere it may stand and
// settles on one.
func (r *run) findNames() {
	var found []nameCandidate
	if name := strings.TrimSpace(r.d.message.PreChat.Name); name != "" {
		if p, ok := readHeaderName(r.d.words, name); ok {
			p.start, p.end = 0, 0
			found = append(found, nameCandidate{person: p, origin: OriginPreChat, detector: "name.form", confidence: 0.95, line: -1})
		}
	}
	for i := range r.d.sentences {
		found = r.introductions(&r.d.sentences[i], found)
	}
	found = r.firstAndLast(found)
	found = r.cjkNames(found)
	if r.d.message.Channel == Voice || r.d.message.Channel == Chat {
		found = r.spelledNames(found)
	}
	if r.d.message.Channel == Email {
		found = r.mailNames(found)
	} else {
		found = r.signOff(found)
	}
	r.settleNames(found)
}

// settleNames keeps the best candidate, completes it with what agrees, and
// lets the others be suggestions at most.
func (r *run) settleNames(found []nameCandidate) {
	for i := range found {
		r.vetoName(&found[i])
	}
	slices.SortStableFunc(found, func(a, b nameCandidate) int {
		switch {
		case (a.reason == "") != (b.reason == ""):
			return boolOrder(a.reason == "")
		case a.corrected != b.corrected && min(a.confidence, b.confidence) >= r.d.settings.suggest():
			return boolOrder(a.corrected)
		case a.confidence > b.confidence:
			return -1
		case a.confidence < b.confidence:
			return 1
		}
		return 0
	})
	if len(found) == 0 {
		return
	}
	best := found[0]
	for _, c := range found[1:] {
		agreement := match.NamesAgree(best.first, best.last, c.first, c.last)
		switch {
		case c.reason != "":
			r.addName(c)
		case agreement == match.Conflict || agreement == match.Unknown && best.first != "" && c.first != "":
			c.confidence = min(c.confidence, 0.6)
			r.addRival(c)
		case best.reason == "" && c.confidence >= 0.5 && completes(best.person, c.person):
			best = complete(best, c)
		}
	}
	r.addName(best)
}

func boolOrder(first bool) int {
	if first {
		return -1
	}
	return 1
}

// completes says whether b knows a part that a lacks.
func completes(a, b person) bool {
	return a.last == "" && b.last != "" || a.first == "" && b.first != ""
}

func complete(a, b nameCandidate) nameCandidate {
	if a.last == "" {
		a.last = b.last
		if b.first != "" && !b.lower {
			a.first, a.start, a.end = b.first, b.start, b.end
		}
	} else {
		a.first = b.first
	}
	if b.lower {
		a.confidence = min(a.confidence, 0.7)
	}
	return a
}

// vetoName applies what no frame can override: the tenant's people and taught
// words, possessives, companies.
func (r *run) vetoName(c *nameCandidate) {
	switch {
	case c.reason != "":
	case c.possessive:
		c.reason = "speaks about that person"
	case r.isAgent(c.first, c.last):
		c.reason = "one of the tenant's own people"
	case c.origin == OriginText && looksLikeCompany(c.person):
		c.reason = "reads like a company"
	}
}

func (r *run) isAgent(first, last string) bool {
	for _, agent := range r.d.settings.Agents {
		af, al, _ := strings.Cut(strings.TrimSpace(agent), " ")
		switch {
		case !strings.EqualFold(first, af) && !strings.EqualFold(last, al):
		case last == "" || al == "":
			if strings.EqualFold(first, af) && r.d.message.Channel != Email {
				continue // a client may share a first name with an agent
			}
			return strings.EqualFold(first, af)
		case match.NamesAgree(first, last, af, al) == match.Agree && strings.EqualFold(last, al):
			return true
		}
	}
	return false
}

func looksLikeCompany(p person) bool {
	for _, t := range p.words {
		if officeWords[t.low] {
			return true
		}
	}
	return false
}

func (r *run) addName(c nameCandidate) { r.fileName(c, WhoseSpeaker) }

// addRival files a name that the message gives beside a better one.
func (r *run) addRival(c nameCandidate) { r.fileName(c, WhoseUnknown) }

func (r *run) fileName(c nameCandidate, whose Whose) {
	first, last := properCase(c.first), properCase(c.last)
	full := strings.TrimSpace(first + " " + last)
	span := Span{c.start, c.end}
	if c.line < 0 {
		span = Span{}
	}
	r.add(Finding{Field: FieldName, Value: full, Normal: strings.ToLower(full), First: first, Last: last, Origin: c.origin, Span: span,
		Detector: c.detector, Confidence: c.confidence, Whose: whose, Stated: whose == WhoseSpeaker}, c.line, c.reason)
}

// properCase writes a name that came in one case as names are written; a
// mixed spelling is its owner's and stays.
func properCase(s string) string {
	lower, upper := strings.ToLower(s), strings.ToUpper(s)
	if s != lower && (s != upper || utf8.RuneCountInString(s) < 3) || lower == upper {
		return s
	}
	var b strings.Builder
	start := true
	for i, r := range lower {
		word := lower[i:]
		if n := strings.IndexAny(word, " -'"); n > 0 {
			word = word[:n]
		}
		if start && !(i > 0 && particles[word] && lower[i-1] == ' ') {
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
		start = r == ' ' || r == '-' || r == '\''
	}
	return b.String()
}
