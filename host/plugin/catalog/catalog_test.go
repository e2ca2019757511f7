package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
)

func TestMain(m *testing.M) {
	plugintest.Main()
	os.Exit(dbtest.Run(m))
}

// host is a registry with its own directories that follows the shared catalog.
type host struct {
	*plugin.Registry
	path string // what its configuration declares
}

func newCatalog(t *testing.T) (*catalog.Catalog, *db.DB) {
	t.Helper()
	d := dbtest.New(t)
	return catalog.New(d, slog.New(slog.DiscardHandler), time.Now), d
}

func startHost(t *testing.T, c *catalog.Catalog, name, program string) host {
	t.Helper()
	dir := t.TempDir()
	h := host{path: program, Registry: plugin.NewRegistry(plugin.Options{
		StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run"), Fetch: c.Fetch, Admit: c.Admit})}
	desired, err := c.Desired(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.Desire(t.Context(), desired, nil)
	if err := h.Start(t.Context(), h.declared()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		catalog.Follow(ctx, c, h.Registry, name)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		h.Stop()
	})
	return h
}

func (h host) declared() []plugin.Declaration {
	return []plugin.Declaration{{Name: "one", Path: h.path}}
}

// serves is the version that answers the tenant's call.
func (h host) serves(t *testing.T, tenant actor.TenantID) string {
	t.Helper()
	a, err := h.AdapterFor("one", tenant)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := a.Check(t.Context(), sdk.CheckRequest{})
	if err != nil {
		return err.Error()
	}
	return reply.APIVersion
}

// eventually polls, because other hosts follow in their own time.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !check(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func ref(t *testing.T, s string) catalog.Ref {
	t.Helper()
	r, err := catalog.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newTenant(t *testing.T, d *db.DB) actor.TenantID {
	t.Helper()
	id := actor.TenantID{UUID: uuid.Must(uuid.NewV7())}
	err := d.Global(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tenant (id, slug, name, region, timezone, created_at) VALUES ($1, 'a', 'A', 'US', 'UTC', now())`, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var ops = actor.ForOperator("ops")

// knows waits until the catalog has the version.
func knows(t *testing.T, c *catalog.Catalog, version string) {
	t.Helper()
	eventually(t, "the catalog has version "+version, func() bool {
		o, err := c.Overview(t.Context(), ops)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range o.Versions {
			if v.Version == version {
				return true
			}
		}
		return false
	})
}

func TestHostsConvergeOnWhatAnOperatorChose(t *testing.T) {
	t.Parallel()
	c, d := newCatalog(t)
	nobody, dir := actor.TenantID{}, t.TempDir()
	first := startHost(t, c, "first", plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "1"}))
	second := startHost(t, c, "second", plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2"}))
	knows(t, c, "1")
	knows(t, c, "2")

	// The first host has never had version 2: it comes from the database.
	if err := c.Use(t.Context(), ops, ref(t, "one@2")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both hosts serve version 2", func() bool {
		return first.serves(t, nobody) == "2" && second.serves(t, nobody) == "2"
	})
	eventually(t, "the overview shows both hosts, and the first one's drift", func() bool {
		o, err := c.Overview(t.Context(), ops)
		if err != nil {
			t.Fatal(err)
		}
		drift := map[string]bool{}
		for _, r := range o.Running {
			drift[r.Host+r.Version] = r.Drift
		}
		return fmt.Sprint(drift) == "map[first2:true second2:false]"
	})

	back, err := c.Rollback(t.Context(), ops, "one")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both hosts serve version 1 after the rollback to "+back.Version[:8], func() bool {
		return first.serves(t, nobody) == "1" && second.serves(t, nobody) == "1"
	})

	tenant := newTenant(t, d)
	if err := c.Pin(t.Context(), ops, ref(t, "one@2"), tenant); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both hosts serve version 2 to the pinned tenant only", func() bool {
		return first.serves(t, tenant) == "2" && second.serves(t, tenant) == "2" && first.serves(t, nobody) == "1"
	})
	// The pin holds through a reload and for a host that starts later.
	if _, err := second.Reload(t.Context(), second.declared()); err != nil {
		t.Fatal(err)
	}
	third := startHost(t, c, "third", first.path)
	if got := third.serves(t, tenant) + third.serves(t, nobody) + second.serves(t, tenant); got != "212" {
		t.Errorf("pinned on the new host, others there, pinned after a reload: %s, want 212", got)
	}

	if err := errors.Join(c.Unpin(t.Context(), ops, "one", tenant), c.UseDeclared(t.Context(), ops, "one")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "each host serves what it declares", func() bool {
		return first.serves(t, tenant) == "1" && second.serves(t, tenant) == "2"
	})
}

func TestInstalledVersionWaitsUntilItIsChosenAndCanBeRemoved(t *testing.T) {
	t.Parallel()
	c, _ := newCatalog(t)
	dir := t.TempDir()
	h := startHost(t, c, "first", plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "1"}))
	knows(t, c, "1")
	got, err := c.Install(t.Context(), ops, h.Registry, plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2"}))
	if err != nil || got != (catalog.Ref{Adapter: "one", Version: "2"}) {
		t.Fatalf("Install: %+v, %v", got, err)
	}
	if now := h.serves(t, actor.TenantID{}); now != "1" {
		t.Errorf("version %s serves after an install", now)
	}
	if _, err := c.Install(t.Context(), ops, h.Registry, "/dev/null"); err == nil {
		t.Error("installed a device")
	}
	if err := c.Remove(t.Context(), ops, ref(t, "one@1")); err == nil || !strings.Contains(err.Error(), "host first") {
		t.Errorf("removing what runs: %v, want the host named", err)
	}
	if err := c.Use(t.Context(), ops, got); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove(t.Context(), ops, got); err == nil {
		t.Error("removed a chosen version")
	}
	if err := c.UseDeclared(t.Context(), ops, "one"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the unused version can be removed", func() bool { return c.Remove(t.Context(), ops, got) == nil })
	if err := c.Use(t.Context(), ops, got); !errors.Is(err, catalog.ErrNoVersion) || !strings.Contains(err.Error(), "it has 1") {
		t.Errorf("using a removed version: %v, want the versions there are", err)
	}
}

func TestOnlyOperatorsDecide(t *testing.T) {
	t.Parallel()
	c, d := newCatalog(t)
	tenant := newTenant(t, d)
	admin := actor.Actor{Tenant: tenant, Kind: actor.Person, Role: actor.Admin}
	_, errRollback := c.Rollback(t.Context(), admin, "one")
	_, errOverview := c.Overview(t.Context(), admin)
	for name, err := range map[string]error{
		"use": c.Use(t.Context(), admin, ref(t, "one@1")), "declared": c.UseDeclared(t.Context(), admin, "one"),
		"pin": c.Pin(t.Context(), admin, ref(t, "one@1"), tenant), "unpin": c.Unpin(t.Context(), admin, "one", tenant),
		"remove": c.Remove(t.Context(), admin, ref(t, "one@1")), "require": c.Require(t.Context(), admin, "one", 1), "set level": c.SetConformance(t.Context(), admin, ref(t, "one@1"), 1),
		"rollback": errRollback, "overview": errOverview,
	} {
		if _, refused := errors.AsType[*actor.Refusal](err); !refused {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestParseRef(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]catalog.Ref{
		"hubspot@1.2.0": {Adapter: "hubspot", Version: "1.2.0"}, "hubspot": {}, "@1": {}, "hubspot@": {}, "": {},
	} {
		got, err := catalog.ParseRef(s)
		if got != want || (err == nil) != (want != catalog.Ref{}) {
			t.Errorf("ParseRef(%q) = %+v, %v", s, got, err)
		}
	}
}
