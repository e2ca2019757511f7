package crmsync

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// maxAttempts is how often a record that fails for a reason that may pass is
// tried before a person must look.
const maxAttempts = 12

// nextTick is the connection's next scheduled time, in SQL: updates wait for it
// (R166).
const nextTick = `(SELECT n.created_at + n.update_every * ceil(extract(epoch FROM now() - n.created_at) / extract(epoch FROM n.update_every))
  FROM connection n WHERE n.id = sync_item.connection_id)`

// settled is what an item's success means for its row.
type settled struct {
	object   string
	revision int64
	agreed   map[string]sdk.Value
	notes    []string
}

// settle stores one outcome for each item of a call, in one transaction under the
// lease. An item that the adapter left out has an unknown outcome.
func (r *run) settle(ctx context.Context, purpose string, items []item, reply sdk.WriteReply, of func(id string) settled) error {
	outcomes := map[string]sdk.Outcome{}
	for _, o := range reply.Outcomes {
		outcomes[o.ItemID] = o
	}
	refused := false
	err := r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		refused = false
		for _, it := range items {
			o, ok := outcomes[it.id()]
			if !ok || (o.Done == sdk.Failed && o.Err == nil) {
				o = sdk.Fail(it.id(), &sdk.Error{Class: sdk.ClassUnknownOutcome, Retry: sdk.RetryReadBack, Message: "the adapter gave no outcome"})
			}
			s := of(it.id())
			if o.Object != "" {
				s.object = o.Object
			}
			if o.Done == sdk.Failed && o.Err.Class == sdk.ClassBatchRefused && len(items) > 1 {
				refused = true
				continue // due as it is, in a smaller batch
			}
			if err := r.settleOne(ctx, tx, it, o, s); err != nil {
				return err
			}
		}
		if refused {
			r.connection.BatchSize = max(len(items)/2, 1)
			if _, err := tx.Exec(ctx, `UPDATE connection SET batch_size = $2 WHERE id = $1`, r.connection.ID, r.connection.BatchSize); err != nil {
				return err
			}
		} else if err := r.unpark(ctx, tx); err != nil {
			return err
		}
		return r.bookIn(ctx, tx, purpose, reply.Usage)
	})
	if err != nil {
		return fmt.Errorf("store outcomes of %s: %w", purpose, err)
	}
	return nil
}

func (r *run) settleOne(ctx context.Context, tx pgx.Tx, it item, o sdk.Outcome, s settled) error {
	s.notes = append(s.notes, o.Notes...)
	if err := r.logOutcome(ctx, tx, it, o, s.notes); err != nil {
		return err
	}
	if o.Done != sdk.Failed {
		if err := r.link(ctx, tx, it, o, s.object); err != nil {
			return err
		}
		return r.synced(ctx, tx, it, s)
	}
	return r.failItem(ctx, tx, it, o, s.object)
}

