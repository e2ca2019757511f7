package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
	"github.com/nyaruka/phonenumbers/v2"
)

// What a run spends on the number matcher at most: it is the slowest reader,
// and a person gives a handful of numbers. Longer lists are read in part.
const (
	maxPhoneWindows = 150
	maxPhoneBytes   = 16 << 10
)

// findPhones runs the number matcher over the stretches that hold enough
// digits, and a second reading for numbers glued to words.
func (r *run) findPhones() {
	windows, bytes := 0, 0
	for _, span := range r.d.spans {
		r.vanityPhones(span)
		for _, w := range digitWindows(r.d.text[span.start:span.end], maxPhoneWindows-windows) {
			windows++
			if bytes += w.end - w.start; bytes > maxPhoneBytes {
				return
			}
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
	windowMargin   = 10
	maxWindow      = 400
)

// digitWindows finds stretches of text with at least seven digits close
// together, each with some text around it up to its neighbours' digits, in one
// pass.
func digitWindows(text string, limit int) []window {
	var out []window
	start, last, digits, before := -1, -1, 0, 0
	flush := func(next int) {
		if start >= 0 && digits >= minPhoneDigits {
			from, to := max(before, start-windowMargin), min(next, last+1+windowMargin)
			out = append(out, window{alignRune(text, from), alignRune(text, to)})
		}
		before = last + 1
		start, last, digits = -1, -1, 0
	}
	for i := 0; i < len(text) && len(out) < limit; i++ {
		if !isDigit(text[i]) {
			continue
		}
		if start >= 0 && (i-last > maxDigitGap || i-start > maxWindow || wordsBetween(text[last+1:i])) {
			flush(i)
		}
		if start < 0 {
			start = i
		}
		last = i
		digits++
	}
	if len(out) < limit {
		flush(len(text))
	}
	return out
}

// wordsBetween says whether digits are kept apart by words, other than those of
// an extension.
func wordsBetween(gap string) bool {
	letters := 0
	for i := 0; i < len(gap); i++ {
		if c := gap[i] | 0x20; c == 'x' {
			return false
		} else if c >= 'a' && c <= 'z' || gap[i] >= 0x80 {
			letters++
		}
	}
	return letters > 2
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
	r.gluedPhone(start, end, line)
}

// gluedPhone reads a number whose digits touch letters on one side or both,
// which the matcher refuses: "call2127365000now". Codes that mix letters and
// digits (serials, IBANs, hashes) are left alone.
func (r *run) gluedPhone(start, end, line int) {
	text := r.d.text
	for i := start; i < end; i++ {
		if !isDigit(text[i]) && text[i] != '+' {
			continue
		}
		j, digits := i, 0
		for j < end && (isDigit(text[j]) || strings.IndexByte("+-.() /", text[j]) >= 0) {
			if isDigit(text[j]) {
				digits++
			}
			j++
		}
		from, to := i, j
		for to > from && !isDigit(text[to-1]) {
			to--
		}
		i = j
		if digits < 9 || digits > 15 {
			continue
		}
		before, after := letterRun(r.d.low, from, -1), letterRun(r.d.low, to, 1)
		if before == "" && after == "" || looksLikeCode(text, from-len(before), to+len(after), before) {
			continue
		}
		if n, ok := match.Phone(text[from:to], r.d.settings.Region); ok {
			r.addPhone(from, to, text[from:to], n, "phone.glued", 0.85, line)
		}
	}
}

// vanityPhones reads numbers with letters: 1-800-FLOWERS.
func (r *run) vanityPhones(span ownSpan) {
	text := r.d.text[span.start:span.end]
	for from := 0; ; {
		i := strings.Index(text[from:], "8")
		if i < 0 {
			return
		}
		i += from
		from = i + 1
		if i+4 >= len(text) || !tollFree[text[i:i+3]] || text[i+3] != '-' && text[i+3] != ' ' && text[i+3] != '.' {
			continue
		}
		j, letters := i+4, 0
		for j < len(text) && (text[j] >= 'A' && text[j] <= 'Z' || text[j] == '-' || isDigit(text[j])) {
			if text[j] >= 'A' && text[j] <= 'Z' {
				letters++
			}
			j++
		}
		start := i
		if i >= 2 && text[i-2] == '1' && (text[i-1] == '-' || text[i-1] == ' ') {
			start = i - 2
		}
		if letters < 3 || j-i > 20 {
			continue
		}
		if n, ok := match.Phone(text[start:j], r.d.settings.Region); ok {
			r.addPhone(span.start+start, span.start+j, text[start:j], n, "phone.vanity", 0.9, span.line)
		}
		from = j
	}
}

var tollFree = setOf("800 833 844 855 866 877 888")

// letterRun gives the letters that touch position at on one side.
func letterRun(low string, at, direction int) string {
	i := at
	if direction < 0 {
		for i > 0 && isLetterByte(low[i-1]) {
			i--
		}
		return low[i:at]
	}
	for i < len(low) && isLetterByte(low[i]) {
		i++
	}
	return low[at:i]
}

// looksLikeCode says whether the run of letters and digits text[from:to] goes
// on beyond itself or carries a short prefix in capitals, as codes do.
func looksLikeCode(text string, from, to int, before string) bool {
	if from > 0 && (isDigit(text[from-1]) || strings.IndexByte("_/=#&@", text[from-1]) >= 0) || to < len(text) && (isDigit(text[to]) || strings.IndexByte("_/=@", text[to]) >= 0) {
		return true
	}
	if thingWords[before] {
		return true
	}
	return len(before) > 0 && len(before) < 5 && strings.ToUpper(text[from:from+len(before)]) == text[from:from+len(before)] && !phoneCues[before]
}

// phoneCues are words that announce a number.
var phoneCues = setOf("phone tel telephone mobile cell call text fax reach dial handy whatsapp ph number telefon tlf tfno gsm sms line")

func (r *run) addPhone(start, end int, raw string, n match.Number, detector string, confidence float64, line int) {
	f := Finding{Field: FieldPhone, Value: raw, Normal: n.E164, Extension: n.Extension, Detector: detector, Confidence: confidence, Span: Span{start, end}}
	reason := ""
	switch {
	case r.d.isOwnNumber(n.E164):
		reason = "the tenant's own number"
	case r.insideLink(start):
		reason = "part of a link"
	case r.isIdentifierOfAThing(start), r.isSaidToBeAThing(end):
		reason = "follows a word for an order, card or account"
	case r.partOfLongerNumber(start, end):
		reason = "part of a longer number, as on a card"
	}
	f.Whose, f.Stated = r.owner(start, end, FieldPhone)
	if r.isFax(start, end) {
		f.Confidence, f.Stated = min(f.Confidence, 0.6), false
	}
	r.add(f, line, reason)
}

// insideLink says whether a position stands in a URL or a path.
func (r *run) insideLink(at int) bool {
	from := strings.LastIndexAny(r.d.text[max(0, at-200):at], " \n\t<\"") + 1 + max(0, at-200)
	word := r.d.low[from:at]
	return strings.Contains(word, "://") || strings.HasPrefix(word, "www.") || strings.HasPrefix(word, "/") && strings.Count(word, "/") > 1
}

// isFax: the label before or behind a number says fax.
func (r *run) isFax(start, end int) bool {
	before := strings.TrimRight(r.d.low[max(0, start-12):start], " :.#-\t")
	after := r.d.low[end:min(len(r.d.low), end+8)]
	if i := strings.Index(after, "fax"); i <= 0 || strings.Trim(after[:i], " (,") != "" {
		after = ""
	} else {
		after = "fax"
	}
	return strings.HasSuffix(before, "fax") || strings.HasSuffix(before, "facsimile") || strings.HasSuffix(before, "telefax") || after == "fax" || strings.HasSuffix(before, "\nf") || strings.HasSuffix(before, " f")
}

// thingWords name what has a number and is no phone.
var thingWords = setOf("order invoice reference ref case ticket account acct tracking serial imei policy po card iban ssn isbn sku vin booking reservation confirmation transaction customer member membership passport license licence plate zip postcode code pin id nr part model item rechnung bestellung kundennummer facture commande pedido factura ordine")

// isSaidToBeAThing: "… is my order number".
func (r *run) isSaidToBeAThing(end int) bool {
	fields := strings.Fields(r.d.low[end:min(len(r.d.low), end+40)])
	return len(fields) > 2 && fields[0] == "is" && (fields[1] == "my" || fields[1] == "the" || fields[1] == "our") && thingWords[fields[2]]
}

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
		if phoneCues[w] && w != "number" && w != "line" {
			return false
		}
		if thingWords[w] && !(w == "code" && k > 0 && fields[k-1] == "area") {
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

// partOfLongerNumber knows pieces of card numbers: four groups of digits that
// a blank or a hyphen keeps apart, 13 to 19 digits in all.
func (r *run) partOfLongerNumber(start, end int) bool {
	text := r.d.text
	if text[start] == '+' {
		return false
	}
	from, to := start, end
	for from > 0 && start-from < 24 && (isDigit(text[from-1]) || (text[from-1] == ' ' || text[from-1] == '-') && from > 1 && isDigit(text[from-2])) {
		from--
	}
	for to < len(text) && to-end < 24 && (isDigit(text[to]) || (text[to] == ' ' || text[to] == '-') && to+1 < len(text) && isDigit(text[to+1])) {
		to++
	}
	if from == start && to == end {
		return false
	}
	digits := onlyDigits(text[from:to])
	return len(digits) >= 13 && len(digits) <= 19 && luhn(digits)
}

func onlyDigits(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if isDigit(s[i]) {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// luhn is the check of card numbers (ISO/IEC 7812-1, annex B).
func luhn(digits string) bool {
	sum := 0
	for i := 0; i < len(digits); i++ {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
