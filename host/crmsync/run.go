package crmsync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/mapping"
	"github.com/clientele-crm/clientele/sdk"
)

// run is what one batch works with. It doesn't change once it is prepared.
type run struct {
	*crew

	connection *connection.Connection
	adapter    sdk.Adapter
	about      sdk.Description
	mapping    *mapping.Mapping
	filter     *mapping.Filter
	open       sdk.Connection
	held       map[string]bool // parked fields of the client object, in lower case
	trouble    int             // pauses in a row for want of an answer
}

// do brings one batch into the CRM.
func (r *run) do(ctx context.Context, b batch) error {
	if b.queue.Kind == kindConversation {
		return r.activities(ctx, b.items)
	}
	return r.clients(ctx, b.items)
}

// install creates the external-key field once, or parks the connection with what
// the admin has to do.
func (r *run) install(ctx context.Context) error {
	if r.connection.InstalledAt != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := r.adapter.Install(ctx, sdk.InstallRequest{Connection: r.open})
	if err != nil {
		return r.callFailed(ctx, call{purpose: "install"}, err)
	}
	if err := r.book(ctx, call{purpose: "install", usage: reply.Usage}); err != nil {
		return err
	}
	for _, s := range reply.Steps {
		switch s.State {
		case sdk.StepManual:
			return r.park(ctx, s.Name+" needs an admin of the CRM: "+s.Instructions, parkForbidden)
		case sdk.StepPending:
			return r.park(ctx, "waiting for the CRM: "+s.Name, parkPending)
		}
	}
	return r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection SET installed_at = now() WHERE id = $1`, r.connection.ID)
		return err
	})
}

// call is one adapter call as it is booked.
type call struct {
	purpose string // install, describe, find, write, log activities, delete
	lane    string
	records int
	took    time.Duration
	usage   sdk.Usage
}

// callFailed treats the failure of a call without records.
func (r *run) callFailed(ctx context.Context, c call, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	failure := failureOf(err)
	c.usage = failure.Usage
	if err := r.book(ctx, c); err != nil {
		return err
	}
	if failure.Class == sdk.ClassAuth {
		// A token may end before it says so.
		if err := r.engine.Connections.Refused(ctx, r.actor, r.connection, r.open.Token); err != nil {
			return err
		}
	}
	d := decide(failure, situation{WholeCall: true, Probing: r.pace.probing(), Trouble: r.trouble, Jitter: r.engine.jitter()})
	return r.park(ctx, d.Cause+": "+failure.Error(), max(d.Wait, time.Second))
}

func failureOf(err error) *sdk.Error {
	if failure, ok := errors.AsType[*sdk.Error](err); ok {
		return failure
	}
	return &sdk.Error{Class: sdk.ClassUnknown, Retry: sdk.RetryLater, Message: err.Error()}
}

// tx runs fn in a transaction of the tenant whose statements are planned anew: a
// backfill makes its tables grow a thousandfold within a minute, and a plan that
// was made while they were empty reads them from end to end.
func (c *crew) tx(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return c.engine.DB.Tenant(ctx, c.actor, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL plan_cache_mode = force_custom_plan`); err != nil {
			return fmt.Errorf("set the plan mode: %w", err)
		}
		return fn(ctx, tx)
	})
}

