package extract

import (
	"strings"
	"unicode/utf8"
)

// lineKind says whose words a line holds.
type lineKind uint8

const (
	own        lineKind = iota // the speaker's words
	signature                  // the speaker's signature block
	quoted                     // an answered or forwarded mail
	agentSide                  // a turn of our side
	tagline                    // "Sent from my phone"
	disclaimer                 // legal text
	noise                      // separators, labels of a quote
)

type line struct {
	start, end int // without the line end
	kind       lineKind
	question   string // in a dialogue: what our side said right before
}

// document is a message cut into segments and sentences, the ground on which
// all detectors work. It is built once a run and then only read.
type document struct {
	message   *Message
	settings  *Settings
	text, low string
	lines     []line
	spans     []ownSpan
	sentences []sentence
	sender    Sender
	// Of the first copied header inside: its From and the line after it.
	innerFrom string
	innerLine int
	forwarded bool
	words     *lexicon
}

func newDocument(m *Message, s *Settings) *document {
	text, roles := sides(*m)
	d := &document{message: m, settings: s, text: text, low: lowerASCII(text), words: lexiconFor(s)}
	d.splitLines()
	switch {
	case roles != nil:
		d.assignRoles(roles)
	case d.isTranscript():
		d.assignSpeakers()
	default:
		d.askedBefore()
		d.cutQuotes(0)
		if m.Channel == Email {
			d.sender = d.findSender()
			d.turnForward()
			d.cutTaglines()
			d.findSignature()
			d.cutDisclaimer()
		}
	}
	if roles != nil || m.Channel != Email {
		d.sender = d.findSender()
	}
	d.splitSentences()
	return d
}

func (d *document) splitLines() {
	d.lines = make([]line, 0, strings.Count(d.text, "\n")+1)
	for start := 0; start <= len(d.text); {
		end := strings.IndexByte(d.text[start:], '\n')
		if end < 0 {
			end = len(d.text)
		} else {
			end += start
		}
		d.lines = append(d.lines, line{start: start, end: end})
		start = end + 1
	}
}

// trimmed is a line's text in lower case without blanks at its ends.
func (d *document) trimmed(i int) string {
	return strings.TrimSpace(d.low[d.lines[i].start:d.lines[i].end])
}

func (d *document) blank(i int) bool { return d.trimmed(i) == "" }

func (d *document) assignRoles(roles []Role) {
	question := strings.ToLower(d.message.Context)
	answered := true
	for i := range d.lines {
		switch {
		case i < len(roles) && roles[i] == RoleAgent:
			d.lines[i].kind = agentSide
			if t := d.trimmed(i); t != "" {
				if answered || len(question) > maxQuestion {
					question = ""
				}
				question, answered = strings.TrimSpace(question+" "+t), false
			}
		default:
			d.lines[i].question = question
			if !d.blank(i) && !isFiller(d.trimmed(i)) {
				question, answered = "", true
			}
		}
	}
}

// askedBefore gives the question of the context to the lines of the answer.
func (d *document) askedBefore() {
	if d.message.Context == "" {
		return
	}
	question := strings.ToLower(d.message.Context)
	for i := range d.lines {
		d.lines[i].question = question
	}
}

// maxQuestion bounds what is remembered of our side's turns.
const maxQuestion = 400

// isFiller knows answers that keep a question open.
func isFiller(low string) bool {
	switch strings.Trim(low, ".,!? ") {
	case "yes", "sure", "ok", "okay", "yeah", "yep", "of course", "certainly", "hi", "hello", "uh", "um", "one moment", "no problem", "absolutely", "[noise]", "yes please", "my", "it's", "its":
		return true
	}
	return false
}

// speakerLabels are what transcripts put before a turn.
func speakerLabel(low string) (role Role, rest int) {
	colon := strings.IndexByte(low, ':')
	if colon <= 0 || colon > 20 {
		return "", 0
	}
	switch strings.Trim(low[:colon], " *[]()") {
	case "agent", "operator", "support", "bot", "assistant", "system", "representative", "rep", "csr", "advisor", "adviser", "employee", "staff", "service", "clerk":
		return RoleAgent, colon + 1
	case "customer", "client", "caller", "user", "visitor", "guest", "me", "patient", "member", "buyer":
		return RoleClient, colon + 1
	}
	return "", 0
}

// isTranscript wants two labelled lines of which one is ours.
func (d *document) isTranscript() bool {
	if d.message.Channel == Email {
		return false
	}
	agents, clients := 0, 0
	for i := range d.lines {
		switch role, _ := speakerLabel(d.trimmed(i)); role {
		case RoleAgent:
			agents++
		case RoleClient:
			clients++
		}
		if agents > 0 && agents+clients >= 2 {
			return true
		}
	}
	return false
}

