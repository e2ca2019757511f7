package extract

import (
	"strings"
	"unicode/utf8"
)

// MaxSummary is the longest summary, in characters (R167).
const MaxSummary = 1000

// Said is one message of a conversation, oldest first.
type Said struct {
	Direction Direction
	Subject   string
	Text      string // Result.OwnWords: no quotes, no signature
}

// Summary sums a conversation up in at most MaxSummary characters, by
// extraction alone and always the same way: its subject, the client's request
// in his own words, our last answer, and what is still open. Empty for a
// conversation without words.
func Summary(conversation []Said) string {
	var parts []string
	if s := subjectOf(conversation); s != "" {
		parts = append(parts, "Subject: "+clip(s, 150))
	}
	request, requestAt := requestOf(conversation)
	if request != "" {
		parts = append(parts, "Client: "+clip(request, 380))
	}
	answerAt := -1
	for i, m := range conversation {
		if m.Direction == Outbound && firstWords(m.Text) != "" {
			answerAt = i
		}
	}
	if answerAt >= 0 {
		parts = append(parts, "Answer: "+clip(firstWords(conversation[answerAt].Text), 240))
	}
	if open := openPoint(conversation, requestAt, answerAt); open != "" {
		parts = append(parts, "Open: "+clip(open, 180))
	}
	return clip(strings.Join(parts, "\n"), MaxSummary)
}

func subjectOf(conversation []Said) string {
	for _, m := range conversation {
		s := strings.TrimSpace(m.Subject)
		for {
			head, rest, ok := strings.Cut(s, ":")
			if !ok || !subjectMarks[strings.ToLower(strings.TrimSpace(head))] {
				break
			}
			s = strings.TrimSpace(rest)
		}
		if s != "" {
			return oneLine(s)
		}
	}
	return ""
}

// subjectMarks are what mail programs put before a subject.
var subjectMarks = setOf("re aw sv vs ref fw fwd wg tr rv enc i odp antw r res")

// requestOf takes the client's first words that ask for something, else his
// first words; greetings alone don't count.
func requestOf(conversation []Said) (string, int) {
	first, at := "", -1
	for i, m := range conversation {
		if m.Direction == Outbound {
			continue
		}
		words := firstWords(m.Text)
		if words == "" {
			continue
		}
		if asks(words) {
			return words, i
		}
		if first == "" {
			first, at = words, i
		}
	}
	return first, at
}

var askingWords = []string{"?", "please", "can you", "could you", "would you", "i need", "i want", "i would like", "i'd like", "looking for", "interested in", "help", "problem", "issue", "bitte", "können sie", "ich möchte", "brauche", "s'il vous", "je voudrais", "pouvez", "quisiera", "necesito", "por favor", "puede", "vorrei", "gostaria", "graag", "kunt u"}

func asks(words string) bool {
	low := strings.ToLower(words)
	for _, w := range askingWords {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// openPoint is what waits for an answer: the client's question after our last
// answer, else our question when it came last.
func openPoint(conversation []Said, requestAt, answerAt int) string {
	for i := len(conversation) - 1; i > answerAt; i-- {
		if conversation[i].Direction == Outbound {
			continue
		}
		words := firstWords(conversation[i].Text)
		switch {
		case i == requestAt && answerAt < 0 && words != "":
			return "not answered yet"
		case i == requestAt || !asks(words):
			continue
		}
		return lastQuestion(words)
	}
	if answerAt >= 0 && answerAt == len(conversation)-1 {
		if q := lastQuestion(firstWords(conversation[answerAt].Text)); strings.HasSuffix(q, "?") {
			return "waiting for the client: " + q
		}
	}
	return ""
}

// lastQuestion is the last sentence with a question mark, else all of it.
func lastQuestion(words string) string {
	end := strings.LastIndexByte(words, '?')
	if end < 0 {
		return words
	}
	start := strings.LastIndexAny(words[:end], ".!?") + 1
	return strings.TrimSpace(words[start : end+1])
}

// firstWords drops a greeting line, quoted lines and line ends.
func firstWords(own string) string {
	var kept []string
	for line := range strings.Lines(own) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '>' || len(kept) == 0 && isGreeting(strings.ToLower(line)) || isCloser(strings.ToLower(line)) {
			continue
		}
		kept = append(kept, line)
	}
	return oneLine(strings.Join(kept, " "))
}

var greetingWords = setOf("hi hello hey dear hallo bonjour hola ciao guten sehr greetings good olá hej hei moin servus grüezi buongiorno buenos buenas")

// isGreeting knows a line that only greets: "Hi Ann," or "Good morning!".
func isGreeting(low string) bool {
	first, _, _ := strings.Cut(strings.TrimRight(low, ",.!: "), " ")
	return greetingWords[strings.Trim(first, ",.!")] && len(strings.Fields(low)) <= 4
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// clip shortens to at most n characters, at a word, with a mark that it did.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)[:n-1]
	cut := string(runes)
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return strings.TrimRight(cut, " ,;:") + "…"
}
