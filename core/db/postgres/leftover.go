package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	leftoverPoll = 20 * time.Millisecond
	// After this a leftover server is told to leave at once.
	leftoverPatience = 3 * time.Second
)

// lock takes the file for this process, until unlock or the process's end. The
// kernel lets go of it however we die.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data directory %s is in use by another clientele process: stop it or choose another data directory", filepath.Dir(path))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// stopLeftover ends a server that still runs on data, though its host, whose lock
// we hold now, is gone. It returns when the server is.
func stopLeftover(ctx context.Context, data string, log *slog.Logger) error {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a leftover server: %w", err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || !servesOn(pid, data) {
		return nil // a stale file; the server clears it itself
	}
	log.Warn("a database server of an earlier process is still running and is stopped", "pid", pid)
	signal, since := syscall.SIGINT, time.Now()
	for servesOn(pid, data) {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the leftover database server (process %d): %w", pid, err)
		}
		if time.Since(since) > leftoverPatience {
			signal = syscall.SIGQUIT
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the leftover database server (process %d) does not end: %w", pid, context.Cause(ctx))
		case <-time.After(leftoverPoll):
		}
	}
	return nil
}

// servesOn tells whether pid is a PostgreSQL of this data directory: the server
// makes it its working directory. A reused pid fails that.
func servesOn(pid int, data string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	real, err := filepath.EvalSymlinks(data)
	if err != nil {
		return false
	}
	return cwd == real
}
