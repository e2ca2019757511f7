package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
)

// signatureCompany reads the company from the lines of a signature: one with a
// legal form, one that the mail domain confirms, what stands behind a job
// title.
func (r *run) signatureCompany() {
	label := squeeze(r.domainLabel())
	afterTitle, lines := false, 0
	var found []Finding
	best := 0.0
	for i, l := range r.d.lines {
		if l.kind != signature || r.d.blank(i) {
			continue
		}
		if lines++; lines > maxSignatureLines {
			break
		}
		for _, p := range columns(r.d.text, l.start, l.end) {
			name, confidence := r.companyColumn(p, label, afterTitle, lines)
			if confidence > 0 {
				best = max(best, confidence)
				found = append(found, Finding{Field: FieldCompany, Value: name, Normal: match.CompanyKey(name), Detector: "company.signature", Confidence: confidence,
					Origin: OriginSignature, Span: Span{p.start, p.end}, Whose: WhoseSpeaker, Stated: true})
			}
		}
		afterTitle = r.hasRole(r.d.trimmed(i))
	}
	for _, f := range found {
		if f.Confidence < best { // a department, a partner: one company is the sender's
			f.Confidence = min(f.Confidence, 0.6)
		}
		r.add(f, -1, "")
	}
}

// columns cuts a signature line at tabs, wide gaps, bars and bullets.
func columns(text string, start, end int) []window {
	var out []window
	from := start
	flush := func(to int) {
		f := from
		for f < to && strings.IndexByte(" \t|,-*.", text[f]) >= 0 {
			f++
		}
		for to > f && strings.IndexByte(" \t|,-*", text[to-1]) >= 0 {
			to--
		}
		if to > f {
			out = append(out, window{f, to})
		}
	}
	for i := start; i < end; i++ {
		wide := text[i] == '\t' || text[i] == '|' || strings.HasPrefix(text[i:end], "   ") || strings.HasPrefix(text[i:end], "•") || strings.HasPrefix(text[i:end], "·") || strings.HasPrefix(text[i:end], " - ") || strings.HasPrefix(text[i:end], " / ")
		if wide {
			flush(i)
			from = i + 1
			for from < end && text[from]&0xc0 == 0x80 {
				from++
			}
		}
	}
	flush(end)
	return out
}

// companyColumn judges one column of a signature line.
func (r *run) companyColumn(p window, label string, afterTitle bool, lines int) (string, float64) {
	text := r.d.text[p.start:p.end]
	low := r.d.low[p.start:p.end]
	if len(text) > 70 || strings.ContainsAny(text, "@:?!") || strings.Contains(low, "www.") || len(onlyDigits(text)) > 4 {
		return "", 0
	}
	// "Vice President, Acme Holdings"
	if head, rest, ok := strings.Cut(text, ","); ok && r.hasRole(strings.ToLower(head)) {
		rest = strings.TrimSpace(rest)
		if !r.hasRole(strings.ToLower(rest)) && startsUpper(rest) && !r.isPlace(rest) {
			return rest, 0.87
		}
		return "", 0
	}
	for _, mark := range [...]string{" at ", " @ ", " bei "} {
		if head, rest, ok := strings.Cut(text, mark); ok && r.hasRole(strings.ToLower(head)) && startsUpper(rest) {
			return strings.TrimSpace(rest), 0.87
		}
	}
	if !startsUpper(text) && !isDigit(text[0]) || len(strings.Fields(text)) > maxCompanyWords {
		return "", 0
	}
	switch key := squeeze(text); {
	case r.endsLegal(text):
		if k := strings.LastIndexByte(text, ','); k > 0 { // "Customer Care, Acme Corp", but "Acme, Inc."
			if rest := strings.TrimSpace(text[k+1:]); r.endsLegal(rest) {
				return rest, 0.93
			}
		}
		return text, 0.93
	case r.hasRole(low) && !r.kindWord(text) || isCloser(low):
		return "", 0
	case strings.ContainsAny(text, "0123456789"):
		return "", 0
	case agreesWithSender(r.d.sender, wordsOf(text)):
		return "", 0
	case label != "" && len(label) >= 3 && (strings.HasPrefix(key, label) || label == initials(text) || len(key) >= 5 && strings.HasPrefix(label, key)):
		return text, 0.9
	case r.kindWord(text) && lines > 1:
		return text, 0.83
	case afterTitle && !r.isPlace(text) && capitalWords(text) && len(strings.Fields(text)) >= 2:
		return text, 0.6
	}
	return "", 0
}

func (r *run) hasRole(low string) bool {
	for _, w := range strings.FieldsFunc(low, func(c rune) bool { return c == ' ' || c == ',' || c == '/' || c == '&' || c == '.' || c == '-' }) {
		if r.d.words.company.role[w] {
			return true
		}
	}
	return false
}

func startsUpper(s string) bool {
	t := tokenize(s, lowerASCII(s), 0, len(s), nil)
	return len(t) > 0 && t[0].kind == word && t[0].capital != lowerCase
}

func capitalWords(s string) bool {
	for _, t := range tokenize(s, lowerASCII(s), 0, len(s), nil) {
		if t.kind == word && t.capital == lowerCase && len(t.low) > 3 {
			return false
		}
	}
	return true
}

func wordsOf(s string) person {
	return person{words: tokenize(s, lowerASCII(s), 0, len(s), nil)}
}

func squeeze(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(match.CompanyKey(s), " ", ""), "and", "")
}

func initials(s string) string {
	var b strings.Builder
	for _, w := range strings.Fields(match.CompanyKey(s)) {
		b.WriteByte(w[0])
	}
	return b.String()
}
