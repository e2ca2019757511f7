package extract_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/core/extract"
)

var ours = extract.Settings{Region: "CA", OwnDomains: []string{"own.example"}, OwnNumbers: []string{"+14165550111"}, Agents: []string{"Agatha Entwistle"}}

// TestSender is R9 and R10: who the outside participant of a message is.
func TestSender(t *testing.T) {
	t.Parallel()
	mail := func(d extract.Direction, headers ...string) extract.Message {
		m := extract.Message{Channel: extract.Email, Direction: d, Headers: map[string]string{}, Text: "Hello"}
		for i := 0; i < len(headers); i += 2 {
			m.Headers[headers[i]] = headers[i+1]
		}
		return m
	}
	forwarded := mail(extract.Inbound, "from", "Agatha Entwistle <agatha@own.example>")
	forwarded.Text = "see below\n\n---------- Forwarded message ---------\nFrom: Ann Lee <ann@x.com>\nDate: Mon\nSubject: help\nTo: agatha@own.example\n\nCall me at 416-555-0199\nAnn Lee"
	for _, c := range []struct {
		name string
		m    extract.Message
		want extract.Sender
	}{
		{"from", mail(extract.Inbound, "from", "Ann Lee <Ann@X.com>"), extract.Sender{Email: "ann@x.com", First: "Ann", Last: "Lee"}},
		{"family name first", mail(extract.Inbound, "from", `"Lee, Ann M." <ann@x.com>`), extract.Sender{Email: "ann@x.com", First: "Ann", Last: "Lee"}},
		{"role address", mail(extract.Inbound, "from", "Acme Sales <sales@acme.com>"), extract.Sender{Email: "sales@acme.com", Role: true}},
		{"no-reply", mail(extract.Inbound, "from", "no-reply@shop.com"), extract.Sender{None: extract.NoSenderNoReply}},
		{"relay with a reply address", mail(extract.Inbound, "from", "Ann via Forms <no-reply@forms.example>", "reply-to", "ann@x.com"), extract.Sender{Email: "ann@x.com", First: "Ann", Relayed: true}},
		{"reply address of no relay", mail(extract.Inbound, "from", "ann@x.com", "reply-to", "other@y.com"), extract.Sender{Email: "ann@x.com"}},
		{"list", mail(extract.Inbound, "from", "ann@x.com", "list-id", "<dev.x.com>"), extract.Sender{None: extract.NoSenderList}},
		{"auto-reply", mail(extract.Inbound, "from", "ann@x.com", "auto-submitted", "auto-replied"), extract.Sender{None: extract.NoSenderAutomatic}},
		{"own people", mail(extract.Inbound, "from", "agatha@own.example"), extract.Sender{None: extract.NoSenderOwn}},
		{"forwarded by an agent", forwarded, extract.Sender{Email: "ann@x.com", First: "Ann", Last: "Lee", Forwarded: true}},
		{"outbound", mail(extract.Outbound, "from", "agatha@own.example", "to", "bob@own.example, Ann Lee <ann@x.com>, carl@y.com", "cc", "dora@z.com"), extract.Sender{Email: "ann@x.com", First: "Ann", Last: "Lee", Others: []string{"carl@y.com"}}},
		{"no address", mail(extract.Inbound, "from", "Semperger"), extract.Sender{Last: "Semperger", None: extract.NoSenderUnknown}},
		{"SMS", extract.Message{Channel: extract.SMS, Identifier: "(416) 555-0100"}, extract.Sender{Phone: "+14165550100"}},
		{"short code", extract.Message{Channel: extract.SMS, Identifier: "72345"}, extract.Sender{None: extract.NoSenderShortCode}},
		{"alphanumeric sender", extract.Message{Channel: extract.SMS, Identifier: "ACMEBANK"}, extract.Sender{None: extract.NoSenderShortCode}},
		{"own number", extract.Message{Channel: extract.SMS, Identifier: "416-555-0111"}, extract.Sender{None: extract.NoSenderOwn}},
		{"withheld", extract.Message{Channel: extract.Voice, Identifier: "anonymous"}, extract.Sender{None: extract.NoSenderWithheld}},
		{"no caller id", extract.Message{Channel: extract.Voice}, extract.Sender{None: extract.NoSenderWithheld}},
		{"chat", extract.Message{Channel: extract.Chat}, extract.Sender{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, extract.Run(c.m, ours).Sender); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWhose is R133: whose a value is, and what another person's may do.
func TestWhose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text    string
		field   extract.Field
		whose   extract.Whose
		stated  bool
		verdict extract.Verdict
	}{
		{"my email is ann@x.com", extract.FieldEmail, extract.WhoseSpeaker, true, extract.Accepted},
		{"call me at 416-555-0199", extract.FieldPhone, extract.WhoseSpeaker, true, extract.Accepted},
		{"please call my wife on 416-555-0199", extract.FieldPhone, extract.WhoseOther, false, extract.Suggested},
		{"ask Brenda, her number is 416-555-0199", extract.FieldPhone, extract.WhoseOther, false, extract.Accepted},
		{"416-555-0199", extract.FieldPhone, extract.WhoseUnknown, false, extract.Accepted},
		{"I called 416-555-0111 twice", extract.FieldPhone, extract.WhoseSpeaker, true, extract.Rejected},
		{"write to help@own.example", extract.FieldEmail, extract.WhoseUnknown, false, extract.Rejected},
		{`he said "write to ann@x.com"`, extract.FieldEmail, extract.WhoseOther, false, extract.Suggested},
		{"no-reply@shop.com wrote to me", extract.FieldEmail, extract.WhoseUnknown, false, extract.Rejected},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			r := extract.Run(extract.Message{Channel: extract.Chat, Text: c.text}, ours)
			for _, f := range r.Findings {
				if f.Field != c.field {
					continue
				}
				if f.Whose != c.whose || f.Stated != c.stated || f.Verdict != c.verdict {
					t.Errorf("%s %v %s, want %s %v %s", f.Whose, f.Stated, f.Verdict, c.whose, c.stated, c.verdict)
				}
				return
			}
			t.Errorf("nothing found: %+v", r.Findings)
		})
	}
}

