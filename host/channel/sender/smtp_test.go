package sender_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/channel/sender/sendertest"
)

func smtpSettings(port int, mode string) sender.Settings {
	return sender.Settings{From: "support@acme.example", Name: "Acme Söhne", SMTP: &sender.SMTPSettings{Host: "127.0.0.1", Port: port, TLS: mode}}
}

func letter() outbound.Delivery {
	return outbound.Delivery{
		ID: uuid.Must(uuid.NewV7()), Channel: "email", To: "ann@x.example", Subject: "Grüße aus Köln – your offer",
		Text: "Dear Ann,\n.\nthe price is 5 €.\n", MessageID: "m1@acme.example", InReplyTo: "q2@x.example",
		References: []string{"q1@x.example", "q2@x.example"}, At: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC),
	}
}

func TestMailArrivesAsWritten(t *testing.T) {
	t.Parallel()
	server := sendertest.StartSMTP(t, &sendertest.SMTP{})
	s := newWorld(t).sender(t, "email", smtpSettings(server.Port(), "none"), "")
	begun := 0
	d := letter()
	if got := s.Send(t.Context(), d, func() { begun++ }); got.Outcome != outbound.WasSent || begun != 1 {
		t.Fatalf("%+v, begun %d times", got, begun)
	}
	mails := server.Mails()
	if len(mails) != 1 || mails[0].From != "support@acme.example" || mails[0].To != "ann@x.example" {
		t.Fatalf("%+v", mails)
	}
	// Our own reader of mails understands it, so that its echo finds its conversation.
	mail, err := extract.ReadMail(mails[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	if mail.Subject != d.Subject || mail.MessageID != d.MessageID || mail.InReplyTo != d.InReplyTo || strings.Join(mail.References, " ") != strings.Join(d.References, " ") {
		t.Errorf("headers %+v", mail)
	}
	if got := strings.ReplaceAll(mail.Text, "\r\n", "\n"); strings.TrimSpace(got) != strings.TrimSpace(d.Text) {
		t.Errorf("text %q", got)
	}
	if len(mail.From) != 1 || mail.From[0].Name != "Acme Söhne" || !mail.Date.Equal(d.At) {
		t.Errorf("from %+v at %s", mail.From, mail.Date)
	}
	for line := range strings.Lines(string(mails[0].Content)) {
		if strings.ContainsFunc(line, func(r rune) bool { return r >= 0x80 }) {
			t.Errorf("a line beyond ASCII went to a server that was not asked for it: %q", line)
		}
	}
}

func TestManyReferencesStayWhole(t *testing.T) {
	t.Parallel()
	server := sendertest.StartSMTP(t, &sendertest.SMTP{})
	s := newWorld(t).sender(t, "email", smtpSettings(server.Port(), "none"), "")
	d := letter()
	d.References = nil
	for range 40 {
		d.References = append(d.References, uuid.NewString()+"-"+uuid.NewString()+"@a-rather-long-name.example")
	}
	if got := s.Send(t.Context(), d, func() {}); got.Outcome != outbound.WasSent {
		t.Fatalf("%+v", got)
	}
	mail, err := extract.ReadMail(server.Mails()[0].Content)
	if err != nil || strings.Join(mail.References, " ") != strings.Join(d.References, " ") {
		t.Errorf("references %v, %v", mail.References, err)
	}
}

// What the caller controls must never become a header or command of its own.
func TestHeaderInjectionIsRefused(t *testing.T) {
	t.Parallel()
	server := sendertest.StartSMTP(t, &sendertest.SMTP{})
	s := newWorld(t).sender(t, "email", smtpSettings(server.Port(), "none"), "")
	for name, spoil := range map[string]func(*outbound.Delivery){
		"subject":        func(d *outbound.Delivery) { d.Subject = "Hi\r\nBcc: all@x.example" },
		"subject LF":     func(d *outbound.Delivery) { d.Subject = "Hi\nBcc: all@x.example" },
		"subject U+2028": func(d *outbound.Delivery) { d.Subject = "Hi\u2028Bcc: all@x.example" },
		"recipient":      func(d *outbound.Delivery) { d.To = "ann@x.example>\r\nRCPT TO:<bob@x.example" },
		"two recipients": func(d *outbound.Delivery) { d.To = "ann@x.example, bob@x.example" },
		"message id":     func(d *outbound.Delivery) { d.MessageID = "a@b>\r\nX: y" },
		"in reply to":    func(d *outbound.Delivery) { d.InReplyTo = "a@b\r\nX: y" },
		"references":     func(d *outbound.Delivery) { d.References = []string{"a@b> <c@d"} },
	} {
		d := letter()
		spoil(&d)
		begun := false
		if got := s.Send(t.Context(), d, func() { begun = true }); got.Outcome != outbound.Refused || begun {
			t.Errorf("%s: %+v, asked the server: %v", name, got, begun)
		}
	}
	if n := len(server.Mails()); n != 0 {
		t.Errorf("%d mails left", n)
	}
}

// What the server answers, and when it falls silent, decides what may be done
// next: a mail is never sent again that may have arrived.
func TestSMTPOutcomes(t *testing.T) {
	t.Parallel()
	server := sendertest.StartSMTP(t, &sendertest.SMTP{})
	s := newWorld(t).sender(t, "email", smtpSettings(server.Port(), "none"), "")
	for _, c := range []struct {
		command, reply string
		want           outbound.Outcome
	}{
		{"CONNECT", "421 busy", outbound.Retry},
		{"CONNECT", sendertest.Hang, outbound.Retry},
		{"MAIL", "451 later", outbound.Retry},
		{"RCPT", "450 greylisted", outbound.Retry},
		{"RCPT", "550 no such user", outbound.Refused},
		{"DATA", "554 no", outbound.Refused},
		{"DATA", sendertest.Hang, outbound.Retry},
		{".", "452 full", outbound.Retry},
		{".", "554 spam", outbound.Refused},
		{".", sendertest.Hang, outbound.Unknown},
		{".", "250 ok", outbound.WasSent},
	} {
		server.Answer(c.command, c.reply)
		if got := s.Send(t.Context(), letter(), func() {}); got.Outcome != c.want {
			t.Errorf("%s %s: %+v, want %s", c.command, c.reply, got, c.want)
		}
	}
	if n := len(server.Mails()); n != 2 {
		t.Errorf("%d mails arrived, want the one in doubt and the one that was taken", n)
	}
}

func TestSMTPTLS(t *testing.T) {
	t.Parallel()
	config, roots := certificate(t)
	w := newWorld(t)
	trusting := sender.New(sender.Options{DB: w.db, Vault: w.vault, Now: time.Now, Private: true, Roots: roots})
	for _, c := range []struct {
		name, mode string
		server     *sendertest.SMTP
		trusted    bool
		want       outbound.Outcome
	}{
		{"starttls", "starttls", &sendertest.SMTP{TLS: config}, true, outbound.WasSent},
		{"implicit", "implicit", &sendertest.SMTP{TLS: config, Implicit: true}, true, outbound.WasSent},
		{"a certificate nobody vouches for", "starttls", &sendertest.SMTP{TLS: config}, false, outbound.Retry},
		{"the offer of TLS taken away", "starttls", &sendertest.SMTP{}, true, outbound.Retry},
	} {
		server := sendertest.StartSMTP(t, c.server)
		settings := smtpSettings(server.Port(), c.mode)
		settings.SMTP.Username = "acme"
		w.set(t, "email", settings, "hush")
		service := w.service
		if c.trusted {
			service = trusting
		}
		s, err := service.Sender(t.Context(), w.admin.Tenant, "email")
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Send(t.Context(), letter(), func() {}); got.Outcome != c.want || strings.Contains(got.Detail, "hush") {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
		want := 0
		if c.want == outbound.WasSent {
			want = 1
		}
		if n := len(server.Mails()); n != want {
			t.Errorf("%s: %d mails arrived, want %d", c.name, n, want)
		}
	}
}

func TestInternationalAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		utf8     bool
		to, want string
		outcome  outbound.Outcome
	}{
		{false, "ann@bücher.example", "ann@xn--bcher-kva.example", outbound.WasSent},
		{false, "änn@bücher.example", "", outbound.Refused},
		{true, "änn@bücher.example", "änn@xn--bcher-kva.example", outbound.WasSent},
	} {
		server := sendertest.StartSMTP(t, &sendertest.SMTP{UTF8: c.utf8})
		s := w.sender(t, "email", smtpSettings(server.Port(), "none"), "")
		d := letter()
		d.To = c.to
		if got := s.Send(t.Context(), d, func() {}); got.Outcome != c.outcome {
			t.Errorf("%s: %+v, want %s", c.to, got, c.outcome)
		}
		to := ""
		if mails := server.Mails(); len(mails) > 0 {
			to = mails[0].To
		}
		if to != c.want {
			t.Errorf("%s arrived for %q, want %q", c.to, to, c.want)
		}
	}
}

// certificate is one for 127.0.0.1 that nobody but its own root vouches for.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}
