package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/config"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/mapping"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/sdk"
)

// How far a version is tried before it serves: so many real connections are asked
// at once, each for so long. More would delay every swap, and cost calls.
const (
	triedConnections = 8
	trialTimeout     = 5 * time.Second
)

// startAdapters runs the declared adapters and follows what operators decide.
func (h *Host) startAdapters(ctx context.Context, id string) error {
	log := h.log.With("part", "adapter")
	h.Adapters = plugin.NewRegistry(plugin.Options{
		StoreDir: h.Dir("store"), RunDir: filepath.Join(h.Dir("run"), "adapters"), Logger: log,
		Verify: h.fits, Fetch: h.AdapterDesk.Catalog.Fetch, Admit: h.AdapterDesk.Catalog.Admit,
	})
	h.AdapterDesk.Registry, h.AdapterDesk.Host = h.Adapters, id
	desired, err := h.AdapterDesk.Catalog.Desired(ctx)
	if err != nil {
		return err
	}
	h.Adapters.Desire(ctx, desired, nil)
	if err := h.Adapters.Start(ctx, declarations(h.options.Config)); err != nil {
		return err
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() { catalog.Follow(following, h.AdapterDesk.Catalog, h.Adapters, id) })
	h.onStop(func() {
		cancel()
		h.Adapters.Stop() // ends a change under way, which Follow may be waiting for
		done.Wait()
	})
	return nil
}

// makeAdapterDesk makes the place where operators act; without running adapters it
// only shows the catalog.
func (h *Host) makeAdapterDesk() {
	h.AdapterDesk = &catalog.Desk{
		Catalog:  catalog.New(h.DB, h.log.With("part", "adapter"), h.now),
		Declared: h.declared,
	}
}

// Reload follows a changed configuration's adapters (R206); everything else needs
// a restart.
func (h *Host) Reload(ctx context.Context) error {
	return h.AdapterDesk.Reload(ctx, actor.ForOperator("reload"), func(p catalog.Progress) {
		h.log.InfoContext(ctx, "adapter reloaded", "adapter", p.Adapter, "what", p.Outcome)
	})
}

// declared are the adapters that the configuration names now.
func (h *Host) declared() ([]plugin.Declaration, error) {
	if h.options.Reread == nil {
		return declarations(h.options.Config), nil
	}
	c, err := h.options.Reread()
	return declarations(c), err
}

func declarations(c config.Config) []plugin.Declaration {
	out := make([]plugin.Declaration, len(c.Adapters))
	for i, a := range c.Adapters {
		out[i] = plugin.Declaration{Name: a.Name, Path: a.Path, SHA256: a.SHA256, Version: a.Version}
	}
	return out
}

// adapterUse is a connection that an adapter works for.
type adapterUse struct {
	connection.Connection
	tenant tenant.Tenant
}

func (u adapterUse) String() string {
	return fmt.Sprintf("connection %s of tenant %s", u.ID, u.tenant.Slug)
}

// fits refuses a version that can't do for the connections in use what the one
// before did: that lacks an object, whose mapping or settings no longer fit, or
// that a CRM doesn't answer.
func (h *Host) fits(ctx context.Context, before *sdk.Description, after sdk.Description, candidate sdk.Adapter) error {
	if _, err := mapping.Compile(after.DefaultMapping); err != nil {
		return fmt.Errorf("its default mapping: %w", err)
	}
	if err := keepsObjects(before, after); err != nil {
		return err
	}
	uses, err := h.usesOf(ctx, after.Name)
	if err != nil {
		return err
	}
	var errs []error
	for _, u := range uses {
		if len(after.SettingsSchema) == 0 {
			break
		}
		if err := connection.CheckSettings(after.SettingsSchema, u.Settings); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", u, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return h.try(ctx, uses, after, candidate)
}

// keepsObjects refuses what would orphan the links to records of an object.
func keepsObjects(before *sdk.Description, after sdk.Description) error {
	if before == nil {
		return nil
	}
	for _, had := range before.Objects {
		same := func(o sdk.Object) bool { return o.Name == had.Name && o.ExternalKeyField == had.ExternalKeyField }
		if !slices.ContainsFunc(after.Objects, same) {
			return fmt.Errorf("it no longer has the object %s with the external key %q, to which clients are linked", had.Name, had.ExternalKeyField)
		}
	}
	return nil
}

// usesOf lists the connections of an adapter, of all tenants that work.
func (h *Host) usesOf(ctx context.Context, adapter string) ([]adapterUse, error) {
	tenants, err := h.Tenants.List(ctx, actor.ForOperator("host"))
	if err != nil {
		return nil, err
	}
	var uses []adapterUse
	for _, t := range tenants {
		if t.Status != tenant.Active {
			continue
		}
		found, err := h.Connections.List(ctx, actor.ForSystem(t.ID, "adapters"))
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			if c.Adapter == adapter {
				uses = append(uses, adapterUse{c, t})
			}
		}
	}
	return uses, nil
}

// try asks real accounts, with connections that work at the moment.
func (h *Host) try(ctx context.Context, uses []adapterUse, after sdk.Description, candidate sdk.Adapter) error {
	uses = slices.DeleteFunc(uses, func(u adapterUse) bool { return u.State != connection.Active })
	uses = uses[:min(len(uses), triedConnections)]
	errs := make([]error, len(uses))
	var asked sync.WaitGroup
	for i, u := range uses {
		asked.Go(func() { errs[i] = h.tryOne(ctx, u, after, candidate) })
	}
	asked.Wait()
	return errors.Join(errs...)
}

// tryOne blames the candidate only for what the version in service can do.
func (h *Host) tryOne(ctx context.Context, u adapterUse, after sdk.Description, candidate sdk.Adapter) error {
	open, err := h.Connections.Open(ctx, actor.ForSystem(u.tenant.ID, "adapters"), &u.Connection, after)
	if err != nil {
		return nil
	}
	failed := check(ctx, candidate, open)
	if failed == nil {
		return nil
	}
	now, err := h.Adapters.AdapterFor(after.Name, u.tenant.ID)
	if err != nil || check(ctx, now, open) != nil {
		return nil
	}
	return fmt.Errorf("%s: the version in service reaches the CRM and this one does not: %w", u, failed)
}

func check(ctx context.Context, a sdk.Adapter, open sdk.Connection) error {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	_, err := a.Check(ctx, sdk.CheckRequest{Connection: open})
	return err
}
