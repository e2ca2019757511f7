package extract

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	word tokenKind = iota // letters, with inner apostrophes, hyphens and digits
	number
	punct
)

// capital says how a word is written.
type capital uint8

const (
	noCase     capital = iota // scripts without case, digits, punctuation
	lowerCase                 // john
	upperFirst                // John, McDonald
	allUpper                  // JOHN; also a lone capital
)

// token is a word, a number or a mark in the normal text.
type token struct {
	start, end int
	kind       tokenKind
	capital    capital
	low        string // lower case
	may        opening
}

// opening says what may begin at a word. It is looked up once a word, so that
// text in which nothing begins costs each detector nothing.
type opening uint8

const (
	mayIntroduce opening = 1 << iota // a phrase that introduces a name
	mayEmploy                        // a phrase about one's company
	mayBeAt                          // a word for @
	mayBeBirth                       // a cue for a birth date
	mayBeDigit                       // a digit word
	mayBePart                        // a word before a part of a name
)

var openings = sync.OnceValue(func() map[string]opening {
	m := make(map[string]opening)
	mark := func(words map[string]bool, o opening) {
		for w := range words {
			m[w] |= o
		}
	}
	mark(introTriggers, mayIntroduce)
	mark(companyTriggers, mayEmploy)
	mark(atWords, mayBeAt)
	mark(birthTriggers, mayBeBirth)
	mark(partTriggers, mayBePart)
	for w := range digitWords {
		m[w] |= mayBeDigit
	}
	return m
})

// mayOpen is what may begin anywhere in a sentence.
func (s *sentence) mayOpen(o opening) bool { return s.may&o != 0 }

// sentence is a run of tokens that one speaker said in one go.
type sentence struct {
	tokens     []token
	start, end int
	line       int    // index of its first line
	question   string // what our side asked right before, lower case
	casing     casing
	signature  bool
	may        opening // of all its words together
}

// casing is what a capital is worth in a sentence.
type casing uint8

const (
	casingMixed casing = iota // capitals mark names
	casingTitle               // Every Word Has One
	casingUpper               // ALL CAPITALS
	casingLower               // none at all
)

// tokenize cuts text[start:end]; low is the text in lower-case ASCII.
func tokenize(text, low string, start, end int, into []token) []token {
	for i := start; i < end && len(into) < maxTokens; {
		c := text[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t':
			i++
		case isLetterByte(c):
			t := scanWord(text, low, i, end)
			into = append(into, t)
			i = t.end
		case c >= '0' && c <= '9':
			j := i + 1
			for j < end && (isDigit(text[j]) || isLetterByte(text[j]) && text[j] < utf8.RuneSelf) {
				j++
			}
			into = append(into, token{start: i, end: j, kind: number, low: low[i:j]})
			i = j
		case c < utf8.RuneSelf:
			into = append(into, token{start: i, end: i + 1, kind: punct, low: low[i : i+1]})
			i++
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			if unicode.IsLetter(r) {
				t := scanWord(text, low, i, end)
				into = append(into, t)
				i = t.end
				continue
			}
			if !unicode.IsSpace(r) {
				into = append(into, token{start: i, end: i + n, kind: punct, low: text[i : i+n]})
			}
			i += n
		}
	}
	return into
}

func scanWord(text, low string, i, end int) token {
	j, upper, lower, letters := i, 0, 0, 0
	ascii, firstUpper := true, false
	for j < end {
		c := text[j]
		if c < utf8.RuneSelf {
			switch {
			case c >= 'a' && c <= 'z':
				lower++
			case c >= 'A' && c <= 'Z':
				if letters == 0 {
					firstUpper = true
				}
				upper++
			case isDigit(c):
			case (c == '\'' || c == '-') && j+1 < end && (isLetterByte(text[j+1]) && text[j+1] < utf8.RuneSelf || text[j+1] >= utf8.RuneSelf && letterAt(text, j+1)):
			default:
				goto done
			}
			if c > '9' {
				letters++
			}
			j++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[j:])
		if !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Mc, r) {
			break
		}
		ascii = false
		switch {
		case unicode.IsUpper(r):
			if letters == 0 {
				firstUpper = true
			}
			upper++
		case unicode.IsLower(r):
			lower++
		}
		letters++
		j += n
	}
done:
	t := token{start: i, end: j, kind: word, low: low[i:j]}
	if !ascii {
		t.low = strings.ToLower(t.low)
	}
	switch {
	case upper == 0 && lower == 0:
		t.capital = noCase
	case lower == 0:
		t.capital = allUpper
	case firstUpper:
		t.capital = upperFirst
	case upper == 1 && innerCapital(text[i:j]):
		t.capital = upperFirst // al-Farsi, d'Angelo
	default:
		t.capital = lowerCase
	}
	return t
}

// innerCapital says whether a capital follows a hyphen or an apostrophe after
// one to three letters.
func innerCapital(w string) bool {
	i := strings.IndexAny(w, "-'")
	return i > 0 && i <= 3 && i+1 < len(w) && w[i+1] >= 'A' && w[i+1] <= 'Z'
}

func isLetterByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool      { return c >= '0' && c <= '9' }

func letterAt(text string, i int) bool {
	r, _ := utf8.DecodeRuneInString(text[i:])
	return unicode.IsLetter(r)
}

// casingOf measures a sentence: a capital is evidence only in text that uses
// capitals as usual. The small words tell best, since nobody writes "My Name
// Is" who doesn't write everything that way.
func casingOf(tokens []token) casing {
	words, capitals, uppers, lowers, smallCapital, smallLower := 0, 0, 0, 0, 0, 0
	for i, t := range tokens {
		if t.kind != word || t.capital == noCase || t.end-t.start < 2 || strings.HasPrefix(t.low, "i'") {
			continue
		}
		words++
		switch t.capital {
		case allUpper:
			uppers++
			capitals++
		case upperFirst:
			if i > 0 {
				capitals++
			}
		case lowerCase:
			lowers++
		}
		if i > 0 && (isSmallWord(t.low) || t.capital == lowerCase && germanSmall[t.low]) {
			if t.capital == lowerCase {
				smallLower++
			} else {
				smallCapital++
			}
		}
	}
	switch {
	case words == 0:
		return casingMixed
	case lowers == words:
		return casingLower
	case uppers*10 >= words*8 && words >= 2:
		return casingUpper
	case smallCapital > smallLower:
		return casingTitle
	case smallLower == 0 && words >= 4 && capitals*10 >= words*6 && lowers*4 < words:
		return casingTitle
	}
	return casingMixed
}

// germanSmall words show, when they are in lower case, that the capitals around
// them are those of German nouns.
var germanSmall = setOf("ist bin ich heiße heisse und mit für im ein eine einen möchte habe")

func isSmallWord(low string) bool {
	switch low {
	case "am", "is", "are", "was", "the", "an", "to", "for", "my", "of", "from", "and", "or", "in", "on", "at", "with", "name", "it", "this", "that", "be", "by", "you", "your", "so", "not", "have", "has", "do", "does", "can", "im":
		return true
	}
	return false
}
