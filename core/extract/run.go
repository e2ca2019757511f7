package extract

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/core/match"
)

// Run reads one message. It is deterministic and safe for concurrent use; it
// takes time linear in the message's size and reads at most 256 KB of the
// speaker's own text.
func Run(m Message, s Settings) Result { return RunWith(m, s, NewLocal(s)) }

// RunWith is Run with another validator.
func RunWith(m Message, s Settings, v Validator) Result {
	d := newDocument(&m, &s)
	r := &run{d: d, validator: v, senderEmail: d.sender.Email}
	r.findFacts()
	for _, step := range [...]struct {
		field Field
		find  func()
	}{
		{FieldEmail, r.findEmails},
		{FieldEmail, r.findWrittenOut},
		{FieldPhone, r.findPhones},
		{FieldPhone, r.findSpokenPhones},
		{FieldName, r.findNames},
		{FieldCompany, r.findCompanies},
		{FieldAddress, r.findAddresses},
		{FieldBirthDate, r.findBirthDates},
	} {
		if !s.off(step.field) {
			step.find()
		}
	}
	return Result{Sender: d.sender, Findings: r.settle(), OwnWords: d.ownWords()}
}

// run is the state of one Run: the document is read, findings grow.
type run struct {
	d           *document
	validator   Validator
	senderEmail string
	findings    []Finding
}

// add completes a candidate and files it with its verdict; a reason means that
// it is refused whatever its confidence.
func (r *run) add(f Finding, line int, reason string) {
	if len(r.findings) >= maxFindings {
		return
	}
	s := r.d.settings
	if f.Origin == "" {
		f.Origin = OriginText
		if line >= 0 && line < len(r.d.lines) && r.d.lines[line].kind == signature {
			f.Origin = OriginSignature
		}
	}
	if f.Whose == "" {
		f.Whose = WhoseUnknown
	}
	if f.Sentence == "" && f.Span.End > 0 {
		f.Sentence = r.d.sentenceAround(f.Span)
	}
	switch {
	case reason != "":
		f.Verdict, f.Reason = Rejected, reason
	case f.Confidence >= s.accept(f.Field):
		f.Verdict = Accepted
	case f.Confidence >= s.suggest():
		f.Verdict = Suggested
	default:
		f.Verdict = Rejected
	}
	if f.Verdict != Rejected {
		if v, why := r.validator.Check(f, f.Sentence); weaker(v, f.Verdict) {
			f.Verdict, f.Reason = v, why
		}
	}
	if f.Verdict == Accepted && f.Whose == WhoseOther && f.Origin == OriginText && (r.d.message.Channel == Email || r.isKin(f.Span.Start)) {
		f.Verdict, f.Reason = Suggested, "another person's"
	}
	if f.Verdict != Accepted && f.Reason == "" {
		f.Reason = "not sure enough"
	}
	r.findings = append(r.findings, f)
}

func weaker(a, b Verdict) bool { return rank(a) > rank(b) }

func rank(v Verdict) int {
	switch v {
	case Accepted:
		return 0
	case Suggested:
		return 1
	}
	return 2
}

// findFacts files what the channel and its form say, before any text is read.
func (r *run) findFacts() {
	s := r.d.sender
	if s.Email != "" && !r.d.settings.off(FieldEmail) {
		r.add(Finding{Field: FieldEmail, Value: s.Email, Normal: s.Email, Origin: OriginHeader, Detector: "sender", Confidence: 1, Whose: WhoseSpeaker, Stated: true}, -1, "")
	}
	if s.Phone != "" && !r.d.settings.off(FieldPhone) {
		r.add(Finding{Field: FieldPhone, Value: s.Phone, Normal: s.Phone, Extension: s.Extension, Origin: OriginChannel, Detector: "sender", Confidence: 1, Whose: WhoseSpeaker, Stated: true}, -1, "")
	}
	form := r.d.message.PreChat
	if email, ok := match.Email(form.Email); ok && !r.d.settings.off(FieldEmail) && !r.d.settings.IsOwn(email) && !match.IsNoReply(email) {
		r.add(Finding{Field: FieldEmail, Value: form.Email, Normal: email, Origin: OriginPreChat, Detector: "form", Confidence: 1, Whose: WhoseSpeaker, Stated: true}, -1, "")
	}
	if n, ok := match.Phone(form.Phone, r.d.settings.Region); ok && !r.d.settings.off(FieldPhone) && !r.d.isOwnNumber(n.E164) {
		r.add(Finding{Field: FieldPhone, Value: form.Phone, Normal: n.E164, Extension: n.Extension, Origin: OriginPreChat, Detector: "form", Confidence: 1, Whose: WhoseSpeaker, Stated: true}, -1, "")
	}
}

// settle orders the findings and joins what was found twice.
func (r *run) settle() []Finding {
	fieldOrder := Fields()
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(fieldOrder, a.Field), slices.Index(fieldOrder, b.Field)), cmp.Compare(rank(a.Verdict), rank(b.Verdict)), cmp.Compare(a.Span.Start, b.Span.Start))
	})
	var out []Finding
	for _, f := range r.findings {
		if i := slices.IndexFunc(out, func(o Finding) bool { return o.Field == f.Field && o.Normal == f.Normal && o.Normal != "" }); i >= 0 {
			out[i].Stated = out[i].Stated || f.Stated
			if out[i].Whose == WhoseUnknown {
				out[i].Whose = f.Whose
			}
			continue
		}
		out = append(out, f)
	}
	return out
}

// sentenceAround gives the words a value stands in, for the reviewer (R147).
func (d *document) sentenceAround(s Span) string {
	const reach = 120
	from, to := max(0, s.Start-reach), min(len(d.text), s.End+reach)
	for i := s.Start - 1; i >= from; i-- {
		if c := d.text[i]; c == '\n' || (c == '.' || c == '!' || c == '?') && i+1 < s.Start && d.text[i+1] == ' ' {
			from = i + 1
			break
		}
	}
	if i := strings.IndexAny(d.text[s.End:to], "\n!?"); i >= 0 {
		to = s.End + i + 1
	}
	return strings.ToValidUTF8(strings.TrimSpace(d.text[from:to]), "")
}
