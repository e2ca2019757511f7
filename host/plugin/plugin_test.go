package plugin_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/clientele-crm/clientele/core/actor"
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

func TestDeadAdapterIsStartedAgainAndSaysWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end  func(ctx context.Context, a sdk.Adapter, pid int) error
		want []string
		not  []string
	}{
		"killed": {
			end:  func(_ context.Context, _ sdk.Adapter, pid int) error { return syscall.Kill(pid, syscall.SIGKILL) },
			want: []string{"killed by SIGKILL"}, not: []string{"memory"},
		},
		"exit": {
			end: func(ctx context.Context, a sdk.Adapter, _ int) error {
				_, _ = write(ctx, a, "exit")
				return nil
			},
			want: []string{"exit code 7"},
		},
		"panic": {
			end: func(ctx context.Context, a sdk.Adapter, _ int) error {
				_, _ = write(ctx, a, "panic")
				return nil
			},
			want: []string{"exit code 2", "panic: token"}, not: []string{"sk_live", "ann@"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
			pid := r.status(t, "one").PID
			if err := test.end(t.Context(), a, pid); err != nil {
				t.Fatal(err)
			}
			s := r.eventually(t, 10*time.Second, "one", "is replaced", func(s plugin.Status) bool { return s.State == plugin.Running && s.PID != pid })
			for _, want := range test.want {
				if !strings.Contains(s.Cause, want) {
					t.Errorf("cause %q, want %q in it", s.Cause, want)
				}
			}
			for _, not := range test.not {
				if strings.Contains(s.Cause, not) {
					t.Errorf("cause %q holds %q", s.Cause, not)
				}
			}
			if s.Restarts != 1 {
				t.Errorf("%d restarts, want 1", s.Restarts)
			}
			if got, err := write(t.Context(), a, "nothing"); err != nil || got != "done" {
				t.Errorf("the same handle answers %q, %v", got, err)
			}
		})
	}
}

