package extract_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/extract"
)

// TestLines holds the format that scripts rely on: fields, order, and bad lines
// answered with their number.
func TestLines(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`{"id":"a","channel":"sms","text":"My name is Ann Lee, 416-555-0199","region":"CA"}`,
		`{"id":`,
		``,
		`{"id":7,"channel":"fax","text":"x"}`,
		`{"id":"b","channel":"chat","context":[{"role":"agent","text":"Your name?"}],"text":"Bob Roe"}`,
		`{"id":"c","channel":"chat","turns":[{"role":"agent","text":"I'm Carl"},{"role":"customer","text":"my name is dora, dora@x.com"}]}`,
	}, "\n")
	var out bytes.Buffer
	bad, err := extract.Lines(strings.NewReader(in), &out, extract.LineOptions{Settings: extract.Settings{Region: "US"}})
	if err != nil || bad != 2 {
		t.Fatalf("bad %d, %v", bad, err)
	}
	want := strings.Join([]string{
		`{"id":"a","emails":[],"phones":["+14165550199"],"names":[{"first":"Ann","last":"Lee"}],"companies":[],"addresses":[],"birth_dates":[],"suggested":{"emails":[],"phones":[],"names":[],"companies":[],"addresses":[],"birth_dates":[]}}`,
		`{"line":2,"error":"not a JSON message: unexpected end of JSON input at byte 7"}`,
		`{"line":4,"error":"channel: must be email, sms, chat or voice"}`,
		`{"id":"b","emails":[],"phones":[],"names":[{"first":"Bob","last":"Roe"}],"companies":[],"addresses":[],"birth_dates":[],"suggested":{"emails":[],"phones":[],"names":[],"companies":[],"addresses":[],"birth_dates":[]}}`,
		`{"id":"c","emails":["dora@x.com"],"phones":[],"names":[],"companies":[],"addresses":[],"birth_dates":[],"suggested":{"emails":[],"phones":[],"names":[{"first":"Dora","last":""}],"companies":[],"addresses":[],"birth_dates":[]}}`,
	}, "\n") + "\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLinesAnswersAtOnce writes one line and reads its answer before the next.
func TestLinesAnswersAtOnce(t *testing.T) {
	t.Parallel()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := extract.Lines(inRead, outWrite, extract.LineOptions{})
		done <- err
	}()
	answers := json.NewDecoder(outRead)
	for _, id := range []string{"1", "2"} {
		if _, err := io.WriteString(inWrite, `{"id":"`+id+`","text":"hello"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		var answer struct{ ID string }
		if err := answers.Decode(&answer); err != nil || answer.ID != id {
			t.Fatalf("answer %q, %v; want %q", answer.ID, err, id)
		}
	}
	if err := inWrite.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestExplain shows every candidate with its place, detector and reason.
func TestExplain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	in := `{"id":1,"text":"order 2127365000, call me at 212-736-5001"}`
	if _, err := extract.Lines(strings.NewReader(in), &out, extract.LineOptions{Settings: extract.Settings{Region: "US"}, Explain: true}); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Findings []extract.Finding
		OwnWords string `json:"own_words"`
	}
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Findings) != 2 || answer.Findings[1].Verdict != extract.Rejected || answer.Findings[1].Reason == "" || answer.Findings[0].Detector == "" || answer.OwnWords == "" {
		t.Errorf("%+v", answer)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	conversation := []extract.Said{
		{Direction: extract.Inbound, Subject: "Re: FW: Bike repair", Text: "Hi there,\n\nmy bike has a broken wheel. Can you repair it this week?\n\nThanks,"},
		{Direction: extract.Outbound, Text: "Hello Ann,\nyes, bring it in on Thursday. It costs 40 euros."},
		{Direction: extract.Inbound, Text: "> It costs 40 euros.\nIs Friday possible too?"},
	}
	want := "Subject: Bike repair\nClient: my bike has a broken wheel. Can you repair it this week?\nAnswer: yes, bring it in on Thursday. It costs 40 euros.\nOpen: Is Friday possible too?"
	if got := extract.Summary(conversation); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := extract.Summary(conversation[:1]); !strings.HasSuffix(got, "Open: not answered yet") {
		t.Errorf("got %q", got)
	}
	if got := extract.Summary(nil); got != "" {
		t.Errorf("nothing said gives %q", got)
	}
	long := extract.Summary([]extract.Said{{Direction: extract.Inbound, Subject: strings.Repeat("ä", 2000), Text: strings.Repeat("please help ", 500)}})
	if n := len([]rune(long)); n > extract.MaxSummary {
		t.Errorf("%d characters", n)
	}
}
