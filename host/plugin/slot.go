package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
)

// drainTimeout is how long a swap waits for calls in flight on the old version:
// the longest a call may take.
const drainTimeout = writeTimeout + 5*time.Second

// slot is one declared adapter and the versions of it that serve: one for
// everybody, and others for the tenants that are pinned to them.
type slot struct {
	name    string
	options Options
	store   store

	serving atomic.Pointer[routes]
	life    context.Context // ends when the slot's patience at its stop does
	end     context.CancelFunc

	changing sync.Mutex // one change at a time; calls and status don't wait for it
	stopped  bool       // guarded by changing

	mu          sync.Mutex
	declaration Declaration
	declared    artifact          // what is at the declaration's path; zero while it can't be taken
	desired     Desired           // what operators decided over the declaration
	before      artifact          // served everybody until the last swap
	quarantined map[string]string // cause by sha256
	refused     string            // why the last change failed; empty when it didn't
}

// routes say which version serves whom.
type routes struct {
	main   *worker
	pinned map[actor.TenantID]*worker
}

func (r *routes) to(tenant actor.TenantID) *worker {
	if w := r.pinned[tenant]; w != nil {
		return w
	}
	return r.main
}

func (r *routes) workers() map[*worker][]actor.TenantID {
	all := map[*worker][]actor.TenantID{r.main: nil}
	for tenant, w := range r.pinned {
		all[w] = append(all[w], tenant)
	}
	return all
}

// newSlot launches the adapter and keeps trying in the background when that fails.
func newSlot(ctx context.Context, d Declaration, desired Desired, o Options) *slot {
	s := &slot{name: d.Name, options: o, store: store{dir: o.StoreDir}, declaration: d, quarantined: map[string]string{}}
	s.life, s.end = context.WithCancel(context.Background())
	s.follow(Desired{SHA256: desired.SHA256, Quarantined: desired.Quarantined, Before: desired.Before})
	w := s.newWorker(s.firstMain)
	s.serving.Store(&routes{main: w})
	if err := w.start(ctx); err != nil {
		o.Logger.Error("an adapter did not start; it is tried again", "adapter", d.Name, "cause", err)
	}
	go w.run()
	if len(desired.Pins) > 0 {
		if _, err := s.desire(ctx, desired, func(Step) {}); err != nil {
			o.Logger.Error("an adapter's pinned version did not start", "adapter", d.Name, "cause", err)
		}
	}
	return s
}

// newWorker makes a worker whose crash loop brings the version before back.
func (s *slot) newWorker(stage func(context.Context) (artifact, error)) *worker {
	var w *worker
	w = newWorker(s.name, s.options, stage, func(cause string) { s.fallBack(w, cause) })
	return w
}

// acquire counts a call in on the process that serves the tenant. A worker that a
// swap retired meanwhile has a successor.
func (s *slot) acquire(tenant actor.TenantID) (*process, error) {
	for {
		r := s.serving.Load()
		p, err := r.to(tenant).acquire()
		if err == nil || s.serving.Load() == r {
			return p, err
		}
	}
}

// Step is one step of a swap, for whoever watches it.
type Step string

// The steps of a swap, in their order.
const (
	StepStage  Step = "stage"  // have the program in the store, verified
	StepStart  Step = "start"  // start it, shake hands, Describe
	StepVerify Step = "verify" // ask whether settings, mappings and connections still fit
	StepFlip   Step = "flip"   // new calls go to the new version
	StepDrain  Step = "drain"  // calls in flight finish on the old one
	StepDone   Step = "done"   // the old one has ended
)

// redeclare follows the configuration: a program with other content is swapped in,
// unless operators decided otherwise. It tells whether anything changed.
func (s *slot) redeclare(ctx context.Context, d Declaration, step func(Step)) (changed bool, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	step(StepStage)
	next, err := s.store.stage(d)
	if err != nil {
		return false, s.kept(err)
	}
	s.mu.Lock()
	s.declaration, s.declared = d, next
	s.mu.Unlock()
	return s.converge(ctx, step)
}

// desire follows the operators' decisions. It tells whether anything changed.
func (s *slot) desire(ctx context.Context, desired Desired, step func(Step)) (changed bool, err error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.follow(desired)
	return s.converge(ctx, step)
}

// follow takes the decisions over. Quarantines are added to those that were seen
// here; one that was decided and is no longer is lifted.
func (s *slot) follow(desired Desired) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sum := range s.desired.Quarantined {
		if _, still := desired.Quarantined[sum]; !still {
			delete(s.quarantined, sum)
		}
	}
	maps.Copy(s.quarantined, desired.Quarantined)
	s.desired = desired
}

// fallBack replaces a crash-looping version: everybody's by the one before, where
// there is one, a pinned one by everybody's.
func (s *slot) fallBack(w *worker, cause string) {
	s.changing.Lock()
	defer s.changing.Unlock()
	bad := w.program()
	if _, serves := s.serving.Load().workers()[w]; s.stopped || !serves || bad.sha256 == "" {
		return
	}
	s.mu.Lock()
	s.quarantined[bad.sha256] = cause
	s.mu.Unlock()
	log := s.options.Logger.With("adapter", s.name, "sha256", bad.sha256, "cause", cause)
	ctx, cancel := context.WithTimeout(s.life, startTimeout+describeTimeout)
	defer cancel()
	switch changed, err := s.converge(ctx, func(Step) {}); {
	case changed:
		log.Error("an adapter's version keeps crashing; another one is put in its place")
	default:
		log.Error("an adapter's version keeps crashing and nothing can take its place", "failure", err)
	}
}