func TestCallCutOffByACrashIsTyped(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	pid := r.status(t, "one").PID
	errs := make(chan error, 2)
	go func() { _, err := write(t.Context(), a, "sleep 30s"); errs <- err }()
	go func() { _, err := check(t.Context(), a, "sleep 30s"); errs <- err }()
	r.eventually(t, 5*time.Second, "one", "has both calls", func(s plugin.Status) bool { return s.InFlight == 2 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	classes := map[sdk.Class]string{}
	for range 2 {
		e, ok := errors.AsType[*sdk.Error](<-errs)
		if !ok {
			t.Fatal("want *sdk.Error")
		}
		classes[e.Class] = e.Message
	}
	for _, class := range []sdk.Class{sdk.ClassUnknownOutcome, sdk.ClassTransient} {
		if !strings.Contains(classes[class], "killed by SIGKILL") {
			t.Errorf("%s says %q, want the cause", class, classes[class])
		}
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := write(ctx, a, "sleep 30s")
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Class != sdk.ClassUnknownOutcome || time.Since(begin) > 5*time.Second {
		t.Errorf("got %v after %v, want an unknown outcome at the deadline", err, time.Since(begin))
	}
}

func TestFrozenAdapterIsNoticedAndReplaced(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	a := r.start(t, plugintest.Behaviour{Name: "one", Version: "1"})
	pid := r.status(t, "one").PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s := r.eventually(t, 5*time.Second, "one", "is noticed", func(s plugin.Status) bool { return s.PID != pid })
	r.eventually(t, 10*time.Second-time.Since(begin), "one", "is replaced", func(s plugin.Status) bool { return s.State == plugin.Running && s.PID != pid })
	if !strings.Contains(s.Cause, "hung") {
		t.Errorf("cause %q", s.Cause)
	}
	if _, err := write(t.Context(), a, "nothing"); err != nil {
		t.Error(err)
	}
	if alive(pid) {
		t.Error("the frozen process is still there")
	}
}

func TestAdapterThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	const name = "one"
	script := func(t *testing.T, dir, content string) string {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		declare func(t *testing.T, dir string) plugin.Declaration
		want    []string
	}{
		"missing file": {func(*testing.T, string) plugin.Declaration { return plugin.Declaration{Path: "/no/such/adapter"} },
			[]string{"/no/such/adapter", "does not exist"}},
		"device": {func(*testing.T, string) plugin.Declaration { return plugin.Declaration{Path: "/dev/null"} },
			[]string{"/dev/null", "neither a file nor a directory"}},
		"directory without manifest": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: pack(t, dir, nil)}
		}, []string{"no adapter.json"}},
		"misspelt manifest": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: pack(t, dir, map[string]string{"adapter.json": `{"comand": ["sh"]}`})}
		}, []string{"adapter.json", "comand"}},
		"no interpreter": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: pack(t, dir, map[string]string{"adapter.json": `{"command": ["no-such-interpreter"]}`})}
		}, []string{"no-such-interpreter", "not installed"}},
		"interpreter by path": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: pack(t, dir, map[string]string{"adapter.json": `{"command": ["../../bin/sh"]}`})}
		}, []string{"bare name"}},
		"link out of the package": {func(t *testing.T, dir string) plugin.Declaration {
			pkg := pack(t, dir, map[string]string{"adapter.json": `{"command": ["sh"]}`})
			if err := os.Symlink("../secret", filepath.Join(pkg, "inside")); err != nil {
				t.Fatal(err)
			}
			return plugin.Declaration{Path: pkg}
		}, []string{"inside is a link out"}},
		"not a program": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: script(t, dir, "hello")}
		}, []string{"exec format error"}},
		"some other program": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: script(t, dir, "#!/bin/sh\necho hello\n")}
		}, []string{`"hello"`, "no Clientele adapter"}},
		"noise before the handshake": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name, Start: "noise"})}
		}, []string{`"starting up"`, "stdout"}},
		"exits": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name, Start: "exit"})}
		}, []string{"exit code 3", "no licence found"}},
		"panics": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name, Start: "panic"})}
		}, []string{"exit code 2", "panic: boom for [hidden]"}},
		"other protocol": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name, Start: "protocol"})}
		}, []string{"protocol 2", "speaks 1"}},
		"other transport": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name, Start: "netrpc"})}
		}, []string{"netrpc", "only gRPC"}},
		"other name": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: "two"})}
		}, []string{`"two"`}},
		"other version": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{Version: "2", Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name, Version: "1"})}
		}, []string{`"1"`, `"2"`}},
		"other checksum": {func(t *testing.T, dir string) plugin.Declaration {
			return plugin.Declaration{SHA256: strings.Repeat("0", 64), Path: plugintest.Program(t, dir, plugintest.Behaviour{Name: name})}
		}, []string{strings.Repeat("0", 64), name + "-", "expected"}},
	}
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			d := test.declare(t, r.dir)
			d.Name = name
			if err := r.Start(t.Context(), []plugin.Declaration{d}); err != nil {
				t.Fatal(err)
			}
			s := r.status(t, name)
			for _, want := range test.want {
				if !strings.Contains(s.Cause, want) {
					t.Errorf("cause %q, want %q in it", s.Cause, want)
				}
			}
			_, err := write(t.Context(), r.adapter(t, name), "nothing")
			u, ok := errors.AsType[*plugin.Unavailable](err)
			if !ok || u.Name != name || u.Cause == "" || u.RetryAt.IsZero() {
				t.Errorf("call: %v, want *Unavailable with cause and time", err)
			}
			if e, ok := errors.AsType[*sdk.Error](err); !ok || e.Class != sdk.ClassTransient {
				t.Errorf("call: %v, want it to be transient too", err)
			}
		})
	}
}

