package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstBackOff   = 100 * time.Millisecond
	longestBackOff = 30 * time.Second
	// A process that lived this long died of something new.
	steadyAfter = 30 * time.Second
	// So many early deaths in a row are a crash loop, not bad luck.
	quarantineAfter = 6
)

// State is how an adapter is.
type State string

// The states of an adapter.
const (
	Starting    State = "starting"    // the first process has not shaken hands yet
	Running     State = "running"     // serving
	Down        State = "down"        // ended or not started; tried again at RetryAt
	Quarantined State = "quarantined" // keeps crashing; tried rarely, replaced where another version is known
	Stopped     State = "stopped"
)

// worker keeps one process of one artifact running.
type worker struct {
	name       string
	options    Options
	stage      func(context.Context) (artifact, error) // asked until it answers; the answer stays
	quarantine func(cause string)                      // called once, when the crash loop is noticed

	stopOnce sync.Once
	stopping chan struct{}
	drain    context.Context // set before stopping is closed; its end ends the drain
	done     chan struct{}

	mu       sync.Mutex
	artifact artifact // zero until staged
	served   bool     // a process has run at some time
	current  *process // nil: none serves
	state    State
	cause    string // of the last failure
	failures int    // in a row
	restarts int
	retryAt  time.Time
	since    time.Time // of state
}

func newWorker(name string, o Options, stage func(context.Context) (artifact, error), quarantine func(cause string)) *worker {
	return &worker{name: name, options: o, stage: stage, quarantine: quarantine,
		stopping: make(chan struct{}), done: make(chan struct{}), state: Starting, since: time.Now()}
}

// start makes a process that serves. After a failure run tries again.
func (w *worker) start(ctx context.Context) error {
	a, err := w.staged(ctx)
	if err == nil {
		var p *process
		if p, err = launch(ctx, a, w.options); err == nil {
			w.up(p)
			return nil
		}
	}
	w.failed(err.Error())
	return err
}

// staged is called by one goroutine at a time.
func (w *worker) staged(ctx context.Context) (artifact, error) {
	if a := w.program(); a != (artifact{}) {
		return a, nil
	}
	a, err := w.stage(ctx)
	if err != nil {
		return artifact{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.artifact = a
	return a, nil
}

// program is what the worker runs; zero while it could not be staged.
func (w *worker) program() artifact {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.artifact
}

// run keeps a process running until stop.
func (w *worker) run() {
	defer close(w.done)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		<-w.stopping
		cancel(errors.New("the adapter is being stopped"))
	}()
	defer cancel(nil)
	for {
		p := w.process()
		if p == nil {
			select {
			case <-w.stopping:
				w.stopped()
				return
			case <-time.After(time.Until(w.retry())):
			}
			if err := w.start(ctx); err != nil {
				w.options.Logger.Warn("an adapter did not start", "adapter", w.name, "cause", err)
				continue
			}
			w.options.Logger.Info("an adapter runs again", "adapter", w.name)
			continue
		}
		cause, ended := w.watch(ctx, p)
		if !ended {
			w.stopped()
			p.stop(w.drain)
			return
		}
		w.failed(cause)
		w.options.Logger.Error("an adapter ended by itself and is started again", "adapter", w.name, "cause", cause)
		p.kill()
	}
}

// watch returns when the process ended or hangs, or when the worker is stopped.
func (w *worker) watch(ctx context.Context, p *process) (cause string, ended bool) {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		select {
		case <-w.stopping:
			return "", false
		case <-p.child.exited:
			return p.cause(), true
		case <-tick.C:
			err := p.check(ctx)
			switch {
			case err == nil || ctx.Err() != nil:
				continue
			case p.child.gone(endNoticed): // its end was the reason
				return p.cause(), true
			default:
				return err.Error(), true
			}
		}
	}
}

// stop lets calls in flight finish, until drain ends, and ends the process. It
// returns when nothing of it is left; run must have been called.
func (w *worker) stop(drain context.Context) {
	w.stopOnce.Do(func() {
		w.drain = drain
		close(w.stopping)
	})
	<-w.done
}

// acquire counts a call in on the serving process.
func (w *worker) acquire() (*process, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != nil && w.current.acquire() {
		return w.current, nil
	}
	cause := w.cause
	if cause == "" {
		cause = "it is " + string(w.state)
	}
	return nil, &Unavailable{Name: w.name, Cause: cause, RetryAt: w.retryAt}
}

func (w *worker) process() *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.current
}

func (w *worker) hasServed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served
}

func (w *worker) retry() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.retryAt
}

func (w *worker) up(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failures > 0 {
		w.restarts++
	}
	w.current, w.served, w.retryAt = p, true, time.Time{}
	w.setLocked(Running)
}

// stopped takes the process out of service for good.
func (w *worker) stopped() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.current, w.retryAt = nil, time.Time{}
	w.setLocked(Stopped)
}

func (w *worker) setLocked(s State) {
	if w.state != s {
		w.state, w.since = s, time.Now()
	}
}

// failed counts a death and decides when to try again: later each time, with
// jitter so that several adapters of one cause don't come back at once.
func (w *worker) failed(cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.current != nil && time.Since(w.current.started) > steadyAfter {
		w.failures = 0
	}
	w.current = nil
	w.cause = cause
	wait := min(firstBackOff<<min(w.failures, 20), longestBackOff)
	w.retryAt = time.Now().Add(wait/2 + rand.N(wait))
	w.failures++
	if w.failures < quarantineAfter {
		w.setLocked(Down)
		return
	}
	w.setLocked(Quarantined)
	if w.failures == quarantineAfter && w.quarantine != nil {
		go w.quarantine(fmt.Sprintf("ended %d times in a row: %s", w.failures, cause))
	}
}

func (w *worker) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := Status{Name: w.name, SHA256: w.artifact.sha256, State: w.state, Since: w.since,
		Restarts: w.restarts, Cause: w.cause, RetryAt: w.retryAt}
	if p := w.current; p != nil {
		st.Version, st.PID, st.InFlight = p.description.Version, int(p.child.pid.Load()), p.inFlight()
	}
	return st
}
