package extract_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/core/extract"
)

// FuzzRun holds a run to what it promises for any text: spans lie in the text
// and hold the value, accepted values have a normal form, the outcome is the
// same twice, and it can be stored.
func FuzzRun(f *testing.F) {
	for _, m := range evalTexts(f) {
		f.Add(m.Text, string(m.Channel), "US", "")
	}
	f.Add("g e o r g e at g mail dot com, double five", "voice", "GB", "Please spell your name")
	f.Add("-- \n>>\n\n\r\n| 1/2 Main St, IN 00000-", "email", "XX", "")
	f.Add("I'm \xff\xfe at 12\u200b Str. \ufe0f@", "chat", "", "address?")
	f.Fuzz(func(t *testing.T, text, channel, region, context string) {
		if len(text) > 1<<16 {
			return
		}
		m := extract.Message{Channel: extract.Channel(channel), Text: text, Context: context, Headers: map[string]string{"from": "Ann Lee <ann@example.com>"}}
		s := extract.Settings{Region: region}
		r := extract.Run(m, s)
		first, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("can't be stored: %v", err)
		}
		if second, _ := json.Marshal(extract.Run(m, s)); !bytes.Equal(first, second) {
			t.Fatal("two runs differ")
		}
		checkFindings(t, extract.Text(m), r)
	})
}

func checkFindings(t *testing.T, text string, r extract.Result) {
	t.Helper()
	if len(r.Findings) > 200 {
		t.Fatalf("%d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		if f.Span.Start < 0 || f.Span.End > len(text) || f.Span.Start > f.Span.End {
			t.Fatalf("span %v outside a text of %d bytes", f.Span, len(text))
		}
		if f.Confidence < 0 || f.Confidence > 1 || f.Detector == "" || f.Verdict == "" || f.Whose == "" {
			t.Fatalf("incomplete: %+v", f)
		}
		if f.Verdict != extract.Accepted && f.Reason == "" {
			t.Fatalf("%s %q is %s without a reason", f.Field, f.Value, f.Verdict)
		}
		if f.Verdict == extract.Accepted && f.Normal == "" {
			t.Fatalf("accepted without a normal form: %+v", f)
		}
		if !utf8.ValidString(f.Sentence) {
			t.Fatalf("the sentence is no text: %q", f.Sentence)
		}
		if f.Field == extract.FieldPhone && f.Verdict != extract.Rejected && !strings.HasPrefix(f.Normal, "+") {
			t.Fatalf("phone %q isn't E.164", f.Normal)
		}
	}
}

// FuzzReadMail: any bytes are read or refused, never a panic, and what is read
// can be run.
func FuzzReadMail(f *testing.F) {
	files, err := filepath.Glob("testdata/mail/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatalf("testdata/mail: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(""))
	f.Add([]byte("From: a@b.example\nContent-Type: multipart/mixed; boundary=\"\"\n\n--\n--\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := extract.ReadMail(raw)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("refused without a reason")
			}
			return
		}
		if !utf8.ValidString(m.Subject) {
			t.Fatalf("the subject is no text: %q", m.Subject)
		}
		extract.Run(m.Message(extract.Inbound), extract.Settings{Region: "US"})
	})
}

// FuzzHTMLText: markup never hangs, and no tag comes through as text.
func FuzzHTMLText(f *testing.F) {
	for _, s := range []string{"<p>Hi</p>", "<blockquote type=cite>a<br>b</blockquote>c", "<div class=gmail_signature>Ann", "<pre>a\nb</pre><td>1<td>2", "<style>x</style>&amp;&#64;", "<<<>>></p></div>", "<div style='border-top:solid #E1E1E1'>From: x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		out := extract.HTMLText(source)
		if len(out) > 4*len(source)+16 {
			t.Fatalf("%d bytes became %d", len(source), len(out))
		}
	})
}

// FuzzLines: each line that isn't blank gets exactly one answer that is JSON.
func FuzzLines(f *testing.F) {
	f.Add(`{"id":1,"channel":"sms","text":"Ann here"}` + "\n" + `{"id":` + "\n\n" + `[]`)
	f.Add(`{"id":"x","channel":"fax"}` + "\n" + `{"context":7}` + "\n" + `{"context":[{"role":"agent","text":"your name?"}],"text":"Ann Lee"}`)
	f.Fuzz(func(t *testing.T, input string) {
		var out bytes.Buffer
		if _, err := extract.Lines(strings.NewReader(input), &out, extract.LineOptions{}); err != nil {
			t.Fatal(err)
		}
		want := 0
		for line := range strings.SplitSeq(input, "\n") {
			if strings.TrimSpace(line) != "" && len(bytes.TrimSpace([]byte(line))) > 0 {
				want++
			}
		}
		got := 0
		for line := range bytes.Lines(out.Bytes()) {
			if !json.Valid(line) {
				t.Fatalf("not JSON: %s", line)
			}
			got++
		}
		if got != want {
			t.Fatalf("%d lines, %d answers", want, got)
		}
	})
}

// FuzzSummary: at most 1,000 characters, always text.
func FuzzSummary(f *testing.F) {
	f.Add("Re: quote", "Can you send me a quote?", "Here it is. Shall I call?")
	f.Add("", "> quoted\nhi", "\xff")
	f.Fuzz(func(t *testing.T, subject, client, agent string) {
		s := extract.Summary([]extract.Said{{Direction: extract.Inbound, Subject: subject, Text: client}, {Direction: extract.Outbound, Text: agent}})
		if n := utf8.RuneCountInString(s); n > extract.MaxSummary {
			t.Fatalf("%d characters", n)
		}
	})
}
