package extract

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// MailAddress is a person in a mail header; Email is "" when the header names
// somebody without a usable address.
type MailAddress struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// Mail is a raw mail, read as forgivingly as its damage allows.
type Mail struct {
	From, ReplyTo, To, Cc []MailAddress
	Subject               string
	MessageID             string    // without angle brackets
	InReplyTo             string    // likewise
	References            []string  // likewise, oldest first
	Date                  time.Time // UTC; zero when missing or unreadable
	Text                  string    // the plain part, or the HTML part as text
	HTML                  string
	// Headers are the decoded header fields, keys in lower case; of a repeated
	// field the first counts.
	Headers map[string]string
	// Automatic and List mark mail that no person wrote to us (RFC 3834,
	// RFC 2919).
	Automatic, List bool
	// Authentication is the Authentication-Results header of the receiving
	// server (RFC 8601), "" when there is none.
	Authentication string
	// Attachments are the names of attached files.
	Attachments []string
	// Warnings name each part that was broken and what was done about it.
	Warnings []string
}

// Limits of a raw mail. The MIME reader goes over the whole body once for each
// level of parts, so what bounds its time is the size times the levels; more
// than these make its body come as it is.
const (
	MaxMail       = 25 << 20
	maxHeaderSize = 1 << 20
	maxMailLevels = 100
	maxMailWork   = 32 << 20 // bytes times levels, from usualLevels on
	usualLevels   = 8
)

var errTooDeep = errors.New("it nests more parts than a mail program makes")

func nestsTooDeep(raw []byte) bool {
	levels := bytes.Count(raw, []byte("boundary="))
	return levels > maxMailLevels || levels > usualLevels && levels*len(raw) > maxMailWork
}

// NotMailError says why bytes are no mail at all.
type NotMailError struct{ Reason string }

func (e *NotMailError) Error() string { return "not a mail: " + e.Reason }

// ReadMail reads a raw mail (RFC 5322, MIME). Broken parts are named in
// Warnings and the rest is read; only what has no header, or is over a limit,
// is refused with a *NotMailError. It never panics.
func ReadMail(raw []byte) (m Mail, err error) {
	raw = trimEnvelope(raw)
	if reason := refuse(raw); reason != "" {
		return Mail{}, &NotMailError{Reason: reason}
	}
	defer func() {
		// The reader below is third-party code on hostile bytes: a fault of
		// its own must cost this mail and not the host.
		if p := recover(); p != nil {
			m, err = Mail{}, &NotMailError{Reason: fmt.Sprintf("its structure can't be read (%v)", p)}
		}
	}()
	if nestsTooDeep(raw) {
		return readBare(raw, errTooDeep)
	}
	envelope, err := enmime.NewParser(enmime.MaxStoredPartErrors(50)).ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return readBare(raw, err)
	}
	m = fromHeader(envelope.Root.Header)
	m.Text, m.HTML = envelope.Text, envelope.HTML
	if bodyIsHTML(envelope) {
		m.Text = HTMLText(m.HTML)
	}
	for _, part := range append(envelope.Attachments, envelope.OtherParts...) {
		if part.FileName != "" {
			m.Attachments = append(m.Attachments, part.FileName)
		}
	}
	for _, e := range envelope.Errors {
		m.Warnings = append(m.Warnings, e.Name+": "+e.Detail)
	}
	if len(m.From) == 0 {
		m.Warnings = append(m.Warnings, "From: missing or unreadable")
	}
	return m, nil
}

// bodyIsHTML says whether the text was made from the HTML part, which we do
// ourselves because quotes are marked in it.
func bodyIsHTML(e *enmime.Envelope) bool {
	if e.HTML == "" {
		return false
	}
	plain := e.Root.DepthMatchFirst(func(p *enmime.Part) bool {
		return p.ContentType == "text/plain" && p.Disposition != "attachment" && len(bytes.TrimSpace(p.Content)) > 0
	})
	return plain == nil
}

// trimEnvelope drops an mbox "From " line and blank lines before the header.
func trimEnvelope(raw []byte) []byte {
	raw = bytes.TrimLeft(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), "\r\n\t ")
	rest, isFrom := bytes.CutPrefix(bytes.TrimPrefix(raw, []byte(">")), []byte("From "))
	if isFrom && !bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(":")) {
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			raw = raw[i+1:]
		}
	}
	return raw
}

func refuse(raw []byte) string {
	switch {
	case len(raw) == 0:
		return "it is empty"
	case len(raw) > MaxMail:
		return fmt.Sprintf("%d bytes are more than the limit of %d", len(raw), MaxMail)
	case !hasHeader(raw):
		return "it has no header field"
	}
	if header, _, _ := splitHeader(raw); len(header) > maxHeaderSize {
		return "its header is over 1 MB"
	}
	return ""
}

