package client

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// NotFoundError is a client that isn't there for this tenant.
type NotFoundError struct{ ID ID }

// Error names the client.
func (e *NotFoundError) Error() string { return "client " + e.ID.String() + " does not exist" }

// IdentifierNotFoundError is an identifier that isn't there, or isn't this
// client's.
type IdentifierNotFoundError struct{ ID uuid.UUID }

// Error names the identifier.
func (e *IdentifierNotFoundError) Error() string {
	return "identifier " + e.ID.String() + " does not exist on this client"
}

// MergeNotFoundError is a merge that isn't there for this tenant.
type MergeNotFoundError struct{ ID uuid.UUID }

// Error names the merge.
func (e *MergeNotFoundError) Error() string { return "merge " + e.ID.String() + " does not exist" }

// FieldError is a value that can't be stored.
type FieldError struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (e *FieldError) Error() string { return e.Field + " " + e.Rule + ": " + e.WayOut }

// FieldErrors is everything that is wrong with a request, at once.
type FieldErrors []*FieldError

// Error joins all of them.
func (e FieldErrors) Error() string {
	var all []string
	for _, f := range e {
		all = append(all, f.Error())
	}
	return strings.Join(all, "; ")
}

// Unwrap makes each of them findable.
func (e FieldErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, f := range e {
		all[i] = f
	}
	return all
}

// orNil keeps an empty list from becoming an error.
func (e FieldErrors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// StateError is something that a client's state doesn't allow: a deleted one is
// edited, one client is merged with itself, a merge is undone too late.
type StateError struct{ Rule, WayOut string }

// Error names the rule and the way out.
func (e *StateError) Error() string { return e.Rule + ": " + e.WayOut }

// TakenError is an identifier that another client has (R97).
type TakenError struct {
	Kind  IdentifierKind
	Owner ID
}

// Error says what to do.
func (e *TakenError) Error() string {
	return fmt.Sprintf("%s: another client has it (%s): open that one, or mark it as shared", e.Kind, e.Owner)
}

// ConflictError is an edit of a record that changed meanwhile.
type ConflictError struct {
	// Wanted is the revision the edit was made on, Current the record as it is.
	Wanted  int64
	Current *Client
	// Fields are the edited fields, each with what you want, what stands there and
	// what stood there when you began.
	Fields []FieldConflict
}

// FieldConflict is one field of a stale edit. Theirs and Base are equal where
// nobody touched the field.
type FieldConflict struct {
	Field  string `json:"field"`
	Yours  string `json:"yours"`
	Theirs string `json:"theirs"`
	Base   string `json:"base"`
}

// Error says what to do.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("the client was changed meanwhile (revision %d, you edited %d): read it again and repeat your change", e.Current.Revision, e.Wanted)
}
