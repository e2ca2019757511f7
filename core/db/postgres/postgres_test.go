package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/clientele-crm/clientele/core/db/postgres"
)

// hostEnv makes the test binary play a host that is going to be killed: it starts
// a server in the named directory (empty: a temporary one), prints its URL and
// waits.
const hostEnv = "CLIENTELE_POSTGRES_TEST_HOST"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(hostEnv); ok {
		playHost(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func playHost(dir string) {
	s, err := postgres.Start(context.Background(), postgres.Options{Dir: dir, Durable: dir != ""})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(s.OwnerURL(postgres.Database))
	<-s.Done()
}

// startHost runs playHost in a process and returns it with the server's URL.
func startHost(t *testing.T, dir string) (host *exec.Cmd, url string) {
	t.Helper()
	host = exec.Command(os.Args[0])
	host.Env = append(os.Environ(), hostEnv+"="+dir)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = host.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = host.Wait()
	})
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(url, "postgres://") {
		t.Fatalf("the host said %q (%v)", url, err)
	}
	return host, strings.TrimSpace(url)
}

// reachableDir is a directory that a server under another user may enter, which
// t.TempDir is not for root.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "clientele-postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "pg")
}

func query(t *testing.T, url, sql string) (answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&answer)
	return answer, err
}

func mustQuery(t *testing.T, url, sql string) string {
	t.Helper()
	answer, err := query(t, url, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

// Nobody is told of failures that are none.
func TestStartWarnsOfNothing(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dir := reachableDir(t)
	for range 2 { // a new cluster, and one that is there
		s, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Durable: true, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if said.Len() > 0 {
		t.Errorf("the log says:\n%s", &said)
	}
}

func mustExec(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// eventually polls, because what it waits for happens in other processes.
func eventually(t *testing.T, within time.Duration, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !check(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// serverPID reads who serves the cluster in dir.
func serverPID(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// processesIn counts processes whose working directory is below dir: the server
// and all its children.
func processesIn(dir string) (n int) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			n++
		}
	}
	return n
}

func TestKeepsDataAndLetsOnlyPrivatePathsIn(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	s, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	url := s.OwnerURL(postgres.Database)
	mustExec(t, url, `CREATE TABLE kept AS SELECT 'yes' AS answer`)
	for setting, want := range map[string]string{"listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"} {
		if got := mustQuery(t, url, `SELECT current_setting('`+setting+`')`); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if got := mustQuery(t, url, `SELECT lower('ÄÉ')`); got != "äé" {
		t.Errorf("lower('ÄÉ') = %q: the cluster does not know letters beyond ASCII", got)
	}
	for _, private := range []string{dir, filepath.Join(dir, "data"), filepath.Join(dir, "run")} {
		info, err := os.Stat(private)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o700 {
			t.Errorf("%s has mode %o, want 700", private, mode)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := processesIn(dir); n != 0 {
		t.Errorf("%d processes after Stop", n)
	}

	again, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	if got := again.OwnerURL(postgres.Database); got != url {
		t.Errorf("the URL changed from %s to %s", url, got)
	}
	if got := mustQuery(t, url, `SELECT answer FROM kept`); got != "yes" {
		t.Errorf("the table holds %q", got)
	}
}

func TestSecondHostOnTheSameDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	startHost(t, dir)
	_, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want a refusal that names the directory", err)
	}
}

func TestServerDiesWithItsKilledHostAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	host, url := startHost(t, dir)
	mustExec(t, url, `CREATE TABLE kept AS SELECT 'yes' AS answer`)
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "every server process is gone", func() bool { return processesIn(dir) == 0 })

	_, url = startHost(t, dir)
	if got := mustQuery(t, url, `SELECT answer FROM kept`); got != "yes" {
		t.Errorf("the committed table holds %q", got)
	}
}

// The new host may come before the old server has noticed.
func TestStartRightAfterKillStopsTheLeftover(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	host, _ := startHost(t, dir)
	pid := serverPID(t, dir)
	// Frozen, it can't follow the kernel's signal, until the new host's start.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	thaw := time.AfterFunc(300*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	defer thaw.Stop()
	_, url := startHost(t, dir)
	if got := mustQuery(t, url, `SELECT 'up'`); got != "up" {
		t.Errorf("got %q", got)
	}
	if now := serverPID(t, dir); now == pid {
		t.Error("the leftover server was adopted, want a new one")
	}
}

func TestTemporaryServerLeavesNothingWhenKilled(t *testing.T) {
	t.Parallel()
	host, url := startHost(t, "")
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(config.Host)
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "every server process is gone", func() bool { return processesIn(dir) == 0 })
	eventually(t, 5*time.Second, dir+" is gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestServerThatDiesIsStartedAgainUnderTheSameURL(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	s, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	url := s.OwnerURL(postgres.Database)
	for range 2 {
		before := mustQuery(t, url, `SELECT pg_postmaster_start_time()::text`)
		if err := syscall.Kill(serverPID(t, dir), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "a new server answers", func() bool {
			now, err := query(t, url, `SELECT pg_postmaster_start_time()::text`)
			return err == nil && now != before
		})
	}
	select {
	case <-s.Done():
		t.Error("Done is closed though the server runs")
	default:
	}
}

func TestStopDuringAnOutageEnds(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	s, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(serverPID(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	eventually(t, 5*time.Second, "every server process is gone", func() bool { return processesIn(dir) == 0 })
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	t.Run("no binaries in the named directory", func(t *testing.T) {
		t.Parallel()
		_, err := postgres.Start(t.Context(), postgres.Options{Dir: reachableDir(t), BinDir: "/nowhere"})
		if err == nil || !strings.Contains(err.Error(), "/nowhere") {
			t.Errorf("got %v, want the directory named", err)
		}
	})
	t.Run("a cluster of a version that is not installed", func(t *testing.T) {
		t.Parallel()
		dir := reachableDir(t)
		data := filepath.Join(dir, "data")
		if err := os.MkdirAll(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "PostgreSQL 9") {
			t.Errorf("got %v, want the cluster's version named", err)
		}
	})
	t.Run("an ancestor that lets nobody pass", func(t *testing.T) {
		t.Parallel()
		dir := reachableDir(t)
		closed := filepath.Dir(dir)
		if err := os.Chmod(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		s, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
		if os.Geteuid() != 0 {
			// The server runs as the caller, who may pass.
			if err != nil || s.Stop() != nil {
				t.Errorf("as an ordinary user: %v", err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), "chmod o+x "+closed) {
			t.Errorf("got %v, want the closed directory and the command named", err)
		}
	})
	t.Run("a directory that is a file", func(t *testing.T) {
		t.Parallel()
		dir := reachableDir(t)
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := postgres.Start(t.Context(), postgres.Options{Dir: dir}); err == nil {
			t.Error("started in a file")
		}
	})
}

func TestServerLogKeepsValuesOut(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s, err := postgres.Start(t.Context(), postgres.Options{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	url := s.OwnerURL(postgres.Database)
	mustExec(t, url, `CREATE TABLE a (email text PRIMARY KEY); INSERT INTO a VALUES ('ann@example.com')`)
	if _, err := query(t, url, `INSERT INTO a VALUES ('ann@example.com') RETURNING email`); err == nil {
		t.Fatal("want a violation")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Contains(got, "ann@example.com") || !strings.Contains(got, "ready to accept") {
		t.Errorf("want the server's words without client data, got:\n%s", got)
	}
}
