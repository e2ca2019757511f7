package extract_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/core/extract"
)

// only turns all fields off but one, so that its detectors get the fuzzer's time.
func only(field extract.Field, region string) extract.Settings {
	s := extract.Settings{Region: region}
	for _, f := range extract.Fields() {
		if f != field {
			s.Off = append(s.Off, f)
		}
	}
	return s
}

// FuzzPhones: every accepted number is one in E.164, whatever it stood in.
func FuzzPhones(f *testing.F) {
	for _, text := range []string{
		"call 416-555-0199 x12 or +44 (0)20 7946 0018", "2127365000now", "1-800-FLOWERS", "double five, oh one two, three four five six",
		"+1(212)736-5000/5001", "Tel. 030/90 18 20 - 12", "２１２ ７３６ ５０００", "order 2127365000, 2024-01-05 10:00, 192.168.100.200",
	} {
		f.Add(text, "US")
		f.Add(text, "DE")
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		if len(text) > 1<<14 {
			return
		}
		m := extract.Message{Channel: extract.Voice, Text: text}
		r := extract.Run(m, only(extract.FieldPhone, region))
		checkFindings(t, extract.Text(m), r)
		for _, x := range r.Findings {
			if x.Field != extract.FieldPhone {
				t.Fatalf("%s is switched off", x.Field)
			}
			if n := len(x.Normal); x.Verdict == extract.Accepted && (n < 6 || n > 18 || x.Normal[0] != '+') {
				t.Fatalf("%q is no E.164", x.Normal)
			}
		}
	})
}

// FuzzAddresses: the parts of an accepted address are texts of the message.
func FuzzAddresses(f *testing.F) {
	for _, text := range []string{
		"I live at 12 Main St Apt 4, Springfield, IL 62704", "P.O. Box 9\nDublin\nIreland", "Hauptstr. 5a, 10115 Berlin",
		"N6W23001 Bluemound Rd, Waukesha WI", "10 Downing Street\nLondon SW1A 2AA", "via Roma 3, 00184 Roma (RM), Italia", "1/2 St, 00000-",
	} {
		f.Add(text, "US")
		f.Add(text, "GB")
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		if len(text) > 1<<14 {
			return
		}
		m := extract.Message{Channel: extract.Chat, Text: text}
		r := extract.Run(m, only(extract.FieldAddress, region))
		checkFindings(t, extract.Text(m), r)
		for _, x := range r.Findings {
			if x.Field != extract.FieldAddress || x.Address == nil {
				t.Fatalf("no address: %+v", x)
			}
		}
	})
}

// FuzzBirthDates: every accepted date is one of the calendar.
func FuzzBirthDates(f *testing.F) {
	for _, text := range []string{"dob 02/29/1980", "I was born on 3. Mai 1975", "geboren am 31.02.1990", "my birthday is March 4th", "DOB: 1/13/80 or 13/1/80"} {
		f.Add(text, "US")
		f.Add(text, "DE")
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		if len(text) > 1<<14 {
			return
		}
		r := extract.Run(extract.Message{Channel: extract.Chat, Text: text}, only(extract.FieldBirthDate, region))
		for _, x := range r.Accepted(extract.FieldBirthDate) {
			_, full := time.Parse("2006-01-02", x.Normal)
			_, yearless := time.Parse("2006--01-02", "2000"+x.Normal)
			if full != nil && yearless != nil {
				t.Fatalf("%q is no date", x.Normal)
			}
		}
	})
}

// FuzzOpinion: an answer is taken whole or refused with its reason, and what is
// taken proposes nothing that isn't in the text.
func FuzzOpinion(f *testing.F) {
	const text = "my name is ann lee. Our shop is Zabriskie Loaves."
	r := extract.Run(extract.Message{Channel: extract.Chat, Text: text}, extract.Settings{})
	q := extract.Inquire(r, extract.Settings{})
	for _, answer := range []string{
		`{"verdicts":[{"id":1,"verdict":"confirm","reason":"x"}],"proposals":[]}`,
		`{"verdicts":[],"proposals":[{"field":"company","value":"Zabriskie Loaves","reason":""}]}`,
		`{"verdicts":[],"proposals":[{"field":"name","value":"Eve","reason":""}]}`, `[]`, `{"verdicts":null}`, "{}{}",
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		o, err := extract.ReadOpinion(answer, q)
		if err != nil {
			if wrong, ok := errors.AsType[*extract.OpinionError](err); !ok || wrong.Field == "" || wrong.Rule == "" {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		for _, ruling := range extract.Weigh(r, extract.Settings{}, q, o) {
			if _, err := json.Marshal(ruling); err != nil || !utf8.ValidString(ruling.Reason) {
				t.Fatalf("can't be stored: %v", err)
			}
			x := ruling.Finding
			if ruling.Outcome == extract.OutcomeProposed && (x.Verdict != extract.Suggested || text[x.Span.Start:x.Span.End] != x.Value) {
				t.Fatalf("proposed %+v", x)
			}
		}
	})
}
