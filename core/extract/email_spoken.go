package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
)

// findWrittenOut reads addresses whose @ or dots are words or marks in
// brackets, as people disguise and dictate them: "john (at) acme (dot) com",
// "j o h n at g mail dot com".
func (r *run) findWrittenOut() {
	for k := range r.d.sentences {
		s := &r.d.sentences[k]
		if !s.mayOpen(mayBeAt) {
			continue
		}
		for i, t := range s.tokens {
			if t.may&mayBeAt == 0 {
				continue
			}
			r.writtenOut(s, i)
		}
	}
}

var (
	atWords  = setOf("at @ ät arroba arobase chiocciola klammeraffe kukac snabel-a małpa zavináč")
	dotWords = setOf("dot . point period punkt punto ponto pont piste prick tečka kropka")
)

// mark is a separator that was read: where the next token is, whether it stood
// in brackets, and whether it was a word.
type mark struct {
	next              int
	bracketed, spoken bool
	glued             bool // a literal sign that touches both sides
}

func isBracket(low string) bool {
	return len(low) == 1 && strings.Contains("[]()<>{}_*", low)
}

// readMark reads one of words at tokens[i], maybe in brackets.
func readMark(s *sentence, i int, words map[string]bool) (mark, bool) {
	m := mark{}
	for isBracket(s.low(i)) {
		m.bracketed = true
		i++
	}
	if i >= len(s.tokens) || !words[s.low(i)] {
		return m, false
	}
	t := s.tokens[i]
	m.spoken = t.kind == word
	m.glued = t.kind == punct && !m.bracketed && i > 0 && s.tokens[i-1].end == t.start && i+1 < len(s.tokens) && s.tokens[i+1].start == t.end
	// "gmail . com": a sign with blanks on both sides was set apart on purpose.
	m.spoken = m.spoken || t.kind == punct && i > 0 && s.tokens[i-1].end < t.start && i+1 < len(s.tokens) && s.tokens[i+1].start > t.end
	i++
	switch {
	case m.spoken && s.low(i) == "sign":
		i++
	case m.spoken && s.low(i) == "the" && (s.low(i+1) == "rate" || s.low(i+1) == "sign"): // as said in India
		i += 2
		if s.low(i) == "of" {
			i++
		}
	}
	for isBracket(s.low(i)) {
		m.bracketed = true
		i++
	}
	m.next = i
	return m, true
}

func (r *run) writtenOut(s *sentence, i int) {
	open := i
	for isBracket(s.low(open - 1)) {
		open--
	}
	at, ok := readMark(s, open, atWords)
	if !ok {
		return
	}
	domain, end, domainSpoken := r.readDomain(s, at.next)
	if domain == "" {
		return
	}
	local, start, extra := r.readLocal(s, open-1)
	if local == "" {
		return
	}
	if at.glued && !domainSpoken {
		return // an ordinary address
	}
	if whole, ok := r.twoWords(s, start, local); ok && extra {
		local, start, extra = whole, start-1, false
	}
	extra = extra || s.low(start) == "oh" && len(s.tokens[start].low) < len(local) // a letter or a digit
	raw := local + "@" + domain
	normal, ok := match.Email(raw)
	if !ok || !knownSuffix(normal) || !knownDomainEnd(normal) {
		return
	}
	from, to := s.tokens[start].start, s.tokens[end-1].end
	confidence := 0.9
	switch {
	case at.bracketed:
	case s.tokens[open].kind == punct:
	case r.announcesEmail(s, start):
		confidence = 0.88
	case r.d.words.isCommon(local) || functionWords[local] || hasOrdinaryEnding(local):
		return // "meet at acme dot com"
	case domainSpoken, match.IsFreeMail(domain):
		confidence = 0.84
	default:
		return
	}
	switch s.low(start - 1) {
	case "the", "a", "an", "our", "your", "their":
		if at.spoken && !at.bracketed { // "the team at acme dot com"
			return
		}
	}
	if s.tokens[open].kind == word && (functionWords[local] || verbLike[local]) {
		return
	}
	if extra {
		confidence = 0.6 // "john smith at …": the reading is open
	}
	r.addEmail(from, to, raw, "email.written_out", confidence, s.line)
}

// twoWords joins a name said in two words when nothing else stands between it and
// the announcement of an address: "my email is john smith at".
func (r *run) twoWords(s *sentence, start int, local string) (string, bool) {
	if start == 0 || !r.announcesEmail(s, start-1) {
		return "", false
	}
	switch s.low(start - 2) {
	case "", ",", ":", "is", "it's", "its", "yes", "yeah", "sure", "email", "address":
		return s.low(start-1) + local, true
	}
	return "", false
}

// verbLike words stand before "at" in prose.
var verbLike = setOf("look looks looking meet meeting see order ordered buy bought shop shopping visit find found check work works working me us available shopped purchased booked")

// knownDomainEnd wants a listed top-level domain: what was guessed from words
// must not rest on an unknown one.
func knownDomainEnd(normal string) bool {
	dot := strings.LastIndexByte(normal, '.')
	return !isNewTLD(normal[dot+1:]) || listedTLD(normal) || normal[dot+1:] == "example"
}

