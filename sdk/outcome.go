package sdk

import (
	"fmt"
	"time"
)

// Class is why something failed: a closed list, append-only, the only thing the
// host bases decisions on (design.md §4).
type Class string

// The error classes.
const (
	ClassThrottled      Class = "throttled"       // too fast; go on after the delay
	ClassQuota          Class = "quota"           // the day's or window's allowance is used up
	ClassAuth           Class = "auth"            // the token is bad; refresh, then ask the admin
	ClassPermission     Class = "permission"      // the user may not do this
	ClassValidation     Class = "validation"      // the record's values are refused
	ClassDuplicate      Class = "duplicate"       // a duplicate rule or unique field hit
	ClassConflict       Class = "conflict"        // changed meanwhile; read again
	ClassNotFound       Class = "not_found"       // the record is gone
	ClassRemapped       Class = "remapped"        // the record was merged into Outcome.CRMID
	ClassSchema         Class = "schema"          // a field or object does not exist
	ClassLock           Class = "lock"            // another writer holds the row; soon again
	ClassBatchRefused   Class = "batch_refused"   // the whole batch was refused because of some item
	ClassTransient      Class = "transient"       // the CRM failed before doing anything
	ClassUnknownOutcome Class = "unknown_outcome" // sent, no answer: read back by key
	ClassUnknown        Class = "unknown"         // not documented; text kept
)

// Classes lists every class, in the order of the constants.
func Classes() []Class {
	return []Class{
		ClassThrottled, ClassQuota, ClassAuth, ClassPermission, ClassValidation, ClassDuplicate,
		ClassConflict, ClassNotFound, ClassRemapped, ClassSchema, ClassLock, ClassBatchRefused,
		ClassTransient, ClassUnknownOutcome, ClassUnknown,
	}
}

// Retry is the adapter's advice on what may be done next.
type Retry string

// The retry decisions.
const (
	RetryNever    Retry = "never"     // not until something is changed
	RetryLater    Retry = "later"     // the same again, after After
	RetryReadBack Retry = "read_back" // find by key first: it may have been done
)

// Error is a failure of a call or of one item. Message is safe to show to the
// tenant's admin: no token, no URL with a query.
type Error struct {
	Class Class
	Retry Retry
	// After is how long the CRM wants us to wait; 0 means it did not say.
	After time.Duration
	// Field is the CRM field at fault, or empty.
	Field string
	// Code and Message are the CRM's own; Status is the HTTP status or 0.
	Code, Message string
	Status        int
	// RequestID is the CRM's correlation id, for its support.
	RequestID string
	// Usage is what a call that failed as a whole had cost by then; it is empty
	// on the error of one item, whose reply has it.
	Usage Usage
}

// Error implements error.
func (e *Error) Error() string {
	s := string(e.Class)
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Status != 0 {
		s += fmt.Sprintf(" [%d]", e.Status)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Done is what happened to an item.
type Done string

// The results of an item.
const (
	Created   Done = "created"
	Updated   Done = "updated"
	Unchanged Done = "unchanged"
	Failed    Done = "failed"
)

// Outcome is the fate of one item.
type Outcome struct {
	ItemID string
	Done   Done
	// Object is the CRM object of CRMID where it is not the one of the request
	// (an activity, a converted lead), else empty.
	Object string
	// CRMID and Version are set when the CRM returned them. On ClassRemapped
	// CRMID is the surviving record; on ClassDuplicate it may be the record in
	// the way.
	CRMID, Version string
	// Echo holds the fields as the CRM says they are now, where it returns them.
	Echo map[string]Value
	// Candidates are the CRM ids a duplicate rule named.
	Candidates []string
	// Notes state what was changed on the way: truncated, coerced, ignored.
	Notes []string
	// Err is set exactly when Done is Failed.
	Err *Error
}

// Fail is the outcome of an item that failed; err must not be nil.
func Fail(itemID string, err *Error) Outcome {
	return Outcome{ItemID: itemID, Done: Failed, Err: err}
}
