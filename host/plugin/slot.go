package plugin

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

// drainTimeout is how long a swap waits for calls in flight on the old version:
// the longest a call may take.
const drainTimeout = writeTimeout + 5*time.Second

// slot is one declared adapter: the version that serves it and the one before.
type slot struct {
	name    string
	options Options
	store   store

	serving atomic.Pointer[worker]
	life    context.Context // ends when the slot's patience at its stop does
	end     context.CancelFunc

	changing sync.Mutex // one change at a time; calls and status don't wait for it
	stopped  bool       // guarded by changing

	mu          sync.Mutex
	declaration Declaration
	before      *artifact         // served until the last swap
	quarantined map[string]string // cause by sha256
}

// newSlot launches the declared program and keeps trying in the background when
// that fails.
func newSlot(ctx context.Context, d Declaration, o Options) *slot {
	s := &slot{name: d.Name, options: o, store: store{dir: o.StoreDir}, declaration: d, quarantined: map[string]string{}}
	s.life, s.end = context.WithCancel(context.Background())
	w := s.newWorker(func() (artifact, error) { return s.store.stage(d) })
	s.serving.Store(w)
	if err := w.start(ctx); err != nil {
		o.Logger.Error("an adapter did not start; it is tried again", "adapter", d.Name, "cause", err)
	}
	go w.run()
	return s
}

// newWorker makes a worker whose crash loop brings the version before back.
func (s *slot) newWorker(stage func() (artifact, error)) *worker {
	var w *worker
	w = newWorker(s.name, s.options, stage, func(cause string) { s.fallBack(w, cause) })
	return w
}

// acquire counts a call in on the serving process. A worker that a swap retired
// meanwhile has a successor.
func (s *slot) acquire() (*process, error) {
	for {
		w := s.serving.Load()
		p, err := w.acquire()
		if err == nil || s.serving.Load() == w {
			return p, err
		}
	}
}

// Step is one step of a swap, for whoever watches it.
type Step string

// The steps of a swap, in their order.
const (
	StepStage  Step = "stage"  // take the program into the store and verify it
	StepStart  Step = "start"  // start it, shake hands, Describe
	StepVerify Step = "verify" // ask whether settings, mappings and connections still fit
	StepFlip   Step = "flip"   // new calls go to the new version
	StepDrain  Step = "drain"  // calls in flight finish on the old one
	StepDone   Step = "done"   // the old one has ended
)

// redeclare follows the configuration: a program with other content is swapped in.
// It tells whether anything changed.
func (s *slot) redeclare(ctx context.Context, d Declaration, step func(Step)) (changed bool, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	step(StepStage)
	next, err := s.store.stage(d)
	if err != nil {
		return false, fmt.Errorf("adapter %s: the version before keeps serving: %w", s.name, err)
	}
	if cause := s.quarantineOf(next); cause != "" {
		return false, fmt.Errorf("adapter %s: the program at %s is in quarantine (%s): put another one there", s.name, d.Path, cause)
	}
	s.declare(d)
	if serving := s.serving.Load().program(); serving.sha256 == next.sha256 && serving.version == next.version {
		return false, nil
	}
	if err := s.swap(ctx, next, step); err != nil {
		return false, err
	}
	return true, nil
}

// rollback puts the version before into service again.
func (s *slot) rollback(ctx context.Context, step func(Step)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	before, ok := s.versionBefore()
	if !ok {
		return fmt.Errorf("adapter %s: there is no version to go back to", s.name)
	}
	return s.swap(ctx, before, step)
}

// fallBack replaces a crash-looping version by the one before, where there is one.
func (s *slot) fallBack(w *worker, cause string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	bad := w.program()
	if s.stopped || s.serving.Load() != w || bad.sha256 == "" {
		return
	}
	s.condemn(bad, cause)
	log := s.options.Logger.With("adapter", s.name, "sha256", bad.sha256, "cause", cause)
	before, ok := s.versionBefore()
	if !ok {
		log.Error("an adapter keeps crashing and there is no version to go back to")
		return
	}
	ctx, cancel := context.WithTimeout(s.life, startTimeout+describeTimeout)
	defer cancel()
	log.Error("an adapter keeps crashing; the version before is put back", "back_to", before.sha256)
	if err := s.swap(ctx, before, func(Step) {}); err != nil {
		log.Error("the version before could not be put back", "failure", err)
	}
}

// swap puts another version into service; changing is held. Until the flip the old
// one never notices; an error means that it still serves.
func (s *slot) swap(ctx context.Context, next artifact, step func(Step)) error {
	old := s.serving.Load()
	w := s.newWorker(func() (artifact, error) { return next, nil })
	step(StepStart)
	if err := w.start(ctx); err != nil {
		return fmt.Errorf("adapter %s: the version before keeps serving, the new one does not start: %w", s.name, err)
	}
	step(StepVerify)
	if err := s.verify(ctx, old, w); err != nil {
		w.process().kill()
		return fmt.Errorf("adapter %s: the version before keeps serving, the new one does not fit: %w", s.name, err)
	}
	step(StepFlip)
	s.serving.Store(w)
	go w.run()
	s.remember(old)
	step(StepDrain)
	drain, cancel := context.WithTimeout(s.life, drainTimeout)
	defer cancel()
	old.stop(drain)
	step(StepDone)
	return nil
}

func (s *slot) verify(ctx context.Context, old, next *worker) error {
	p := next.process()
	if s.options.Verify == nil || p == nil {
		return nil
	}
	var before *sdk.Description
	if running := old.process(); running != nil {
		before = &running.description
	}
	return s.options.Verify(ctx, before, p.description, p.adapter)
}

// stop ends the serving process, after its calls in flight or the patience.
func (s *slot) stop(patience time.Duration) {
	// A swap that is draining ends with our patience too.
	defer time.AfterFunc(patience, s.end).Stop()
	s.changing.Lock()
	defer s.changing.Unlock()
	s.stopped = true
	s.serving.Load().stop(s.life)
	s.end()
}

func (s *slot) declare(d Declaration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declaration = d
}

// remember keeps what served until now as the version to go back to.
func (s *slot) remember(old *worker) {
	past := old.program()
	s.mu.Lock()
	defer s.mu.Unlock()
	if old.hasServed() && s.quarantined[past.sha256] == "" {
		s.before = &past
	}
}

func (s *slot) versionBefore() (artifact, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before == nil || s.quarantined[s.before.sha256] != "" {
		return artifact{}, false
	}
	return *s.before, true
}

func (s *slot) condemn(a artifact, cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined[a.sha256] = cause
}

func (s *slot) quarantineOf(a artifact) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quarantined[a.sha256]
}

func (s *slot) status() Status {
	st := s.serving.Load().status()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Path, st.DesiredSHA256 = s.declaration.Path, s.declaration.SHA256
	st.Quarantined = maps.Clone(s.quarantined)
	return st
}
