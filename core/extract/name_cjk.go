package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cjkIntroduction is a phrase of a language that sets no blanks: the name
// stands behind open and before shut ("" for the end of the word).
type cjkIntroduction struct{ open, shut string }

var cjkIntroductions = [...]cjkIntroduction{
	{"我的名字是", ""}, {"我的名字叫", ""}, {"我叫", ""}, {"我名叫", ""}, {"本人", ""}, {"姓名：", ""}, {"姓名:", ""},
	{"私の名前は", "です"}, {"名前は", "です"}, {"わたしは", "です"}, {"私は", "と申します"}, {"名前:", ""},
	{"제 이름은 ", "입니다"}, {"저는 ", "입니다"}, {"제 이름은 ", "이에요"}, {"이름:", ""},
}

// twoCharacterSurnames are the Chinese family names of two characters that one
// meets.
var twoCharacterSurnames = setOf("欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 司徒 皇甫 尉迟 公孙 慕容")

// Bounds of a name in Han, kana or Hangul.
const maxCJKName = 6

// cjkNames reads introductions in Chinese, Japanese and Korean.
func (r *run) cjkNames(found []nameCandidate) []nameCandidate {
	for _, span := range r.d.spans {
		text := r.d.text[span.start:span.end]
		if !mayHoldCJK(text) {
			continue
		}
		for _, in := range cjkIntroductions {
			at := strings.Index(text, in.open)
			if at < 0 {
				continue
			}
			from := at + len(in.open)
			to := from + cjkRun(text[from:])
			if in.shut != "" {
				shut := strings.Index(text[from:], in.shut)
				if shut < 0 {
					continue
				}
				to = min(to, from+shut)
			}
			if first, last, ok := splitCJK(text[from:to]); ok {
				p := person{first: first, last: last, start: span.start + from, end: span.start + to}
				return append(found, nameCandidate{person: p, origin: OriginText, detector: "name.cjk", confidence: 0.85, line: span.line})
			}
		}
	}
	return found
}

// mayHoldCJK looks for the first byte that all those scripts have in UTF-8.
func mayHoldCJK(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0xe3 {
			return true
		}
	}
	return false
}

func isCJK(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// cjkRun is the length in bytes of the characters a name may have.
func cjkRun(s string) int {
	for i, r := range s {
		if !isCJK(r) && r != ' ' && r != '・' {
			return i
		}
	}
	return len(s)
}

// splitCJK divides a name: family name first, of one character unless it is a
// known one of two; Japanese names only at a blank.
func splitCJK(name string) (first, last string, ok bool) {
	name = strings.TrimSpace(name)
	n := utf8.RuneCountInString(name)
	if n < 1 || n > maxCJKName || strings.Contains(name, "的") || strings.Contains(name, "是") {
		return "", "", false
	}
	if family, given, cut := strings.Cut(name, " "); cut {
		return strings.TrimSpace(given), family, true
	}
	runes := []rune(name)
	kana := strings.IndexFunc(name, func(r rune) bool { return unicode.In(r, unicode.Hiragana, unicode.Katakana) }) >= 0
	switch {
	case kana || n > 4:
		return "", name, true
	case n >= 3 && twoCharacterSurnames[string(runes[:2])]:
		return string(runes[2:]), string(runes[:2]), true
	case n == 4:
		return string(runes[2:]), string(runes[:2]), true // Japanese, as a rule
	case n >= 2:
		return string(runes[1:]), string(runes[:1]), true
	}
	return "", name, true
}
