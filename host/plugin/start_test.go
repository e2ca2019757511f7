package plugin_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
)

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
