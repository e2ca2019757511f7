package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/idna"

	"github.com/clientele-crm/clientele/core/outbound"
)

// smtpDeadline bounds one mail, from the dial to the server's last answer. RFC
// 5321 §4.5.3.2 allows servers more; a mail that takes longer is in doubt.
const smtpDeadline = 60 * time.Second

// mailer sends mail over SMTP, a connection each. SMTP knows no idempotency: a
// server that answers nothing after the last byte may or may not have the mail
// (RFC 1047).
type mailer struct {
	settings Settings
	password string
	dialer   *net.Dialer
	roots    *x509.CertPool // nil: the system's
}

var _ outbound.Sender = (*mailer)(nil)

// Idempotent implements outbound.Sender.
func (m *mailer) Idempotent() bool { return false }

// From implements outbound.Sender.
func (m *mailer) From() string { return m.settings.From }

// Send implements outbound.Sender.
func (m *mailer) Send(ctx context.Context, d outbound.Delivery, begun func()) outbound.Result {
	content, err := m.compose(d)
	if err != nil {
		return outbound.Result{Outcome: outbound.Refused, Detail: err.Error()}
	}
	from, to := asciiDomain(m.settings.From), asciiDomain(d.To)
	ctx, cancel := context.WithTimeout(ctx, smtpDeadline)
	defer cancel()
	begun()
	c, err := m.connect(ctx)
	if err != nil {
		return failed(err)
	}
	defer c.Close()
	if international, _ := c.Extension("SMTPUTF8"); !international && !ascii(from+to) {
		return outbound.Result{Outcome: outbound.Refused, Detail: "the mail server takes no addresses beyond ASCII"}
	}
	if err := c.Mail(from); err != nil {
		return failed(err)
	}
	if err := c.Rcpt(to); err != nil {
		return failed(err)
	}
	return hand(c, content)
}

// hand transfers the content. Until the closing dot is written, a broken
// connection means that the server has nothing (RFC 5321 §4.1.1.4); after it,
// only its answer tells.
func hand(c *smtp.Client, content []byte) outbound.Result {
	w, err := c.Data()
	if err != nil {
		return failed(err)
	}
	if _, err := w.Write(content); err != nil {
		return failed(err)
	}
	err = w.Close()
	if _, answered := errors.AsType[*textproto.Error](err); err != nil && !answered {
		return outbound.Result{Outcome: outbound.Unknown, Detail: "the mail server did not answer whether it took the mail"}
	}
	if err != nil {
		return failed(err)
	}
	// The mail is the server's; how the goodbye goes doesn't matter.
	_ = c.Quit()
	return outbound.Result{Outcome: outbound.WasSent}
}

// connect dials, greets, encrypts and signs in.
func (m *mailer) connect(ctx context.Context) (_ *smtp.Client, err error) {
	s := m.settings.SMTP
	conn, err := m.dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	// A cancelled context ends a conversation that hangs.
	raw := conn
	context.AfterFunc(ctx, func() { raw.Close() })
	config := tlsConfig(m.roots)
	config.ServerName = s.Host
	if s.TLS == implicitTLS {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return nil, err
	}
	if err := c.Hello(domain(asciiDomain(m.settings.From))); err != nil {
		return nil, err
	}
	if s.TLS == startTLS {
		if offered, _ := c.Extension("STARTTLS"); !offered {
			return nil, &textproto.Error{Code: 454, Msg: "the server offers no STARTTLS"}
		}
		if err := c.StartTLS(config); err != nil {
			return nil, err
		}
	}
	if s.Username == "" {
		return c, nil
	}
	if err := c.Auth(smtp.PlainAuth("", s.Username, m.password, s.Host)); err != nil {
		// The settings are wrong, not the mail: it waits for better ones.
		return nil, fmt.Errorf("signing in failed: %s", clip(err.Error()))
	}
	return c, nil
}

// compose writes the mail as RFC 5322 wants it, and refuses header fields that
// could smuggle in another.
func (m *mailer) compose(d outbound.Delivery) ([]byte, error) {
	if _, err := mailbox(d.To); err != nil {
		return nil, fmt.Errorf("the recipient is no email address")
	}
	if !oneLine(d.Subject) {
		return nil, fmt.Errorf("the subject holds a line break or is longer than %d bytes", maxSetting)
	}
	b := enmime.Builder().From(m.settings.Name, asciiDomain(m.settings.From)).To("", asciiDomain(d.To)).
		Subject(d.Subject).Date(d.At).Text([]byte(d.Text)).Header("Message-Id", "<"+d.MessageID+">")
	ids := append([]string{d.MessageID, d.InReplyTo}, d.References...)
	for _, id := range ids {
		if !oneLine(id) || strings.ContainsAny(id, " <>") {
			return nil, fmt.Errorf("a Message-ID of the conversation can't stand in a header")
		}
	}
	if d.InReplyTo != "" {
		b = b.Header("In-Reply-To", "<"+d.InReplyTo+">")
	}
	if len(d.References) > 0 {
		b = b.Header("References", "<"+strings.Join(d.References, "> <")+">")
	}
	root, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("compose the mail: %w", err)
	}
	var out bytes.Buffer
	if err := root.Encode(&out); err != nil {
		return nil, fmt.Errorf("compose the mail: %w", err)
	}
	return out.Bytes(), nil
}

// failed reads an error from before the closing dot, or the server's answer to
// it: nothing left. 4xx may go better later, 5xx won't (RFC 5321 §4.2.1).
func failed(err error) outbound.Result {
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		r := outbound.Result{Outcome: outbound.Retry, Detail: fmt.Sprintf("the mail server answered %d %s", answer.Code, clip(answer.Msg))}
		if answer.Code >= 500 {
			r.Outcome = outbound.Refused
		}
		return r
	}
	return outbound.Result{Outcome: outbound.Retry, Detail: "no mail server to talk to: " + reason(err)}
}

func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// asciiDomain writes the domain of an address as the DNS has it.
func asciiDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	if converted, err := idna.Lookup.ToASCII(address[at+1:]); err == nil {
		return address[:at+1] + converted
	}
	return address
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
