package extract_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/core/extract"
)

func readMail(t *testing.T, name string) extract.Mail {
	t.Helper()
	raw, err := os.ReadFile("testdata/mail/" + name + ".eml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := extract.ReadMail(raw)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReadMail(t *testing.T) {
	t.Parallel()
	m := readMail(t, "plain")
	type seen struct {
		From, To, Cc           []extract.MailAddress
		Subject, ID, InReplyTo string
		References             []string
		Date                   time.Time
	}
	want := seen{
		From: []extract.MailAddress{{Name: "Ann Lee", Email: "ann@example.com"}}, To: []extract.MailAddress{{Name: "Shop", Email: "shop@own.example"}}, Cc: []extract.MailAddress{{Email: "bob@example.org"}},
		Subject: "Anfrage für Bücher", ID: "m1@example.com", InReplyTo: "m0@own.example", References: []string{"r1@own.example", "m0@own.example"}, Date: time.Date(2025, 3, 4, 8, 12, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, seen{m.From, m.To, m.Cc, m.Subject, m.MessageID, m.InReplyTo, m.References, m.Date}); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(m.Text, "grüße") || len(m.Warnings) != 0 || m.Automatic || m.List {
		t.Errorf("text %q, warnings %v", m.Text, m.Warnings)
	}
}

// TestMarkedQuotesAreCut reads an HTML reply whose quote and signature only
// its classes tell.
func TestMarkedQuotesAreCut(t *testing.T) {
	t.Parallel()
	r := extract.Run(readMail(t, "html_reply").Message(extract.Inbound), extract.Settings{Region: "US"})
	if phones := r.Accepted(extract.FieldPhone); len(phones) != 1 || phones[0].Normal != "+16465552398" {
		t.Errorf("phones %+v", phones)
	}
	if name, _ := first(r, extract.FieldName); name.Value != "Harvey Boyle" {
		t.Errorf("name %q", name.Value)
	}
	if company, _ := first(r, extract.FieldCompany); company.Value != "Pinecrest Inc." || company.Origin != extract.OriginSignature {
		t.Errorf("company %+v", company)
	}
	if strings.Contains(r.OwnWords, "Dana") || strings.Contains(r.OwnWords, "Boyle") {
		t.Errorf("own words hold quote or signature: %q", r.OwnWords)
	}
}

func TestReadMailOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, from, text string
		automatic, list  bool
		attachments      []string
		warns            bool
	}{
		{"alternative", "joerg@example.de", "ich hätte gern", false, false, nil, false},
		{"attachment", "ann@example.com", "see attached", false, false, []string{"plan.pdf"}, false},
		{"bounce", "mailer-daemon@mx.example", "could not be delivered", true, false, nil, false},
		{"list", "ann@example.com", "Hi all", false, true, nil, false},
		{"broken_boundary", "ann@example.com", "the rest is miss", false, false, nil, true},
		{"bad_headers", "ann@example.com", "Hello there", false, false, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := readMail(t, c.name)
			if len(m.From) != 1 || m.From[0].Email != c.from || !strings.Contains(m.Text, c.text) {
				t.Errorf("from %v, text %q", m.From, m.Text)
			}
			if m.Automatic != c.automatic || m.List != c.list || len(m.Warnings) > 0 != c.warns {
				t.Errorf("automatic %v, list %v, warnings %v", m.Automatic, m.List, m.Warnings)
			}
			if diff := cmp.Diff(c.attachments, m.Attachments); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDeepNesting: a mail that nests without end is read as it came, at once.
func TestDeepNesting(t *testing.T) {
	t.Parallel()
	m, err := extract.ReadMail([]byte("From: a@b.example\n" + strings.Repeat("Content-Type: multipart/mixed; boundary=x\n\n--x\n", 5000)))
	if err != nil || len(m.From) != 1 || len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], "nests") {
		t.Errorf("%v, from %v, warnings %v", err, m.From, m.Warnings)
	}
}

func TestWhatIsNoMailIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string][]byte{
		"empty": nil, "blank": []byte("\n\n"), "text": []byte("just some words"), "binary": {0, 1, 2, 3, 255},
	} {
		_, err := extract.ReadMail(raw)
		if refusal, ok := errors.AsType[*extract.NotMailError](err); !ok || refusal.Reason == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
