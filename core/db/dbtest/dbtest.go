// Package dbtest gives each test a database of its own on a real PostgreSQL,
// migrated, connected as the application role (an owner would see past row-level
// security and prove nothing). One server serves a whole test run: `go run
// ./core/db/cmd/devpg -- go test ./...` starts it and names it in [EnvURL]; a
// package that is tested alone starts one for itself.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }
package dbtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/postgres"
	"github.com/clientele-crm/clientele/migrations"
)

// EnvURL names the environment variable that holds the owner's URL of the test
// run's server.
const EnvURL = "CLIENTELE_TEST_PG"

const (
	templateLock  = 0x74656d706c617465
	setupTimeout  = 60 * time.Second
	codeInUse     = "55006"
	cloneRetry    = 10 * time.Millisecond
	maxConns      = 10
	maxServerConn = 400
	leakPatience  = 5 * time.Second
)

// Run runs the package's tests with a server: the one of EnvURL, or one of its
// own. It returns the exit code. m is a *testing.M, or a wrapper of one.
func Run(m interface{ Run() int }) int {
	if os.Getenv(EnvURL) != "" {
		return m.Run()
	}
	server, err := StartServer(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "dbtest:", err)
		return 1
	}
	os.Setenv(EnvURL, server.OwnerURL("postgres"))
	code := m.Run()
	os.Unsetenv(EnvURL)
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "dbtest:", err)
		return 1
	}
	return code
}

// StartServer starts a server fit for tests: temporary, in memory, not durable.
func StartServer(ctx context.Context) (*postgres.Server, error) {
	return postgres.Start(ctx, postgres.Options{MaxConnections: maxServerConn})
}

// New returns a connected, migrated, empty database that goes away with the test.
// The test fails when it leaves connections open.
func New(tb testing.TB) *db.DB {
	tb.Helper()
	d, _ := NewWithOwner(tb)
	return d
}

// NewWithOwner is New with the owner's URL of the same database, for tests that
// look behind row-level security.
func NewWithOwner(tb testing.TB) (d *db.DB, ownerURL string) {
	tb.Helper()
	ownerURL = NewURL(tb)
	ctx, cancel := context.WithTimeout(tb.Context(), setupTimeout)
	defer cancel()
	d, err := db.Open(ctx, db.Options{URL: AppURL(ownerURL), MaxConns: maxConns, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatalf("dbtest: open the test database: %v", err)
	}
	tb.Cleanup(d.Close)
	return d, ownerURL
}

// NewURL makes the test's database and returns its owner's URL, for tests of
// whole hosts, which open it themselves and close it before the test ends.
func NewURL(tb testing.TB) (ownerURL string) {
	tb.Helper()
	admin := os.Getenv(EnvURL)
	if admin == "" {
		tb.Fatal("dbtest: the package needs `func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }`")
	}
	ctx, cancel := context.WithTimeout(tb.Context(), setupTimeout)
	defer cancel()
	conn := connect(ctx, tb, admin)
	defer conn.Close(context.WithoutCancel(ctx))
	template, err := ensureTemplate(ctx, conn, admin)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	name := "test_" + hex.EncodeToString(uuidBytes())
	if err := clone(ctx, conn, name, template); err != nil {
		tb.Fatalf("dbtest: clone the template: %v", err)
	}
	tb.Cleanup(func() { drop(tb, admin, name) })
	return withDatabase(admin, name)
}

// NewEmptyURL makes a database without any schema and returns its owner's URL,
// for tests of migrations.
func NewEmptyURL(tb testing.TB) (ownerURL string) {
	tb.Helper()
	admin := os.Getenv(EnvURL)
	ctx, cancel := context.WithTimeout(tb.Context(), setupTimeout)
	defer cancel()
	conn := connect(ctx, tb, admin)
	defer conn.Close(context.WithoutCancel(ctx))
	name := "test_" + hex.EncodeToString(uuidBytes())
	if err := clone(ctx, conn, name, "template1"); err != nil {
		tb.Fatalf("dbtest: make an empty database: %v", err)
	}
	tb.Cleanup(func() { drop(tb, admin, name) })
	return withDatabase(admin, name)
}

// AppURL turns an owner's URL into the application role's.
func AppURL(ownerURL string) string {
	return edit(ownerURL, func(u *url.URL) {
		q := u.Query()
		q.Set("user", db.AppRole)
		u.RawQuery = q.Encode()
	})
}

// ensureTemplate makes the migrated template once per server. The name follows
// the migrations; only a finished template is marked as one, so a run that was
// killed half-way leaves nothing that looks good.
func ensureTemplate(ctx context.Context, conn *pgx.Conn, admin string) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	if done, err := isTemplate(ctx, conn, name); done || err != nil {
		return name, err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(templateLock)); err != nil {
		return "", fmt.Errorf("wait for the template: %w", err)
	}
	defer conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(templateLock))
	if done, err := isTemplate(ctx, conn, name); done || err != nil {
		return name, err
	}
	if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
		return "", fmt.Errorf("drop a half-made template: %w", err)
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+name); err != nil {
		return "", fmt.Errorf("make the template: %w", err)
	}
	if err := db.Migrate(ctx, withDatabase(admin, name), slog.New(slog.DiscardHandler)); err != nil {
		return "", fmt.Errorf("migrate the template: %w", err)
	}
	if _, err := conn.Exec(ctx, `ALTER DATABASE `+name+` IS_TEMPLATE true`); err != nil {
		return "", fmt.Errorf("mark the template: %w", err)
	}
	return name, nil
}

