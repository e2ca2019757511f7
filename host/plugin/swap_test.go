package plugin_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
)

func TestSwapUnderLoadLosesNoCall(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	versions := []string{plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "1"}), plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "2"})}
	path := filepath.Join(r.dir, "configured")
	put := func(from string) {
		t.Helper()
		if out, err := exec.Command("cp", from, path).CombinedOutput(); err != nil {
			t.Fatalf("cp over the configured path: %v: %s", err, out)
		}
	}
	put(versions[0])
	declared := []plugin.Declaration{{Name: "one", Path: path}}
	if err := r.Start(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	a := r.adapter(t, "one")
	const callers, swaps = 16, 6
	ctx, stop := context.WithCancel(t.Context())
	var calls atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for ctx.Err() == nil {
				// Not ctx: a call that we cancel ourselves is none that failed.
				if _, err := write(t.Context(), a, "sleep 10ms"); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for i := range swaps {
		put(versions[(i+1)%2])
		changes, err := r.Reload(t.Context(), declared)
		if err != nil || len(changes) != 1 || changes[0].What != "swapped" || changes[0].Err != nil {
			t.Fatalf("swap %d: %+v, %v", i, changes, err)
		}
		if got, want := r.status(t, "one").Version, strconv.Itoa((i+1)%2+1); got != want {
			t.Errorf("swap %d: version %s serves, want %s", i, got, want)
		}
	}
	stop()
	wg.Wait()
	if calls.Load() < callers*swaps {
		t.Errorf("only %d calls were made", calls.Load())
	}
}

func TestBadNewVersionNeverInterruptsService(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		next func(t *testing.T, dir string) plugin.Declaration
		want string
	}{
		"exits": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Start: "exit"})}
		}, "exit code 3"},
		"other protocol": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Start: "protocol"})}
		}, "protocol 2"},
		"other checksum": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "3"}), SHA256: strings.Repeat("0", 64)}
		}, "expected"},
		"missing": {func(*testing.T, string) plugin.Declaration { return plugin.Declaration{Path: "/no/such/adapter"} }, "does not exist"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
			before := r.status(t, "one")
			next := test.next(t, r.dir)
			next.Name = "one"
			changes, err := r.Reload(t.Context(), []plugin.Declaration{next})
			if err != nil || len(changes) != 1 || changes[0].Err == nil || !strings.Contains(changes[0].Err.Error(), test.want) {
				t.Errorf("reload: %+v, %v; want the reason %q", changes, err, test.want)
			}
			if after := r.status(t, "one"); after.PID != before.PID || after.State != plugin.Running {
				t.Errorf("the old version was touched: %+v", after)
			}
			if _, err := write(t.Context(), a, "nothing"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVerifyMayRefuseAVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := room{dir: dir, Registry: plugin.NewRegistry(plugin.Options{
		StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run"),
		Verify: func(ctx context.Context, before *sdk.Description, after sdk.Description, candidate sdk.Adapter) error {
			if _, err := check(ctx, candidate, "nothing"); err != nil {
				return err
			}
			return fmt.Errorf("version %s is no %s", after.Version, before.Version)
		}})}
	defer r.Stop()
	r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	changes, err := r.Reload(t.Context(), []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2"})}})
	if err != nil || changes[0].Err == nil || !strings.Contains(changes[0].Err.Error(), "version 2 is no 1") {
		t.Errorf("reload: %+v, %v", changes, err)
	}
	if got := r.status(t, "one").Version; got != "1" {
		t.Errorf("version %s serves", got)
	}
}

// choose is an operator's decision about the adapter "one".
func (r room) choose(t *testing.T, d plugin.Desired) (changes []plugin.Change, steps []plugin.Step) {
	t.Helper()
	changes = r.Desire(t.Context(), map[string]plugin.Desired{"one": d}, func(_ string, s plugin.Step) { steps = append(steps, s) })
	return changes, steps
}

func TestOperatorsChooseAVersionOverTheDeclaredOne(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	second := []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "2"})}}
	if _, err := r.Reload(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	s := r.status(t, "one")
	if s.Version != "2" || s.BeforeSHA256 == "" || s.DeclaredSHA256 != s.SHA256 {
		t.Fatalf("after the reload: %+v", s)
	}
	changes, steps := r.choose(t, plugin.Desired{SHA256: s.BeforeSHA256})
	if len(changes) != 1 || changes[0].Err != nil || fmt.Sprint(steps) != "[start verify flip drain done]" {
		t.Errorf("changes %+v, steps %v", changes, steps)
	}
	// The choice holds through a reload, and shows as drift.
	if changes, err := r.Reload(t.Context(), second); err != nil || changes[0].What != "kept" || changes[0].Err != nil {
		t.Errorf("reload: %+v, %v", changes, err)
	}
	if s := r.status(t, "one"); s.Version != "1" || s.ChosenSHA256 != s.SHA256 || s.DeclaredSHA256 == s.SHA256 {
		t.Errorf("after the choice: %+v", s)
	}
	r.choose(t, plugin.Desired{})
	if s := r.status(t, "one"); s.Version != "2" || s.ChosenSHA256 != "" {
		t.Errorf("after taking the choice back: %+v", s)
	}
	changes, _ = r.choose(t, plugin.Desired{SHA256: strings.Repeat("0", 64)})
	if len(changes) != 1 || changes[0].Err == nil || r.status(t, "one").Version != "2" {
		t.Errorf("a version that nobody has: %+v", changes)
	}
}

