package extract

import (
	"net/mail"
	"strings"

	"github.com/clientele-crm/clientele/core/match"
	"github.com/jhillyerd/enmime/v2"
)

// headerAddress is a person in a mail header.
type headerAddress struct {
	display string
	email   string // normal form, "" when the header has none
}

// parseAddresses reads an address header forgivingly: what the standard reader
// refuses ("Lee, Ann <a@x.com>", a bare name) is taken apart by hand.
func parseAddresses(value string) []headerAddress {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > 8<<10 {
		return nil
	}
	if list, err := mail.ParseAddressList(value); err == nil {
		out := make([]headerAddress, 0, len(list))
		for _, a := range list {
			email, _ := match.Email(a.Address)
			out = append(out, headerAddress{display: strings.TrimSpace(a.Name), email: email})
		}
		return out
	}
	value = enmime.DecodeRFC2047(value)
	var out []headerAddress
	for value != "" {
		open := strings.IndexByte(value, '<')
		if open < 0 {
			break
		}
		shut := strings.IndexByte(value[open:], '>')
		if shut < 0 {
			shut = len(value) - open
		}
		email, _ := match.Email(strings.TrimSpace(strings.TrimPrefix(value[open+1:open+shut], "mailto:")))
		out = append(out, headerAddress{display: strings.Trim(value[:open], " \t\",;'"), email: email})
		value = strings.Trim(value[min(len(value), open+shut+1):], " ,;\t")
	}
	if out == nil {
		for _, f := range strings.Fields(strings.NewReplacer("[mailto:", " ", "]", " ").Replace(value)) {
			if email, ok := match.Email(strings.Trim(f, ",;()\"'")); ok {
				return []headerAddress{{email: email}}
			}
		}
		out = append(out, headerAddress{display: strings.Trim(value, " \"',;")})
	}
	return out
}

// findSender decides who the outside participant is (R9, R10).
func (d *document) findSender() Sender {
	switch d.message.Channel {
	case Email:
		if d.message.Direction == Outbound {
			return d.recipients()
		}
		return d.author()
	case SMS, Voice:
		return d.caller()
	}
	return Sender{}
}

func (d *document) author() Sender {
	h := d.message.Headers
	from := headerAddress{}
	if list := parseAddresses(h["from"]); len(list) > 0 {
		from = list[0]
	}
	if from.email == "" {
		if email, ok := match.Email(d.message.Identifier); ok {
			from.email = email
		}
	}
	reason := d.automatic()
	var s Sender
	switch {
	case from.email != "" && d.isOwnAddress(from.email):
		inner := parseAddresses(d.innerFrom)
		if !d.forwarded || len(inner) == 0 || inner[0].email == "" || d.isOwnAddress(inner[0].email) {
			return Sender{None: NoSenderOwn}
		}
		from = inner[0]
		s.Forwarded = true
	case reason == NoSenderList || isRelay(from):
		reply := parseAddresses(h["reply-to"])
		if reason == "" && len(reply) > 0 && usable(reply[0].email) && !d.isOwnAddress(reply[0].email) && reply[0].email != from.email {
			if reply[0].display == "" {
				reply[0].display = from.display
			}
			from = reply[0]
			s.Relayed = true
		}
	}
	if first, last, ok := parseDisplayName(d.words, from.display, from.email); ok {
		s.First, s.Last = first, last
	}
	switch {
	case reason != "":
		s.None = reason
	case from.email == "":
		s.None = NoSenderUnknown
	case match.IsNoReply(from.email):
		s.None = NoSenderNoReply
	default:
		s.Email = from.email
		s.Role = match.IsRoleAddress(from.email)
	}
	return s
}

// isRelay knows From addresses that only pass a message on: a web form, a
// market place, "Ann via Service".
func isRelay(a headerAddress) bool {
	low := strings.ToLower(a.display)
	if strings.Contains(low, " via ") || match.IsNoReply(a.email) {
		return true
	}
	local, _, _ := strings.Cut(a.email, "@")
	for _, mark := range [...]string{"reply+", "relay", "forms", "formmail", "webform", "form-", "contactform", "wordpress"} {
		if strings.HasPrefix(local, mark) {
			return true
		}
	}
	return false
}

