package plugin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk"
)

const (
	defaultMemoryLimit = 512 << 20
	// Stopping a host waits this long for calls in flight; the sync engine has
	// been stopped before, so there are few.
	stopPatience = 10 * time.Second
)

// Options say where a registry keeps things.
type Options struct {
	// StoreDir keeps adapter programs by content; it may be shared by restarts.
	StoreDir string
	// RunDir holds sockets and unpacked packages. It belongs to one host at a time:
	// what is left there from a killed one is removed at the start. For packages
	// every directory above it must let other users pass (0711) where the host is
	// root.
	RunDir string
	Logger *slog.Logger
	// MemoryLimit is the soft limit of one adapter process in bytes (GOMEMLIMIT);
	// 0 means 512 MiB. Too low makes it collect garbage all the time.
	MemoryLimit int64
	// Verify, when set, may refuse a version before it is swapped in: whether the
	// settings and mappings in use still fit, and whether real connections answer.
	// before is nil when no version ran.
	Verify func(ctx context.Context, before *sdk.Description, after sdk.Description, candidate sdk.Adapter) error
	// Fetch, when set, writes the program with that digest, for versions that this
	// host has never had.
	Fetch func(ctx context.Context, sha256 string, to io.Writer) error

	// Admit, when set, may refuse a program before it is started to serve.
	Admit func(ctx context.Context, adapter, sha256 string) error

	overhear io.Writer // gets a copy of error outputs; nil: nobody does
}

// listen adds who overhears to who hears.
func (o Options) listen(to io.Writer) io.Writer {
	if o.overhear == nil {
		return to
	}
	return io.MultiWriter(to, o.overhear)
}

// Desired is what operators decided about one adapter, over its declaration.
type Desired struct {
	// SHA256 of the program for everybody; empty: what is declared.
	SHA256 string
	// Pins name the program for single tenants.
	Pins map[actor.TenantID]string
	// Quarantined programs, each with its cause, serve nobody here, whichever host
	// saw them crash. One that is no longer named is out of it.
	Quarantined map[string]string
	// Before is what to go back to where this host has not seen another version
	// serve, such as after a restart.
	Before string
}

// Equal tells whether both decide the same.
func (d Desired) Equal(o Desired) bool {
	return d.SHA256 == o.SHA256 && maps.Equal(d.Pins, o.Pins) && maps.Equal(d.Quarantined, o.Quarantined)
}

// Registry runs the declared adapters. It is safe for concurrent use.
type Registry struct {
	options Options

	changing sync.Mutex // one Start, Reload, Desire or Stop at a time
	desired  map[string]Desired

	mu    sync.Mutex
	slots map[string]*slot
}

// NewRegistry makes an empty registry; nothing runs yet.
func NewRegistry(o Options) *Registry {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MemoryLimit <= 0 {
		o.MemoryLimit = defaultMemoryLimit
	}
	return &Registry{options: o, slots: map[string]*slot{}}
}

// Start launches every declared adapter and waits until each has shaken hands or
// failed once. It fails only for declarations that make no sense. An adapter that
// does not start is tried again in the background, and Status says why: one bad
// adapter must not keep the others from serving.
func (r *Registry) Start(ctx context.Context, declarations []Declaration) error {
	if err := prepare(r.options); err != nil {
		return err
	}
	_, err := r.Reload(ctx, declarations)
	return err
}

// Change is what a reload did to one adapter.
type Change struct {
	Name string
	// What is started, stopped, swapped or kept.
	What string
	// Err is set when the adapter could not follow its declaration; the version
	// before serves on.
	Err error
}