func (d *document) assignSpeakers() {
	roles := make([]Role, len(d.lines))
	current := RoleClient
	for i := range d.lines {
		low := d.low[d.lines[i].start:d.lines[i].end]
		if role, rest := speakerLabel(low); role != "" {
			current = role
			d.lines[i].start += rest
		}
		roles[i] = current
	}
	d.assignRoles(roles)
}

// cutQuotes marks what the speaker didn't write now. A quote is cut out and
// isn't the end: with answers between quoted lines the speaker goes on below.
func (d *document) cutQuotes(from int) {
	mail := d.message.Channel == Email || len(d.message.Headers) > 0
	for i := from; i < len(d.lines); i++ {
		t := d.trimmed(i)
		switch {
		case t == "":
		case t[0] == '>' || strings.HasPrefix(t, "|") && mail && strings.Contains(t, "wrote:"):
			d.lines[i].kind = quoted
		case !mail:
		case isQuoteRule(t):
			if !d.forwarded {
				d.noteForward(i + 1)
			}
			d.quoteFrom(i)
			return
		default:
			if n := d.attribution(i); n > 0 {
				i = d.quoteAfter(i, n)
			} else if d.headerStack(i) {
				d.noteForward(i)
				d.quoteFrom(d.aboveStack(i))
				return
			}
		}
	}
}

func (d *document) quoteFrom(i int) {
	for ; i < len(d.lines); i++ {
		d.lines[i].kind = quoted
	}
}

// quoteAfter cuts an attribution of n lines at i and what it introduces: the
// ">" lines below it, else everything. It gives the last line cut.
func (d *document) quoteAfter(i, n int) int {
	j := i + n
	for k := i; k < j; k++ {
		d.lines[k].kind = quoted
	}
	for j < len(d.lines) && d.blank(j) {
		j++
	}
	if j < len(d.lines) && strings.HasPrefix(d.trimmed(j), ">") {
		return i + n - 1 // the loop above cuts the marked lines one by one
	}
	d.quoteFrom(i + n)
	return len(d.lines)
}

// isQuoteRule knows separator lines: "-----Original Message-----" in any
// language, Lotus Notes' "---- Forwarded by …", "Begin forwarded message:".
func isQuoteRule(t string) bool {
	if strings.HasPrefix(t, "begin forwarded message") || strings.HasPrefix(t, "début du message transféré") || strings.HasPrefix(t, "anfang der weitergeleiteten") ||
		strings.HasPrefix(t, "inizio messaggio inoltrato") || strings.HasPrefix(t, "inicio del mensaje reenviado") {
		return true
	}
	if strings.Contains(t, "above this line") {
		return true
	}
	inner := strings.Trim(t, "-–—_=* ")
	if len(t)-len(inner) < 4 || inner == "" || len(inner) > 120 || !strings.HasPrefix(t, "--") && !strings.HasPrefix(t, "__") && !strings.HasPrefix(t, "==") && !strings.HasPrefix(t, "—") {
		return false
	}
	for _, w := range [...]string{"original", "forwarded", "message", "nachricht", "mensaje", "messaggio", "bericht", "mensagem", "wiadomo", "meddelande", "melding", "meddelelse", "viesti", "zpráva", "сообщение", "повідомлення", "üzenet", "mesaj", "メッセージ", "邮件", "weitergeleitet", "transféré", "inoltrato", "reenviado", "reply message"} {
		if strings.Contains(inner, w) {
			return true
		}
	}
	return false
}

// attribution tells how many lines from i introduce a quote ("On … Ann
// wrote:"), which mail programs wrap over up to four; 0 means none.
func (d *document) attribution(i int) int {
	if i > 0 && !d.blank(i-1) && d.lines[i-1].kind == own && !mayOpenAttribution(d.trimmed(i)) {
		return 0
	}
	joined := ""
	for n := 1; n <= 4 && i+n-1 < len(d.lines); n++ {
		t := d.trimmed(i + n - 1)
		if t == "" || len(joined)+len(t) > 400 || n > 1 && t[0] == '>' && len(t) > 2 {
			return 0
		}
		joined = strings.TrimSpace(joined + " " + t)
		if isAttribution(joined, d.followedByQuote(i+n)) {
			return n
		}
	}
	return 0
}

func (d *document) followedByQuote(i int) bool {
	for i < len(d.lines) && d.blank(i) {
		i++
	}
	return i < len(d.lines) && strings.HasPrefix(d.trimmed(i), ">")
}

func mayOpenAttribution(t string) bool {
	for _, w := range [...]string{"on ", "le ", "am ", "el ", "il ", "op ", "w dniu", "em ", "den ", "---"} {
		if strings.HasPrefix(t, w) {
			return true
		}
	}
	return isDigit(t[0])
}

