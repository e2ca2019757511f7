package extract

import "strings"

// taglines are what mail programs and phones put under a message, in lower
// case; a line that starts with one says nothing about its sender.
var taglineStarts = [...]string{
	"sent from my ", "sent from mail for", "sent from yahoo", "sent from outlook", "sent from samsung", "sent from proton", "sent via ", "sent with ", "sent using ", "get outlook for", "via mobile",
	"von meinem ", "gesendet von", "gesendet mit", "diese nachricht wurde von meinem", "envoyé de mon", "envoyé depuis", "envoyé à partir", "télécharger outlook",
	"enviado desde", "enviado do meu", "enviado de mi", "enviado a partir", "inviato da", "verstuurd vanaf", "verzonden vanaf", "verzonden met", "skickat från", "sendt fra", "sendt med",
	"wysłane z", "wysłano z", "отправлено с", "отправлено из", "lähetetty ", "odesláno z", "trimis de pe", "küldve ", "iphone'umdan gönderildi", "sent from a", "sent by ",
}

func (d *document) cutTaglines() {
	for i := range d.lines {
		if d.lines[i].kind != own {
			continue
		}
		t := strings.TrimLeft(d.trimmed(i), "-–_ ")
		for _, start := range taglineStarts {
			if strings.HasPrefix(t, start) && len(t) < 80 {
				d.lines[i].kind = tagline
			}
		}
	}
}

// Bounds of a signature block, as the literature measured them: a dozen lines,
// none of them long.
const (
	maxSignatureLines = 14
	maxSignatureLine  = 90
)

// findSignature marks the speaker's signature: what stands below "-- ", below
// a closing word, or a block of short lines at the end that opens with a name.
func (d *document) findSignature() {
	end := d.lastOwn()
	if end < 0 {
		return
	}
	if i := d.signatureMark(end); i >= 0 {
		d.lines[i].kind = noise
		d.markSignature(i+1, end)
		// "Best regards, Ann" above the delimiter belongs to it.
		for k := i - 1; k >= 0 && k >= i-4; k-- {
			if d.lines[k].kind == own && isCloser(d.trimmed(k)) {
				d.markSignature(k+1, i)
				d.lines[i].kind = noise
				break
			}
		}
		return
	}
	first, count := end, 0
	for i := end; i >= 0 && count < maxSignatureLines; i-- {
		if d.lines[i].kind == quoted {
			break
		}
		if d.lines[i].kind != own || d.blank(i) {
			continue
		}
		if len(d.trimmed(i)) > maxSignatureLine {
			break
		}
		count++
		first = i
		if isCloser(d.trimmed(i)) {
			d.markSignature(i+1, end)
			return
		}
	}
	for i := first; i <= end; i++ {
		if d.lines[i].kind == own && d.opensSignature(i) {
			d.markSignature(i, end)
			return
		}
	}
}

// signatureMark finds the delimiter line "-- " (RFC 3676 §4.3) or one of its
// look-alikes in the lower part of the text.
func (d *document) signatureMark(end int) int {
	for i := end; i >= 0 && i >= end-2*maxSignatureLines; i-- {
		if d.lines[i].kind != own {
			continue
		}
		switch t := d.trimmed(i); {
		case t == "--" || t == "—" || t == "–" || t == "-- -":
			return i
		case len(t) >= 3 && strings.Trim(t, "-_=*~") == "" && end-i <= maxSignatureLines && i < end:
			return i
		}
	}
	return -1
}

func (d *document) markSignature(from, to int) {
	for i := from; i <= to; i++ {
		if d.lines[i].kind == own {
			d.lines[i].kind = signature
		}
	}
}