func usable(email string) bool { return email != "" && !match.IsNoReply(email) }

// automatic knows mail that no person wrote to us: bulk and list mail,
// auto-replies, bounces (RFC 3834, RFC 2919, RFC 2369).
func (d *document) automatic() NoSender {
	h := d.message.Headers
	if auto := strings.ToLower(strings.TrimSpace(h["auto-submitted"])); auto != "" && auto != "no" {
		return NoSenderAutomatic
	}
	if path, ok := h["return-path"]; ok && strings.TrimSpace(path) == "<>" {
		return NoSenderAutomatic
	}
	for _, mark := range [...]string{"x-autoreply", "x-autorespond", "x-auto-response-suppress-reply"} {
		if h[mark] != "" {
			return NoSenderAutomatic
		}
	}
	if strings.Contains(strings.ToLower(h["content-type"]), "report-type=delivery-status") {
		return NoSenderAutomatic
	}
	switch strings.ToLower(strings.TrimSpace(h["precedence"])) {
	case "bulk", "list", "junk":
		return NoSenderList
	case "auto_reply", "auto-reply":
		return NoSenderAutomatic
	}
	if h["list-id"] != "" || h["list-unsubscribe"] != "" && h["list-post"] == "" || h["feedback-id"] != "" {
		return NoSenderList
	}
	return ""
}

// recipients takes an outbound mail: the first outside recipient is the
// client, further ones are suggestions, Cc never counts.
func (d *document) recipients() Sender {
	s := Sender{None: NoSenderUnknown}
	list := parseAddresses(d.message.Headers["to"])
	if email, ok := match.Email(d.message.Identifier); ok && len(list) == 0 {
		list = []headerAddress{{email: email}}
	}
	for _, a := range list {
		switch {
		case a.email == "":
		case d.isOwnAddress(a.email):
			if s.Email == "" {
				s.None = NoSenderOwn
			}
		case match.IsNoReply(a.email):
			if s.Email == "" {
				s.None = NoSenderNoReply
			}
		case s.Email == "":
			s.Email, s.None, s.Role = a.email, "", match.IsRoleAddress(a.email)
			s.First, s.Last, _ = parseDisplayName(d.words, a.display, a.email)
		case a.email != s.Email:
			s.Others = append(s.Others, a.email)
		}
	}
	return s
}

func (d *document) caller() Sender {
	id := strings.TrimSpace(d.message.Identifier)
	n, ok := match.Phone(id, d.settings.Region)
	switch {
	case ok && d.isOwnNumber(n.E164):
		return Sender{None: NoSenderOwn}
	case ok && !match.IsShortCode(id):
		return Sender{Phone: n.E164, Extension: n.Extension}
	case id == "":
		if d.message.Channel == Voice {
			return Sender{None: NoSenderWithheld}
		}
		return Sender{None: NoSenderUnknown}
	case d.message.Channel == Voice && strings.Trim(id, "0123456789+ -()") != "":
		return Sender{None: NoSenderWithheld}
	case match.IsShortCode(id):
		return Sender{None: NoSenderShortCode}
	}
	return Sender{None: NoSenderUnknown}
}

func (d *document) isOwnAddress(email string) bool { return d.settings.IsOwn(email) }

// IsOwn tells whether an address, in normal form, is one of the tenant's.
func (s Settings) IsOwn(email string) bool {
	for _, a := range s.OwnAddresses {
		if n, ok := match.Email(a); ok && n == email {
			return true
		}
	}
	at := strings.LastIndexByte(email, '@')
	for _, own := range s.OwnDomains {
		o, ok := match.Domain(strings.TrimPrefix(own, "@"))
		if ok && at >= 0 && (email[at+1:] == o || strings.HasSuffix(email[at+1:], "."+o)) {
			return true
		}
	}
	return false
}

func (d *document) isOwnNumber(e164 string) bool {
	for _, own := range d.settings.OwnNumbers {
		if n, ok := match.Phone(own, d.settings.Region); ok && n.E164 == e164 {
			return true
		}
	}
	return false
}
