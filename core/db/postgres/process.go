package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child that the kernel ends together with us.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when err is set
	err    error
}

// startProcess starts cmd as the account. The kernel ties a parent-death signal
// to the thread that forked, not to the process (golang/go#27505), so that one
// thread is kept for the child's life. SIGQUIT, because SIGINT's shutdown
// checkpoint may take longer than anybody should outlive us.
func startProcess(cmd *exec.Cmd, a account) (*process, error) {
	a.as(cmd, syscall.SIGQUIT)
	// A backend that outlives its postmaster holds the pipe open.
	cmd.WaitDelay = 5 * time.Second
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// stop asks for a fast shutdown, after the timeout for an immediate one, and in
// the end kills the whole group.
func (p *process) stop(timeout time.Duration) error {
	for _, step := range []struct {
		pid    int
		signal syscall.Signal
		wait   time.Duration
	}{
		{p.cmd.Process.Pid, syscall.SIGINT, timeout},
		{p.cmd.Process.Pid, syscall.SIGQUIT, 5 * time.Second},
		{-p.cmd.Process.Pid, syscall.SIGKILL, 5 * time.Second},
	} {
		if p.ended() {
			return nil
		}
		if err := syscall.Kill(step.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the PostgreSQL server: %w", err)
		}
		select {
		case <-p.exited:
			return nil
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("the PostgreSQL server (process %d) does not end", p.cmd.Process.Pid)
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// cause says how an ended process ended, with the last it wrote.
func (p *process) cause() string {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	if w, ok := p.cmd.Stderr.(*logWriter); ok {
		if tail := w.tail(); tail != "" {
			how += ": " + tail
		}
	}
	return how
}

const (
	tailLines   = 5
	longestLine = 2000
	// cutByStop is what each open connection logs when we stop the server.
	cutByStop = "terminating connection due to administrator command"
)

// logWriter hands each line on to the log and keeps the last few.
type logWriter struct {
	log *slog.Logger

	mu      sync.Mutex
	partial []byte
	last    []string
}

// Write never fails, so that the server never waits for its log.
func (w *logWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, b...)
	for {
		line, rest, found := bytes.Cut(w.partial, []byte("\n"))
		if !found && len(w.partial) < longestLine {
			return len(b), nil
		}
		w.partial = rest
		w.lineLocked(string(line[:min(len(line), longestLine)]))
	}
}

func (w *logWriter) lineLocked(line string) {
	level := slog.LevelDebug
	fatal := strings.HasPrefix(line, "FATAL:") && !strings.HasSuffix(line, cutByStop)
	if fatal || strings.HasPrefix(line, "PANIC:") {
		level = slog.LevelWarn
	}
	w.log.Log(context.Background(), level, "postgres", "line", line)
	w.last = append(w.last, line)
	w.last = w.last[max(0, len(w.last)-tailLines):]
}

func (w *logWriter) tail() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.last, " | ")
}

func lastLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], " | ")
}
