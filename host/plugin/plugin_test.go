package plugin_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
)

// hostEnv makes the test binary play a host that is going to be killed.
const hostEnv = "CLIENTELE_PLUGIN_TEST_HOST"

// plantedSecret stands in this process's environment and must not reach adapters.
const plantedSecret = "planted-secret-5up3r"

func TestMain(m *testing.M) {
	plugintest.Main()
	if where := os.Getenv(hostEnv); where != "" {
		playHost(where)
		return
	}
	os.Setenv("CLIENTELE_DATABASE_PASSWORD", plantedSecret)
	goleak.VerifyTestMain(m)
}

// room is a registry with its directories.
type room struct {
	*plugin.Registry
	dir string
	log *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newRoom(t *testing.T) room {
	t.Helper()
	dir, log := t.TempDir(), &syncBuffer{}
	r := plugin.NewRegistry(plugin.Options{
		StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run"),
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(func() {
		r.Stop()
		if left, _ := filepath.Glob(filepath.Join(dir, "run", "*")); len(left) > 0 {
			t.Errorf("left after Stop: %v", left)
		}
	})
	return room{Registry: r, dir: dir, log: log}
}

// start declares one adapter and waits until it serves.
func (r room) start(t *testing.T, b plugintest.Behaviour) sdk.Adapter {
	t.Helper()
	if err := r.Start(t.Context(), []plugin.Declaration{{Name: b.Name, Path: plugintest.Program(t, r.dir, b)}}); err != nil {
		t.Fatal(err)
	}
	r.eventually(t, 10*time.Second, b.Name, "serves", func(s plugin.Status) bool { return s.State == plugin.Running })
	return r.adapter(t, b.Name)
}

func (r room) adapter(t *testing.T, name string) sdk.Adapter {
	t.Helper()
	a, err := r.Adapter(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (r room) status(t *testing.T, name string) plugin.Status {
	t.Helper()
	for _, s := range r.Status() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no status of %s", name)
	return plugin.Status{}
}

// eventually polls, because what it waits for happens in other processes.
func (r room) eventually(t *testing.T, within time.Duration, name, what string, check func(plugin.Status) bool) plugin.Status {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		s := r.status(t, name)
		if check(s) {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s %s; it is %+v", within, name, what, s)
		}
	}
}

func write(ctx context.Context, a sdk.Adapter, what string) (string, error) {
	reply, err := a.Write(ctx, sdk.WriteRequest{
		Connection: sdk.Connection{Settings: []byte(what)}, Items: []sdk.WriteItem{{ItemID: "1"}}})
	if err != nil {
		return "", err
	}
	return reply.Outcomes[0].CRMID, nil
}

func check(ctx context.Context, a sdk.Adapter, what string) (sdk.CheckReply, error) {
	return a.Check(ctx, sdk.CheckRequest{Connection: sdk.Connection{Settings: []byte(what)}})
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The state follows the command's closing parenthesis (proc(5)).
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestDeclaredAdapterServes(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1.2.3"})
	if d, err := a.Describe(t.Context()); err != nil || d.Name != "one" || d.Version != "1.2.3" {
		t.Errorf("Describe: %+v, %v", d, err)
	}
	if got, err := write(t.Context(), a, "nothing"); err != nil || got != "done" {
		t.Errorf("Write: %q, %v", got, err)
	}
	s := r.status(t, "one")
	if s.Version != "1.2.3" || len(s.SHA256) != 64 || s.PID == 0 || s.Restarts != 0 {
		t.Errorf("status %+v", s)
	}
	r.Stop()
	if alive(s.PID) {
		t.Error("the process is alive after Stop")
	}
	if _, err := r.Adapter("one"); err == nil {
		t.Error("a stopped registry still has the adapter")
	}
}

func TestAdapterGetsNothingOfTheHosts(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	pid := r.status(t, "one").PID
	for _, file := range []string{"environ", "cmdline"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), plantedSecret) || strings.Contains(string(content), r.dir) && file == "cmdline" {
			t.Errorf("%s holds the host's: %q", file, content)
		}
	}
	environ, err := write(t.Context(), a, "read /proc/self/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HOME=", "USER=", "PWD="} {
		if strings.Contains("\x00"+environ, "\x00"+name) {
			t.Errorf("the adapter has the host's %s", name)
		}
	}
	if stdin, err := write(t.Context(), a, "stdin"); err != nil || stdin != "/dev/null" {
		t.Errorf("its standard input is %q, %v", stdin, err)
	}
	if os.Geteuid() != 0 {
		return // without root, adapters share the host's user
	}
	if uid, _ := write(t.Context(), a, "uid"); uid == "0" {
		t.Error("the adapter runs as root")
	}
	host := strconv.Itoa(os.Getpid())
	for _, what := range []string{"read /proc/" + host + "/environ", "read /proc/" + host + "/maps", "list " + r.dir, "list " + filepath.Join(r.dir, "run")} {
		if got, err := write(t.Context(), a, what); err != nil || got != "refused" {
			t.Errorf("%s: %.60q, %v; want it refused", what, got, err)
		}
	}
}

// A pipe that nobody empties would hold the adapter up.
func TestAdapterThatShoutsIsHeardInPart(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 20 {
		if _, err := write(ctx, a, "shout"); err != nil {
			t.Fatal(err)
		}
	}
	const most = 8 << 10
	for _, line := range strings.Split(r.log.String(), "\n") {
		if len(line) > most {
			t.Errorf("a log line of %d bytes", len(line))
		}
	}
	if n := len(r.log.String()); n > 5<<20 {
		t.Errorf("20 MB of shouting made %d bytes of log", n)
	}
}

func TestAdapterLogsReachTheHostsLog(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	_, _ = write(t.Context(), a, "panic")
	for end := time.Now().Add(5 * time.Second); !strings.Contains(r.log.String(), "ended by itself"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no word of the adapter's end in the log:\n%s", r.log)
		}
	}
	for _, line := range strings.Split(r.log.String(), "\n") {
		if strings.Contains(line, "sk_live") || strings.Contains(line, "ann@") {
			t.Errorf("a line that holds what the panic held: %s", line)
		}
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, "adapter=one") {
			t.Errorf("a line that names no adapter: %s", line)
		}
	}
}
