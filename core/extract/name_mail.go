package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
)

// mailNames adds what a mail says of its author outside sentences: the header,
// the signature, the local part of the address.
func (r *run) mailNames(found []nameCandidate) []nameCandidate {
	header, hasHeader := r.headerName()
	signed, hasSigned := r.signedName(header)
	switch {
	case hasHeader && hasSigned:
		found = append(found, reconcile(header, signed)...)
	case hasHeader:
		found = append(found, header)
	case hasSigned:
		if local, ok := r.localPartName(); ok && completes(signed.person, local.person) && match.NamesAgree(signed.first, signed.last, local.first, local.last) == match.Agree {
			signed.last = local.last
		}
		found = append(found, signed)
	default:
		if local, ok := r.localPartName(); ok {
			found = append(found, local)
		}
	}
	// A mail's author is known from outside his sentences, so a phrase inside
	// that says otherwise speaks of somebody else more often than not.
	if hasHeader || hasSigned {
		known := found[len(found)-1]
		for i := range found[:len(found)-1] {
			if c := &found[i]; c.origin == OriginText && match.NamesAgree(known.first, known.last, c.first, c.last) != match.Agree {
				c.confidence = min(c.confidence, 0.6)
			}
		}
	}
	return found
}

func (r *run) headerName() (nameCandidate, bool) {
	s := r.d.sender
	if s.First == "" && s.Last == "" {
		return nameCandidate{}, false
	}
	p := person{first: s.First, last: dropInitials(s.Last)}
	p.first = dropInitials(p.first)
	return nameCandidate{person: p, origin: OriginHeader, detector: "name.header", confidence: 0.95, line: -1}, true
}

// dropInitials leaves middle initials out, but not a name that is one.
func dropInitials(s string) string {
	fields := strings.Fields(s)
	kept := fields[:0]
	for i, f := range fields {
		if len([]rune(strings.Trim(f, "."))) == 1 && (i > 0 || len(fields) > 1) {
			continue
		}
		kept = append(kept, f)
	}
	return strings.Join(kept, " ")
}

// signedName reads the name line of the signature: among its first lines, or
// at the end of the closing line ("Thanks, Ann").
func (r *run) signedName(header nameCandidate) (nameCandidate, bool) {
	var best nameCandidate
	seen := 0
	for i, l := range r.d.lines {
		if l.kind != signature || r.d.blank(i) {
			continue
		}
		if seen++; seen > 4 {
			break
		}
		if c, ok := r.nameLine(i); ok {
			if agreesWithSender(r.d.sender, c.person) && !c.lower {
				c.confidence = max(c.confidence, 0.93)
			}
			if seen > 1 && c.confidence < 0.9 {
				c.confidence = min(c.confidence, 0.6)
			}
			if best.confidence < c.confidence {
				best = c
			}
		}
	}
	if best.confidence == 0 {
		return r.closingLine(header)
	}
	return best, true
}

// nameLine reads one line of a signature as a name, maybe with a nickname or
// handle, a title or a company after it.
func (r *run) nameLine(i int) (nameCandidate, bool) {
	l := r.d.lines[i]
	from, to := l.start, l.end
	for from < to && strings.IndexByte(" \t-*~_=/|", r.d.text[from]) >= 0 {
		from++
	}
	for _, cut := range [...]string{"\t", "  ", " - ", " – ", " — ", " | ", ", ", " / ", " ("} {
		if k := strings.Index(r.d.text[from:to], cut); k > 0 && !(cut == "  " && len(strings.Fields(r.d.text[from:to])) <= 3) {
			to = from + k
		}
	}
	for to > from && strings.IndexByte(" \t-*~_.,!;", r.d.text[to-1]) >= 0 {
		to--
	}
	if to-from < 2 || to-from > 60 {
		return nameCandidate{}, false
	}
	tokens := tokenize(r.d.text, r.d.low, from, to, nil)
	if len(tokens) > 9 {
		return nameCandidate{}, false
	}
	p, ok := readPerson(r.d.text, r.d.words, tokens, 0, true)
	if !ok {
		p, ok = readPerson(r.d.text, r.d.words, tokens, 0, false)
	}
	if !ok || p.next < len(tokens) || p.possessive || looksLikeCompany(p) || isCloser(strings.ToLower(p.full())) {
		return nameCandidate{}, false
	}
	c := nameCandidate{person: p, origin: OriginSignature, detector: "name.signature", line: i, confidence: 0.6}
	ordinary := r.d.words.isCommon(p.words[0].low) && !p.given
	switch {
	case ordinary:
		return c, false
	case p.lower:
		c.confidence = 0.6
		if !p.known && !agreesWithSender(r.d.sender, p) {
			c.confidence = 0.52
		}
	case p.given:
		c.confidence = 0.92
	case p.known:
		c.confidence = 0.85
	}
	return c, true
}

// closingLine reads "Thanks, Ann" or "- Ann" in the last own line.
func (r *run) closingLine(header nameCandidate) (nameCandidate, bool) {
	i := r.d.lastOwn()
	if i < 0 {
		return nameCandidate{}, false
	}
	c, ok := r.closing(i)
	if ok && header.first != "" && agreesWithSender(r.d.sender, c.person) {
		c.confidence = 0.93
	}
	return c, ok
}