// TestQuotedTextNeverCounts appends what mail programs quote: the findings stay
// the same, and nothing of it is the speaker's words.
func TestQuotedTextNeverCounts(t *testing.T) {
	t.Parallel()
	const own = "Please call me at 416-555-0199.\n\nAnn Lee\n"
	base := extract.Message{Channel: extract.Email, Headers: map[string]string{"from": "Ann Lee <ann@x.com>"}, Text: own}
	want := extract.Run(base, ours)
	for _, quote := range []string{
		"\nOn Tue, Mar 4, 2025 at 9:12 AM Bob Roe <bob@y.com> wrote:\n> I'm Bob Roe, 212-736-5000\n",
		"\nOn Tue, Mar 4, 2025 at 9:12 AM Bob Roe <\nbob@y.com> wrote:\n\nI'm Bob Roe, 212-736-5000\n",
		"\nLe mar. 4 mars 2025 à 9:12, Bob Roe <bob@y.com> a écrit :\n> 212-736-5000",
		"\nAm 04.03.2025 um 09:12 schrieb Bob Roe:\n> 212-736-5000",
		"\nEl mar, 4 mar 2025 a las 9:12, Bob Roe (<bob@y.com>) escribió:\n\n212-736-5000",
		"\nIl giorno mar 4 mar 2025 Bob Roe <bob@y.com> ha scritto:\n\n212-736-5000",
		"\nOp di 4 mrt 2025 om 09:12 schreef Bob Roe <bob@y.com>:\n> 212-736-5000",
		"\nW dniu 4.03.2025 o 09:12, Bob Roe pisze:\n> 212-736-5000",
		"\nEm ter., 4 de mar. de 2025 às 09:12, Bob Roe <bob@y.com> escreveu:\n\n212-736-5000",
		"\nDen tis 4 mars 2025 kl 09:12 skrev Bob Roe <bob@y.com>:\n\n212-736-5000",
		"\n2025/03/04 9:12、Bob Roe <bob@y.com>のメール：\n\n212-736-5000",
		"\n-----Original Message-----\nFrom: Bob Roe\n212-736-5000",
		"\n-----Ursprüngliche Nachricht-----\nVon: Bob Roe\n212-736-5000",
		"\n________________________________\nFrom: Bob Roe <bob@y.com>\nSent: Tuesday, March 4, 2025 9:12 AM\nTo: Ann\nSubject: Re: x\n\nI'm Bob, 212-736-5000",
		"\nDe : Bob Roe <bob@y.com>\nEnvoyé : mardi 4 mars 2025\nÀ : Ann Lee\nObjet : x\n\n212-736-5000",
		"\nBegin forwarded message:\n\nFrom: Bob Roe <bob@y.com>\nSubject: x\nTo: Ann\n\n212-736-5000",
		"\n> 212-736-5000 is Bob's, bob@y.com\n",
	} {
		t.Run(quote[:min(len(quote), 30)], func(t *testing.T) {
			t.Parallel()
			m := base
			m.Text += quote
			got := extract.Run(m, ours)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the quote changed the outcome:\n%s", diff)
			}
		})
	}
}

