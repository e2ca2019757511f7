package sender

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/core/match"
)

// Settings say how a tenant sends on one channel: exactly one of SMTP and
// Webhook.
type Settings struct {
	// From is our side: an email address, a number in E.164, or for chat any name.
	From string `json:"from" doc:"Our address, number, or for chat a name"`
	// Name stands before an email address; empty for none.
	Name    string           `json:"name,omitempty" maxLength:"200" doc:"The name that stands before an email address"`
	SMTP    *SMTPSettings    `json:"smtp,omitempty" doc:"A mail server; for the channel email"`
	Webhook *WebhookSettings `json:"webhook,omitempty" doc:"A gateway that takes signed requests"`
}

// SMTPSettings are a mail server (RFC 5321) that takes mail for delivery.
type SMTPSettings struct {
	Host string `json:"host"`
	// Port is 1 to 65535; 0 means 587, or 465 with TLS implicit.
	Port int `json:"port,omitempty"`
	// TLS is "starttls" (the default: the server must offer it), "implicit"
	// (RFC 8314), or "none", which takes no user name except on this machine.
	TLS      string `json:"tls,omitempty" enum:"starttls,implicit,none"`
	Username string `json:"username,omitempty"`
}

// WebhookSettings are a gateway that takes each message as a signed request.
type WebhookSettings struct {
	URL string `json:"url"`
	// Idempotent says that the gateway honours Idempotency-Key: a message whose
	// outcome is unknown is then sent again. Saying so of one that doesn't lets
	// clients get messages twice.
	Idempotent bool `json:"idempotent,omitempty"`
}

// The ways to encrypt SMTP.
const (
	startTLS    = "starttls"
	implicitTLS = "implicit"
	noTLS       = "none"
)

// maxSetting is the longest of the settings' texts, in bytes.
const maxSetting = 1000

// Channels are those that a sender can be set up for.
func Channels() []string { return []string{"email", "sms", "chat"} }

// InvalidError is a setting that can't be stored.
type InvalidError struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Rule + ": " + e.WayOut }

// check validates settings for a channel and fills the defaults in.
func (s *Settings) check(channel string) error {
	if !slices.Contains(Channels(), channel) {
		return &InvalidError{"path.channel", fmt.Sprintf("%q has no sender", channel), "use " + strings.Join(Channels(), ", ")}
	}
	if (s.SMTP == nil) == (s.Webhook == nil) {
		return &InvalidError{"smtp", "and webhook: one of them is needed, not both", "say how the channel sends"}
	}
	if s.SMTP != nil && channel != "email" {
		return &InvalidError{"smtp", "belongs to the channel email", "use webhook"}
	}
	if err := s.checkFrom(channel); err != nil {
		return err
	}
	if !oneLine(s.Name) {
		return &InvalidError{"name", "holds a line break or control character, or is too long", "write it on one line"}
	}
	if s.SMTP != nil {
		return s.SMTP.check()
	}
	return s.Webhook.check()
}

func (s *Settings) checkFrom(channel string) error {
	s.From = strings.TrimSpace(s.From)
	switch channel {
	case "email":
		if _, err := mailbox(s.From); err != nil {
			return &InvalidError{"from", "is no email address", "write it like support@example.com"}
		}
	case "sms":
		// Alphanumeric senders and short codes are fine; what looks like a number
		// must be one, or replies won't find their conversation.
		if strings.HasPrefix(s.From, "+") {
			if n, ok := match.Phone(s.From, ""); !ok || n.E164 != s.From {
				return &InvalidError{"from", "is no number in E.164", "write it like +14165550100"}
			}
		}
	}
	if s.From == "" || !oneLine(s.From) {
		return &InvalidError{"from", "is empty, too long, or holds a line break", "give our address or number on the channel"}
	}
	return nil
}

func (s *SMTPSettings) check() error {
	if s.TLS == "" {
		s.TLS = startTLS
	}
	if !slices.Contains([]string{startTLS, implicitTLS, noTLS}, s.TLS) {
		return &InvalidError{"smtp.tls", fmt.Sprintf("is %q", s.TLS), "use starttls, implicit or none"}
	}
	if s.Port == 0 {
		s.Port = 587
		if s.TLS == implicitTLS {
			s.Port = 465
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		return &InvalidError{"smtp.port", "lies outside 1 to 65535", "use 587, or 465 with tls implicit"}
	}
	if s.Host == "" || !oneLine(s.Host) || strings.ContainsAny(s.Host, " /@") {
		return &InvalidError{"smtp.host", "is no host name", "write it like smtp.example.com"}
	}
	if !oneLine(s.Username) {
		return &InvalidError{"smtp.username", "is too long or holds a line break", "write it on one line"}
	}
	return nil
}

func (s *WebhookSettings) check() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || len(s.URL) > maxSetting || (u.Scheme != "https" && u.Scheme != "http") {
		return &InvalidError{"webhook.url", "is no web address", "write it like https://gateway.example.com/messages"}
	}
	if u.User != nil {
		return &InvalidError{"webhook.url", "holds a user name", "leave it out: requests are signed with the secret"}
	}
	return nil
}

// provider is who a secret is for.
func (s *Settings) provider() string {
	if s.SMTP != nil {
		return fmt.Sprintf("smtp %s:%d %s %s", s.SMTP.Host, s.SMTP.Port, s.SMTP.TLS, s.SMTP.Username)
	}
	return "webhook " + s.Webhook.URL
}

// needsSecret: requests to a gateway are always signed; a mail server may trust
// the network.
func (s *Settings) needsSecret() bool { return s.Webhook != nil || s.SMTP.Username != "" }

// mailbox reads a bare email address.
func mailbox(address string) (string, error) {
	if !oneLine(address) {
		return "", fmt.Errorf("too long or more than a line")
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.Address != address {
		return "", fmt.Errorf("no bare address")
	}
	return parsed.Address, nil
}

// oneLine tells whether text may stand in a header or a command: one line of
// valid text without control characters, and not endless.
func oneLine(s string) bool {
	return len(s) <= maxSetting && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}
