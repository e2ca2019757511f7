package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
	"github.com/nyaruka/phonenumbers/v2"
)

// maxPhoneWindows bounds how many stretches of digits a run looks at.
const maxPhoneWindows = 400

// findPhones runs the number matcher over the stretches that hold enough
// digits, and a second reading for numbers glued to words.
func (r *run) findPhones() {
	windows := 0
	for _, span := range r.d.spans {
		for _, w := range digitWindows(r.d.text[span.start:span.end], maxPhoneWindows-windows) {
			windows++
			r.phonesIn(span.start+w.start, span.start+w.end, span.line)
		}
	}
}

// window is a stretch of bytes.
type window struct{ start, end int }

// Sizes of the stretches given to the matcher: a number has 7 digits at least
// and rarely more than two strange characters between digits.
const (
	minPhoneDigits = 7
	maxDigitGap    = 12
	windowMargin   = 24
	maxWindow      = 400
)

// digitWindows finds stretches of text with at least seven digits close
// together, each with some text around it, in one pass.
func digitWindows(text string, limit int) []window {
	var out []window
	start, last, digits := -1, -1, 0
	flush := func() {
		if start >= 0 && digits >= minPhoneDigits && len(out) < limit {
			from, to := max(0, start-windowMargin), min(len(text), last+1+windowMargin)
			if n := len(out); n > 0 && from < out[n-1].end {
				from = out[n-1].end
			}
			if from < start+1 {
				out = append(out, window{alignRune(text, from), alignRune(text, to)})
			}
		}
		start, last, digits = -1, -1, 0
	}
	for i := 0; i < len(text) && len(out) < limit; i++ {
		if !isDigit(text[i]) {
			continue
		}
		if start >= 0 && (i-last > maxDigitGap || i-start > maxWindow) {
			flush()
		}
		if start < 0 {
			start = i
		}
		last = i
		digits++
	}
	flush()
	return out
}

func alignRune(text string, i int) int {
	for i > 0 && i < len(text) && text[i]&0xc0 == 0x80 {
		i--
	}
	return i
}

func (r *run) phonesIn(start, end, line int) {
	text := r.d.text[start:end]
	region := r.d.settings.Region
	for m := range phonenumbers.FindNumbersWithLeniency(text, region, phonenumbers.VALID, 40) {
		e164 := phonenumbers.Format(m.Number(), phonenumbers.E164)
		r.addPhone(start+m.Start(), start+m.End(), m.RawString(), match.Number{E164: e164, Extension: m.Number().GetExtension()}, "phone.matcher", 0.97, line)
	}
}

func (r *run) addPhone(start, end int, raw string, n match.Number, detector string, confidence float64, line int) {
	f := Finding{Field: FieldPhone, Value: raw, Normal: n.E164, Extension: n.Extension, Detector: detector, Confidence: confidence, Span: Span{start, end}}
	reason := ""
	switch {
	case r.d.isOwnNumber(n.E164):
		reason = "the tenant's own number"
	case r.isIdentifierOfAThing(start):
		reason = "follows a word for an order, card or account"
	}
	f.Whose, f.Stated = r.owner(start, end, FieldPhone)
	r.add(f, line, reason)
}

// thingWords name what has a number and is no phone.
var thingWords = setOf("order invoice reference ref case ticket account acct tracking serial imei policy po card iban ssn isbn sku vin booking reservation confirmation transaction customer member membership passport license licence plate zip postcode code pin id nr part model item rechnung bestellung kundennummer facture commande pedido factura ordine")

// isIdentifierOfAThing looks at the three words before a number.
func (r *run) isIdentifierOfAThing(start int) bool {
	before := r.d.low[max(0, start-40):start]
	if i := strings.LastIndexAny(before, ".!?\n;"); i >= 0 && !strings.HasSuffix(before, "no.") && !strings.HasSuffix(strings.TrimSpace(before), ".") {
		before = before[i+1:]
	}
	fields := strings.FieldsFunc(before, func(c rune) bool { return c == ' ' || c == ':' || c == '#' || c == '.' || c == '\t' || c == ',' })
	if len(fields) > 3 {
		fields = fields[len(fields)-3:]
	}
	for k, w := range fields {
		switch w {
		case "phone", "tel", "telephone", "mobile", "cell", "call", "text", "fax", "reach", "dial", "handy", "whatsapp":
			return false
		}
		if thingWords[w] {
			for _, later := range fields[k+1:] {
				switch later {
				case "phone", "tel", "mobile", "cell", "call", "and", "or", "at", "on", "please", "to":
					return false
				}
			}
			return true
		}
	}
	return false
}