func isTemplate(ctx context.Context, conn *pgx.Conn, name string) (bool, error) {
	var done bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate)`, name).Scan(&done)
	if err != nil {
		return false, fmt.Errorf("look for the template: %w", err)
	}
	return done, nil
}

// templateName digests the migrations. River's come with the binary, and a
// server lives no longer than a test run.
func templateName() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the migrations: %w", err)
	}
	return "template_" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// clone copies the template's files, which is faster than writing them through
// the log, and waits for others who are copying it.
func clone(ctx context.Context, conn *pgx.Conn, name, template string) error {
	for {
		_, err := conn.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE `+template+` STRATEGY FILE_COPY`)
		if db.Code(err) != codeInUse {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(cloneRetry):
		}
	}
}

// drop removes the test's database, after checking that nobody is connected.
func drop(tb testing.TB, admin, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	conn := connect(ctx, tb, admin)
	defer conn.Close(ctx)
	if left := leftConnections(ctx, tb, conn, name); left > 0 {
		tb.Errorf("dbtest: the test left %d connections to its database open", left)
	}
	if _, err := conn.Exec(ctx, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
		tb.Errorf("dbtest: drop the test database: %v", err)
	}
}

// leftConnections counts sessions, giving those that were just closed a moment:
// the server notices the end of a connection a little later than the client.
func leftConnections(ctx context.Context, tb testing.TB, conn *pgx.Conn, name string) int {
	for deadline := time.Now().Add(leakPatience); ; {
		var n int
		err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`, name).Scan(&n)
		if err != nil {
			tb.Errorf("dbtest: count connections: %v", err)
			return 0
		}
		if n == 0 || time.Now().After(deadline) {
			return n
		}
		time.Sleep(cloneRetry)
	}
}

func connect(ctx context.Context, tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		tb.Fatalf("dbtest: connect to the server of %s: %v", EnvURL, err)
	}
	return conn
}

func withDatabase(raw, name string) string {
	return edit(raw, func(u *url.URL) { u.Path = "/" + name })
}

// edit changes a URL that we made ourselves, so it parses.
func edit(raw string, change func(*url.URL)) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	change(u)
	return u.String()
}

func uuidBytes() []byte {
	id := uuid.New()
	return id[:]
}
