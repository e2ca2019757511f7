package crmsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/mapping"
	"github.com/clientele-crm/clientele/sdk"
)

// How long a connection is parked when the CRM or the adapter doesn't say.
const (
	parkThrottled  = 10 * time.Second
	parkPending    = 2 * time.Second // a column or key of the CRM is being built
	parkQuota      = time.Hour
	parkAuth       = 5 * time.Minute
	parkForbidden  = 15 * time.Minute
	parkNoAdapter  = 5 * time.Second
	parkUnready    = 2 * time.Minute
	parkUnanswered = time.Minute // the longest; the first is a second
)

// run is one connection's work under one lease.
type run struct {
	engine *Engine
	lease  *lease
	tenant actor.TenantID
	actor  actor.Actor

	connection *connection.Connection
	adapter    sdk.Adapter
	about      sdk.Description
	mapping    *mapping.Mapping
	open       sdk.Connection
}

// errParked ends a run whose connection has been parked.
var errParked = errors.New("the connection is parked")

// all works until nothing is due or the connection is parked.
func (r *run) all(ctx context.Context, id connection.ID) error {
	ready, err := r.prepare(ctx, id)
	for ready && err == nil {
		ready, err = r.step(ctx)
	}
	if errors.Is(err, errParked) {
		return nil
	}
	return err
}

// prepare loads the connection, its adapter and mapping, and sees to it that the
// external-key field is there.
func (r *run) prepare(ctx context.Context, id connection.ID) (ready bool, err error) {
	r.connection, err = r.engine.Connections.Get(ctx, r.actor, id)
	if err != nil {
		return false, err
	}
	c := r.connection
	parked := c.State == connection.Parked && (c.ParkedUntil == nil || c.ParkedUntil.After(r.engine.Now()))
	if c.State == connection.Paused || parked {
		return false, nil
	}
	if r.adapter, err = r.engine.Adapter(c.Adapter, r.tenant); err != nil {
		return false, r.park(ctx, "the adapter "+c.Adapter+" can't be used: "+err.Error(), parkNoAdapter)
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if r.about, err = r.adapter.Describe(call); err != nil {
		return false, r.park(ctx, "the adapter "+c.Adapter+" does not answer: "+err.Error(), parkNoAdapter)
	}
	if r.mapping, err = mapping.Compile(r.about.DefaultMapping); err != nil {
		return false, r.park(ctx, "the mapping can't be used: "+err.Error(), parkUnready)
	}
	if r.open, err = r.engine.Connections.Open(ctx, r.actor, c, r.about); err != nil {
		return false, r.park(ctx, err.Error(), parkUnready)
	}
	return true, r.install(ctx)
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
		return r.callFailed(ctx, "install", nil, err)
	}
	if err := r.book(ctx, "install", reply.Usage); err != nil {
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

// step does one batch. It answers false when nothing is due.
func (r *run) step(ctx context.Context) (more bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	var items []item
	err = r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) (err error) {
		items, err = take(ctx, tx, r, r.batchSize())
		return err
	})
	if err != nil || len(items) == 0 {
		return false, err
	}
	if items[0].Kind == kindConversation {
		return true, r.activities(ctx, items)
	}
	return true, r.clients(ctx, items)
}

// batchSize adapts between the adapter's bounds; it is halved when the CRM
// refuses a batch whole.
func (r *run) batchSize() int {
	size := r.connection.BatchSize
	if size == 0 {
		size = r.about.Batch.Start
	}
	return min(max(size, r.about.Batch.Min, 1), max(r.about.Batch.Max, 1))
}

// store runs fn in a transaction that holds only while the lease is ours.
func (r *run) store(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) error {
		if err := r.lease.check(ctx, tx); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// park stops the connection until the time is up, with the reason people see.
func (r *run) park(ctx context.Context, reason string, d time.Duration) error {
	err := r.store(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection SET state = 'parked', reason = $2, parked_until = now() + $3::interval
 WHERE id = $1 AND state <> 'paused'`, r.connection.ID, reason, d)
		return err
	})
	if err != nil {
		return fmt.Errorf("park the connection: %w", err)
	}
	r.engine.Log.WarnContext(ctx, "connection parked", "connection", r.connection.ID, "adapter", r.connection.Adapter, "for", d, "reason", reason)
	return errParked
}

// unpark: a call went through, so what parked the connection has gone.
func (r *run) unpark(ctx context.Context, tx pgx.Tx) error {
	if r.connection.State != connection.Parked {
		return nil
	}
	r.connection.State = connection.Active
	_, err := tx.Exec(ctx, `UPDATE connection SET state = 'active', reason = '', parked_until = NULL WHERE id = $1 AND state = 'parked'`, r.connection.ID)
	return err
}

// book adds calls to the connection's ledger, by bucket and purpose.
func (r *run) book(ctx context.Context, purpose string, u sdk.Usage) error {
	return r.engine.DB.Tenant(ctx, r.actor, func(ctx context.Context, tx pgx.Tx) error {
		return r.bookIn(ctx, tx, purpose, u)
	})
}

func (r *run) bookIn(ctx context.Context, tx pgx.Tx, purpose string, u sdk.Usage) error {
	for _, c := range u.Calls {
		if _, err := tx.Exec(ctx, `INSERT INTO crm_usage AS u (tenant_id, connection_id, day, bucket, purpose, calls)
VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, $3, $4, $5)
ON CONFLICT (tenant_id, connection_id, day, bucket, purpose) DO UPDATE SET calls = u.calls + excluded.calls`,
			r.tenant, r.connection.ID, c.Bucket, purpose, c.N); err != nil {
			return fmt.Errorf("book calls: %w", err)
		}
	}
	return nil
}