// TestSpeakersAreKeptApart swaps the roles of a dialogue: our side's data never
// comes out.
func TestSpeakersAreKeptApart(t *testing.T) {
	t.Parallel()
	turns := []extract.Turn{
		{Role: extract.RoleAgent, Text: "Hello, my name is Bob Roe, 212-736-5000, bob@y.com. Who am I speaking with?"},
		{Role: extract.RoleClient, Text: "Ann Lee, 416-555-0199, ann@x.com"},
	}
	r := extract.Run(extract.Message{Channel: extract.Chat, Turns: turns}, ours)
	if f, _ := first(r, extract.FieldName); f.Value != "Ann Lee" {
		t.Errorf("name %q, want Ann Lee", f.Value)
	}
	if got := r.Accepted(extract.FieldPhone); len(got) != 1 || got[0].Normal != "+14165550199" {
		t.Errorf("phones %+v", got)
	}
	turns[0].Role, turns[1].Role = extract.RoleClient, extract.RoleAgent
	r = extract.Run(extract.Message{Channel: extract.Chat, Turns: turns}, ours)
	if got := r.Accepted(extract.FieldEmail); len(got) != 1 || got[0].Normal != "bob@y.com" {
		t.Errorf("swapped: emails %+v", got)
	}
}

// TestSettings is R192: switches and thresholds hold on the next run.
func TestSettings(t *testing.T) {
	t.Parallel()
	m := extract.Message{Channel: extract.Chat, Text: "I'm Ann Lee, 416-555-0199, and my name is also on ann@x.com"}
	off := extract.Run(m, extract.Settings{Region: "CA", Off: []extract.Field{extract.FieldPhone}})
	if _, found := first(off, extract.FieldPhone); found {
		t.Error("a field that is off was extracted")
	}
	strict := extract.Run(m, extract.Settings{Region: "CA", Accept: map[extract.Field]float64{extract.FieldPhone: 0.99}})
	if f, _ := first(strict, extract.FieldPhone); f.Verdict != extract.Suggested {
		t.Errorf("below the threshold a phone is %q", f.Verdict)
	}
	agent := extract.Run(extract.Message{Channel: extract.Chat, Text: "I'm Agatha Entwistle"}, ours)
	if f, found := first(agent, extract.FieldName); found {
		t.Errorf("an agent's name came out: %+v", f)
	}
}

// TestValidatorOnlyLowers gives a validator that confirms everything and one
// that refuses everything (R117).
func TestValidatorOnlyLowers(t *testing.T) {
	t.Parallel()
	m := extract.Message{Channel: extract.Chat, Text: "my name is john, my email is ann@x.com"}
	yes := extract.RunWith(m, ours, always(extract.Accepted))
	if f, _ := first(yes, extract.FieldName); f.Verdict != extract.Suggested {
		t.Errorf("a validator raised a suggestion to %q", f.Verdict)
	}
	no := extract.RunWith(m, ours, always(extract.Rejected))
	if f, found := first(no, extract.FieldEmail); found {
		t.Errorf("a veto was ignored: %+v", f)
	}
}

type always extract.Verdict

func (a always) Check(extract.Finding, string) (extract.Verdict, string) {
	return extract.Verdict(a), "said so"
}