// isCloser knows a line that is only a closing phrase: "Thanks,", "Best
// regards!", "Thanks, and talk to you soon."
func isCloser(low string) bool {
	low = strings.Trim(low, " .,!;:-–—*~")
	if lists().closers[low] {
		return true
	}
	if head, rest, ok := strings.Cut(low, ","); ok && lists().closers[strings.TrimSpace(head)] && len(rest) < 40 {
		rest = strings.TrimPrefix(strings.TrimSpace(rest), "and ")
		return lists().closers[rest]
	}
	return strings.HasPrefix(low, "thanks for your ") && len(low) < 45 || strings.HasPrefix(low, "thank you for your ") && len(low) < 45 || strings.HasPrefix(low, "looking forward to") && len(low) < 60
}

// opensSignature says whether a block of contact lines starts at line i: with
// the sender's name in its first column, or with a known name alone under a
// blank line. The first line of a mail greets and signs nothing.
func (d *document) opensSignature(i int) bool {
	if i == d.firstOwn() {
		return false
	}
	l := d.lines[i]
	column := d.text[l.start:l.end]
	for _, mark := range [...]string{"\t", "|", " - ", " – ", ", "} {
		if k := strings.Index(column, mark); k > 0 {
			column = column[:k]
		}
	}
	column = strings.Trim(column, " \t,-–—*~")
	if column == "" || len(column) > 45 || strings.ContainsAny(column, "?!;:@") {
		return false
	}
	n, ok := readLoneName(d.words, column)
	if !ok {
		tokens := tokenize(column, lowerASCII(column), 0, len(column), nil)
		n, ok = readPerson(column, d.words, tokens, 0, false)
		return ok && n.next == len(tokens) && agreesWithSender(d.sender, n)
	}
	if agreesWithSender(d.sender, n) {
		return true
	}
	alone := len(column) == len(strings.TrimRight(strings.TrimSpace(d.text[l.start:l.end]), "."))
	return alone && n.known && (d.blank(i-1) || i == d.lastOwn())
}

// firstOwn is the first line with words of the speaker.
func (d *document) firstOwn() int {
	for i := range d.lines {
		if d.lines[i].kind == own && !d.blank(i) {
			return i
		}
	}
	return -1
}

// cutDisclaimer marks legal text at the end and what follows it.
func (d *document) cutDisclaimer() {
	last := d.lastOwnOrSignature()
	for i := 0; i <= last; i++ {
		if d.lines[i].kind != own && d.lines[i].kind != signature || !isDisclaimer(d.trimmed(i)) {
			continue
		}
		for ; i <= last; i++ {
			if d.lines[i].kind == own || d.lines[i].kind == signature {
				d.lines[i].kind = disclaimer
			}
		}
	}
}

func (d *document) lastOwnOrSignature() int {
	for i := len(d.lines) - 1; i >= 0; i-- {
		if (d.lines[i].kind == own || d.lines[i].kind == signature) && !d.blank(i) {
			return i
		}
	}
	return -1
}

func isDisclaimer(t string) bool {
	t = strings.TrimLeft(t, "*-_= ")
	for _, start := range [...]string{
		"confidentiality notice", "confidential notice", "disclaimer", "legal notice", "privileged and confidential", "this e-mail and any", "this email and any", "this e-mail, including", "this email, including",
		"this message and any", "this message is intended", "this message is confidential", "this message may contain", "this email may contain", "this e-mail may contain", "the information transmitted", "this email is intended", "this e-mail is intended", "this message contains", "this e-mail contains", "this email contains", "this e-mail (and", "this email (and", "this e-mail is confidential", "this email is confidential", "the information contained in this", "the information in this e", "the contents of this e", "this communication", "this transmission",
		"please consider the environment", "if you are not the intended", "if you have received this", "notice: this e", "important notice", "this e-mail is the property of", "unsubscribe", "to unsubscribe",
		"diese e-mail", "diese nachricht enthält", "der inhalt dieser e", "ce message", "ce courriel", "este mensaje", "este correo", "este e-mail", "esta mensagem", "questo messaggio", "dit bericht", "deze e-mail", "ta wiadomość", "tato zpráva", "detta meddelande", "denne e-mail", "reply to this email directly",
	} {
		if strings.HasPrefix(t, start) {
			return true
		}
	}
	return false
}