func TestTenantsArePinnedToAVersion(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	first := r.status(t, "one")
	second := []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "2"})}}
	if _, err := r.Reload(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	pinned := actor.TenantID{UUID: uuid.Must(uuid.NewV7())}
	changes, _ := r.choose(t, plugin.Desired{Pins: map[actor.TenantID]string{pinned: first.SHA256}})
	if len(changes) != 1 || changes[0].Err != nil {
		t.Fatalf("pin: %+v", changes)
	}
	version := func(tenant actor.TenantID) string {
		t.Helper()
		a, err := r.AdapterFor("one", tenant)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := check(t.Context(), a, "nothing")
		if err != nil {
			t.Fatal(err)
		}
		return reply.APIVersion
	}
	other := actor.TenantID{UUID: uuid.Must(uuid.NewV7())}
	// The pin holds through a reload that changes what everybody gets.
	third := []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "3"})}}
	for _, step := range []struct {
		reload []plugin.Declaration
		want   string
	}{{second, "2"}, {third, "3"}} {
		if _, err := r.Reload(t.Context(), step.reload); err != nil {
			t.Fatal(err)
		}
		if version(pinned) != "1" || version(other) != step.want {
			t.Errorf("pinned tenant gets %s, others %s; want 1 and %s", version(pinned), version(other), step.want)
		}
	}
	all := r.Status()
	if len(all) != 2 || fmt.Sprint(all[1].Pinned) != fmt.Sprint([]actor.TenantID{pinned}) || all[1].Version != "1" {
		t.Errorf("status %+v", all)
	}
	r.choose(t, plugin.Desired{})
	if version(pinned) != "3" || alive(all[1].PID) {
		t.Errorf("without the pin the tenant gets %s and the old process is alive: %v", version(pinned), alive(all[1].PID))
	}
}

func TestQuarantineReturnsToTheVersionBefore(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	crashing := []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "2", Start: "crash"})}}
	changes, err := r.Reload(t.Context(), crashing)
	if err != nil || changes[0].Err != nil {
		t.Fatalf("reload: %+v, %v", changes, err)
	}
	s := r.eventually(t, 20*time.Second, "one", "is back at version 1", func(s plugin.Status) bool { return s.State == plugin.Running && s.Version == "1" })
	if len(s.Quarantined) != 1 {
		t.Errorf("quarantined %v, want the crashing program with its cause", s.Quarantined)
	}
	changes, err = r.Reload(t.Context(), crashing)
	if err != nil || changes[0].Err == nil || !strings.Contains(changes[0].Err.Error(), "quarantine") {
		t.Errorf("reload of the quarantined program: %+v, %v", changes, err)
	}
	if _, err := write(t.Context(), a, "nothing"); err != nil {
		t.Error(err)
	}
	// A repaired program at the same path is taken.
	fixed := []plugin.Declaration{{Name: "one", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "3"})}}
	if changes, err := r.Reload(t.Context(), fixed); err != nil || changes[0].Err != nil || r.status(t, "one").Version != "3" {
		t.Errorf("reload of another program: %+v, %v", changes, err)
	}
}

func TestProgramOfAnotherHostIsFetchedAndVerified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	elsewhere, err := os.ReadFile(plugintest.Program(t, dir, plugintest.Behaviour{Name: "one", Version: "2"}))
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(elsewhere))
	var rotten atomic.Bool
	r := room{dir: dir, Registry: plugin.NewRegistry(plugin.Options{
		StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run"),
		Fetch: func(_ context.Context, sha256 string, to io.Writer) error {
			if sha256 != sum {
				return errors.New("not here")
			}
			content := elsewhere
			if rotten.Load() {
				content = elsewhere[:1000]
			}
			_, err := to.Write(content)
			return err
		}})}
	defer r.Stop()
	r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	rotten.Store(true)
	changes, _ := r.choose(t, plugin.Desired{SHA256: sum})
	if len(changes) != 1 || changes[0].Err == nil || !strings.Contains(changes[0].Err.Error(), "expected is "+sum) {
		t.Errorf("a program that arrived broken: %+v", changes)
	}
	rotten.Store(false)
	changes, _ = r.choose(t, plugin.Desired{SHA256: sum})
	if len(changes) != 1 || changes[0].Err != nil || r.status(t, "one").Version != "2" {
		t.Errorf("a program that arrived: %+v", changes)
	}
}

func TestReloadStartsAndStops(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	pid := r.status(t, "one").PID
	changes, err := r.Reload(t.Context(), []plugin.Declaration{{Name: "two", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "two"})}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(changes); got != "[{two started <nil>} {one stopped <nil>}]" {
		t.Errorf("changes %s", got)
	}
	if alive(pid) || len(r.Status()) != 1 {
		t.Error("the adapter that is no longer declared still runs")
	}
}
