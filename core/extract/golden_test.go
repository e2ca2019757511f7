package extract_test

import (
	"testing"

	"github.com/clientele-crm/clientele/core/extract"
)

// TestGoldenVectors is the extraction table of requirements §1.22, and the
// examples of R116–R124.
func TestGoldenVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text        string
		first, last string
		verdict     extract.Verdict // of the name; empty for none
		company     string
	}{
		{"I'm John Smith", "John", "Smith", extract.Accepted, ""},
		{"I’m John Smith", "John", "Smith", extract.Accepted, ""},
		{"im John Smith", "John", "Smith", extract.Accepted, ""},
		{"My name is Ann-Marie O'Neil", "Ann-Marie", "O'Neil", extract.Accepted, ""},
		{"i am José García", "José", "García", extract.Accepted, ""},
		{"I'm looking for a truck", "", "", "", ""},
		{"I'm Trying to log in", "", "", "", ""},
		{"I am Interested", "", "", "", ""},
		{"I'm Interested", "", "", "", ""},
		{"I'm Excited", "", "", "", ""},
		{"I'm Fred", "Fred", "", extract.Accepted, ""},
		{"I'm Ming", "Ming", "", extract.Accepted, ""},
		{"I'm Ahmed", "Ahmed", "", extract.Accepted, ""},
		{"I'm Jared", "Jared", "", extract.Accepted, ""},
		{"I'm Sterling", "Sterling", "", extract.Accepted, ""},
		{"I'm John from Acme Corp", "John", "", extract.Accepted, "Acme Corp"},
		{"I'm John from Acme", "John", "", extract.Accepted, "Acme"},
		{"I'm Back", "", "", "", ""},
		{"I'm Canadian", "", "", "", ""},
		{"I am OK", "", "", "", ""},
		{"I'm A", "", "", "", ""},
		{"I'm Ed", "Ed", "", extract.Accepted, ""},
		{"I'm Al", "Al", "", extract.Accepted, ""},
		{"I'm Li", "Li", "", extract.Accepted, ""},
		{"My name is john", "John", "", extract.Suggested, ""},
		{"i'm john smith", "John", "Smith", extract.Suggested, ""},
		{"> On Tue, Bob wrote: I'm Bob", "", "", "", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			r := extract.Run(extract.Message{Channel: extract.Chat, Text: c.text}, extract.Settings{Region: "US"})
			name, found := first(r, extract.FieldName)
			if found != (c.verdict != "") || found && (name.First != c.first || name.Last != c.last || name.Verdict != c.verdict) {
				t.Errorf("name %q %q %q, want %q %q %q", name.First, name.Last, name.Verdict, c.first, c.last, c.verdict)
			}
			if company, _ := first(r, extract.FieldCompany); company.Value != c.company {
				t.Errorf("company %q, want %q", company.Value, c.company)
			}
		})
	}
}

// first is the first finding of a field that isn't rejected.
func first(r extract.Result, f extract.Field) (extract.Finding, bool) {
	for _, x := range r.Findings {
		if x.Field == f && x.Verdict != extract.Rejected {
			return x, true
		}
	}
	return extract.Finding{}, false
}

// TestTaughtWords is R148: a word taught as no name yields nothing from then
// on, one taught as a name wins over every list.
func TestTaughtWords(t *testing.T) {
	t.Parallel()
	m := extract.Message{Channel: extract.Chat, Text: "I'm Boxer"}
	if r := extract.Run(m, extract.Settings{NotNames: []string{"Boxer"}}); len(r.Accepted(extract.FieldName)) != 0 {
		t.Errorf("a taught false positive came out: %+v", r.Findings)
	} else if f, ok := first(r, extract.FieldName); ok {
		t.Errorf("a taught false positive is suggested: %+v", f)
	}
	if r := extract.Run(m, extract.Settings{Names: []string{"Boxer"}}); len(r.Accepted(extract.FieldName)) != 1 {
		t.Errorf("a taught name didn't come out: %+v", r.Findings)
	}
}
