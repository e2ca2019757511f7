package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ownSpan is a stretch of the speaker's own lines that detectors read.
type ownSpan struct {
	start, end int
	line       int // index of its first line
}

// splitSentences collects the spans of own text and cuts them into sentences.
func (d *document) splitSentences() {
	read := 0
	for i := range d.lines {
		l := d.lines[i]
		if l.kind != own && l.kind != signature || l.start >= l.end {
			continue
		}
		end := min(l.end, l.start+maxOwn-read)
		if end <= l.start {
			break
		}
		read += end - l.start
		d.spans = append(d.spans, ownSpan{start: l.start, end: alignRune(d.text, end), line: i})
	}
	tokens := 0
	for i := 0; i < len(d.spans) && tokens < maxTokens; {
		j := i + 1
		for j < len(d.spans) && d.flowsInto(d.spans[j-1], d.spans[j]) {
			j++
		}
		tokens += d.cutSentences(d.spans[i:j])
		i = j
	}
}

// flowsInto says whether a sentence may go on from one line to the next: mail
// wraps its lines, other channels don't.
func (d *document) flowsInto(a, b ownSpan) bool {
	return d.message.Channel == Email && b.line == a.line+1 && d.lines[a.line].kind == own && d.lines[b.line].kind == own && a.end-a.start >= 50
}

// cutSentences cuts lines that flow into each other, and tells how many tokens
// they had.
func (d *document) cutSentences(spans []ownSpan) int {
	size := 0
	for _, s := range spans {
		size += s.end - s.start
	}
	tokens := make([]token, 0, min(size/4+4, maxTokens))
	for _, s := range spans {
		tokens = tokenize(d.text, d.low, s.start, s.end, tokens)
	}
	l := d.lines[spans[0].line]
	from := 0
	for i, t := range tokens {
		if t.kind == punct && d.endsSentence(tokens, i) || i-from >= 400 {
			d.addSentence(tokens[from:i+1], spans[0].line, l)
			from = i + 1
		}
	}
	d.addSentence(tokens[from:], spans[0].line, l)
	return len(tokens)
}

func (d *document) addSentence(tokens []token, lineIndex int, l line) {
	if len(tokens) == 0 {
		return
	}
	known := openings()
	may := opening(0)
	for i := range tokens {
		if tokens[i].kind == word || tokens[i].low == "@" {
			tokens[i].may = known[tokens[i].low]
			may |= tokens[i].may
		}
	}
	question := l.question
	if n := len(d.sentences); question == "" && n > 0 {
		question = d.askedInText(&d.sentences[n-1])
	}
	d.sentences = append(d.sentences, sentence{
		may:    may,
		tokens: tokens, start: tokens[0].start, end: tokens[len(tokens)-1].end, line: lineIndex,
		question: question, casing: casingOf(tokens), signature: l.kind == signature,
	})
}

// askedInText gives the question of a dialogue that came as one text: "What's
// your name? Ann Lee".
func (d *document) askedInText(s *sentence) string {
	if d.message.Channel == Email || len(s.tokens) > 12 || s.tokens[len(s.tokens)-1].low != "?" {
		return ""
	}
	for i := range s.tokens {
		if s.low(i) == "your" {
			return d.low[s.start:s.end]
		}
	}
	return ""
}

// abbreviations whose dot ends no sentence.
var abbreviations = setOf("mr mrs ms dr prof st sr jr ste apt ave blvd rd no nr tel ext inc ltd corp co vs etc dept bldg fl hwy mt ft ca str geb hr fr e.g i.e")

func (d *document) endsSentence(tokens []token, i int) bool {
	t := tokens[i]
	switch t.low {
	case "!", "?", "。", "！", "？", "…", ";":
		return true
	case ".":
	default:
		return false
	}
	if i == 0 || i+1 >= len(tokens) {
		return i+1 >= len(tokens)
	}
	before, after := tokens[i-1], tokens[i+1]
	if before.end < t.start {
		return false // "gmail . com"
	}
	if before.kind == word && (before.end-before.start == 1 || abbreviations[before.low]) && before.end == t.start {
		return false
	}
	if after.start > t.end {
		return true
	}
	// "done.The shop": no blank, but a new sentence.
	return before.kind == word && after.kind == word && after.capital == upperFirst && before.capital == lowerCase
}

// ownWords is the speaker's text without signature and our side.
func (d *document) ownWords() string {
	var b strings.Builder
	blank := false
	for _, l := range d.lines {
		if l.kind != own {
			continue
		}
		t := strings.TrimRight(d.text[l.start:l.end], " \t")
		if strings.TrimSpace(t) == "" {
			blank = b.Len() > 0
			continue
		}
		if b.Len()+len(t) > maxOwn {
			break
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if blank {
				b.WriteByte('\n')
			}
		}
		blank = false
		b.WriteString(strings.TrimLeft(t, " \t"))
	}
	return b.String()
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