// hasHeader wants one "Name: value" line among the first.
func hasHeader(raw []byte) bool {
	for line := range bytes.Lines(raw[:min(len(raw), 64<<10)]) {
		if len(bytes.TrimSpace(line)) == 0 {
			return false
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if name = bytes.TrimRight(name, " \t"); ok && len(name) > 0 && !bytes.ContainsAny(name, " \t<>") {
			return true
		}
	}
	return false
}

func splitHeader(raw []byte) (header, body []byte, found bool) {
	for i := 0; i < len(raw); {
		j := bytes.IndexByte(raw[i:], '\n')
		if j < 0 {
			break
		}
		if len(bytes.TrimSpace(raw[i:i+j])) == 0 {
			return raw[:i], raw[i+j+1:], true
		}
		i += j + 1
	}
	return raw, nil, false
}

// readBare takes header and body apart by hand when the MIME reader gives up.
func readBare(raw []byte, cause error) (Mail, error) {
	header, body, _ := splitHeader(raw)
	fields := make(textproto.MIMEHeader)
	name := ""
	for line := range strings.Lines(string(header)) {
		if line[0] == ' ' || line[0] == '\t' {
			if values := fields[name]; len(values) > 0 {
				values[len(values)-1] += " " + strings.TrimSpace(line)
			}
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); !ok || key == "" || strings.ContainsAny(key, " \t") {
			continue
		}
		name = textproto.CanonicalMIMEHeaderKey(key)
		fields[name] = append(fields[name], strings.TrimSpace(value))
	}
	if len(fields) == 0 {
		return Mail{}, &NotMailError{Reason: "no header field could be read"}
	}
	m := fromHeader(fields)
	m.Text = strings.ToValidUTF8(string(body), "\uFFFD")
	m.Warnings = append(m.Warnings, "MIME structure: "+reasonOf(cause)+"; the body is shown as it came")
	return m, nil
}

func reasonOf(err error) string {
	for u := errors.Unwrap(err); u != nil; u = errors.Unwrap(err) {
		err = u
	}
	s := err.Error()
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(s, "")
}

func fromHeader(raw textproto.MIMEHeader) Mail {
	h := make(textproto.MIMEHeader, len(raw))
	for key, values := range raw { // "From  : Ann" is old but legal (RFC 5322 §4.5)
		key = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(key))
		h[key] = append(h[key], values...)
	}
	m := Mail{Headers: make(map[string]string, len(h))}
	for key, values := range h {
		if len(values) > 0 {
			m.Headers[strings.ToLower(key)] = strings.ToValidUTF8(enmime.DecodeRFC2047(values[0]), "\uFFFD")
		}
	}
	m.From = mailAddresses(h.Get("From"))
	m.ReplyTo = mailAddresses(h.Get("Reply-To"))
	m.To = mailAddresses(h.Get("To"))
	m.Cc = mailAddresses(h.Get("Cc"))
	m.Subject = strings.TrimSpace(m.Headers["subject"])
	m.MessageID = firstID(h.Get("Message-Id"))
	m.InReplyTo = firstID(h.Get("In-Reply-To"))
	m.References = messageIDs(h.Get("References"))
	if d := h.Get("Date"); d != "" {
		if t, err := mail.ParseDate(d); err == nil {
			m.Date = t.UTC()
		} else {
			m.Warnings = append(m.Warnings, "Date: not a date")
		}
	}
	d := document{message: &Message{Headers: m.Headers}}
	switch d.automatic() {
	case NoSenderAutomatic:
		m.Automatic = true
	case NoSenderList:
		m.List = true
	}
	m.Authentication = m.Headers["authentication-results"]
	return m
}

func mailAddresses(value string) []MailAddress {
	var out []MailAddress
	for _, a := range parseAddresses(value) {
		if a.email != "" || a.display != "" {
			out = append(out, MailAddress{Name: enmime.DecodeRFC2047(a.display), Email: a.email})
		}
	}
	return out
}

const maxReferences = 200

func messageIDs(value string) []string {
	var out []string
	for _, f := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '>' || r == '\r' || r == '\n' }) {
		if id := strings.Trim(f, "<>"); id != "" && len(id) < 1000 && len(out) < maxReferences {
			out = append(out, id)
		}
	}
	return out
}

func firstID(value string) string {
	if ids := messageIDs(value); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// Message gives the mail as extraction reads it.
func (m Mail) Message(direction Direction) Message {
	return Message{Channel: Email, Direction: direction, Headers: m.Headers, Subject: m.Subject, Text: m.Text, HTML: m.HTML}
}
