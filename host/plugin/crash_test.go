package plugin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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

	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/host/plugin/plugintest"
	"github.com/clientele-crm/clientele/sdk"
)

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
