package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/intake"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host"
	"github.com/clientele-crm/clientele/host/config"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/host/crmsync"
	"github.com/clientele-crm/clientele/host/demo"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

// rootDir is the checkout, seen from this package.
const rootDir = "../.."

// stack is a host in this process with real adapter processes, a simulated CRM
// and a database of its own.
type stack struct {
	t          testing.TB
	host       *host.Host
	sims       *demo.Simulators
	actor      actor.Actor
	connection *connection.Connection
	crm        string
	owner      string // the database owner's URL
}

func newStack(t testing.TB, crm string) *stack {
	t.Helper()
	return newStackVia(t, crm, func(address string) string { return address })
}

// newStackVia is newStack with something between the adapter and the CRM: via
// answers its address for the CRM's.
func newStackVia(t testing.TB, crm string, via func(address string) string) *stack {
	t.Helper()
	owner := dbtest.NewURL(t)
	data := dataDir(t)
	sims, err := demo.StartSimulators(t.Context(), filepath.Join(bin, "crm-simulator"), filepath.Join(data, "sim"), []string{crm}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sims.Stop)
	h, err := host.Start(t.Context(), host.Options{Config: config.Config{
		Data: data, HTTP: config.HTTP{Listen: "127.0.0.1:0"}, Database: config.Database{URL: config.Secret(dbtest.AppURL(owner))},
		Adapters: []config.Adapter{{Name: crm, Path: filepath.Join(bin, "clientele-adapter-"+crm)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	own, err := h.Tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: "acme", Name: "Acme", Region: "US", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{t: t, host: h, sims: sims, actor: actor.ForSystem(own.ID, "test"), crm: crm, owner: owner}
	s.connection, err = h.Connections.Create(t.Context(), s.actor, connection.New{
		Adapter: crm, Name: crm, Settings: json.RawMessage(`{"base_url": "http://` + via(sims.CRMs()[crm]) + `"}`),
		Secrets: map[string]string{connection.AccessToken: sims.Token(crm)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) take(m intake.Message) intake.Result {
	s.t.Helper()
	r, err := s.host.Intake.Take(s.t.Context(), s.actor, m)
	if err != nil || r.State != "done" {
		s.t.Fatalf("take: %+v, %v", r, err)
	}
	return r
}

func (s *stack) fault(f simulator.Fault) {
	s.t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.Post(simulator.AdminURL(s.sims.Admin(), s.crm, "faults"), "application/json", bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		s.t.Fatalf("add fault: %s", res.Status)
	}
}

func (s *stack) counters() simulator.Counts {
	s.t.Helper()
	res, err := http.Get(simulator.AdminURL(s.sims.Admin(), s.crm, "counters"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var c simulator.Counts
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *stack) status() crmsync.Counts {
	s.t.Helper()
	c, err := s.host.Sync.OfConnection(context.WithoutCancel(s.t.Context()), s.actor, s.connection.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// settle waits until nothing is due or waits.
func (s *stack) settle() {
	s.t.Helper()
	until(s.t, 45*time.Second, func() bool {
		c := s.status()
		return c.Due == 0 && c.Waiting == 0
	}, "the sync to settle")
}

// lockedBuffer is a buffer that a process writes while a test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// dataDir is a short directory that the database server's user can enter.
func dataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cl-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// clientele runs the program and answers all that it said and its exit code.
func clientele(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "clientele"), args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}

// processes are those whose command line or directory names the data directory.
func processes(t *testing.T, data string) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, dir := range dirs {
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // gone meanwhile: no process
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		exe, _ := os.Readlink(filepath.Join(dir, "exe"))
		for _, text := range []string{string(line), cwd, exe} {
			if strings.Contains(text, data) {
				found = append(found, fmt.Sprintf("%s %s", filepath.Base(dir), strings.ReplaceAll(string(line), "\x00", " ")))
				break
			}
		}
	}
	return found
}

func wantNoProcess(t *testing.T, data string) {
	t.Helper()
	if left := processes(t, data); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func until(t testing.TB, patience time.Duration, done func() bool, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