// announcesEmail says whether the words before, or our question, speak of mail.
func (r *run) announcesEmail(s *sentence, start int) bool {
	for _, cue := range [...]string{"email", "e-mail", "mail", "address"} {
		if strings.Contains(s.question, cue) {
			return true
		}
	}
	for k := start - 1; k >= 0 && k >= start-14; k-- {
		switch s.low(k) {
		case "email", "e-mail", "mail", "emails", "mailbox", "address", "adresse", "correo", "courriel", "write", "gmail", "contact":
			return true
		}
	}
	return false
}

// readDomain reads "g mail dot com", "acme.co.uk", "yahoo dot co dot uk" from
// token i. spoken is true when a dot was a word or in brackets.
func (r *run) readDomain(s *sentence, i int) (domain string, end int, spoken bool) {
	var b strings.Builder
	labels := 0
	end = i
	for labels < 6 {
		label, next := readLabel(s, i)
		if label == "" {
			break
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(label)
		labels++
		i, end = next, next
		dot, ok := readMark(s, i, dotWords)
		if !ok || !dot.spoken && !dot.bracketed && !dot.glued {
			break
		}
		if after, _ := readLabel(s, dot.next); after == "" {
			break
		}
		spoken = spoken || dot.spoken || dot.bracketed
		i = dot.next
	}
	if labels < 2 || b.Len() > 80 {
		return "", 0, false
	}
	return b.String(), end, spoken
}

// readLabel reads one label, joining spelled letters and dashes: "g mail",
// "a c m e", "my dash shop".
func readLabel(s *sentence, i int) (string, int) {
	var b strings.Builder
	for i < len(s.tokens) && b.Len() < 40 {
		t := s.tokens[i]
		if t.kind != word && t.kind != number || strings.Contains(t.low, "'") {
			break
		}
		if t.kind == word && b.Len() > 0 && (dotWords[t.low] || atWords[t.low]) {
			break
		}
		low := t.low
		if digit, ok := digitWord(low); ok && t.kind == word && b.Len() > 0 && low != "o" {
			low = digit
		}
		b.WriteString(low)
		i++
		switch dash := s.low(i); {
		case dash == "dash" || dash == "hyphen" || dash == "minus":
			b.WriteByte('-')
			i++
			continue
		case dash == "-" && i < len(s.tokens) && s.tokens[i].start == t.end:
			b.WriteByte('-')
			i++
			continue
		}
		// A lone letter, "hot" or "out" goes on with the next word.
		if len(low) == 1 && t.kind == word || (low == "hot" || low == "out" || low == "g") && (s.low(i) == "mail" || s.low(i) == "look") {
			continue
		}
		break
	}
	return strings.Trim(b.String(), "-"), i
}

// readLocal reads the local part that ends at token end, backwards. start is
// its first token; extra tells that a word before it might belong to it too.
func (r *run) readLocal(s *sentence, end int) (local string, start int, extra bool) {
	start = end + 1
	joined := true // the next piece to the left is wanted
	for k := end; k >= 0 && len(local) < maxEmailRun/4; k-- {
		t := s.tokens[k]
		if t.kind == punct {
			if len(t.low) != 1 || !strings.Contains("._-+", t.low) || k == 0 || s.tokens[k-1].end != t.start || k < end && s.tokens[k+1].start != t.end {
				break
			}
			local, joined = t.low+local, true
			continue
		}
		if sign := localSign(t.low); sign != "" && local != "" && !joined {
			local, joined = sign+local, true
			continue
		}
		piece := t.low
		letter := len(piece) == 1 && t.kind == word
		if digit, ok := digitWord(piece); ok && t.kind == word && piece != "o" {
			piece, letter = digit, true
		} else if l, ok := natoLetter(t.low); ok && k > 0 && isNato(s.low(k-1)) {
			piece, letter = l, true
		}
		adjacent := k+1 < len(s.tokens) && s.tokens[k+1].start == t.end
		first := local == ""
		switch {
		case first || joined:
		case letter && (s.low(k+1) != "a" || len(s.low(k+1)) == 1) && isLetterOrDigit(s, k+1):
		case t.kind == number && isLetterOrDigit(s, k+1):
		case isLetterOrDigit(s, start) && t.kind == word && !r.d.words.isCommon(t.low) && !functionWords[t.low] && !(len(t.low) == 1):
			// "john two two at": the digits continue the word.
			if _, ok := digitWord(s.low(start)); !ok && s.tokens[start].kind != number {
				return local, start, false
			}
		default:
			return local, start, !adjacent && t.kind == word && len(t.low) > 1 && !functionWords[t.low] && (r.d.words.isGiven(t.low) || r.d.words.isSurname(t.low))
		}
		if strings.Contains(piece, "'") {
			return local, start, false
		}
		if tens := len(piece) == 2 && piece[1] == '0' && t.kind == word && k+1 < len(s.tokens); tens && !joined {
			if unit, ok := digitWord(s.low(k + 1)); ok && len(unit) == 1 {
				piece = piece[:1] // "ninety two"
			}
		}
		local, start, joined = piece+local, k, false
	}
	return local, start, false
}

func localSign(low string) string {
	switch low {
	case "dot", "point", "period", "punkt", "punto":
		return "."
	case "underscore":
		return "_"
	case "dash", "hyphen", "minus":
		return "-"
	case "plus":
		return "+"
	}
	return ""
}

func isLetterOrDigit(s *sentence, k int) bool {
	if k >= len(s.tokens) {
		return false
	}
	t := s.tokens[k]
	if t.kind == number {
		return true
	}
	if _, ok := digitWord(t.low); ok {
		return true
	}
	return t.kind == word && len(t.low) == 1 || isNato(t.low)
}