// converge makes what is wanted serve; changing is held. A version that can't is
// reported, and whom it was for keep the version they have.
func (s *slot) converge(ctx context.Context, step func(Step)) (changed bool, err error) {
	s.mu.Lock()
	s.refused = ""
	s.mu.Unlock()
	old := s.serving.Load()
	c := change{slot: s, ctx: ctx, step: step, old: old, by: map[artifact]*worker{}}
	for w := range old.workers() {
		if a := w.program(); a != (artifact{}) {
			c.by[a] = w
		}
	}
	next := &routes{main: old.main, pinned: map[actor.TenantID]*worker{}}
	main, err := s.wantedMain(ctx)
	errs := []error{err}
	if main != (artifact{}) {
		next.main, err = c.worker(main, old.main)
		errs = append(errs, err)
	}
	for tenant, sum := range s.pins() {
		a, err := s.obtain(ctx, sum)
		w := old.pinned[tenant]
		if err == nil && (w == nil || w.program() != a) {
			err = s.admit(ctx, a)
		}
		if err == nil {
			w, err = c.worker(a, w)
		}
		if w != nil && w != next.main {
			next.pinned[tenant] = w
		}
		errs = append(errs, err)
	}
	if err = errors.Join(errs...); err != nil {
		err = s.kept(err)
	}
	if next.main == old.main && maps.Equal(next.pinned, old.pinned) {
		return false, err
	}
	s.flip(next, step)
	return true, err
}

// change is one converge under way.
type change struct {
	slot *slot
	ctx  context.Context
	step func(Step)
	old  *routes
	by   map[artifact]*worker // every worker there is, the new ones too
}

// worker returns the one that runs a, starting and verifying it when it is new, or
// else the one there is now.
func (c *change) worker(a artifact, now *worker) (*worker, error) {
	if w := c.by[a]; w != nil {
		return w, nil
	}
	c.step(StepStart)
	w := c.slot.newWorker(func(context.Context) (artifact, error) { return a, nil })
	if err := w.start(c.ctx); err != nil {
		return now, fmt.Errorf("the new one does not start: %w", err)
	}
	c.step(StepVerify)
	p := w.process()
	if err := c.slot.verify(c.ctx, c.old.main, p); err != nil {
		p.kill()
		return now, fmt.Errorf("the new one is refused: %w", err)
	}
	go w.run()
	c.by[a] = w
	return w, nil
}

// flip sends new calls the new way and ends what serves nobody any more.
func (s *slot) flip(next *routes, step func(Step)) {
	old := s.serving.Load()
	step(StepFlip)
	s.serving.Store(next)
	if next.main != old.main && old.main.hasServed() {
		s.remember(old.main.program())
	}
	step(StepDrain)
	drain, cancel := context.WithTimeout(s.life, drainTimeout)
	defer cancel()
	stay := next.workers()
	var wg sync.WaitGroup
	for w := range old.workers() {
		if _, stays := stay[w]; !stays {
			wg.Go(func() { w.stop(drain) })
		}
	}
	wg.Wait()
	step(StepDone)
}

// remember keeps what served until now as the version to go back to.
func (s *slot) remember(past artifact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quarantined[past.sha256] == "" {
		s.before = past
	}
}

// kept is the error of a change that failed; status tells of it until one succeeds.
func (s *slot) kept(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = fmt.Sprintf("the version before keeps serving: %s", err)
	return fmt.Errorf("adapter %s: the version before keeps serving: %w", s.name, err)
}

// stop ends every process, after its calls in flight or the patience.
func (s *slot) stop(patience time.Duration) {
	// A swap that is draining ends with our patience too.
	defer time.AfterFunc(patience, s.end).Stop()
	s.changing.Lock()
	defer s.changing.Unlock()
	s.stopped = true
	var wg sync.WaitGroup
	for w := range s.serving.Load().workers() {
		wg.Go(func() { w.stop(s.life) })
	}
	wg.Wait()
	s.end()
}

// status lists the version for everybody first, then those for pinned tenants.
func (s *slot) status() []Status {
	r := s.serving.Load()
	all := []Status{s.complete(r.main.status())}
	for w, tenants := range r.workers() {
		if w != r.main {
			st := s.complete(w.status())
			st.Pinned = tenants
			all = append(all, st)
		}
	}
	slices.SortFunc(all[1:], func(a, b Status) int { return cmp.Compare(a.SHA256, b.SHA256) })
	return all
}

func (s *slot) complete(st Status) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Path, st.DeclaredSHA256, st.ChosenSHA256 = s.declaration.Path, s.declared.sha256, s.desired.SHA256
	st.BeforeSHA256 = s.before.sha256
	st.Quarantined = maps.Clone(s.quarantined)
	if st.Cause == "" {
		st.Cause = s.refused
	}
	return st
}
