package extract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxLine is the longest line Lines reads; a longer one is reported and
// skipped.
const MaxLine = 32 << 20

// LineOptions steer Lines.
type LineOptions struct {
	Settings Settings // its Region holds for lines that name none
	Explain  bool     // add every candidate with its reason
}

// Lines reads one message a line as JSON from in and writes one line of
// findings each to out, in the same order, one at a time. A line that can't be
// read is answered with {"line": its number, "error": why} and the rest goes
// on; bad counts them. err is a failure of in or out.
func Lines(in io.Reader, out io.Writer, o LineOptions) (bad int, err error) {
	reader := bufio.NewReaderSize(in, 64<<10)
	writer := bufio.NewWriter(out)
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	for n := 1; ; n++ {
		line, tooLong, readErr := readLine(reader)
		if len(bytes.TrimSpace(line)) > 0 || tooLong {
			answer, lineErr := answerLine(line, tooLong, o)
			if lineErr != nil {
				bad++
				answer = lineError{Line: n, Error: lineErr.Error()}
			}
			if err := encoder.Encode(answer); err != nil {
				return bad, fmt.Errorf("write the answer to line %d: %w", n, err)
			}
			if reader.Buffered() == 0 {
				if err := writer.Flush(); err != nil {
					return bad, fmt.Errorf("write the answer to line %d: %w", n, err)
				}
			}
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return bad, fmt.Errorf("read line %d: %w", n, readErr)
		}
	}
	if err := writer.Flush(); err != nil {
		return bad, fmt.Errorf("write the last answers: %w", err)
	}
	return bad, nil
}

// readLine gives the next line without its end; of a too long one the rest is
// skipped.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(line) > MaxLine {
			line, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

type lineError struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

type lineIn struct {
	ID         json.RawMessage   `json:"id"`
	Channel    string            `json:"channel"`
	Direction  Direction         `json:"direction"`
	Identifier string            `json:"identifier"`
	Headers    map[string]string `json:"headers"`
	Subject    string            `json:"subject"`
	Text       string            `json:"text"`
	HTML       string            `json:"html"`
	Region     string            `json:"region"`
	Turns      []lineTurn        `json:"turns"`
	Context    json.RawMessage   `json:"context"`
}

type lineTurn struct {
	Role string `json:"role"`
	Text string `json:"text"`
}

// lineFields is a line's answer by field.
type lineFields struct {
	Emails     []string      `json:"emails"`
	Phones     []string      `json:"phones"`
	Names      []lineName    `json:"names"`
	Companies  []string      `json:"companies"`
	Addresses  []lineAddress `json:"addresses"`
	BirthDates []string      `json:"birth_dates"`
}

type lineName struct {
	First string `json:"first"`
	Last  string `json:"last"`
}

type lineAddress struct {
	Street  string `json:"street"`
	City    string `json:"city"`
	State   string `json:"state"`
	Zip     string `json:"zip"`
	Country string `json:"country"`
}

type lineOut struct {
	ID json.RawMessage `json:"id"`
	lineFields
	Suggested lineFields `json:"suggested"`
	Sender    *Sender    `json:"sender,omitempty"`
	Findings  []Finding  `json:"findings,omitempty"`
	OwnWords  *string    `json:"own_words,omitempty"`
}

func answerLine(line []byte, tooLong bool, o LineOptions) (any, error) {
	if tooLong {
		return nil, fmt.Errorf("longer than the limit of %d bytes: split the message", MaxLine)
	}
	var in lineIn
	if err := json.Unmarshal(line, &in); err != nil {
		return nil, fmt.Errorf("not a JSON message: %s", jsonReason(err))
	}
	m, err := in.message()
	if err != nil {
		return nil, err
	}
	s := o.Settings
	if in.Region != "" {
		s.Region = strings.ToUpper(in.Region)
	}
	result := Run(m, s)
	out := lineOut{ID: in.ID, lineFields: fieldsOf(result, Accepted), Suggested: fieldsOf(result, Suggested)}
	if len(out.ID) == 0 {
		out.ID = json.RawMessage("null")
	}
	if o.Explain {
		out.Sender, out.Findings, out.OwnWords = &result.Sender, result.Findings, &result.OwnWords
	}
	return out, nil
}

// jsonReason leaves the input's own words out of the message.
func jsonReason(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Sprintf("field %q can't be a %s", kind.Field, kind.Value)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("%s at byte %d", syntax.Error(), syntax.Offset)
	}
	return err.Error()
}

func (in lineIn) message() (Message, error) {
	m := Message{Channel: Channel(in.Channel), Direction: in.Direction, Identifier: in.Identifier, Subject: in.Subject, Text: in.Text, HTML: in.HTML}
	switch m.Channel {
	case Email, SMS, Chat, Voice:
	case "":
		m.Channel = Chat
	default:
		return m, fmt.Errorf("channel: must be email, sms, chat or voice")
	}
	switch m.Direction {
	case "", Inbound, Outbound:
	default:
		return m, fmt.Errorf("direction: must be inbound or outbound")
	}
	m.Headers = make(map[string]string, len(in.Headers))
	for k, v := range in.Headers {
		m.Headers[strings.ToLower(k)] = v
	}
	for _, t := range in.Turns {
		m.Turns = append(m.Turns, Turn{Role: roleOf(t.Role), Text: t.Text})
	}
	if len(in.Context) == 0 || string(in.Context) == "null" {
		return m, nil
	}
	if json.Unmarshal(in.Context, &m.Context) == nil {
		return m, nil
	}
	var turns []lineTurn
	if err := json.Unmarshal(in.Context, &turns); err != nil {
		return m, fmt.Errorf(`context: must be a text or a list of {"role","text"}`)
	}
	for _, t := range turns {
		if roleOf(t.Role) == RoleAgent {
			m.Context = strings.TrimSpace(m.Context + "\n" + t.Text)
		}
	}
	return m, nil
}

// roleOf reads the names that transcripts give to the two sides.
func roleOf(role string) Role {
	switch strings.ToLower(role) {
	case "agent", "assistant", "bot", "system", "operator", "support", "representative", "staff":
		return RoleAgent
	}
	return RoleClient
}

// fieldsOf collects a result's values of one verdict by field.
func fieldsOf(r Result, v Verdict) lineFields {
	out := lineFields{Emails: []string{}, Phones: []string{}, Names: []lineName{}, Companies: []string{}, Addresses: []lineAddress{}, BirthDates: []string{}}
	for _, f := range r.Findings {
		if f.Verdict != v {
			continue
		}
		switch f.Field {
		case FieldEmail:
			out.Emails = append(out.Emails, f.Normal)
		case FieldPhone:
			out.Phones = append(out.Phones, f.Normal)
		case FieldName:
			out.Names = append(out.Names, lineName{f.First, f.Last})
		case FieldCompany:
			out.Companies = append(out.Companies, f.Value)
		case FieldAddress:
			out.Addresses = append(out.Addresses, lineAddress(*f.Address))
		case FieldBirthDate:
			out.BirthDates = append(out.BirthDates, f.Normal)
		}
	}
	return out
}
