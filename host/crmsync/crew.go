package crmsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/mapping"
)

// crew is one connection's work under one lease: it takes batches off the lanes
// and lets some of them fly at once, never two with the same client. One
// goroutine owns it; a batch in flight gets a run that doesn't change.
type crew struct {
	engine  *Engine
	lease   *lease
	tenant  actor.TenantID
	actor   actor.Actor
	id      connection.ID
	journal journal
	pace    *pace

	flying, bulk int // batches in flight, and how many of them are not of the new lane
	busy         map[uuid.UUID]bool
	landed       chan landing
	mapping      *mapping.Mapping
	filter       *mapping.Filter
	ready        *run // what was prepared last, and when
	readyAt      time.Time
	stale        atomic.Bool // something failed since: prepare anew
	claims       sync.Map    // CRM id: the client that a batch in flight has found it to be
}

// journal is this stretch of work as people see it in the log.
type journal struct {
	ID      uuid.UUID
	Started time.Time
}

type landing struct {
	batch
	err error
}

// errParked ends a crew's work: its connection has been parked.
var errParked = errors.New("the connection is parked")

// all works until nothing is due or the connection rests. It answers whether more
// may be due, because the time of one crew was up.
func (c *crew) all(ctx context.Context, kicks <-chan struct{}) (more bool, err error) {
	var failed error
	for {
		more = time.Since(c.journal.Started) > crewTime
		if failed == nil && !more {
			failed = c.launch(ctx)
		}
		if c.flying == 0 {
			break
		}
		select {
		case l := <-c.landed:
			c.land(l)
			if failed == nil {
				failed = l.err
			}
		case <-kicks:
		}
	}
	if errors.Is(failed, errParked) {
		return false, nil
	}
	return more, failed
}

// launch sends batches off while there is room and work.
func (c *crew) launch(ctx context.Context) error {
	for c.flying < c.width() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r, err := c.prepared(ctx)
		if err != nil || r == nil {
			return err
		}
		b, err := r.take(ctx, c.lanes(), c.busy)
		if err != nil || len(b.items) == 0 {
			return err
		}
		c.fly(ctx, r, b)
	}
	return nil
}

// width is how many batches may fly: after a pause one goes first, to see.
func (c *crew) width() int {
	if c.pace.probing() {
		return 1
	}
	return c.engine.inFlight()
}

// lanes are those that the next batch may come from: the last free slot is kept
// for new clients.
func (c *crew) lanes() []queue {
	if c.width() > 1 && c.bulk >= c.width()-1 {
		return queues()[:1]
	}
	return queues()
}

func (c *crew) fly(ctx context.Context, r *run, b batch) {
	c.flying++
	if b.queue.Lane != laneNew {
		c.bulk++
	}
	for _, id := range b.clients() {
		c.busy[id] = true
	}
	go func() { c.landed <- landing{b, c.engine.inTurn(ctx, b.queue, func() error { return r.do(ctx, b) })} }()
}

func (c *crew) land(l landing) {
	c.flying--
	if l.queue.Lane != laneNew {
		c.bulk--
	}
	for _, id := range l.clients() {
		delete(c.busy, id)
	}
}

// freshFor is how long what was prepared serves the batches that follow. A pause
// takes hold within it.
const freshFor = time.Second

// prepared is prepare for batches in quick succession.
func (c *crew) prepared(ctx context.Context) (r *run, err error) {
	if c.ready != nil && !c.stale.Load() && time.Since(c.readyAt) < freshFor {
		return c.ready, nil
	}
	c.stale.Store(false)
	c.ready, err = c.prepare(ctx)
	c.readyAt = time.Now()
	return c.ready, err
}

// prepare answers what the next batch works with: the connection as it is now,
// its adapter, mapping and token. nil means that the connection rests.
func (c *crew) prepare(ctx context.Context) (*run, error) {
	n, err := c.engine.Connections.Get(ctx, c.actor, c.id)
	if err != nil {
		return nil, err
	}
	parked := n.State == connection.Parked && (n.ParkedUntil == nil || n.ParkedUntil.After(c.engine.Now()))
	if n.State == connection.Paused || parked {
		return nil, nil
	}
	r := &run{crew: c, connection: n}
	if n.State == connection.Parked {
		c.pace.probe()
	}
	if r.adapter, err = c.engine.Adapter(n.Adapter, c.tenant); err != nil {
		return nil, r.park(ctx, "the adapter "+n.Adapter+" can't be used: "+err.Error(), parkNoAdapter)
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if r.about, err = r.adapter.Describe(call); err != nil {
		return nil, r.park(ctx, "the adapter "+n.Adapter+" does not answer: "+err.Error(), parkNoAdapter)
	}
	c.pace.start(n.BatchSize, r.about.Batch)
	if err := c.compile(r); err != nil {
		return nil, r.park(ctx, "the mapping or the filter can't be used: "+err.Error(), parkUnready)
	}
	if r.open, err = c.engine.Connections.Open(ctx, c.actor, n, r.about); err != nil {
		return nil, r.park(ctx, err.Error(), parkUnready)
	}
	if err := r.install(ctx); err != nil {
		return nil, err
	}
	return r, r.loadFields(ctx)
}

// compile makes mapping and filter ready, once: when they change, the crew is
// fenced off.
func (c *crew) compile(r *run) (err error) {
	if c.mapping == nil {
		if c.filter, err = mapping.CompileFilter(r.connection.Filter); err != nil {
			return err
		}
		if c.mapping, err = mapping.Compile(r.about.DefaultMapping); err != nil {
			return err
		}
	}
	r.mapping, r.filter = c.mapping, c.filter
	return nil
}

// end notes in the log that the work is over, and why if it was cut short.
func (c *crew) end(ctx context.Context, why error) error {
	said := ""
	if why != nil {
		said = why.Error()
	}
	return c.engine.DB.Tenant(ctx, c.actor, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE sync_run SET ended_at = now(), ended_by = $2 WHERE id = $1`, c.journal.ID, said)
		if err != nil {
			return fmt.Errorf("note the end of the run: %w", err)
		}
		return nil
	})
}
