package extract

import "strings"

// Validator gives a second opinion on a candidate (R117): it may confirm what
// the detectors found or lower it, with a reason a person can read. It can't
// raise a verdict, and what the detectors refused is never asked.
type Validator interface {
	// Check judges a candidate in the sentence it stands in.
	Check(candidate Finding, context string) (verdict Verdict, reason string)
}

// Local is the built-in validator: word lists and features, no network, the
// same answer each time.
type Local struct{ words *lexicon }

// NewLocal makes the built-in validator with a tenant's own lists.
func NewLocal(s Settings) Local { return Local{words: lexiconFor(&s)} }

var _ Validator = Local{}

// Check vetoes names that are taught false positives or ordinary words, names
// and companies that are a place, and values that stand between quotation marks
// after somebody's "said".
func (l Local) Check(c Finding, context string) (Verdict, string) {
	switch c.Field {
	case FieldName:
		return l.checkName(c)
	case FieldCompany:
		if _, country := l.words.countries[strings.ToLower(c.Value)]; country {
			return Rejected, "a country"
		}
	case FieldEmail, FieldPhone:
		if c.Origin == OriginText && saidByAnother(context, c.Value) {
			return Suggested, "somebody else's words"
		}
	}
	return c.Verdict, ""
}

func (l Local) checkName(c Finding) (Verdict, string) {
	words := tokenize(c.Value, lowerASCII(c.Value), 0, len(c.Value), nil)
	for _, t := range words {
		if _, notName := l.words.taught(t.low); notName {
			return Rejected, "taught as no name"
		}
	}
	if len(words) != 1 || c.Origin != OriginText {
		return c.Verdict, ""
	}
	low := words[0].low
	if name, _ := l.words.taught(low); name || l.words.isGiven(low) && !functionWords[low] {
		return c.Verdict, ""
	}
	if functionWords[low] || hasOrdinaryEnding(low) {
		return Rejected, "an ordinary word"
	}
	return c.Verdict, ""
}

// saidByAnother knows a quotation: he said "call 416…".
func saidByAnother(context, value string) bool {
	at := strings.Index(context, value)
	if at < 0 {
		return false
	}
	before := strings.ToLower(context[:at])
	quote := strings.LastIndexAny(before, "\"“")
	if quote < 0 {
		return false
	}
	lead := strings.TrimRight(before[:quote], " :,")
	return strings.HasSuffix(lead, " said") || strings.HasSuffix(lead, " wrote") || strings.HasSuffix(lead, " told me") || strings.HasSuffix(lead, " says")
}
