package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// batchBody is the envelope of a batch answer (§2.4).
type batchBody struct {
	Status      string    `json:"status"`
	StartedAt   string    `json:"startedAt"`
	CompletedAt string    `json:"completedAt"`
	Results     []view    `json:"results"`
	NumErrors   int       `json:"numErrors,omitempty"`
	Errors      []failure `json:"errors,omitempty"`
}

// batch collects the rows of an answer and applies the faults that concern them.
type batch struct {
	good    int // the status when nothing failed
	results []view
	errors  []failure
}

func (s *Simulator) finish(c *call, b batch) answer {
	body := batchBody{
		Status: "COMPLETE", StartedAt: stamp(c.now), CompletedAt: stamp(c.now),
		Results: b.results, Errors: b.errors, NumErrors: len(b.errors),
	}
	switch {
	case s.faulty(c, doEmpty):
		body.Results, body.Errors, body.NumErrors = nil, nil, 0
	case s.faulty(c, doShort) && len(body.Results) > 0:
		body.Results = body.Results[:len(body.Results)-1]
	case s.faulty(c, doShuffle):
		slices.Reverse(body.Results)
	}
	if body.Results == nil {
		body.Results = []view{}
	}
	status := b.good
	if len(body.Errors) > 0 && !s.faulty(c, doErrorsAs200) {
		status = http.StatusMultiStatus
	}
	return answer{status, body}
}

// inputs reads a batch of rows and refuses one that is too long.
func (s *Simulator) inputs(c *call, out any, count func() int) *answer {
	if refused := s.decode(c, out); refused != nil {
		return refused
	}
	if n := count(); n == 0 || n > 100 {
		a := s.fail(http.StatusBadRequest, "VALIDATION_ERROR", fmt.Sprintf("The number of inputs must be between 1 and 100, but was %d", n))
		return &a
	}
	return nil
}

type batchInput struct {
	Inputs     []input  `json:"inputs"`
	IDProperty string   `json:"idProperty"`
	Properties []string `json:"properties"`
	History    []string `json:"propertiesWithHistory"`
}

// traced tells whether every row has its own trace id, which is what makes a
// batch fail row by row.
func (b batchInput) traced() bool {
	var ids []string
	for _, in := range b.Inputs {
		ids = append(ids, in.TraceID)
	}
	return !slices.Contains(ids, "") && len(unique(ids)) == len(ids)
}

// repeated lists the ids that occur more than once.
func (b batchInput) repeated() []string {
	seen := map[string]bool{}
	var out []string
	for _, in := range b.Inputs {
		id := strings.ToLower(in.ID)
		if seen[id] {
			out = append(out, in.ID)
		}
		seen[id] = true
	}
	return unique(out)
}

// rowFailure is a refusal as a batch lists it.
func rowFailure(in input, no *refusal) failure {
	f := no.failure
	f.CorrelationID = ""
	context := map[string][]string{"objectWriteTraceId": {in.TraceID}}
	for k, v := range f.Context {
		context[k] = v
	}
	if no.existing != "" {
		context["existingId"] = []string{no.existing}
	}
	f.Context = context
	return f
}

func (s *Simulator) batchCreate(c *call) answer {
	o, refused := s.kind(c, true)
	if refused != nil {
		return *refused
	}
	var body batchInput
	if refused := s.inputs(c, &body, func() int { return len(body.Inputs) }); refused != nil {
		return *refused
	}
	out := batch{good: http.StatusCreated}
	for _, in := range body.Inputs {
		r, no := s.insert(c, o, in)
		switch {
		case no == nil:
			v := s.showWritten(o, r)
			v.TraceID = in.TraceID
			out.results = append(out.results, v)
		case body.traced():
			out.errors = append(out.errors, rowFailure(in, no))
		default:
			s.undo()
			if no.status == http.StatusConflict {
				no.Message = "Contact already exists"
			}
			return no.answer()
		}
	}
	return s.finish(c, out)
}

// undo takes back what the request has written so far.
func (s *Simulator) undo() {
	s.Store.Rollback()
	past := s.index.past
	s.index = newIndex()
	s.index.past = past
	for _, r := range s.records.All() {
		s.index.add(r)
	}
	for _, l := range s.links.All() {
		s.index.link(l)
	}
}

func (s *Simulator) batchRead(c *call) answer {
	o, refused := s.kind(c, false)
	if refused != nil {
		return *refused
	}
	var body batchInput
	if refused := s.inputs(c, &body, func() int { return len(body.Inputs) }); refused != nil {
		return *refused
	}
	if !s.identifies(c, o, body.IDProperty) {
		return s.notUnique(o, body.IDProperty)
	}
	out := batch{good: http.StatusOK}
	var missing []string
	var found []string
	for _, in := range body.Inputs {
		r, ok := s.locate(c, o, in.ID, body.IDProperty, false)
		if !ok {
			missing = append(missing, in.ID)
			continue
		}
		if slices.Contains(found, r.ID) {
			continue // two addresses of one record: it is answered once
		}
		found = append(found, r.ID)
		out.results = append(out.results, s.show(o, r, body.Properties, body.History))
	}
	if len(missing) > 0 {
		out.errors = append(out.errors, notFound(o, missing))
	}
	return s.finish(c, out)
}

func notFound(o object, ids []string) failure {
	return failure{
		Status: "error", Category: "OBJECT_NOT_FOUND", Context: map[string][]string{"ids": ids},
		Message: "Could not get some " + strings.ToUpper(o.singular) +
			" objects, they may be deleted or not exist. Check that ids are valid.",
	}
}
