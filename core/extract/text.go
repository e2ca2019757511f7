package extract

import (
	"html"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of a run. Text beyond them isn't read: a person writes less, and what
// is longer is a pasted log or an attack.
const (
	maxText     = 4 << 20   // bytes of a message that are looked at for structure
	maxOwn      = 256 << 10 // bytes of the speaker's own text that detectors read
	maxTokens   = 60_000    // words, numbers and marks of it; prose of 256 KB has fewer
	maxFindings = 200       // candidates kept, accepted and rejected together
)

// Text is the normal text of a message, the one that spans count in: its
// turns joined by line ends, else its text, else its HTML as text; composed
// (NFC), with plain spaces and line ends, full-width forms narrowed, invisible
// characters gone.
func Text(m Message) string {
	text, _ := sides(m)
	return text
}

// sides gives the normal text and, for a dialogue, the role of each line.
func sides(m Message) (text string, roles []Role) {
	switch {
	case len(m.Turns) > 0:
		var b strings.Builder
		for _, t := range m.Turns {
			if b.Len() > maxText {
				break
			}
			for line := range strings.SplitSeq(normalText(t.Text), "\n") {
				b.WriteString(line)
				b.WriteByte('\n')
				roles = append(roles, t.Role)
			}
		}
		return b.String(), roles
	case m.Text != "":
		return normalText(m.Text), nil
	}
	return normalText(HTMLText(m.HTML)), nil
}

func normalText(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	if strings.Contains(s, "&#") || strings.Contains(s, "&amp;") || strings.Contains(s, "&lt;") || strings.Contains(s, "&nbsp;") {
		s = html.UnescapeString(s)
	}
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			i++
			switch {
			case c == '\r':
				if i >= len(s) || s[i] != '\n' {
					b.WriteByte('\n')
				}
			case c == '\f' || c == '\v':
				b.WriteByte('\n')
			case c >= ' ' && c != 0x7f || c == '\n' || c == '\t':
				b.WriteByte(c)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r = normalRune(r); r > 0 {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// isPlain knows text that normalText would leave as it is.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// normalRune maps one character beyond ASCII; 0 drops it.
func normalRune(r rune) rune {
	switch {
	case r == 0x2028 || r == 0x2029 || r == 0x85:
		return '\n'
	case r == 0xa0 || r >= 0x2000 && r <= 0x200a || r == 0x202f || r == 0x205f || r == 0x3000:
		return ' '
	case r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff || r == 0xad:
		return 0
	case r < 0xa0:
		return 0
	case r >= 0xff01 && r <= 0xff5e: // full-width forms
		return r - 0xfee0
	case r == '’' || r == '‘' || r == 'ʼ' || r == '´' || r == '＇':
		return '\''
	case r == '‐' || r == '‑' || r == '‒' || r == '−':
		return '-'
	}
	return r
}

// lowerASCII lower-cases without changing any offset.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'A' && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
