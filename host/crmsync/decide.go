package crmsync

import (
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// maxAttempts is how often a record that fails for a reason that may pass is
// tried before a person must look.
const maxAttempts = 12

// suspectAfter is how often a batch may fail whole before its records are taken in
// smaller and smaller ones, so that one of them can't hold up the others.
const suspectAfter = 3

// When what is parked is looked at again, so that it goes on by itself when its
// cause has gone. A record's own change makes it due earlier.
const (
	lookAgainDaily  = 24 * time.Hour
	lookAgainHourly = time.Hour
	// indexLag is how long a CRM's search may not find what it holds already.
	indexLag    = 2 * time.Second
	indexLooks  = 3
	parkPending = 2 * time.Second // a column or key of the CRM is being built
)

// How long a connection or a lane is parked when the CRM or the adapter doesn't
// say.
const (
	parkThrottled  = 10 * time.Second
	parkQuota      = time.Hour
	parkAuth       = 5 * time.Minute
	parkForbidden  = 15 * time.Minute
	parkNoAdapter  = 5 * time.Second
	parkUnready    = 2 * time.Minute
	parkUnanswered = time.Minute // the longest; the first is a second
	parkField      = time.Minute // the first; it doubles up to an hour
)

// scope is how much of the work a failure stops.
type scope string

// The scopes, from the smallest: the record, one field of all records, one lane,
// the whole connection.
const (
	ofRecord     scope = "record"
	ofField      scope = "field"
	ofLane       scope = "lane"
	ofConnection scope = "connection"
)

// situation is what a decision needs to know beside the failure.
type situation struct {
	Attempts  int    // failed so far, this one not counted
	Linked    bool   // the record's CRM id is known
	Survivor  bool   // the outcome names the record that took its place
	Field     string // the parkable field at fault, as the CRM writes it, or ""
	KeyField  bool   // the field at fault is the one that holds our key
	WholeCall bool   // the failure stands for every record of the call
	Alone     bool   // it was the only record of the call
	Probing   bool   // the connection was parked just before, and nothing went through since
	Trouble   int    // how often in a row the connection was parked since no answer came
	Jitter    float64
}

// decision is what happens after a failure.
type decision struct {
	Scope scope
	// Parked: nothing is tried until Wait is over or the cause goes. Else the
	// record stays due after Wait. 0 with Parked means only a change or a person
	// makes it due again.
	Parked bool
	Wait   time.Duration
	// Counts: it was a failed attempt of this record.
	Counts bool
	// Unlink: the CRM id is void. Relink: the outcome's is the record's now.
	// Reread: the CRM's version is outdated.
	Unlink, Relink, Reread bool
	// Reinstall: our key field must be made again.
	Reinstall bool
	// Cause is what people read before the CRM's own words.
	Cause string
}

// decide is the one place where an error class becomes an action. It is pure;
// jitter is an argument in [0, 1).
func decide(f *sdk.Error, s situation) decision {
	or := func(d time.Duration) time.Duration {
		if f.After > 0 {
			return f.After
		}
		return d
	}
	pause := max(f.After, backoff(s.Attempts, s.Jitter))
	later := decision{Scope: ofRecord, Wait: pause, Counts: true}
	if f.Retry == sdk.RetryNever || s.Attempts+1 >= maxAttempts {
		later.Parked, later.Wait = true, lookAgainDaily
	}
	switch f.Class {
	case sdk.ClassThrottled:
		return decision{Scope: ofConnection, Wait: or(parkThrottled), Cause: "the CRM asks to slow down"}
	case sdk.ClassQuota:
		return decision{Scope: ofLane, Wait: or(parkQuota), Cause: "the CRM's allowance is used up"}
	case sdk.ClassAuth:
		if f.Retry == sdk.RetryLater && !s.Probing {
			return decision{Scope: ofConnection, Wait: or(parkPending), Cause: "the CRM wants a new token"}
		}
		return decision{Scope: ofConnection, Wait: or(parkAuth), Cause: "the CRM refuses the credentials"}
	case sdk.ClassPermission, sdk.ClassSchema:
		switch {
		case s.KeyField:
			return decision{Scope: ofConnection, Wait: parkUnready, Reinstall: true, Cause: "the CRM has lost the field that holds our key; it is installed again"}
		case s.Field != "":
			return decision{Scope: ofField, Wait: parkField, Cause: "the CRM does not take this field"}
		case s.WholeCall:
			return decision{Scope: ofConnection, Wait: or(parkForbidden), Cause: "the CRM refuses this connection's calls"}
		}
		return decision{Scope: ofRecord, Parked: true, Wait: lookAgainDaily, Counts: true, Cause: "the CRM refuses this record"}
	case sdk.ClassTransient, sdk.ClassUnknownOutcome:
		// A record that fails alone while others go through is itself the trouble.
		if s.WholeCall && (s.Probing || !s.Alone || s.Attempts < suspectAfter) {
			wait := max(f.After, min(backoff(s.Trouble, s.Jitter), parkUnanswered))
			return decision{Scope: ofConnection, Wait: wait, Counts: !s.Probing, Cause: "the CRM can't be reached"}
		}
		return later
	case sdk.ClassRemapped:
		if s.Survivor {
			return decision{Scope: ofRecord, Relink: true, Counts: true, Cause: "the CRM merged or converted the record"}
		}
		later.Unlink = s.Linked
		return later
	case sdk.ClassNotFound:
		switch {
		case f.Field == "association":
			// The record at the other end is gone; this one is what it was.
			return decision{Scope: ofRecord, Parked: true, Wait: lookAgainDaily, Counts: true, Cause: "the record it belongs to was deleted in the CRM"}
		case s.Linked:
			return decision{Scope: ofRecord, Parked: true, Unlink: true, Counts: true, Cause: "the record was deleted in the CRM"}
		}
		return later
	case sdk.ClassDuplicate:
		if s.Attempts < indexLooks {
			return decision{Scope: ofRecord, Wait: max(f.After, indexLag), Counts: true, Cause: "the CRM holds such a record, which its search doesn't find yet"}
		}
		return decision{Scope: ofRecord, Parked: true, Wait: lookAgainHourly, Counts: true, Cause: "the CRM holds such a record already"}
	case sdk.ClassConflict:
		later.Reread = true
		if !later.Parked && s.Attempts == 0 {
			later.Wait = f.After
		}
		return later
	case sdk.ClassValidation, sdk.ClassBatchRefused:
		return decision{Scope: ofRecord, Parked: true, Wait: lookAgainDaily, Counts: true, Cause: "the CRM refuses a value"}
	default: // lock, unknown
		return later
	}
}

// backoff grows from a second to five minutes; jitter in [0, 1) takes up to half
// of it away, so that what failed together isn't tried together.
func backoff(attempts int, jitter float64) time.Duration {
	d := min(time.Second<<min(attempts, 10), 5*time.Minute)
	return d - time.Duration(jitter*float64(d)/2)
}

// Advice is what people are told of a failure: whose turn it is and what happens
// next.
type Advice struct {
	// Who must act: nobody, admin (of the connection), crm_admin, or data_owner.
	Who string `json:"who" enum:"nobody,admin,crm_admin,data_owner"`
	// Next is what happens next, as a sentence.
	Next string `json:"next"`
}

// Advise tells what a class of failure means for people. Unknown classes get the
// advice of "unknown".
func Advise(class sdk.Class) Advice {
	switch class {
	case sdk.ClassThrottled:
		return Advice{"nobody", "Everything goes on by itself when the CRM's pause is over."}
	case sdk.ClassQuota:
		return Advice{"nobody", "This lane goes on by itself when the CRM's allowance starts again; raise it in the CRM, or send less through this connection."}
	case sdk.ClassAuth:
		return Advice{"admin", "Connect the account again; a new token is tried every few minutes meanwhile."}
	case sdk.ClassPermission:
		return Advice{"crm_admin", "Give the connection's user the right in the CRM; it is looked at again by itself, and what was held back is sent then."}
	case sdk.ClassValidation:
		return Advice{"data_owner", "Correct the value here, or the rule in the CRM: a change makes it due at once, and it is tried again every day."}
	case sdk.ClassDuplicate:
		return Advice{"data_owner", "Choose the right record, or merge them in the CRM; it is looked at again every hour."}
	case sdk.ClassConflict:
		return Advice{"nobody", "The record changed in the CRM meanwhile: it is read and written again by itself."}
	case sdk.ClassNotFound:
		return Advice{"data_owner", "The client stays here; it is written again when it changes or somebody retries it."}
	case sdk.ClassRemapped:
		return Advice{"nobody", "The next write goes to the record that took its place."}
	case sdk.ClassSchema:
		return Advice{"crm_admin", "Bring the field back in the CRM, or take it from the mapping: the rest of each record lands, and the field's values follow by themselves when it is back."}
	case sdk.ClassLock:
		return Advice{"nobody", "Somebody else is writing to the record: it is tried again by itself."}
	case sdk.ClassBatchRefused:
		return Advice{"data_owner", "This record alone made the CRM refuse its batch: correct it here; it is tried again every day."}
	case sdk.ClassTransient:
		return Advice{"nobody", "It is tried again by itself with growing pauses."}
	case sdk.ClassUnknownOutcome:
		return Advice{"nobody", "The record is looked up by its key before anything is written again."}
	default:
		return Advice{"admin", "The CRM's answer is not a known one: it is tried again with growing pauses, then every day; its text helps the CRM's support."}
	}
}
