package catalog

import (
	"context"
	"maps"
	"time"

	"github.com/clientele-crm/clientele/host/plugin"
)

const (
	followInterval = 2 * time.Second
	pruneInterval  = time.Hour
	// A version that does not start is tried again later each time.
	longestRetry = time.Minute
)

// Follow keeps the registry in step with the catalog until ctx ends: it puts into
// service what operators chose, on whichever host they did, keeps what the
// configuration brought, and reports what runs. host names this host to people.
// Problems are logged; the next round tries again.
func Follow(ctx context.Context, c *Catalog, r *plugin.Registry, host string) {
	f := newFollower(c, r, host)
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		if err := f.round(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "the adapter catalog could not be followed", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// follower remembers what need not be done again.
type follower struct {
	catalog  *Catalog
	registry *plugin.Registry
	host     string

	kept    map[string]bool   // by adapter and digest
	served  map[string]string // last digest by adapter
	bad     map[string]bool   // told to be in quarantine, by adapter and digest
	pruned  time.Time
	desired map[string]plugin.Desired
	retryAt time.Time
	backOff time.Duration
}

func newFollower(c *Catalog, r *plugin.Registry, host string) *follower {
	return &follower{catalog: c, registry: r, host: host, kept: map[string]bool{}, served: map[string]string{}, bad: map[string]bool{}}
}

func (f *follower) round(ctx context.Context) error {
	if err := f.converge(ctx); err != nil {
		return err
	}
	if err := f.condemn(ctx); err != nil {
		return err
	}
	if err := f.note(ctx); err != nil {
		return err
	}
	if now := f.catalog.now(); now.Sub(f.pruned) > pruneInterval {
		f.pruned = now
		return f.catalog.prune(ctx)
	}
	return nil
}

// note writes down what runs, and what began to serve.
func (f *follower) note(ctx context.Context) error {
	all := f.registry.Status()
	for _, s := range all {
		if s.State != plugin.Running || f.kept[s.Name+s.SHA256] {
			continue
		}
		v := Version{Adapter: s.Name, SHA256: s.SHA256, Version: s.Version, Origin: FromConfig, AddedBy: f.host}
		if err := f.catalog.keep(ctx, v, f.registry); err != nil {
			return err
		}
		f.kept[s.Name+s.SHA256] = true
	}
	for _, s := range everybodys(all) {
		if f.served[s.Name] == s.SHA256 {
			continue
		}
		if err := f.catalog.served(ctx, f.host, s); err != nil {
			return err
		}
		f.served[s.Name] = s.SHA256
	}
	return f.catalog.report(ctx, f.host, all)
}

// converge applies what operators decided. A decision that can't be followed is
// tried again after a growing pause, unless they decide anew.
func (f *follower) converge(ctx context.Context) error {
	desired, err := f.catalog.Desired(ctx)
	if err != nil {
		return err
	}
	f.remember(desired)
	same := maps.EqualFunc(desired, f.desired, plugin.Desired.Equal)
	if same && f.catalog.now().Before(f.retryAt) {
		return nil
	}
	if !same {
		f.backOff = followInterval
	}
	f.desired, f.retryAt = desired, time.Time{}
	for _, change := range f.registry.Desire(ctx, desired, nil) {
		if change.Err != nil {
			f.backOff = min(2*f.backOff, longestRetry)
			f.retryAt = f.catalog.now().Add(f.backOff)
			f.catalog.log.WarnContext(ctx, "an adapter can't follow what was chosen", "adapter", change.Name, "cause", change.Err)
			continue
		}
		f.catalog.log.InfoContext(ctx, "an adapter follows what was chosen", "adapter", change.Name)
	}
	return nil
}

// condemn has all hosts know what keeps crashing here.
func (f *follower) condemn(ctx context.Context) error {
	for _, s := range f.registry.Status() {
		for sum, cause := range s.Quarantined {
			if f.bad[s.Name+sum] {
				continue
			}
			if err := f.catalog.condemn(ctx, f.host, s.Name, sum, cause); err != nil {
				return err
			}
			f.bad[s.Name+sum] = true
		}
	}
	return nil
}

// remember keeps in mind what the catalog has of quarantines, so that one which an
// operator lifts meanwhile is not written down again.
func (f *follower) remember(desired map[string]plugin.Desired) {
	clear(f.bad)
	for name, d := range desired {
		for sum := range d.Quarantined {
			f.bad[name+sum] = true
		}
	}
}