// synced: the CRM holds revision; a later one waits for the schedule.
func (r *run) synced(ctx context.Context, tx pgx.Tx, it item, s settled) error {
	agreed, err := json.Marshal(s.agreed)
	if err != nil {
		return fmt.Errorf("encode agreed values: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE sync_item SET synced_revision = greatest(synced_revision, $4), agreed = $5::text::json, intent_at = NULL,
  attempts = 0, class = '', reason = $6, candidates = '{}', attempted_at = now(), synced_at = now(),
  state = CASE WHEN desired_revision > $4 THEN 'due' ELSE 'synced' END,
  lane = CASE WHEN kind = 'client' THEN 'update' ELSE lane END,
  due_at = CASE WHEN desired_revision > $4 THEN `+nextTick+` END
 WHERE connection_id = $1 AND kind = $2 AND source_id = $3`,
		r.connection.ID, it.Kind, it.SourceID, s.revision, string(agreed), strings.Join(s.notes, "; "))
	if err != nil {
		return fmt.Errorf("note that %s is synced: %w", it.id(), err)
	}
	return nil
}

// link keeps the record's CRM id. A client's first link frees its waiting
// activities.
func (r *run) link(ctx context.Context, tx pgx.Tx, it item, o sdk.Outcome, object string) error {
	if o.CRMID == "" {
		return nil
	}
	if it.CRMID != nil && *it.CRMID != o.CRMID {
		if err := r.unlink(ctx, tx, it); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO crm_link (tenant_id, connection_id, kind, source_id, object, crm_id, crm_version, linked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now())
ON CONFLICT (tenant_id, connection_id, object, crm_id) DO UPDATE SET crm_version = excluded.crm_version`,
		r.tenant, r.connection.ID, it.Kind, it.SourceID, object, o.CRMID, o.Version); err != nil {
		return fmt.Errorf("link %s to %s: %w", it.id(), o.CRMID, err)
	}
	if it.Kind != kindClient || it.SyncedRevision != 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE sync_item i SET due_at = now() FROM conversation v
 WHERE i.connection_id = $1 AND i.kind = 'conversation' AND i.state = 'due' AND i.due_at IS NULL
   AND v.tenant_id = i.tenant_id AND v.id = i.source_id AND v.client_id = $2`, r.connection.ID, it.SourceID)
	if err != nil {
		return fmt.Errorf("free activities of %s: %w", it.id(), err)
	}
	return nil
}

func (r *run) unlink(ctx context.Context, tx pgx.Tx, it item) error {
	_, err := tx.Exec(ctx, `DELETE FROM crm_link WHERE connection_id = $1 AND kind = $2 AND source_id = $3 AND crm_id = $4`,
		r.connection.ID, it.Kind, it.SourceID, *it.CRMID)
	if err != nil {
		return fmt.Errorf("unlink %s: %w", it.id(), err)
	}
	return nil
}

// logOutcome writes the line that people see and filter.
func (r *run) logOutcome(ctx context.Context, tx pgx.Tx, it item, o sdk.Outcome, notes []string) error {
	var failure sdk.Error
	if o.Err != nil {
		failure = *o.Err
	}
	detail := failure.Message
	if detail == "" {
		detail = strings.Join(notes, "; ")
	}
	if _, err := tx.Exec(ctx, `INSERT INTO sync_outcome (id, tenant_id, connection_id, kind, source_id, lane, done, crm_id, class, code, field, detail, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now())`, uuid.Must(uuid.NewV7()), r.tenant, r.connection.ID, it.Kind, it.SourceID,
		it.Lane, o.Done, o.CRMID, failure.Class, failure.Code, failure.Field, detail); err != nil {
		return fmt.Errorf("log outcome of %s: %w", it.id(), err)
	}
	if it.Kind != kindClient || o.Done == sdk.Unchanged {
		return nil
	}
	kind, payload := event.Synced, map[string]any{"connection": r.connection.Name, "done": o.Done, "crm_id": o.CRMID}
	if o.Done == sdk.Failed {
		if it.Attempts > 0 {
			return nil // the first failure is news, its repetition is in the log
		}
		kind, payload["class"], payload["detail"] = event.SyncFailed, failure.Class, detail
	}
	return event.Append(ctx, tx, r.actor, event.Event{
		Kind: kind, ClientID: uuid.NullUUID{UUID: it.SourceID, Valid: true}, Payload: payload, At: r.engine.Now(),
	})
}

// failItem decides what a failed item waits for.
func (r *run) failItem(ctx context.Context, tx pgx.Tx, it item, o sdk.Outcome, object string) error {
	failure := o.Err
	switch failure.Class {
	case sdk.ClassRemapped:
		if o.CRMID == "" {
			break
		}
		if err := r.link(ctx, tx, it, o, object); err != nil {
			return err
		}
		return r.retryItem(ctx, tx, it, failure, 0, true)
	case sdk.ClassNotFound:
		if failure.Field == "association" {
			// The record at the other end is gone; this one is what it was.
			return r.parkItem(ctx, tx, it, failure.Class, "the client's record was deleted in the CRM; the activity waits until it is written again", nil)
		}
		if it.CRMID == nil {
			break
		}
		if err := r.unlink(ctx, tx, it); err != nil {
			return err
		}
		return r.parkItem(ctx, tx, it, failure.Class, "the record was deleted in the CRM; the client stays here, and is written again when it changes or is retried", nil)
	case sdk.ClassDuplicate:
		candidates := o.Candidates
		if o.CRMID != "" {
			candidates = append(candidates, o.CRMID)
		}
		// The CRM's search index lags behind its writes: a record that adoption
		// did not find is found a moment later.
		if it.Attempts < 3 {
			return r.retryItem(ctx, tx, it, failure, 2*time.Second, true)
		}
		return r.parkItem(ctx, tx, it, failure.Class, failure.Error(), candidates)
	}
	if failure.Retry == sdk.RetryNever || it.Attempts+1 >= maxAttempts {
		return r.parkItem(ctx, tx, it, failure.Class, failure.Error(), nil)
	}
	return r.retryItem(ctx, tx, it, failure, max(failure.After, backoff(it.Attempts)), true)
}

// retryItem leaves the item due after a while; the intent of a create stays, so
// that the next attempt reads back first.
func (r *run) retryItem(ctx context.Context, tx pgx.Tx, it item, failure *sdk.Error, wait time.Duration, attempt bool) error {
	step := 0
	if attempt {
		step = 1
	}
	_, err := tx.Exec(ctx, `UPDATE sync_item SET attempts = attempts + $4, class = $5, reason = $6, attempted_at = now(), due_at = now() + $7::interval
 WHERE connection_id = $1 AND kind = $2 AND source_id = $3`,
		r.connection.ID, it.Kind, it.SourceID, step, failure.Class, failure.Error(), wait)
	if err != nil {
		return fmt.Errorf("note the retry of %s: %w", it.id(), err)
	}
	return nil
}

// parkItem: nothing more is tried until the client changes or a person asks.
func (r *run) parkItem(ctx context.Context, tx pgx.Tx, it item, class sdk.Class, reason string, candidates []string) error {
	if candidates == nil {
		candidates = []string{}
	}
	_, err := tx.Exec(ctx, `UPDATE sync_item SET attempts = attempts + 1, class = $4, reason = $5, candidates = $6, attempted_at = now(),
  state = 'parked', due_at = NULL WHERE connection_id = $1 AND kind = $2 AND source_id = $3`,
		r.connection.ID, it.Kind, it.SourceID, class, reason, candidates)
	if err != nil {
		return fmt.Errorf("park %s: %w", it.id(), err)
	}
	return nil
}

// exclude takes items off that must not be in the CRM any more; what is there
// stays there.
func (r *run) exclude(ctx context.Context, items []item, reason string) error {
	if len(items) == 0 {
		return nil
	}
	return r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, it := range items {
			if _, err := tx.Exec(ctx, `UPDATE sync_item SET state = 'excluded', reason = $4, due_at = NULL
 WHERE connection_id = $1 AND kind = $2 AND source_id = $3`, r.connection.ID, it.Kind, it.SourceID, reason); err != nil {
				return fmt.Errorf("exclude %s: %w", it.id(), err)
			}
		}
		return nil
	})
}

// connectionTrouble tells whether a failed call means that the connection, not
// its items, is the problem, for how long it is parked and what people read.
func (r *run) connectionTrouble(failure *sdk.Error, items []item) (wait time.Duration, reason string, whole bool) {
	attempts := 0
	for _, it := range items {
		attempts = max(attempts, it.Attempts)
	}
	or := func(d time.Duration) time.Duration {
		if failure.After > 0 {
			return failure.After
		}
		return d
	}
	switch failure.Class {
	case sdk.ClassThrottled:
		return or(parkThrottled), "the CRM asks to slow down: " + failure.Error(), true
	case sdk.ClassQuota:
		return or(parkQuota), "the CRM's allowance is used up: " + failure.Error(), true
	case sdk.ClassAuth:
		if failure.Retry == sdk.RetryLater && r.connection.State != connection.Parked {
			return or(parkPending), "the CRM wants a new token: " + failure.Error(), true
		}
		return or(parkAuth), "the CRM refuses the credentials; an admin must connect again: " + failure.Error(), true
	case sdk.ClassPermission, sdk.ClassSchema:
		return or(parkForbidden), "the CRM refuses this connection's calls: " + failure.Error(), true
	case sdk.ClassTransient, sdk.ClassUnknownOutcome:
		return or(min(backoff(attempts), parkUnanswered)), "the CRM can't be reached: " + failure.Error(), true
	default:
		return 0, "", false
	}
}

// countsAsAttempt: waiting for the CRM is nobody's failed attempt.
func countsAsAttempt(c sdk.Class) bool {
	return c == sdk.ClassTransient || c == sdk.ClassUnknownOutcome
}

// backoff grows from a second to five minutes.
func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 10), 5*time.Minute)
}
