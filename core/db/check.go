package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/clientele-crm/clientele/migrations"
)

// check refuses a login that is not safe to serve tenants with, then a schema
// that is not the one this build was made for.
func check(ctx context.Context, pool *pgxpool.Pool) error {
	var role string
	var super, bypass, owns, member bool
	err := pool.QueryRow(ctx, `
		SELECT r.rolname, r.rolsuper, r.rolbypassrls,
		       EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		                WHERE n.nspname IN ('public', $1) AND c.relkind IN ('r', 'p')
		                  AND pg_has_role(r.oid, c.relowner, 'MEMBER')),
		       EXISTS (SELECT 1 FROM pg_roles a WHERE a.rolname = $2 AND pg_has_role(r.oid, a.oid, 'USAGE'))
		  FROM pg_roles r WHERE r.rolname = current_user`, JobSchema, AppRole).
		Scan(&role, &super, &bypass, &owns, &member)
	if err != nil {
		return fmt.Errorf("connect to the database of database.url: %w", err)
	}
	const wayOut = "put " + AppRole + ", or a role that is only a member of it, into database.url and the owner into database.migrate_url"
	switch {
	case super:
		return fmt.Errorf("database.url: the role %q is a superuser, so row-level security would not separate tenants: %s", role, wayOut)
	case bypass:
		return fmt.Errorf("database.url: the role %q has BYPASSRLS, so row-level security would not separate tenants: %s", role, wayOut)
	case owns:
		return fmt.Errorf("database.url: the role %q owns tables, so row-level security would not bind it: %s", role, wayOut)
	}
	applied, err := readSchema(ctx, pool)
	if err != nil {
		return err
	}
	if applied.release > migrations.Release+1 {
		return newerError(applied.release)
	}
	missing, err := applied.missing(migrations.FS)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the database lacks migration %d: run `clientele migrate`, or set database.migrate_url so that the host migrates when it starts", missing[0])
	}
	if !member {
		return fmt.Errorf("database.url: the role %q may not use the tables: as owner run `GRANT %s TO %q`", role, AppRole, role)
	}
	return nil
}

// querier is what both a pool and a connection can do.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
