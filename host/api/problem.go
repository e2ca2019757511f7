package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/access"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
)

// Problem is the body of every answer that is an error (RFC 9457).
type Problem struct {
	Title  string `json:"title" doc:"The status in words"`
	Status int    `json:"status" doc:"The HTTP status"`
	Detail string `json:"detail" doc:"What went wrong, and what would help"`
	// Instance finds an internal error in the host's log.
	Instance string       `json:"instance,omitempty" doc:"The request's id in the log, for errors of ours"`
	Errors   []FieldError `json:"errors,omitempty" doc:"Everything that is wrong with the request, at once"`
	Current  *Client      `json:"current,omitempty" doc:"The record as it is now, when yours was stale"`
	// Conflicts say field by field what a stale edit meets.
	Conflicts []client.FieldConflict `json:"conflicts,omitempty" doc:"Field by field: yours, theirs, and what stood there when you began"`

	header http.Header
}

// FieldError is one value that can't be taken.
type FieldError struct {
	Field  string `json:"field" doc:"Where it stands: a member of the body, or query.x, path.x, header.x"`
	Rule   string `json:"rule" doc:"What is wrong with it"`
	WayOut string `json:"way_out" doc:"What would be right"`
}

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
)

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers that belong to the status, such as Retry-After.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is RFC 9457's.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

func newProblem(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

func (p *Problem) with(name, value string) *Problem {
	p.header = http.Header{}
	p.header.Set(name, value)
	return p
}

// ProblemOf is the one table from the services' errors to HTTP; the pages use it
// too. It answers nil for an error that is ours, not the caller's.
func ProblemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if fields := fieldErrors(err); len(fields) > 0 {
		p := newProblem(http.StatusUnprocessableEntity, sentence(fields))
		p.Errors = fields
		return p
	}
	for _, row := range plainErrors() {
		if e := row.find(err); e != nil {
			return newProblem(row.status, e.Error())
		}
	}
	if errors.Is(err, catalog.ErrNoVersion) {
		return newProblem(http.StatusNotFound, err.Error())
	}
	if e, ok := errors.AsType[*access.Unauthenticated](err); ok {
		return newProblem(http.StatusUnauthorized, e.Error()).with("WWW-Authenticate", `Bearer realm="clientele"`)
	}
	if e, ok := errors.AsType[*access.TooManyError](err); ok {
		return newProblem(http.StatusTooManyRequests, e.Error()).with("Retry-After", strconv.Itoa(e.Seconds()))
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(e.Limit)
	}
	if e, ok := errors.AsType[*client.TakenError](err); ok {
		p := newProblem(http.StatusConflict, e.Error())
		p.Errors = []FieldError{{Field: string(e.Kind), Rule: "belongs to another client", WayOut: "open /v1/clients/" + e.Owner.String()}}
		return p
	}
	if e, ok := errors.AsType[*client.ConflictError](err); ok {
		p := newProblem(http.StatusPreconditionFailed, e.Error()).with("ETag", etag(e.Current.Revision))
		p.Current, p.Conflicts = clientBody(e.Current), e.Fields
		return p
	}
	if tookTooLong(err) {
		return newProblem(http.StatusServiceUnavailable, "this took too long and was given up: try again, or ask for less").with("Retry-After", "5")
	}
	return nil
}

// plainErrors are the errors whose own sentence says all.
func plainErrors() []plainError {
	return []plainError{
		{http.StatusForbidden, find[*actor.Refusal]},
		{http.StatusForbidden, find[*access.Denied]},
		{http.StatusNotFound, find[*client.NotFoundError]},
		{http.StatusNotFound, find[*conversation.NotFoundError]},
		{http.StatusNotFound, find[*tenant.NotFoundError]},
		{http.StatusNotFound, find[*access.NotFoundError]},
		{http.StatusNotFound, find[*intake.NotAcceptedError]},
		{http.StatusNotFound, find[*connection.NotFoundError]},
		{http.StatusNotFound, find[*outbound.NoSenderError]},
		{http.StatusNotFound, find[*outbound.NotFoundError]},
		{http.StatusConflict, find[*outbound.StateError]},
		{http.StatusConflict, find[*outbound.HoursError]},
		{http.StatusNotFound, find[*client.NoteNotFoundError]},
		{http.StatusNotFound, find[*client.IdentifierNotFoundError]},
		{http.StatusNotFound, find[*client.MergeNotFoundError]},
		{http.StatusNotFound, find[*client.SuggestionNotFoundError]},
		{http.StatusConflict, find[*client.StateError]},
		{http.StatusConflict, find[*client.HeldError]},
		{http.StatusConflict, find[*catalog.RefusedError]},
		{http.StatusRequestEntityTooLarge, find[*intake.TooLargeError]},
	}
}

type plainError struct {
	status int
	find   func(error) error
}

// find answers the E in err without what wraps it, which is for the log.
func find[E error](err error) error {
	if e, ok := errors.AsType[E](err); ok {
		return e
	}
	return nil
}

// fieldErrors collects every value that a service refused, also from joined
// errors.
func fieldErrors(err error) []FieldError {
	switch e := err.(type) {
	case nil:
		return nil
	case *client.FieldError:
		return []FieldError{{e.Field, e.Rule, e.WayOut}}
	case *access.InvalidError:
		return []FieldError{{e.Field, e.Rule, e.WayOut}}
	case *tenant.InvalidError:
		return []FieldError{{e.Field, e.Rule, e.WayOut}}
	case *connection.InvalidError:
		return []FieldError{{e.Field, e.Rule, e.WayOut}}
	case *outbound.InvalidError:
		return []FieldError{{e.Field, e.Rule, e.WayOut}}
	case *sender.InvalidError:
		return []FieldError{{e.Field, e.Rule, e.WayOut}}
	case *intake.InvalidError:
		var all []FieldError
		for _, p := range e.Problems {
			all = append(all, FieldError{p.Field, p.Rule, p.WayOut})
		}
		return all
	case interface{ Unwrap() []error }:
		var all []FieldError
		for _, inner := range e.Unwrap() {
			all = append(all, fieldErrors(inner)...)
		}
		return all
	}
	return fieldErrors(errors.Unwrap(err))
}

func tookTooLong(err error) bool {
	const queryCanceled, lockNotAvailable = "57014", "55P03"
	code := db.Code(err)
	return errors.Is(err, context.DeadlineExceeded) || code == queryCanceled || code == lockNotAvailable
}

func tooLarge(limit int64) *Problem {
	return newProblem(http.StatusRequestEntityTooLarge,
		fmt.Sprintf("the body is larger than %d MB, which is the most this endpoint takes: send less at once", limit>>20))
}

// fromHuma turns an error that huma found in a request into a problem. The
// offending value is left out: it may be a secret or somebody's data.
func fromHuma(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(e.Status, e.Detail)
	for _, d := range e.Errors {
		field := strings.TrimPrefix(d.Location, "body.")
		p.Errors = append(p.Errors, FieldError{Field: field, Rule: d.Message, WayOut: "send what /docs describes for it"})
	}
	if len(p.Errors) > 0 {
		p.Detail = sentence(p.Errors)
	}
	return p, nil
}

func sentence(fields []FieldError) string {
	if len(fields) == 1 {
		return fields[0].Field + ": " + fields[0].Rule
	}
	return fmt.Sprintf("%d values of the request can't be taken", len(fields))
}

// write sends a problem outside huma.
func (p *Problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	// The caller is gone if this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(p)
}
