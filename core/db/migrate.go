package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/clientele-crm/clientele/migrations"
)

// migrationLock is the advisory lock of whoever migrates a database; the number
// means nothing, it only has to stay the same.
const migrationLock = 0x636c69656e74656c

// Migrate brings the database of ownerURL to this build's schema: the product's
// migrations, River's, and the application role with its rights. The role of
// ownerURL owns the database and may create roles, or AppRole exists already. It
// is safe to call from several hosts at once; one works, the others wait.
//
// A database that is one release newer is left as it is; one that is newer still
// is refused with *NewerError.
func Migrate(ctx context.Context, ownerURL string, log *slog.Logger) error {
	cfg, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return errors.New("database.migrate_url: not a PostgreSQL URL such as postgres://owner@host/clientele")
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect to the database of database.migrate_url: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	applied, err := readSchema(ctx, conn)
	if err != nil {
		return err
	}
	switch {
	case applied.release > migrations.Release+1:
		return newerError(applied.release)
	case applied.release > migrations.Release:
		log.WarnContext(ctx, "the database is one release newer than this host; it runs, upgrade it soon",
			"database_release", applied.release, "host_release", migrations.Release)
		return nil
	}
	if err := prepare(ctx, conn); err != nil {
		return err
	}
	if err := migrateProduct(ctx, cfg, log); err != nil {
		return err
	}
	if err := migrateJobs(ctx, ownerURL, log); err != nil {
		return err
	}
	return finish(ctx, conn)
}

// NewerError is the refusal of a host that is too old for its database.
type NewerError struct{ Database, Host int }

// Error says what to do.
func (e *NewerError) Error() string {
	return fmt.Sprintf("the database has the schema of release %d, this host is of release %d and can use up to %d: start the newer clientele, or restore a backup made before the upgrade",
		e.Database, e.Host, e.Host+1)
}

func newerError(release int) error {
	return &NewerError{Database: release, Host: migrations.Release}
}

// prepare makes the role and the default rights before any table, so that a
// migration can take a right away again (an append-only table) and it stays away.
func prepare(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)`, AppRole).Scan(&exists); err != nil {
		return fmt.Errorf("look for the role %s: %w", AppRole, err)
	}
	if !exists {
		_, err := conn.Exec(ctx, `CREATE ROLE `+AppRole+` LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT`)
		// Roles belong to the server, the lock to the database: another database
		// of the same server may have been faster.
		if c := Code(err); err != nil && c != codeDuplicateObject && c != codeUniqueViolation {
			return fmt.Errorf("create the role %s (an administrator of the server can do it beforehand): %w", AppRole, err)
		}
	}
	_, err := conn.Exec(ctx, `
		CREATE SCHEMA IF NOT EXISTS river;
		GRANT USAGE ON SCHEMA public, river TO clientele_app;
		ALTER DEFAULT PRIVILEGES IN SCHEMA public, river GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO clientele_app;
		ALTER DEFAULT PRIVILEGES IN SCHEMA public, river GRANT USAGE, SELECT ON SEQUENCES TO clientele_app;
		CREATE TABLE IF NOT EXISTS schema_release (release integer NOT NULL);
		REVOKE INSERT, UPDATE, DELETE ON schema_release FROM clientele_app;`)
	if err != nil {
		return fmt.Errorf("prepare the schema's rights: %w", err)
	}
	return nil
}

func migrateProduct(ctx context.Context, cfg *pgx.ConnConfig, log *slog.Logger) error {
	sqlDB := stdlib.OpenDB(*cfg)
	defer sqlDB.Close()
	// The parts of the product number their migrations in ranges of their own,
	// so a lower number may come after a higher one.
	provider, err := goose.NewProvider(goose.DialectPostgres, sqlDB, migrations.FS,
		goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		log.DebugContext(ctx, "migrated", "file", r.Source.Path, "took", r.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrateJobs(ctx context.Context, ownerURL string, log *slog.Logger) error {
	pool, err := pgxpool.New(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("connect for the job tables: %w", err)
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: JobSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("read the job tables' migrations: %w", err)
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("migrate the job tables: %w", err)
	}
	for _, v := range result.Versions {
		log.DebugContext(ctx, "migrated the job tables", "version", v.Version, "took", v.Duration)
	}
	return nil
}

// finish takes back what the default rights gave too much and writes the release
// down.
func finish(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
		REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM clientele_app;
		DELETE FROM schema_release;
		INSERT INTO schema_release VALUES (`+strconv.Itoa(migrations.Release)+`);`)
	if err != nil {
		return fmt.Errorf("write the schema's release: %w", err)
	}
	return nil
}

// schema is what has been applied to a database.
type schema struct {
	release  int // 0: none yet
	versions map[int64]bool
}

func readSchema(ctx context.Context, q querier) (schema, error) {
	s := schema{versions: map[int64]bool{}}
	var migrated bool
	err := q.QueryRow(ctx, `SELECT to_regclass('public.goose_db_version') IS NOT NULL AND to_regclass('public.schema_release') IS NOT NULL`).
		Scan(&migrated)
	if err != nil {
		return s, fmt.Errorf("look for the schema: %w", err)
	}
	if !migrated {
		return s, nil
	}
	if err := q.QueryRow(ctx, `SELECT coalesce(max(release), 0) FROM schema_release`).Scan(&s.release); err != nil {
		return s, fmt.Errorf("read the schema's release: %w", err)
	}
	rows, err := q.Query(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied`)
	if err != nil {
		return s, fmt.Errorf("read the applied migrations: %w", err)
	}
	versions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return s, fmt.Errorf("read the applied migrations: %w", err)
	}
	for _, v := range versions {
		s.versions[v] = true
	}
	return s, nil
}

// missing lists the migrations of fsys, lowest first, that have not been applied.
func (s schema) missing(fsys fs.FS) ([]int64, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list the migrations: %w", err)
	}
	var missing []int64
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s: the name does not start with a number", name)
		}
		if !s.versions[v] {
			missing = append(missing, v)
		}
	}
	return missing, nil
}
