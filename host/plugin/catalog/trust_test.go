package catalog_test

import (
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/plugin/catalog"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

// version is what the overview says of one version.
func version(t *testing.T, c *catalog.Catalog, name string) catalog.Version {
	t.Helper()
	o, err := c.Overview(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range o.Versions {
		if v.Version == name {
			return v
		}
	}
	return catalog.Version{}
}

func TestQuarantineHoldsOnOtherHostsAndAfterARestart(t *testing.T) {
	t.Parallel()
	c, _ := newCatalog(t)
	nobody, dir := actor.TenantID{}, t.TempDir()
	first := startHost(t, c, "first", plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "1"}))
	knows(t, c, "1")
	bad, err := c.Install(t.Context(), ops, first.Registry, plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2", Start: "crash"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Use(t.Context(), ops, bad); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the crashing version is in quarantine and the one before serves", func() bool {
		return strings.Contains(version(t, c, "2").Quarantine, "exit code 4") && first.serves(t, nobody) == "1"
	})
	// A host that starts now never tries it, also where the configuration names it.
	second := startHost(t, c, "second", first.path)
	third := startHost(t, c, "third", plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2", Start: "crash"}))
	if got := second.serves(t, nobody) + third.serves(t, nobody); got != "11" {
		t.Errorf("hosts that start later serve %q, want 1 and 1", got)
	}
	// Choosing it anew is how an operator says that it is mended.
	if err := c.Use(t.Context(), ops, bad); err != nil {
		t.Fatal(err)
	}
	if q := version(t, c, "2").Quarantine; q != "" {
		t.Errorf("chosen anew, it is in quarantine: %s", q)
	}
}

func TestARequiredLevelKeepsOthersFromServing(t *testing.T) {
	t.Parallel()
	c, _ := newCatalog(t)
	dir := t.TempDir()
	h := startHost(t, c, "first", plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "1"}))
	knows(t, c, "1")
	second := plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2"})
	if _, err := c.Install(t.Context(), ops, h.Registry, second); err != nil {
		t.Fatal(err)
	}
	if err := c.Require(t.Context(), ops, "one", conformance.Withstands); err != nil {
		t.Fatal(err)
	}
	refused := func(err error) bool {
		return err != nil && strings.Contains(err.Error(), "5 withstands is required") && strings.Contains(err.Error(), "has 0 none")
	}
	if err := c.Use(t.Context(), ops, ref(t, "one@2")); !refused(err) {
		t.Errorf("using a version that was not tried: %v", err)
	}
	declared := h.declared()
	declared[0].Path = second
	if changes, err := h.Reload(t.Context(), declared); err != nil || !refused(changes[0].Err) {
		t.Errorf("reloading a version that was not tried: %+v, %v", changes, err)
	}
	if got := h.serves(t, actor.TenantID{}); got != "1" {
		t.Errorf("%s serves, want the version before", got)
	}
	if err := c.SetConformance(t.Context(), ops, ref(t, "one@2"), conformance.Highest); err != nil {
		t.Fatal(err)
	}
	if v := version(t, c, "2"); v.Conformance != conformance.Hardened || v.Required != conformance.Withstands {
		t.Errorf("the overview says %+v", v)
	}
	if changes, err := h.Reload(t.Context(), declared); err != nil || changes[0].Err != nil || h.serves(t, actor.TenantID{}) != "2" {
		t.Errorf("reloading a version that reached the level: %+v, %v", changes, err)
	}
	for level, want := range map[conformance.Level]bool{-1: true, 7: true, 0: false} {
		if err := c.Require(t.Context(), ops, "one", level); (err != nil) != want {
			t.Errorf("require %d: %v", level, err)
		}
	}
}