// store runs fn in a transaction that holds only while the lease is ours.
func (r *run) store(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return r.tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := r.lease.check(ctx, tx); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// park stops the connection until the time is up, with the reason people see.
func (r *run) park(ctx context.Context, reason string, d time.Duration) error {
	err := r.store(ctx, func(ctx context.Context, tx pgx.Tx) error { return r.parkIn(ctx, tx, reason, d) })
	if err != nil {
		return fmt.Errorf("park the connection: %w", err)
	}
	r.engine.Log.WarnContext(ctx, "connection parked", "connection", r.connection.ID, "adapter", r.connection.Adapter, "for", d, "reason", reason)
	return errParked
}

func (r *run) parkIn(ctx context.Context, tx pgx.Tx, reason string, d time.Duration) error {
	// Of several batches in flight the longest pause counts.
	_, err := tx.Exec(ctx, `UPDATE connection SET state = 'parked', reason = $2, trouble = trouble + 1, parked_until = now() + $3::interval
 WHERE id = $1 AND state <> 'paused' AND hold = '' AND (parked_until IS NULL OR parked_until < now() + $3::interval)`, r.connection.ID, reason, d)
	return err
}

// unpark: a call went through, so what parked the connection has gone. A pause
// that another batch asked for meanwhile stays.
func (r *run) unpark(ctx context.Context, tx pgx.Tx) error {
	if r.connection.State != connection.Parked && r.trouble == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE connection SET state = CASE state WHEN 'parked' THEN 'active' ELSE state END, trouble = 0, parked_until = NULL,
  reason = CASE state WHEN 'parked' THEN '' ELSE reason END WHERE id = $1 AND (state = 'active' OR state = 'parked' AND parked_until <= now())`, r.connection.ID)
	return err
}

// book adds calls to the connection's ledger, by bucket and purpose.
func (r *run) book(ctx context.Context, c call) error {
	return r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) error { return r.bookIn(ctx, tx, c) })
}

// bookIn also heeds what the CRM said of its limits: when little is left, what is
// left is kept for new clients.
func (r *run) bookIn(ctx context.Context, tx pgx.Tx, c call) error {
	batch := &pgx.Batch{}
	calls := int64(0)
	for _, n := range c.usage.Calls {
		calls += int64(n.N)
		batch.Queue(`INSERT INTO crm_usage AS u (tenant_id, connection_id, day, bucket, purpose, calls, records, millis)
VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, connection_id, day, bucket, purpose) DO UPDATE
  SET calls = u.calls + excluded.calls, records = u.records + excluded.records, millis = u.millis + excluded.millis`,
			r.tenant, r.connection.ID, n.Bucket, strings.TrimSpace(c.purpose+" "+c.lane), n.N, c.records, c.took.Milliseconds())
	}
	batch.Queue(`UPDATE sync_run SET calls = calls + $2 WHERE id = $1`, r.journal.ID, calls)
	for _, q := range c.usage.Quotas {
		wait, low := reserveReached(q)
		if !low {
			continue
		}
		reason := fmt.Sprintf("%d of %d calls are left in %q: they are kept for new clients", q.Remaining, q.Limit, q.Bucket)
		for _, lane := range lanes()[1:] {
			queueLanePark(batch, r, lane, sdk.ClassQuota, reason, wait)
		}
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("book calls: %w", err)
	}
	return nil
}

// The share of an allowance that is kept for new clients, and how often the other
// lanes look again when the CRM doesn't say when it starts anew.
const (
	reserveShare = 10 // one tenth
	lookAtQuota  = 5 * time.Minute
)

// reserveReached tells whether a quota is down to the reserve, and for how long
// the other lanes rest. Limits of less than a minute are the CRM's way to slow a
// burst down; they are kept by its "throttled".
func reserveReached(q sdk.Quota) (wait time.Duration, low bool) {
	if q.Limit < reserveShare || q.Remaining < 0 || q.Remaining*reserveShare > q.Limit {
		return 0, false
	}
	if q.ResetSeconds < 0 {
		return lookAtQuota, true
	}
	wait = time.Duration(q.ResetSeconds) * time.Second
	return min(wait, parkQuota), wait >= time.Minute
}

// queueLanePark parks a lane; of several reasons the longest pause counts.
func queueLanePark(batch *pgx.Batch, r *run, lane string, class sdk.Class, reason string, wait time.Duration) {
	batch.Queue(`INSERT INTO sync_lane AS l (tenant_id, connection_id, lane, parked_until, class, reason) VALUES ($1, $2, $3, now() + $4::interval, $5, $6)
ON CONFLICT (tenant_id, connection_id, lane) DO UPDATE SET parked_until = excluded.parked_until, class = excluded.class, reason = excluded.reason
 WHERE l.parked_until IS NULL OR l.parked_until < excluded.parked_until`, r.tenant, r.connection.ID, lane, wait, class, reason)
}
