package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/plugin"
)

// Desk is where operators act through one host. What they decide goes into the
// catalog only after this host has verified it; then this host follows at once,
// while they watch, and the others within seconds. All its methods need the right
// to operate. Errors: *actor.Refusal, *RefusedError and ErrNoVersion are for the
// operator; others are the database's.
type Desk struct {
	Catalog *Catalog
	// Registry runs this host's adapters; nil where none run.
	Registry *plugin.Registry
	// Declared reads the adapters that the configuration names now.
	Declared func() ([]plugin.Declaration, error)
	// Host names this host to people.
	Host string
}

// Progress is one thing that happens to an adapter while an operator watches.
type Progress struct {
	Adapter string
	// Step that begins; empty in the last one of an adapter, which says the Outcome.
	Step    plugin.Step
	Outcome string
}

// Overview lists versions and what runs where.
func (d *Desk) Overview(ctx context.Context, a actor.Actor) (Overview, error) {
	return d.Catalog.Overview(ctx, a)
}

// Install takes the program or package at a path of this machine into the catalog
// and uses it for nobody.
func (d *Desk) Install(ctx context.Context, a actor.Actor, path string) (Ref, error) {
	if err := d.admit(a); err != nil {
		return Ref{}, err
	}
	return d.Catalog.Install(ctx, a, d.Registry, path)
}

// Use makes a version serve everybody, or one tenant. Without a version the choice
// is taken back: what the configuration declares serves, or what serves everybody.
func (d *Desk) Use(ctx context.Context, a actor.Actor, ref Ref, tenant *actor.TenantID, tell func(Progress)) error {
	if err := d.admit(a); err != nil {
		return err
	}
	if ref.Version == "" {
		if err := d.takeBack(ctx, a, ref.Adapter, tenant); err != nil {
			return err
		}
		return d.follow(ctx, ref.Adapter, steps(ref.Adapter, tell), tell)
	}
	step := steps(ref.Adapter, tell)
	if err := d.verify(ctx, a, ref, step); err != nil {
		return err
	}
	var err error
	if tenant == nil {
		err = d.Catalog.Use(ctx, a, ref)
	} else {
		err = d.Catalog.Pin(ctx, a, ref, *tenant)
	}
	if err != nil {
		return err
	}
	return d.follow(ctx, ref.Adapter, step, tell)
}

func (d *Desk) takeBack(ctx context.Context, a actor.Actor, adapter string, tenant *actor.TenantID) error {
	if tenant == nil {
		return d.Catalog.UseDeclared(ctx, a, adapter)
	}
	return d.Catalog.Unpin(ctx, a, adapter, *tenant)
}

// Rollback makes the version serve everybody that did before the present one.
func (d *Desk) Rollback(ctx context.Context, a actor.Actor, adapter string, tell func(Progress)) error {
	if err := d.admit(a); err != nil {
		return err
	}
	// What a reload brought a moment ago counts as served.
	if err := d.note(ctx); err != nil {
		return err
	}
	back, err := d.Catalog.previous(ctx, adapter)
	if err != nil {
		return err
	}
	return d.Use(ctx, a, back, nil, tell)
}

// Verify does all of a swap that comes before the flip, with the version, or
// without one with what serves everybody.
func (d *Desk) Verify(ctx context.Context, a actor.Actor, ref Ref, tell func(Progress)) error {
	if err := d.admit(a); err != nil {
		return err
	}
	if err := d.verify(ctx, a, ref, steps(ref.Adapter, tell)); err != nil {
		return err
	}
	tell(Progress{Adapter: ref.Adapter, Outcome: "verified"})
	return nil
}

func (d *Desk) verify(ctx context.Context, a actor.Actor, ref Ref, step func(plugin.Step)) (err error) {
	sum := ""
	if ref.Version != "" {
		if sum, err = d.Catalog.digest(ctx, a, ref); err != nil {
			return err
		}
	}
	if err := d.Registry.Verify(ctx, ref.Adapter, sum, step); err != nil {
		return &RefusedError{fmt.Errorf("%s is refused and nothing has changed: %w", ref, err)}
	}
	return nil
}

// Remove forgets a version and its bytes.
func (d *Desk) Remove(ctx context.Context, a actor.Actor, ref Ref) error {
	return d.Catalog.Remove(ctx, a, ref)
}

// Reload follows the configuration as it is now: the files at the declared paths
// are taken again, and those with other content swapped in.
func (d *Desk) Reload(ctx context.Context, a actor.Actor, tell func(Progress)) error {
	if err := d.admit(a); err != nil {
		return err
	}
	declared, err := d.Declared()
	if err != nil {
		return &RefusedError{fmt.Errorf("read the configuration: %w", err)}
	}
	changes, err := d.Registry.Reload(ctx, declared)
	if err != nil {
		return &RefusedError{err}
	}
	var failed error
	for _, change := range changes {
		tell(Progress{Adapter: change.Name, Outcome: change.What})
		failed = errors.Join(failed, change.Err)
	}
	if err := d.note(ctx); err != nil {
		return err
	}
	if failed != nil {
		return &RefusedError{failed}
	}
	return nil
}

// admit lets operators do something to a host that runs adapters.
func (d *Desk) admit(a actor.Actor) error {
	if err := a.Require(actor.Operate); err != nil {
		return err
	}
	if d.Registry == nil {
		return &RefusedError{errors.New("no host runs here: start it with `clientele serve`, then try again")}
	}
	return nil
}

// follow has this host do what the catalog wants now. What served until then is
// written down first: a rollback leads there.
func (d *Desk) follow(ctx context.Context, adapter string, step func(plugin.Step), tell func(Progress)) error {
	if err := d.note(ctx); err != nil {
		return err
	}
	desired, err := d.Catalog.Desired(ctx)
	if err != nil {
		return err
	}
	changes := d.Registry.Desire(ctx, desired, func(name string, s plugin.Step) {
		if name == adapter {
			step(s)
		}
	})
	for _, change := range changes {
		if change.Name == adapter && change.Err != nil {
			return &RefusedError{change.Err}
		}
	}
	tell(Progress{Adapter: adapter, Outcome: "in service"})
	return d.note(ctx)
}

// note has the catalog know at once what this host runs.
func (d *Desk) note(ctx context.Context) error {
	return newFollower(d.Catalog, d.Registry, d.Host).note(ctx)
}

// steps tells of each step once: a swap repeats those of its verification.
func steps(adapter string, tell func(Progress)) func(plugin.Step) {
	var mu sync.Mutex
	told := map[plugin.Step]bool{}
	return func(s plugin.Step) {
		mu.Lock()
		defer mu.Unlock()
		if !told[s] {
			told[s] = true
			tell(Progress{Adapter: adapter, Step: s})
		}
	}
}

// String is how operators write it.
func (r Ref) String() string {
	if r.Version == "" {
		return r.Adapter
	}
	return r.Adapter + "@" + r.Version
}