func isAttribution(t string, quoteFollows bool) bool {
	end := strings.TrimRight(t, "-–—_ ")
	dashed := len(end) < len(t)
	colon := strings.HasSuffix(end, ":") || strings.HasSuffix(end, "：") || dashed
	end = strings.TrimRight(end, ":： ")
	digits, at := strings.ContainsAny(t, "0123456789"), strings.Contains(t, "@")
	if !colon && !quoteFollows {
		return false
	}
	for _, verb := range lists().quoteVerbs {
		p := strings.Index(t, verb)
		if p < 0 || verb[0] < 0xe2 && !boundary(t, p, p+len(verb)) { // CJK sets no blanks
			continue
		}
		if digits || at || quoteFollows && p+len(verb) >= len(end)-1 {
			return true
		}
	}
	// Some programs write no verb: date, name and address, then a colon.
	return strings.HasSuffix(t, ":") && at && digits && isDigit(t[0])
}

// boundary says whether t[from:to] stands alone as words.
func boundary(t string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(t[:from])
	after, _ := utf8.DecodeRuneInString(t[to:])
	return !isWordRune(before) && !isWordRune(after)
}

// headerStack says whether a copied mail header starts at line i: "From:" with
// two further labels in the six lines below, or three labels without it.
func (d *document) headerStack(i int) bool {
	first := headerLabel(d.trimmed(i))
	if first == "" || first == "cc" {
		return false
	}
	seen := map[string]bool{first: true}
	for j, taken := i+1, 0; j < len(d.lines) && j < i+12 && taken < 6; j++ {
		t := d.trimmed(j)
		if t == "" {
			if taken > 0 && len(seen) < 3 {
				continue
			}
			break
		}
		taken++
		if l := headerLabel(t); l != "" {
			seen[l] = true
		}
	}
	return len(seen) >= 3 && (seen["from"] || seen["subject"])
}

// headerLabel names the kind of a "Label: value" line.
func headerLabel(t string) string {
	t = strings.TrimLeft(t, "*_ >")
	colon := strings.IndexAny(t, ":：")
	if colon <= 0 || colon > 30 {
		return ""
	}
	label := strings.TrimSpace(strings.TrimRight(t[:colon], " *_"))
	label, _, _ = strings.Cut(label, " ") // "envoyé le"
	return lists().headerLabels[label]
}

// aboveStack steps back over the name and date that Lotus Notes puts above a
// copied header without From.
func (d *document) aboveStack(i int) int {
	if headerLabel(d.trimmed(i)) == "from" {
		return i
	}
	dated, first := false, i
	for k := i - 1; k >= 0 && k >= i-3 && !d.blank(k) && d.lines[k].kind == own && len(d.trimmed(k)) < 80; k-- {
		t := d.trimmed(k)
		dated = dated || strings.ContainsAny(t, "0123456789") && strings.ContainsAny(t, "/:")
		first = k
	}
	if dated {
		return first
	}
	return i
}

// noteForward remembers whom a copied header at or after line i names as its
// author, for mails that our own agents forward (R9).
func (d *document) noteForward(i int) {
	d.forwarded = true
	if d.innerLine > 0 {
		return
	}
	for j := i; j < len(d.lines) && j < i+8; j++ {
		if headerLabel(d.trimmed(j)) == "from" {
			value := d.text[d.lines[j].start:d.lines[j].end]
			if !strings.Contains(value, "@") && j+1 < len(d.lines) {
				value += " " + d.text[d.lines[j+1].start:d.lines[j+1].end]
			}
			_, value, _ = strings.Cut(value, ":")
			d.innerFrom = strings.Trim(value, " *_")
			d.innerLine = j
			for d.innerLine < len(d.lines) && !d.blank(d.innerLine) {
				d.innerLine++
			}
			return
		}
	}
}

// turnForward makes a mail that our own agent forwards its inner author's: the
// text above is our side's, the text below the copied header the client's. What
// our side writes without forwarding says nothing about a client.
func (d *document) turnForward() {
	ours := d.message.Direction == Outbound || d.sender.None == NoSenderOwn
	if !ours && !d.sender.Forwarded {
		return
	}
	for i := range d.lines {
		if ours || i < d.innerLine {
			d.lines[i].kind = agentSide
		} else {
			d.lines[i].kind = own
		}
	}
	if d.sender.Forwarded {
		d.cutQuotes(d.innerLine)
	}
}

// lastOwn is the last line with words of the speaker, -1 without any.
func (d *document) lastOwn() int {
	for i := len(d.lines) - 1; i >= 0; i-- {
		if d.lines[i].kind == own && !d.blank(i) {
			return i
		}
	}
	return -1
}