// pack makes a directory of the given files.
func pack(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	pkg := filepath.Join(dir, "package")
	if err := os.Mkdir(pkg, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(pkg, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return pkg
}

func TestPackageOfAnInterpretedAdapterServes(t *testing.T) {
	t.Parallel()
	// Another user's process must reach it, which t.TempDir does not let.
	dir, err := os.MkdirTemp("", "clientele-plugin-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	r := plugin.NewRegistry(plugin.Options{StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run")})
	t.Cleanup(r.Stop)
	declared := []plugin.Declaration{{Name: "one", Path: plugintest.Package(t, dir, plugintest.Behaviour{Name: "one", Version: "1"})}}
	if err := r.Start(t.Context(), declared); err != nil {
		t.Fatal(err)
	}
	a, err := r.Adapter("one")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := write(t.Context(), a, "nothing"); err != nil || got != "done" {
		t.Fatalf("Write: %q, %v; status %+v", got, err, r.Status())
	}
	before := r.Status()[0]
	// The same files at another time are the same version; another file is another.
	script := filepath.Join(declared[0].Path, "run.sh")
	if err := os.Chtimes(script, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if changes, err := r.Reload(t.Context(), declared); err != nil || changes[0].What != "kept" {
		t.Errorf("reload of the same files: %+v, %v", changes, err)
	}
	if err := os.WriteFile(filepath.Join(declared[0].Path, "more"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if changes, err := r.Reload(t.Context(), declared); err != nil || changes[0].What != "swapped" || changes[0].Err != nil {
		t.Errorf("reload of other files: %+v, %v", changes, err)
	}
	if after := r.Status()[0]; after.SHA256 == before.SHA256 {
		t.Error("another file made no other version")
	}
	r.Stop()
	if left, _ := filepath.Glob(filepath.Join(dir, "run", "*")); len(left) > 0 {
		t.Errorf("left after Stop: %v", left)
	}
}

func TestMissingAdapterRunsOnceItIsThere(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	ready := plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "1"})
	path := filepath.Join(r.dir, "later")
	if err := r.Start(t.Context(), []plugin.Declaration{{Name: "one", Path: path}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(ready, path); err != nil {
		t.Fatal(err)
	}
	r.eventually(t, 10*time.Second, "one", "serves", func(s plugin.Status) bool { return s.State == plugin.Running })
}

func TestCrashLoopEndsInQuarantineAndLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	err := r.Start(t.Context(), []plugin.Declaration{
		{Name: "bad", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "bad", Start: "crash"})},
		{Name: "good", Path: plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "good"})},
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := r.status(t, "good").PID
	s := r.eventually(t, 20*time.Second, "bad", "is in quarantine", func(s plugin.Status) bool { return s.State == plugin.Quarantined })
	if !strings.Contains(s.Cause, "exit code 4") {
		t.Errorf("cause %q", s.Cause)
	}
	if good := r.status(t, "good"); good.PID != pid || good.Restarts != 0 {
		t.Errorf("the good adapter was touched: %+v", good)
	}
}

func TestStartRefusesSenselessDeclarations(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	err := r.Start(t.Context(), []plugin.Declaration{
		{Name: "Bad Name", Path: "x"}, {Name: "one", Path: "x", SHA256: "abc"}, {Name: "one"}})
	for _, want := range []string{"adapters[0].name", "adapters[1].sha256", "adapters[2].name", "twice", "adapters[2].path"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if n := len(r.Status()); n != 0 {
		t.Errorf("%d adapters after a refused start", n)
	}
}

func TestUndeclaredAdapterIsNamed(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	_, err := r.Adapter("hubspot")
	if u, ok := errors.AsType[*plugin.Unavailable](err); !ok || u.Name != "hubspot" || !strings.Contains(u.Cause, "not declared") {
		t.Errorf("got %v", err)
	}
}

// playHost is a host that prints its adapter's process id and waits to be killed.
// where is the directory and the program's path.
func playHost(where string) {
	dir, path, _ := strings.Cut(where, ":")
	r := plugin.NewRegistry(plugin.Options{StoreDir: filepath.Join(dir, "store"), RunDir: filepath.Join(dir, "run")})
	if err := r.Start(context.Background(), []plugin.Declaration{{Name: "one", Path: path}}); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(r.Status()[0].PID)
	select {}
}

func TestNoAdapterOutlivesAKilledHost(t *testing.T) {
	t.Parallel()
	for name, frozen := range map[string]bool{"serving": false, "frozen": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoom(t)
			path := plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "1"})
			host := exec.Command(os.Args[0])
			host.Env = append(os.Environ(), hostEnv+"="+r.dir+":"+path)
			out, err := host.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = host.Process.Kill()
				_, _ = io.Copy(io.Discard, out)
				_ = host.Wait()
			}()
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || !alive(pid) {
				t.Fatalf("the host said %q", line)
			}
			if frozen {
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			if err := host.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the adapter lives 1 s after its host was killed")
				}
			}
			// The next host in the same directory sweeps what that one left.
			if err := r.Start(t.Context(), []plugin.Declaration{{Name: "one", Path: path}}); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(r.dir, "run", "*")); len(left) != 1 {
				t.Errorf("socket directories %v, want the new one only", left)
			}
		})
	}
}

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