// closing reads a name after a closing phrase or a dash at the end of a line.
func (r *run) closing(i int) (nameCandidate, bool) {
	l := r.d.lines[i]
	low := r.d.low[l.start:l.end]
	at := -1
	for _, mark := range [...]string{",", ".", "!", "-", "–", "—", " "} {
		k := strings.LastIndex(strings.TrimRight(low, " .!"), mark)
		if k < 0 {
			continue
		}
		head := low[:k]
		if j := strings.LastIndexAny(strings.TrimRight(head, " .!,-"), ".!?;,-"); j >= 0 && !isCloser(head) {
			head = head[j+1:]
		}
		if isCloser(head) || strings.Trim(mark, "-–—") == "" && strings.TrimSpace(low[:k]) == "" {
			at = l.start + k + len(mark)
			break
		}
	}
	if at < 0 {
		return nameCandidate{}, false
	}
	tokens := tokenize(r.d.text, r.d.low, at, l.end, nil)
	if len(tokens) == 0 || len(tokens) > 5 {
		return nameCandidate{}, false
	}
	p, ok := readPerson(r.d.text, r.d.words, tokens, 0, true)
	if !ok || p.possessive || !p.given || r.d.words.isCommon(p.words[0].low) && len(p.words) == 1 {
		return nameCandidate{}, false
	}
	for _, t := range tokens[p.next:] {
		if t.kind != punct {
			return nameCandidate{}, false
		}
	}
	// "Thanks, Sasha" thanks somebody: the addressee of our agents' names, or
	// the writer; alone on the last line it is the writer.
	if rest := strings.TrimSpace(r.d.text[l.start:p.start]); i == 0 && len(r.d.spans) == 1 && !strings.HasPrefix(rest, "-") && len(rest) < 12 {
		return nameCandidate{}, false
	}
	return nameCandidate{person: p, origin: OriginSignature, detector: "name.closing", confidence: 0.85, line: i}, true
}

// signOff reads the closing of a chat or text message: "Thanks! - Ann", or a
// closing phrase and a name on lines of their own.
func (r *run) signOff(found []nameCandidate) []nameCandidate {
	i := r.d.lastOwn()
	if i < 0 || len(r.d.message.Turns) > 0 {
		return found
	}
	if c, ok := r.closing(i); ok {
		return append(found, c)
	}
	before := i - 1
	for before >= 0 && r.d.blank(before) {
		before--
	}
	if before < 0 || r.d.lines[before].kind != own || !isCloser(strings.ToLower(r.d.trimmed(before))) {
		return found
	}
	l := r.d.lines[i]
	p, ok := readLoneName(r.d.words, r.d.text[l.start:l.end])
	if !ok || !p.given || p.lower {
		return found
	}
	p.start, p.end = p.start+l.start, p.end+l.start
	return append(found, nameCandidate{person: p, origin: OriginSignature, detector: "name.closing", confidence: 0.9, line: i})
}

// reconcile joins header and signature. A lone header word is completed by the
// signature, a full one wins over it, and a contradiction is left to a human.
func reconcile(header, signed nameCandidate) []nameCandidate {
	agreement := match.NamesAgree(header.first, header.last, signed.first, signed.last)
	fullHeader := header.first != "" && header.last != ""
	fullSigned := signed.first != "" && signed.last != ""
	switch {
	case fullHeader && agreement != match.Conflict:
		return []nameCandidate{header}
	case fullHeader:
		signed.confidence = min(signed.confidence, 0.6)
		return []nameCandidate{signed, header}
	case fullSigned && signed.confidence >= 0.8:
		return []nameCandidate{signed}
	case header.last != "" && header.first == "" && signed.last == "" && signed.first != "" && !signed.lower:
		signed.last = header.last
		return []nameCandidate{signed}
	case agreement == match.Conflict && signed.confidence < header.confidence:
		signed.confidence = min(signed.confidence, 0.6)
		return []nameCandidate{signed, header}
	}
	return []nameCandidate{signed, header}
}

// localPartName reads ann.lee@ when both halves can be names.
func (r *run) localPartName() (nameCandidate, bool) {
	local, _, ok := strings.Cut(r.d.sender.Email, "@")
	if !ok || r.d.sender.Role {
		return nameCandidate{}, false
	}
	local, _, _ = strings.Cut(local, "+")
	parts := strings.FieldsFunc(local, func(c rune) bool { return c == '.' || c == '_' })
	var kept []string
	for _, p := range parts {
		if len(p) > 1 {
			kept = append(kept, p)
		}
	}
	if len(kept) != 2 || strings.ContainsAny(kept[0]+kept[1], "0123456789") || !r.d.words.isGiven(kept[0]) || officeWords[kept[1]] {
		return nameCandidate{}, false
	}
	p := person{first: properCase(kept[0]), last: properCase(kept[1])}
	confidence := 0.7
	if r.d.words.isSurname(kept[1]) {
		confidence = 0.78
	}
	return nameCandidate{person: p, origin: OriginHeader, detector: "name.local_part", confidence: confidence, line: -1}, true
}
