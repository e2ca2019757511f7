package crmsync

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
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
	// bulkSlots bounds the calls of one host for everything but new clients, which
	// have slots of their own on each connection: no backfill and no slow CRM of one
	// tenant is in the way of another tenant's new client.
	bulkSlots = 16
	// defaultInFlight is how many calls of one connection fly at once.
	defaultInFlight = 4
	// crewTime bounds how long a connection is worked on by one crew: then
	// everything is read anew.
	crewTime = time.Minute
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
	// InFlight is how many calls of one connection may fly at once, one of them
	// always for new clients; 0 means 4. More of them run into a CRM's limit on
	// calls at once, one alone lets a backfill hold up new clients.
	InFlight int
	// Jitter answers a number in [0, 1) that spreads retries; nil means random.
	Jitter func() float64

	runs    context.Context // ends when the engine stops
	cancel  context.CancelFunc
	done    sync.WaitGroup
	mu      sync.Mutex
	running map[connection.ID]chan struct{} // its kicks, while a run is on
	slots   chan struct{}                   // of everything but new clients
}

// Start begins to work in the background.
func (e *Engine) Start(ctx context.Context) {
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.runs = ctx
	e.running = map[connection.ID]chan struct{}{}
	e.slots = make(chan struct{}, bulkSlots)
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
	for {
		more, err := e.work(ctx, t, id, kicks)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errFenced) {
			e.Log.ErrorContext(ctx, "sync run ended", "tenant", t, "connection", id, "error", err)
		}
		if more && err == nil && ctx.Err() == nil {
			continue
		}
		if !e.kicked(ctx, id, kicks) {
			return
		}
	}
}

// inTurn runs fn when its lane has a slot on this host. New clients never wait for
// one.
func (e *Engine) inTurn(ctx context.Context, q queue, fn func() error) error {
	if q.Lane != laneNew {
		select {
		case e.slots <- struct{}{}:
			defer func() { <-e.slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return fn()
}

func (e *Engine) inFlight() int {
	if e.InFlight == 0 {
		return defaultInFlight
	}
	return e.InFlight
}

func (e *Engine) jitter() float64 {
	if e.Jitter == nil {
		return rand.Float64()
	}
	return e.Jitter()
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

// work holds the lease while it does what is due. It answers whether more may be
// due.
func (e *Engine) work(ctx context.Context, t actor.TenantID, id connection.ID, kicks <-chan struct{}) (more bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	l, err := acquire(ctx, e.DB, id, e.Host)
	if err != nil || l == nil {
		return false, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { e.keep(ctx, l, stop) })
	c := &crew{
		engine: e, lease: l, tenant: t, actor: actor.ForSystem(t, "sync"), id: id, pace: &pace{},
		journal: journal{uuid.Must(uuid.NewV7()), time.Now()}, busy: map[uuid.UUID]bool{}, landed: make(chan landing),
	}
	more, err = c.all(ctx, kicks)
	stop(nil)
	renewing.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	ended := c.end(last, err)
	if e := l.release(last, e.DB); ended == nil && !errors.Is(e, errFenced) {
		ended = e
	}
	if err == nil {
		err = ended
	}
	return more, err
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
