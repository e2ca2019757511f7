package extract

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/core/match"
)

// Bounds of an inquiry: what a second opinion is asked about one message.
const (
	maxAsked     = 20   // candidates
	maxSentences = 12   // of the speaker's own words
	maxAskedText = 4000 // bytes of them
)

// Inquiry is what an assistant outside is asked about one message: the unsure
// band of its findings, and the few sentences that are needed to judge them or
// that may hold what the rules missed. Addresses and numbers in the sentences
// are masked unless they are asked about.
type Inquiry struct {
	Sentences  []string `json:"sentences"`
	Candidates []Asked  `json:"candidates"`
}

// Asked is one finding of the unsure band.
type Asked struct {
	ID    int    `json:"id"`
	Field Field  `json:"field"`
	Value string `json:"value"`
	// Sentence is the index of the sentence that the value stands in.
	Sentence int `json:"sentence"`

	finding int // its index in the result
}

// Empty says that there is nothing to ask.
func (q Inquiry) Empty() bool { return len(q.Candidates) == 0 && len(q.Sentences) == 0 }

// Inquire makes the inquiry about a result; the same result gives the same one.
// Needed are only its findings and own words, so a stored run will do.
func Inquire(r Result, s Settings) Inquiry {
	b := inquiry{result: r, settings: s}
	for i, f := range r.Findings {
		if f.Verdict != Suggested || f.Whose == WhoseOther || s.off(f.Field) || len(b.q.Candidates) == maxAsked {
			continue
		}
		if f.Value != "" && asWritten(f) != "" { // else a mail domain: no text to judge it by
			b.ask(i, f)
		}
	}
	for _, sentence := range sentencesOf(r.OwnWords) {
		if b.lacksSomething(sentence) {
			b.sentence(sentence)
		}
	}
	return b.q
}

// inquiry is an Inquiry in the making.
type inquiry struct {
	q        Inquiry
	result   Result
	settings Settings
	bytes    int
}

func (b *inquiry) ask(index int, f Finding) {
	if at := b.sentence(f.Sentence); at >= 0 {
		b.q.Candidates = append(b.q.Candidates, Asked{ID: len(b.q.Candidates) + 1, Field: f.Field, Value: asWritten(f), Sentence: at, finding: index})
	}
}

// asWritten is a finding's value as its sentence has it: the value of a name in
// lower case has capitals. Empty when it doesn't stand there.
func asWritten(f Finding) string {
	i := strings.Index(lowerASCII(f.Sentence), lowerASCII(f.Value))
	if i < 0 {
		return ""
	}
	return f.Sentence[i : i+len(f.Value)]
}

// sentence adds a sentence once and gives its index, -1 when there is no room.
func (b *inquiry) sentence(text string) int {
	text = b.mask(text)
	if i := slices.Index(b.q.Sentences, text); i >= 0 {
		return i
	}
	if len(b.q.Sentences) == maxSentences || b.bytes+len(text) > maxAskedText {
		return -1
	}
	b.bytes += len(text)
	b.q.Sentences = append(b.q.Sentences, text)
	return len(b.q.Sentences) - 1
}

// mask takes the addresses and numbers that the rules are sure of out of a
// sentence: the assistant has no need of them.
func (b *inquiry) mask(text string) string {
	for _, f := range b.result.Findings {
		if (f.Field == FieldEmail || f.Field == FieldPhone) && f.Verdict != Suggested && f.Value != "" {
			text = strings.ReplaceAll(text, f.Value, "‹"+string(f.Field)+"›")
		}
	}
	return text
}

// lacksSomething: the sentence speaks of who the speaker is or works for, and
// the rules found no such thing in the whole message.
func (b *inquiry) lacksSomething(sentence string) bool {
	low := strings.ToLower(sentence)
	for _, gap := range [...]struct {
		field Field
		cues  []string
	}{{FieldName, nameCues}, {FieldCompany, companyCues}} {
		if b.settings.off(gap.field) || slices.ContainsFunc(b.result.Findings, func(f Finding) bool {
			return f.Field == gap.field && f.Verdict == Accepted && f.Whose != WhoseOther
		}) {
			continue
		}
		if slices.ContainsFunc(gap.cues, func(cue string) bool { return hasWord(low, cue) }) {
			return true
		}
	}
	return false
}

// The words at which somebody may be saying who he is, or for whom he works.
var (
	nameCues    = []string{"name", "named", "called", "i'm", "i am", "this is", "speaking", "signed", "heiße", "m'appelle", "llamo", "chiamo"}
	companyCues = []string{"company", "work", "works", "working", "firm", "business", "behalf", "represent", "our", "we're", "we at", "we are", "office", "team", "shop", "store", "agency", "studio", "firma", "entreprise", "empresa", "azienda"}
)

// sentencesOf cuts own words at line ends and sentence marks.
func sentencesOf(own string) []string {
	var out []string
	for line := range strings.Lines(own) {
		for rest := strings.TrimSpace(line); rest != ""; {
			end := sentenceEnd(rest)
			out = append(out, strings.TrimSpace(rest[:end]))
			rest = strings.TrimSpace(rest[end:])
		}
	}
	return out
}

func sentenceEnd(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if (s[i] == '.' || s[i] == '!' || s[i] == '?') && s[i+1] == ' ' && i > 3 {
			return i + 1
		}
	}
	return len(s)
}