// Reload follows a new list of declarations: new adapters are started, missing
// ones stopped, and those whose file has other content swapped without a failed
// call. It returns when all of that has happened, and fails, changing nothing,
// only for declarations that make no sense.
func (r *Registry) Reload(ctx context.Context, declarations []Declaration) ([]Change, error) {
	if err := validate(declarations); err != nil {
		return nil, err
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	gone := r.snapshot()
	changes := make([]Change, len(declarations))
	var wg sync.WaitGroup
	for i, d := range declarations {
		running := gone[d.Name]
		delete(gone, d.Name)
		wg.Go(func() { changes[i] = r.follow(ctx, running, d) })
	}
	for name, s := range gone {
		changes = append(changes, Change{Name: name, What: "stopped"})
		r.forget(name)
		wg.Go(func() { s.stop(drainTimeout) })
	}
	wg.Wait()
	return changes, nil
}

func (r *Registry) follow(ctx context.Context, running *slot, d Declaration) Change {
	if running == nil {
		s := newSlot(ctx, d, r.desired[d.Name], r.options)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.slots[d.Name] = s
		return Change{Name: d.Name, What: "started"}
	}
	changed, err := running.redeclare(ctx, d, func(step Step) {
		r.options.Logger.Info("adapter swap", "adapter", d.Name, "step", step)
	})
	return Change{Name: d.Name, What: swappedOr(changed), Err: err}
}

func swappedOr(changed bool) string {
	if changed {
		return "swapped"
	}
	return "kept"
}

// Desire follows what operators decided: the whole of it, by adapter name. Before
// Start it is remembered for it. step, when not nil, hears of each step of each
// swap. Only adapters that changed or could not are in the answer.
func (r *Registry) Desire(ctx context.Context, desired map[string]Desired, step func(name string, s Step)) []Change {
	r.changing.Lock()
	defer r.changing.Unlock()
	before := r.desired
	r.desired = desired
	if step == nil {
		step = func(string, Step) {}
	}
	var mu sync.Mutex
	var changes []Change
	var wg sync.WaitGroup
	for name, s := range r.snapshot() {
		if before[name].Equal(desired[name]) && s.settled() {
			continue
		}
		wg.Go(func() {
			changed, err := s.desire(ctx, desired[name], func(at Step) { step(name, at) })
			if changed || err != nil {
				mu.Lock()
				defer mu.Unlock()
				changes = append(changes, Change{Name: name, What: swappedOr(changed), Err: err})
			}
		})
	}
	wg.Wait()
	return changes
}

// Inspect takes a program into the store and starts it once to hear what it says
// about itself. It serves nobody.
func (r *Registry) Inspect(ctx context.Context, path string) (sha256 string, d sdk.Description, err error) {
	st := store{dir: r.options.StoreDir}
	sum, err := st.take(path)
	if err != nil {
		return "", d, err
	}
	if err := os.MkdirAll(r.options.RunDir, 0o711); err != nil {
		return "", d, fmt.Errorf("make the adapters' run directory: %w", err)
	}
	p, err := launch(ctx, artifact{sha256: sum, path: st.path(sum)}, r.options)
	if err != nil {
		return "", d, fmt.Errorf("the adapter %s: %w", path, err)
	}
	p.kill()
	return sum, p.description, nil
}

// Program opens a program of this host's store.
func (r *Registry) Program(sha256 string) (*os.File, error) {
	f, err := os.Open(store{dir: r.options.StoreDir}.path(sha256))
	if err != nil {
		return nil, fmt.Errorf("open the adapter program %s: %w", sha256, err)
	}
	return f, nil
}

// Stop ends every adapter and returns when no process is left. The registry can
// be started again.
func (r *Registry) Stop() {
	// A change under way may be waiting for calls in flight; it ends in time too.
	for _, s := range r.snapshot() {
		defer time.AfterFunc(stopPatience, s.end).Stop()
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	var wg sync.WaitGroup
	for name, s := range r.snapshot() {
		r.forget(name)
		wg.Go(func() { s.stop(stopPatience) })
	}
	wg.Wait()
}

// Adapter returns the handle of a declared adapter. It stays valid while processes
// come and go; its calls fail with *Unavailable while none runs.
func (r *Registry) Adapter(name string) (sdk.Adapter, error) {
	s, err := r.slot(name)
	if err != nil {
		return nil, err
	}
	return handle{slot: s}, nil
}

// AdapterFor is Adapter for one tenant, who may be pinned to another version.
func (r *Registry) AdapterFor(name string, tenant actor.TenantID) (sdk.Adapter, error) {
	s, err := r.slot(name)
	if err != nil {
		return nil, err
	}
	return handle{slot: s, tenant: tenant}, nil
}

func (r *Registry) slot(name string) (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.slots[name]; s != nil {
		return s, nil
	}
	declared := "none is"
	if len(r.slots) > 0 {
		declared = "declared are " + strings.Join(slices.Sorted(maps.Keys(r.slots)), ", ")
	}
	return nil, &Unavailable{Name: name, Cause: "it is not declared under adapters in the configuration; " + declared}
}

func (r *Registry) snapshot() map[string]*slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.slots)
}

func (r *Registry) forget(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.slots, name)
}

// prepare makes the run directory, through which adapters of another user pass to
// their packages, and removes what a killed host's adapters left there.
func prepare(o Options) error {
	if err := os.MkdirAll(o.RunDir, 0o711); err != nil {
		return fmt.Errorf("make the adapters' run directory: %w", err)
	}
	for _, pattern := range []string{"plugin-dir*", packagePrefix + "*"} {
		left, err := filepath.Glob(filepath.Join(o.RunDir, pattern))
		if err != nil {
			return fmt.Errorf("list the adapters' run directory: %w", err)
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("clear the adapters' run directory: %w", err)
			}
		}
	}
	return nil
}
