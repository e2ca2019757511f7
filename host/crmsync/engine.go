package crmsync

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// The engine's pace. The scan finds what no wake-up told of; a shorter one costs
// queries when nothing happens, a longer one delays retries.
const (
	scanEvery = time.Second
	// parallel bounds the connections one host works on at once.
	parallel = 16
	// callTimeout bounds one adapter call. A CRM that takes longer for a batch
	// isn't answering.
	callTimeout = 90 * time.Second
)

// Engine syncs every tenant's connections. Start it once; Stop waits for calls in
// flight.
type Engine struct {
	DB          *db.DB
	Connections *connection.Service
	// Adapter answers the running adapter of a name for a tenant, who may be
	// pinned to a version, or why there is none.
	Adapter func(name string, t actor.TenantID) (sdk.Adapter, error)
	// Host tells this host from others on the same database.
	Host string
	Now  func() time.Time
	Log  *slog.Logger
	// Link makes the address of a conversation's page, or "".
	Link func(conversation string) string

	runs    context.Context // ends when the engine stops
	cancel  context.CancelFunc
	done    sync.WaitGroup
	mu      sync.Mutex
	running map[connection.ID]chan struct{} // its kicks, while a run is on
	slots   chan struct{}
}

// Start begins to work in the background.
func (e *Engine) Start(ctx context.Context) {
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.runs = ctx
	e.running = map[connection.ID]chan struct{}{}
	e.slots = make(chan struct{}, parallel)
	e.done.Go(func() {
		tick := time.NewTicker(scanEvery)
		defer tick.Stop()
		for {
			e.scan(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// Stop ends all runs and waits for them.
func (e *Engine) Stop() {
	e.cancel()
	e.done.Wait()
}

// Kick looks at a connection now: the way a wake-up reaches the engine.
func (e *Engine) Kick(t actor.TenantID, id connection.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if kicks, on := e.running[id]; on {
		select {
		case kicks <- struct{}{}:
		default: // one is waiting already
		}
		return
	}
	if e.runs.Err() != nil {
		return
	}
	kicks := make(chan struct{}, 1)
	e.running[id] = kicks
	e.done.Go(func() { e.run(e.runs, t, id, kicks) })
}

// run works on a connection until nothing is due; a kick meanwhile means one
// more look.
func (e *Engine) run(ctx context.Context, t actor.TenantID, id connection.ID, kicks chan struct{}) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
	}
	for {
		if err := e.work(ctx, t, id); err != nil && ctx.Err() == nil && !errors.Is(err, errFenced) {
			e.Log.ErrorContext(ctx, "sync run ended", "tenant", t, "connection", id, "error", err)
		}
		if !e.kicked(ctx, id, kicks) {
			return
		}
	}
}

// kicked tells whether a kick came during the run; if none did, the run is over
// and the next kick starts another.
func (e *Engine) kicked(ctx context.Context, id connection.ID, kicks chan struct{}) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-kicks:
		if ctx.Err() == nil {
			return true
		}
	default:
	}
	delete(e.running, id)
	return false
}

// work holds the lease while it does what is due.
func (e *Engine) work(ctx context.Context, t actor.TenantID, id connection.ID) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l, err := acquire(ctx, e.DB, id, e.Host)
	if err != nil || l == nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { e.keep(ctx, l, stop) })
	r := run{engine: e, lease: l, tenant: t, actor: actor.ForSystem(t, "sync")}
	err = r.all(ctx, id)
	stop(nil)
	renewing.Wait()
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if e := l.release(release, e.DB); err == nil && !errors.Is(e, errFenced) {
		err = e
	}
	return err
}

// keep renews the lease and stops the run when it is lost.
func (e *Engine) keep(ctx context.Context, l *lease, stop context.CancelCauseFunc) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := l.renew(ctx, e.DB)
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, errFenced), time.Since(last) > leaseTTL:
			stop(errFenced)
			return
		}
	}
}

// scan kicks every connection with due items.
func (e *Engine) scan(ctx context.Context) {
	type due struct {
		TenantID     actor.TenantID
		ConnectionID connection.ID
	}
	var found []due
	err := e.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, connection_id FROM connections_due()`)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[due])
		return err
	})
	if err != nil && ctx.Err() == nil {
		e.Log.WarnContext(ctx, "can't look for due connections; trying again", "error", err)
	}
	for _, d := range found {
		e.Kick(d.TenantID, d.ConnectionID)
	}
}

// WakeWorker passes wake-ups from the job queue to the engine.
type WakeWorker struct {
	river.WorkerDefaults[Wake]
	Engine *Engine
}

// Work kicks the connection and is done.
func (w *WakeWorker) Work(_ context.Context, job *river.Job[Wake]) error {
	t, err := actor.ParseTenant(job.Args.TenantID)
	if err != nil {
		return river.JobCancel(err)
	}
	id, err := connection.ParseID(job.Args.ConnectionID)
	if err != nil {
		return river.JobCancel(err)
	}
	w.Engine.Kick(t, id)
	return nil
}
