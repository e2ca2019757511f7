package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "postgres"
	appRole   = "clientele_app"
	// A unix socket's path has 107 bytes, and PostgreSQL appends its own name.
	longestSocketDir = 107 - len("/.s.PGSQL.5432")
	readyPoll        = 20 * time.Millisecond
)

// cluster is the data directory and how to run a server on it.
type cluster struct {
	account        account
	bin            string
	base           string // the directory we were given
	data           string // PGDATA
	socket         string
	durable        bool
	maxConnections int
}

func openCluster(dir string, a account, o Options) (*cluster, error) {
	c := &cluster{account: a, base: dir, data: filepath.Join(dir, "data"), durable: o.Durable, maxConnections: 200}
	if o.MaxConnections > 0 {
		c.maxConnections = o.MaxConnections
	}
	wanted, err := os.ReadFile(filepath.Join(c.data, "PG_VERSION"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the cluster's version: %w", err)
	}
	if c.bin, err = findBinaries(o.BinDir, strings.TrimSpace(string(wanted))); err != nil {
		return nil, err
	}
	return c, c.makeSocketDir()
}

// makeSocketDir is inside the base when that is short enough, else a directory in
// the temporary one, named after the base so that the URL is always the same.
func (c *cluster) makeSocketDir() error {
	c.socket = filepath.Join(c.base, "run")
	if len(c.socket) > longestSocketDir {
		sum := sha256.Sum256([]byte(c.base))
		c.socket = filepath.Join(os.TempDir(), "clientele-pg-"+hex.EncodeToString(sum[:8]))
	}
	err := os.Mkdir(c.socket, 0o700)
	if errors.Is(err, fs.ErrExist) {
		// Somebody else may have made it first, to listen in our server's place.
		info, err := os.Lstat(c.socket)
		if err != nil {
			return fmt.Errorf("look at the socket directory: %w", err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() || int(st.Uid) != c.account.uid || info.Mode().Perm() != 0o700 {
			return fmt.Errorf("the socket directory %s belongs to somebody else: remove it", c.socket)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the socket directory: %w", err)
	}
	return c.chown(c.socket)
}

func (c *cluster) url(role, database string) string { return socketURL(c.socket, role, database) }

// initialise makes the cluster once. It is built under another name, so that a
// process killed half-way leaves no half cluster behind.
func (c *cluster) initialise(ctx context.Context) error {
	if exists(filepath.Join(c.data, "PG_VERSION")) {
		return c.checkVersion(ctx)
	}
	fresh := c.data + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove a half-made cluster: %w", err)
	}
	args := []string{"--pgdata", fresh, "--username", superuser, "--auth-local", "peer", "--auth-host", "reject",
		"--encoding", "UTF8", "--locale", "C", "--lc-ctype", "C.UTF-8"}
	if !c.durable {
		args = append(args, "--no-sync")
	}
	cmd := exec.Command(filepath.Join(c.bin, "initdb"), args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	c.environ(cmd)
	p, err := startProcess(cmd, c.account)
	if err != nil {
		return err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("initialise the database: %w", context.Cause(ctx)), p.stop(stopTimeout))
	}
	if p.err != nil {
		return fmt.Errorf("initialise the database: initdb: %w: %s", p.err, lastLines(output.String()))
	}
	if err := os.Rename(fresh, c.data); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return nil
}

// checkVersion refuses binaries of another major version before they refuse the
// cluster in words nobody understands.
func (c *cluster) checkVersion(ctx context.Context) error {
	made, err := os.ReadFile(filepath.Join(c.data, "PG_VERSION"))
	if err != nil {
		return fmt.Errorf("read the cluster's version: %w", err)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(c.bin, "postgres"), "--version").Output()
	if err != nil {
		return fmt.Errorf("ask %s/postgres for its version: %w", c.bin, err)
	}
	want := strings.TrimSpace(string(made))
	// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
	_, have, _ := strings.Cut(string(out), ") ")
	if major, _, _ := strings.Cut(strings.TrimSpace(have), "."); major != want {
		return fmt.Errorf("the data directory %s was made by PostgreSQL %s, the binaries in %s are %s: install postgresql-%s, or restore a backup into a new directory",
			c.data, want, c.bin, major, want)
	}
	return nil
}

// command is the server. Everything it writes goes to log.
func (c *cluster) command(log *slog.Logger) *exec.Cmd {
	onOff := map[bool]string{true: "on", false: "off"}[c.durable]
	settings := []string{
		"listen_addresses=", "unix_socket_directories=" + c.socket, "unix_socket_permissions=0700",
		"hba_file=" + c.hbaFile(), "ident_file=" + c.identFile(),
		"max_connections=" + strconv.Itoa(c.maxConnections), "timezone=UTC", "log_timezone=UTC",
		"fsync=" + onOff, "synchronous_commit=" + onOff, "full_page_writes=" + onOff,
		// Details and statements of errors hold client data; the caller gets them.
		"log_min_messages=log", "log_min_error_statement=panic", "log_error_verbosity=terse",
		"log_checkpoints=off", "log_line_prefix=", "logging_collector=off", "log_destination=stderr",
	}
	if !c.durable {
		// Segments as files of the cluster go away with it, also after a kill -9.
		settings = append(settings, "dynamic_shared_memory_type=mmap")
	}
	args := []string{"-D", c.data}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	c.environ(cmd)
	w := &logWriter{log: log}
	cmd.Stdout, cmd.Stderr = w, w
	return cmd
}

func (c *cluster) environ(cmd *exec.Cmd) {
	cmd.Dir = c.base
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + c.base, "LC_ALL=C"}
}

func (c *cluster) hbaFile() string   { return filepath.Join(c.base, "pg_hba.conf") }
func (c *cluster) identFile() string { return filepath.Join(c.base, "pg_ident.conf") }

// waitReady waits until the server takes connections, or ends.
func (c *cluster) waitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := c.answers(ctx, p)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("the PostgreSQL server ended while starting: %s", p.cause())
		case <-ctx.Done():
			return fmt.Errorf("the PostgreSQL server does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// answers connects once the server says that it is ready: it logs every connection
// before that as a failure of its own.
func (c *cluster) answers(ctx context.Context, p *process) error {
	lock, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("look whether it is ready: %w", err)
	}
	if !saysReady(string(lock), p.cmd.Process.Pid) {
		return errors.New("it is still starting")
	}
	conn, err := pgx.Connect(ctx, c.url(superuser, "postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// saysReady reads a postmaster.pid: the process id is its first line, the state its
// eighth (PostgreSQL, src/include/utils/pidfile.h). A dead server may have left one.
func saysReady(lock string, pid int) bool {
	lines := strings.Split(lock, "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

// writeAccess lets in this process's user only, as any of our three roles. The
// kernel vouches for who connects, so there is no password to keep.
func (c *cluster) writeAccess() error {
	var ident strings.Builder
	for _, role := range []string{superuser, OwnerRole, appRole} {
		fmt.Fprintf(&ident, "clientele %q %s\n", c.account.client, role)
	}
	for path, content := range map[string]string{
		c.hbaFile():   "local all all peer map=clientele\n",
		c.identFile(): ident.String(),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("write the server's access rules: %w", err)
		}
		if err := c.chown(path); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) chown(path string) error {
	if !c.account.other {
		return nil
	}
	if err := os.Chown(path, c.account.uid, c.account.gid); err != nil {
		return fmt.Errorf("give %s to the server's user: %w", path, err)
	}
	return nil
}

// ensureRoles makes the owner and the database, once.
func (c *cluster) ensureRoles(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.url(superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("connect to the new server: %w", err)
	}
	defer conn.Close(ctx)
	var role, database bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1), EXISTS (SELECT 1 FROM pg_database WHERE datname = $2)`,
		OwnerRole, Database).Scan(&role, &database)
	if err != nil {
		return fmt.Errorf("look for the owner role: %w", err)
	}
	if !role {
		// The right to end sessions is for DROP DATABASE … WITH (FORCE).
		_, err := conn.Exec(ctx, `CREATE ROLE clientele_owner LOGIN CREATEDB CREATEROLE; GRANT pg_signal_backend TO clientele_owner`)
		if err != nil {
			return fmt.Errorf("make the owner role: %w", err)
		}
	}
	if !database {
		if _, err := conn.Exec(ctx, `CREATE DATABASE clientele OWNER clientele_owner`); err != nil {
			return fmt.Errorf("make the database: %w", err)
		}
	}
	return nil
}