// Whatever is killed, whenever: a call ends well, or says that nothing was sent, or
// that its outcome is not known. And service comes back.
func TestKillsDuringSwapsLeaveNoCallUntyped(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	versions := []string{plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "1"}), plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "2"})}
	if err := r.Start(t.Context(), []plugin.Declaration{{Name: "one", Path: versions[0]}}); err != nil {
		t.Fatal(err)
	}
	a := r.adapter(t, "one")
	ctx, stop := context.WithCancel(t.Context())
	var well, unknown, unsent atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, err := write(t.Context(), a, "sleep 5ms")
				_, none := errors.AsType[*plugin.Unavailable](err)
				e, typed := errors.AsType[*sdk.Error](err)
				switch {
				case err == nil:
					well.Add(1)
				case none:
					unsent.Add(1)
					time.Sleep(5 * time.Millisecond) // a caller that waits, as the sync engine does
				case typed && e.Class == sdk.ClassUnknownOutcome:
					unknown.Add(1)
				default:
					t.Errorf("a call ended as %v", err)
				}
			}
		})
	}
	const kills = 5
	wg.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for range kills {
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond) // any point of a swap
			for _, s := range r.Status() {
				if s.PID != 0 {
					_ = syscall.Kill(s.PID, syscall.SIGKILL)
				}
			}
		}
		stop()
	})
	for i := 0; ctx.Err() == nil; i++ {
		// A swap may fail because its process was killed; then the other serves.
		if _, err := r.Reload(t.Context(), []plugin.Declaration{{Name: "one", Path: versions[(i+1)%2]}}); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	t.Logf("%d calls went well, %d have an unknown outcome, %d were not sent", well.Load(), unknown.Load(), unsent.Load())
	if well.Load() == 0 || unknown.Load()+unsent.Load() == 0 {
		t.Error("the kills hit nothing, or everything")
	}
	r.eventually(t, 30*time.Second, "one", "serves again", func(s plugin.Status) bool {
		_, err := write(t.Context(), a, "nothing")
		return err == nil
	})
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

// A digest object used for a check answers wrongly the second time: go-plugin's
// own check would refuse every restart.
func TestPinnedProgramIsVerifiedAtEveryStart(t *testing.T) {
	t.Parallel()
	r := newRoom(t)
	path := plugintest.Program(t, r.dir, plugintest.Behaviour{Name: "one", Version: "1"})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	if err := r.Start(t.Context(), []plugin.Declaration{{Name: "one", Path: path, SHA256: sum}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		pid := r.status(t, "one").PID
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.eventually(t, 10*time.Second, "one", "runs again", func(s plugin.Status) bool { return s.State == plugin.Running && s.PID != pid })
	}
	// Somebody exchanges the stored program behind our back.
	stored := filepath.Join(r.dir, "store", sum)
	if err := os.Remove(stored); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, []byte("#!/bin/sh\n"), 0o555); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.status(t, "one").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.eventually(t, 10*time.Second, "one", "refuses the exchanged program", func(s plugin.Status) bool {
		return s.State == plugin.Down && strings.Contains(s.Cause, "expected is "+sum)
	})
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
