package outbound

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

// The dispatcher's pace.
const (
	// scanEvery finds what no wake-up told of. A shorter one costs queries when
	// nothing happens, a longer one delays what falls due.
	scanEvery = time.Second
	// parallel bounds the messages one host sends at once; each holds two database
	// connections for the moment between the decision and the provider's being
	// asked.
	parallel = 4
	// dueMost is how many of one tenant's messages a scan takes, so that a large
	// campaign doesn't keep other tenants waiting.
	dueMost = 50
	// sendTimeout bounds one hand-over whatever the sender does; a host that stops
	// leaves it stopGrace more.
	sendTimeout = 2 * time.Minute
	stopGrace   = 5 * time.Second
	// A host that has not been heard of for leaseTTL is dead, and what it was
	// sending is in doubt (design.md §3).
	leaseTTL = 10 * time.Second
	// maxAttempts is how often a message is tried before a person looks at it:
	// with backoff, over about half a day.
	maxAttempts = 16
)

// Dispatcher sends what is due, with any number of others on the same database.
type Dispatcher struct {
	Service *Service
	Senders Senders
	// Host tells this process from every other one there ever was.
	Host string
	Log  *slog.Logger // nil is silence

	// Backoff is the wait before the nth retry; nil is half a minute, doubled each
	// time up to an hour.
	Backoff func(attempt int) time.Duration
	// TTL is how long a host that says nothing counts as alive; 0 means 10 s.
	TTL time.Duration

	// db is a pool of its own: those who wait for what a dispatcher holds must not
	// keep it from the connection that it needs to go on.
	db   *db.DB
	stop context.CancelFunc
	done sync.WaitGroup
	kick chan struct{}
	mu   sync.Mutex
	busy map[ID]bool // in this host's hands
}

// Start begins to send in the background.
func (d *Dispatcher) Start(ctx context.Context) error {
	d.prepare()
	apart, err := d.Service.DB.Apart(ctx, 2*parallel)
	if err != nil {
		return wrapf(err, "open the dispatcher's connections")
	}
	d.db = apart
	if err := d.renew(ctx); err != nil {
		d.db.Close()
		return err
	}
	ctx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	d.done.Go(func() { d.every(ctx, d.ttl()/3, d.keepAlive) })
	d.done.Go(func() { d.loop(ctx) })
	return nil
}

// Stop waits for the messages that are being sent.
func (d *Dispatcher) Stop() {
	if d.stop == nil {
		return
	}
	d.stop()
	d.done.Wait()
	defer d.db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := d.sign(ctx, `DELETE FROM outbound_host WHERE host = $1`); err != nil {
		d.Log.WarnContext(ctx, "this host could not sign off; it counts as alive until its lease ends", "error", err)
	}
}

// Kick looks for what is due now: the way a wake-up reaches the dispatcher.
func (d *Dispatcher) Kick() {
	select {
	case d.kick <- struct{}{}:
	default: // one is waiting already
	}
}

func (d *Dispatcher) prepare() {
	d.kick, d.busy = make(chan struct{}, 1), map[ID]bool{}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
}

func (d *Dispatcher) ttl() time.Duration {
	if d.TTL > 0 {
		return d.TTL
	}
	return leaseTTL
}

func (d *Dispatcher) every(ctx context.Context, wait time.Duration, fn func(context.Context)) {
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fn(ctx)
		}
	}
}

// loop scans and hands out what it finds to the workers.
func (d *Dispatcher) loop(ctx context.Context) {
	tick := time.NewTicker(scanEvery)
	defer tick.Stop()
	slots := make(chan struct{}, parallel)
	for ctx.Err() == nil {
		d.recover(ctx)
		found := d.due(ctx)
		for _, f := range found {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if !d.take(f.MessageID) {
				<-slots
				continue
			}
			d.done.Go(func() {
				defer func() { <-slots }()
				defer d.give(f.MessageID)
				d.attempt(ctx, f.TenantID, f.MessageID)
			})
		}
		if len(found) > 0 {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-d.kick:
		}
	}
}

type found struct {
	TenantID  actor.TenantID
	MessageID ID
}

// due finds what may leave now and nobody here has in hand.
func (d *Dispatcher) due(ctx context.Context) []found {
	var all []found
	err := d.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, message_id FROM outbound_due($1, $2)`, d.Service.Now(), dueMost)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[found])
		return err
	})
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "can't look for due messages; trying again", "error", err)
	}
	free := all[:0]
	for _, f := range all {
		if !d.has(f.MessageID) {
			free = append(free, f)
		}
	}
	return free
}

func (d *Dispatcher) take(id ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[id] {
		return false
	}
	d.busy[id] = true
	return true
}

func (d *Dispatcher) give(id ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, id)
}

func (d *Dispatcher) has(id ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy[id]
}

// keepAlive says that this host is alive.
func (d *Dispatcher) keepAlive(ctx context.Context) {
	if err := d.renew(ctx); err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "can't renew this host's lease; trying again", "error", err)
	}
}

func (d *Dispatcher) renew(ctx context.Context) error {
	return d.sign(ctx, `INSERT INTO outbound_host (host, expires_at) VALUES ($1, now() + $2::interval)
ON CONFLICT (host) DO UPDATE SET expires_at = excluded.expires_at`, d.ttl())
}

func (d *Dispatcher) sign(ctx context.Context, sql string, more ...any) error {
	return d.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, append([]any{d.Host}, more...)...)
		if err != nil {
			return wrapf(err, "sign host %s on or off", d.Host)
		}
		return nil
	})
}

func (d *Dispatcher) backoff(attempt int) time.Duration {
	if d.Backoff != nil {
		return d.Backoff(attempt)
	}
	return min(30*time.Second<<min(attempt-1, 10), time.Hour)
}

// WakeWorker passes wake-ups from the job queue to the dispatcher.
type WakeWorker struct {
	river.WorkerDefaults[Wake]
	Dispatcher *Dispatcher
}

// Work kicks the dispatcher and is done.
func (w *WakeWorker) Work(context.Context, *river.Job[Wake]) error {
	w.Dispatcher.Kick()
	return nil
}