// Ruling is what became of one thing that an assistant said.
type Ruling struct {
	// Outcome is raised, kept, vetoed, unsure, proposed or refused.
	Outcome Outcome `json:"outcome"`
	Finding Finding `json:"finding"`
	// Reason is the assistant's, or why its word did not count.
	Reason string `json:"reason,omitempty"`
}

// Outcome is what an assistant's word came to.
type Outcome string

// The outcomes: a confirmed suggestion is raised to accepted, or kept as the
// suggestion it was where a rule forbids more; a vetoed one is rejected; what
// was proposed is a suggestion, or refused.
const (
	OutcomeRaised   Outcome = "raised"
	OutcomeKept     Outcome = "kept"
	OutcomeVetoed   Outcome = "vetoed"
	OutcomeUnsure   Outcome = "unsure"
	OutcomeProposed Outcome = "proposed"
	OutcomeRefused  Outcome = "refused"
)

// Weigh applies an opinion on the inquiry about r. The opinion can't invent: a
// proposal whose words don't stand in the speaker's own, that the rules refused,
// or that a list forbids is refused. It can't write an identifier, nor a name in
// lower case (R121): those stay suggestions.
func Weigh(r Result, s Settings, q Inquiry, o Opinion) []Ruling {
	var rulings []Ruling
	for _, v := range o.Verdicts {
		i := slices.IndexFunc(q.Candidates, func(a Asked) bool { return a.ID == v.ID })
		if i < 0 {
			continue // ReadOpinion lets none through
		}
		rulings = append(rulings, judge(r.Findings[q.Candidates[i].finding], v))
	}
	for _, p := range o.Proposals {
		rulings = append(rulings, propose(r, s, p))
	}
	return rulings
}

func judge(f Finding, v OpinionVerdict) Ruling {
	switch {
	case v.Verdict == OpinionUnsure:
		return Ruling{OutcomeUnsure, f, v.Reason}
	case v.Verdict == OpinionVeto:
		f.Verdict, f.Reason = Rejected, "vetoed: "+v.Reason
		return Ruling{OutcomeVetoed, f, v.Reason}
	case f.Field == FieldEmail || f.Field == FieldPhone:
		return Ruling{OutcomeKept, f, "an identifier is never written on an opinion"}
	case f.Field == FieldName && isLower(asWritten(f)):
		return Ruling{OutcomeKept, f, "a name in lower case stays a suggestion"}
	}
	f.Verdict, f.Reason = Accepted, ""
	return Ruling{OutcomeRaised, f, v.Reason}
}

// isLower: letters in a script with case, and no capital among them.
func isLower(s string) bool { return strings.ToLower(s) == s && strings.ToUpper(s) != s }

// propose checks a value that the rules missed.
func propose(r Result, s Settings, p Proposal) Ruling {
	f := Finding{Field: p.Field, Value: p.Value, Detector: "assistant", Verdict: Suggested, Whose: WhoseSpeaker}
	refuse := func(why string) Ruling {
		f.Verdict, f.Reason = Rejected, why
		return Ruling{OutcomeRefused, f, why}
	}
	if s.off(p.Field) {
		return refuse("the tenant doesn't extract this field")
	}
	at := wordsAt(r.OwnWords, p.Value)
	if at < 0 {
		return refuse("these words don't stand in the speaker's own text")
	}
	d := newDocument(&Message{Channel: Chat, Text: r.OwnWords}, &s)
	w := &run{d: d, validator: NewLocal(s)}
	f.Span, f.Sentence = Span{at, at + len(p.Value)}, sentenceOf(r.OwnWords, at)
	switch p.Field {
	case FieldName:
		person, ok := readLoneName(d.words, p.Value)
		if !ok {
			return refuse("this is no name")
		}
		f.First, f.Last, f.Normal = person.first, person.last, strings.ToLower(person.full())
		if w.isAgent(person.first, person.last) {
			return refuse("one of our own people")
		}
	case FieldCompany:
		f.Normal = match.CompanyKey(p.Value)
		if w.isPlace(p.Value) {
			return refuse("a place")
		}
	}
	for _, known := range r.Findings {
		switch {
		case known.Field != f.Field || known.Normal != f.Normal:
		case known.Verdict == Rejected:
			return refuse("the rules refused it: " + known.Reason)
		default:
			return refuse("the rules found it already")
		}
	}
	if w.isKin(at) {
		return refuse("said of another person")
	}
	if verdict, why := w.validator.Check(f, f.Sentence); verdict == Rejected {
		return refuse(why)
	}
	f.Confidence, f.Reason = s.suggest(), p.Reason
	return Ruling{OutcomeProposed, f, p.Reason}
}

// wordsAt finds value in text as it is written, on word borders; -1 when it
// doesn't stand there.
func wordsAt(text, value string) int {
	for from := 0; value != ""; {
		i := strings.Index(text[from:], value)
		if i < 0 {
			return -1
		}
		i += from
		if borders(text, i, i+len(value)) {
			return i
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		from = i + n
	}
	return -1
}

func borders(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	return (from == 0 || !isWordRune(before)) && (to == len(text) || !isWordRune(after))
}

func sentenceOf(text string, at int) string {
	for _, s := range sentencesOf(text) {
		if i := strings.Index(text, s); i >= 0 && i <= at && at < i+len(s) {
			return s
		}
	}
	return ""
}
