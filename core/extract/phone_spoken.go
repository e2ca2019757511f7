package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
)

// findSpokenPhones reads numbers said as words: "five five five, oh one double
// two", "area code two one two", "eight hundred".
func (r *run) findSpokenPhones() {
	for k := 0; k < len(r.d.sentences); k++ {
		s := r.d.sentences[k]
		if !s.mayOpen(mayBeDigit) && r.d.message.Channel != Voice {
			continue
		}
		// A caller dictates over several turns.
		for k+1 < len(r.d.sentences) && onlySpokenDigits(&s) && onlySpokenDigits(&r.d.sentences[k+1]) && r.d.sentences[k+1].line-r.d.sentences[k].line <= 4 && s.question == "" {
			k++
			s.tokens = append(s.tokens[:len(s.tokens):len(s.tokens)], r.d.sentences[k].tokens...)
		}
		r.spokenPhonesIn(&s)
	}
}

func onlySpokenDigits(s *sentence) bool {
	digits := 0
	for i := range s.tokens {
		low := s.low(i)
		_, isWord := digitWord(low)
		switch {
		case isWord || s.tokens[i].kind == number:
			digits++
		case s.tokens[i].kind == punct, low == "double", low == "triple", low == "and", low == "uh", low == "um", low == "hundred":
		default:
			return false
		}
	}
	return digits >= 2
}

// Limits of a dictated number: seven digits to an international one with some
// slips.
const maxSpokenDigits = 18

func (r *run) spokenPhonesIn(s *sentence) {
	for i := 0; i < len(s.tokens); {
		if !startsSpoken(s, i) {
			i++
			continue
		}
		d := dictate(s, i)
		if d.next <= i {
			i++
			continue
		}
		if len(onlyDigits(d.digits)) >= minPhoneDigits && (d.words > 0 || d.singles >= 5) {
			r.addSpoken(s, i, d)
		}
		i = d.next
	}
}

func startsSpoken(s *sentence, i int) bool {
	low := s.low(i)
	if _, ok := digitWord(low); ok {
		return true
	}
	return s.tokens[i].kind == number && allDigits(low) || low == "plus" || low == "+" || low == "double" || low == "triple"
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// dictation is a run of digits that were said.
type dictation struct {
	digits         string
	words, singles int // how many tokens were words, how many lone digits
	first, next    int
	extension      string
}

// dictate reads digits from token i until something that is no digit, filler
// or mark.
func dictate(s *sentence, i int) dictation {
	d := dictation{first: i}
	var b strings.Builder
	d.next = i
	for i < len(s.tokens) && b.Len() <= maxSpokenDigits {
		low := s.low(i)
		switch {
		case low == "plus" || low == "+":
			if b.Len() > 0 {
				goto done
			}
			b.WriteByte('+')
			i++
			continue
		case low == "double" || low == "triple" || low == "treble":
			times := 2
			if low != "double" {
				times = 3
			}
			digit, ok := digitWord(s.low(i + 1))
			if !ok && len(s.low(i+1)) == 1 && allDigits(s.low(i+1)) {
				digit, ok = s.low(i+1), true
			}
			if !ok || len(digit) != 1 {
				goto done
			}
			b.WriteString(strings.Repeat(digit, times))
			d.words++
			i += 2
			d.next = i
			continue
		case isDigitFiller(low, s.tokens[i].kind):
			i++
			continue
		case low == "hundred" && b.Len() > 0:
			b.WriteString("00")
			i++
			d.next = i
			continue
		case low == "thousand" && b.Len() > 0:
			b.WriteString("000")
			i++
			d.next = i
			continue
		case (low == "extension" || low == "ext") && b.Len() >= minPhoneDigits:
			ext := dictate(s, i+1)
			if ext.digits != "" && len(ext.digits) <= 6 {
				d.extension = ext.digits
				d.next = ext.next
			}
			goto done
		}
		piece, words := numeral(s, i)
		if piece == "" {
			break
		}
		b.WriteString(piece)
		if words > 0 {
			d.words++
		} else if len(piece) == 1 {
			d.singles++
		}
		i += max(words, 1)
		d.next = i
	}
done:
	d.digits = b.String()
	return d
}

// numeral reads one number word (with its unit: "twenty five") or digits.
func numeral(s *sentence, i int) (digits string, words int) {
	t := s.tokens[i]
	if t.kind == number && allDigits(t.low) {
		return t.low, 0
	}
	if t.kind != word {
		return "", 0
	}
	low := t.low
	if tens, unit, ok := strings.Cut(low, "-"); ok { // twenty-five
		a, okA := digitWord(tens)
		b, okB := digitWord(unit)
		if okA && okB {
			if len(a) == 2 && a[1] == '0' && len(b) == 1 {
				return a[:1] + b, 1
			}
			return a + b, 1
		}
	}
	d, ok := digitWord(low)
	if !ok {
		return homophone(s, i), 1
	}
	if len(d) == 2 && d[1] == '0' && d != "10" {
		if unit, ok := digitWord(s.low(i + 1)); ok && len(unit) == 1 && unit != "0" {
			return d[:1] + unit, 2
		}
	}
	return d, 1
}

// homophone takes what recognisers write for digits, only between digits.
func homophone(s *sentence, i int) string {
	digit := map[string]string{"to": "2", "too": "2", "for": "4", "won": "1", "ate": "8", "tree": "3", "a": "8"}[s.low(i)]
	if digit == "" || s.low(i) == "a" || i == 0 || i+1 >= len(s.tokens) {
		return ""
	}
	_, before := digitWord(s.low(i - 1))
	_, after := digitWord(s.low(i + 1))
	if before && after {
		return digit
	}
	return ""
}

func isDigitFiller(low string, kind tokenKind) bool {
	switch low {
	case "uh", "um", "er", "so", "then", "dash", "hyphen", "space", "pause", "and", "okay", "area", "code", "-", ",", ".", "(", ")", "…", "[", "]", "noise":
		return true
	}
	return false
}

func (r *run) addSpoken(s *sentence, i int, d dictation) {
	n, ok := match.Phone(d.digits, r.d.settings.Region)
	if !ok && len(d.digits) > 10 && d.digits[0] != '+' {
		n, ok = match.Phone("+"+d.digits, r.d.settings.Region)
	}
	if !ok {
		return
	}
	n.Extension = d.extension
	from, to := s.tokens[i].start, s.tokens[d.next-1].end
	r.addPhone(from, to, r.d.text[from:to], n, "phone.spoken", 0.88, s.line)
}
