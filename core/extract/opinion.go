package extract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxOpinion is the largest answer of an assistant that is read, in bytes.
const MaxOpinion = 16 << 10

// The limits of an opinion's parts, in bytes and pieces.
const (
	maxReason    = 300
	maxProposed  = 100
	maxProposals = 20
)

// Opinion is an assistant's answer to an [Inquiry].
type Opinion struct {
	Verdicts  []OpinionVerdict `json:"verdicts"`
	Proposals []Proposal       `json:"proposals"`
}

// OpinionVerdict judges one candidate by its id.
type OpinionVerdict struct {
	ID      int    `json:"id"`
	Verdict string `json:"verdict"` // OpinionConfirm, OpinionVeto or OpinionUnsure
	Reason  string `json:"reason"`
}

// The words an assistant judges with.
const (
	OpinionConfirm = "confirm"
	OpinionVeto    = "veto"
	OpinionUnsure  = "unsure"
)

// Proposal is a value that the rules missed: a name or a company, in the
// speaker's own words.
type Proposal struct {
	Field  Field  `json:"field"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// OpinionError is an answer that is no opinion. It quotes nothing of the
// answer, which may hold anything.
type OpinionError struct{ Field, Rule string }

// Error says what is wrong where.
func (e *OpinionError) Error() string { return e.Field + " " + e.Rule }

// ReadOpinion reads an answer to q and takes it whole or not at all: one JSON
// object with the members of Opinion and no others, within its limits, verdicts
// only on what was asked and each once. Error: *OpinionError.
func ReadOpinion(answer []byte, q Inquiry) (Opinion, error) {
	var o Opinion
	if len(answer) > MaxOpinion {
		return o, &OpinionError{"the answer", fmt.Sprintf("is longer than %d bytes", MaxOpinion)}
	}
	if !utf8.Valid(answer) {
		return o, &OpinionError{"the answer", "is no UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return Opinion{}, &OpinionError{"the answer", "is not the JSON object that was asked for"}
	}
	if d.More() {
		return Opinion{}, &OpinionError{"the answer", "goes on after its JSON object"}
	}
	if err := o.check(q); err != nil {
		return Opinion{}, err
	}
	return o, nil
}

func (o Opinion) check(q Inquiry) error {
	if o.Verdicts == nil || o.Proposals == nil {
		return &OpinionError{"the answer", `lacks "verdicts" or "proposals"`}
	}
	asked := make(map[int]bool, len(q.Candidates))
	for _, c := range q.Candidates {
		asked[c.ID] = true
	}
	for i, v := range o.Verdicts {
		at := fmt.Sprintf("verdicts[%d]", i)
		switch {
		case !asked[v.ID]:
			return &OpinionError{at + ".id", "was not asked, or is judged twice"}
		case v.Verdict != OpinionConfirm && v.Verdict != OpinionVeto && v.Verdict != OpinionUnsure:
			return &OpinionError{at + ".verdict", "is none of confirm, veto, unsure"}
		case !fits(v.Reason, maxReason):
			return &OpinionError{at + ".reason", fmt.Sprintf("is longer than %d bytes or no text", maxReason)}
		}
		delete(asked, v.ID)
	}
	if len(o.Proposals) > maxProposals {
		return &OpinionError{"proposals", fmt.Sprintf("are more than %d", maxProposals)}
	}
	for i, p := range o.Proposals {
		at := fmt.Sprintf("proposals[%d]", i)
		switch {
		case p.Field != FieldName && p.Field != FieldCompany:
			return &OpinionError{at + ".field", "is neither name nor company"}
		case p.Value == "" || strings.TrimSpace(p.Value) != p.Value || !fits(p.Value, maxProposed) || strings.ContainsAny(p.Value, "\n@"):
			return &OpinionError{at + ".value", fmt.Sprintf("is empty, longer than %d bytes, or no single line", maxProposed)}
		case !fits(p.Reason, maxReason):
			return &OpinionError{at + ".reason", fmt.Sprintf("is longer than %d bytes or no text", maxReason)}
		}
	}
	return nil
}

// fits: a text of at most n bytes that PostgreSQL keeps.
func fits(s string, n int) bool { return len(s) <= n && !strings.ContainsRune(s, 0) }
