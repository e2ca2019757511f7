package extract

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

// Check vetoes names that are ordinary words or taught false positives.
func (l Local) Check(c Finding, _ string) (Verdict, string) {
	if c.Field != FieldName {
		return c.Verdict, ""
	}
	for _, w := range [...]string{c.First, c.Last} {
		tokens := tokenize(w, lowerASCII(w), 0, len(w), nil)
		for _, t := range tokens {
			if _, notName := l.words.taught(t.low); notName {
				return Rejected, "taught as no name"
			}
		}
		if len(tokens) > 0 && c.Last == "" && functionWords[tokens[0].low] {
			return Rejected, "an ordinary word"
		}
	}
	return c.Verdict, ""
}
