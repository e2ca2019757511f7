package access

import (
	"fmt"
	"time"
)

// Unauthenticated is the error of a request without a usable credential (HTTP
// 401). Reason is a sentence for the caller; it never repeats the credential.
type Unauthenticated struct{ Reason string }

// Error says what is missing and how to enter.
func (e *Unauthenticated) Error() string { return e.Reason }

// Denied is the error of a valid credential that may not enter now, because its
// user is disabled or its tenant suspended (HTTP 403).
type Denied struct{ Reason string }

// Error says why and who can change it.
func (e *Denied) Error() string { return e.Reason }

// TooManyError is the error of too many attempts (HTTP 429): no password was
// looked at.
type TooManyError struct{ RetryAfter time.Duration }

// Error says when to try again.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("too many attempts: try again in %d seconds", e.Seconds())
}

// Seconds is RetryAfter in whole seconds, at least one.
func (e *TooManyError) Seconds() int {
	return int(max(e.RetryAfter+time.Second-1, time.Second) / time.Second)
}

// InvalidError is a value that can't be stored (HTTP 422).
type InvalidError struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (e *InvalidError) Error() string { return e.Field + " " + e.Rule + ": " + e.WayOut }

// NotFoundError is a user, key or login link that isn't there for this actor
// (HTTP 404).
type NotFoundError struct{ What string }

// Error names what is missing.
func (e *NotFoundError) Error() string { return e.What + " does not exist" }
