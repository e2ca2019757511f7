package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db/dbtest"
)

// withoutPolicy lists the tables that name a tenant and have no policy, each with
// why that is safe. They are reached through db.Global and hold no client data.
var withoutPolicy = map[string]string{
	"app_user":       "signing in finds the user before the tenant is known",
	"api_key":        "a request's key is found by its digest before the tenant is known",
	"adapter_denial": "operators take an adapter from a tenant; holds names and reasons of operators only",
	"adapter_pin":    "operators route a tenant's calls to a program; holds ids and digests only",
	"oauth_state":    "a CRM's answer to a sign-in names no tenant; holds ids and a sealed proof only, for ten minutes",
	"sync_lease":     "a host looks for work in all tenants; holds ids and an epoch only",
}

// tenantTables lists the tables with a tenant_id that must have a policy.
func tenantTables(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
		   AND a.attname = 'tenant_id' AND NOT a.attisdropped ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(tables, func(name string) bool { return withoutPolicy[name] != "" })
}

func connectAs(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// The owner is not forced through its own policies: it migrates, backs up and
// owns the functions that filter by tenant themselves. That is safe because the
// hosts refuse to connect as a role that owns anything.
func TestEveryTenantTableHasItsPolicy(t *testing.T) {
	t.Parallel()
	conn := connectAs(t, dbtest.NewURL(t))
	tables := tenantTables(t, conn)
	if len(tables) < 15 {
		t.Fatalf("only %d tenant tables found: the query is wrong", len(tables))
	}
	for _, table := range tables {
		var enabled bool
		var policies int
		err := conn.QueryRow(t.Context(), `
			SELECT c.relrowsecurity,
			       (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polpermissive
			           AND pg_get_expr(p.polqual, c.oid) LIKE '%tenant_id = %current_tenant()%')
			  FROM pg_class c WHERE c.oid = $1::regclass`, table).Scan(&enabled, &policies)
		if err != nil {
			t.Fatal(err)
		}
		if !enabled || policies != 1 {
			t.Errorf("%s: row-level security enabled: %v, tenant policies: %d; want it enabled with one, or a reason in withoutPolicy", table, enabled, policies)
		}
	}
	// A second permissive policy would widen the first.
	var others int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_policy WHERE polname <> 'tenant'`).Scan(&others); err != nil {
		t.Fatal(err)
	}
	if others != 0 {
		t.Errorf("%d policies beside the tenant ones: row-level security adds permissive policies up", others)
	}
}

func TestTablesWithoutPolicyStillExist(t *testing.T) {
	t.Parallel()
	conn := connectAs(t, dbtest.NewURL(t))
	for table := range withoutPolicy {
		var oid *string
		if err := conn.QueryRow(t.Context(), `SELECT to_regclass($1)::text`, table).Scan(&oid); err != nil {
			t.Fatal(err)
		}
		if oid == nil {
			t.Errorf("%s is excused from having a policy and does not exist: remove it from the list", table)
		}
	}
}

// A view runs as its owner and would show every tenant's rows.
func TestNoViewSeesPastThePolicies(t *testing.T) {
	t.Parallel()
	conn := connectAs(t, dbtest.NewURL(t))
	rows, err := conn.Query(t.Context(), `
		SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
		   AND (relkind = 'm' OR relkind = 'v' AND NOT coalesce(reloptions, '{}') @> '{security_invoker=true}')`)
	if err != nil {
		t.Fatal(err)
	}
	views, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(views) > 0 {
		t.Errorf("views that run as their owner: %v; make them WITH (security_invoker = true)", views)
	}
}

func TestForeignKeysBetweenTenantTablesNameTheTenant(t *testing.T) {
	t.Parallel()
	conn := connectAs(t, dbtest.NewURL(t))
	tables := tenantTables(t, conn)
	rows, err := conn.Query(t.Context(), `
		SELECT k.conrelid::regclass::text, k.conname, k.confrelid::regclass::text,
		       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) c JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c)
		  FROM pg_constraint k WHERE k.contype = 'f'`)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for rows.Next() {
		var from, name, to string
		var columns []string
		if err := rows.Scan(&from, &name, &to, &columns); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(tables, from) || !slices.Contains(tables, to) {
			continue
		}
		checked++
		if !slices.Contains(columns, "tenant_id") {
			t.Errorf("%s.%s points to %s by %v: name tenant_id too, or a row can point into another tenant", from, name, to, columns)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Fatal("no foreign key between tenant tables found: the query is wrong")
	}
}

// The rows are made behind the constraints' back, so that the test covers every
// table, also those that nobody has written to yet.
func TestNoTableShowsAnotherTenantsRows(t *testing.T) {
	t.Parallel()
	d, owner := dbtest.NewWithOwner(t)
	conn := connectAs(t, owner)
	mine, other := newTenant(t, d, "mine"), newTenant(t, d, "other")
	for _, table := range tenantTables(t, conn) {
		t.Run(table, func(t *testing.T) {
			relaxed := relax(t, conn, table)
			for _, a := range []actor.Actor{mine, other} {
				if _, err := conn.Exec(t.Context(), `INSERT INTO `+relaxed+` (tenant_id) VALUES ($1)`, a.Tenant.String()); err != nil {
					t.Fatalf("insert a bare row: %v", err)
				}
			}
			err := d.Tenant(t.Context(), mine, func(ctx context.Context, tx pgx.Tx) error {
				return onlyMine(ctx, tx, relaxed, mine, other)
			})
			if err != nil {
				t.Error(err)
			}
			var left int
			if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM `+relaxed+` WHERE tenant_id = $1`, other.Tenant.String()).Scan(&left); err != nil {
				t.Fatal(err)
			}
			if left != 1 {
				t.Errorf("%d rows of the other tenant are left, want 1", left)
			}
		})
	}
}

// onlyMine reads, changes, deletes and inserts, and reports whatever reaches the
// other tenant.
func onlyMine(ctx context.Context, tx pgx.Tx, table string, mine, other actor.Actor) error {
	var seen, foreign int
	if err := tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM `+table, mine.Tenant.String()).Scan(&seen, &foreign); err != nil {
		return err
	}
	if seen != 1 || foreign != 0 {
		return fmt.Errorf("sees %d rows, %d of them foreign; want 1 and 0", seen, foreign)
	}
	for _, sql := range []string{`UPDATE ` + table + ` SET tenant_id = tenant_id`, `DELETE FROM ` + table} {
		tag, err := attempt(ctx, tx, sql)
		if err == nil && tag > 1 {
			return fmt.Errorf("%s reached %d rows, want at most its own", sql, tag)
		}
	}
	if _, err := attempt(ctx, tx, `INSERT INTO `+table+` (tenant_id) VALUES ('`+other.Tenant.String()+`')`); err == nil {
		return fmt.Errorf("inserted a row for the other tenant")
	} else if !strings.Contains(err.Error(), "row-level security") {
		return fmt.Errorf("the insert for the other tenant failed for another reason: %w", err)
	}
	return nil
}

// attempt runs one statement in a savepoint. A right that was taken away (an
// append-only table) is an error here, and fine.
func attempt(ctx context.Context, tx pgx.Tx, sql string) (affected int64, err error) {
	err = pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
		tag, err := inner.Exec(ctx, sql)
		affected = tag.RowsAffected()
		return err
	})
	return affected, err
}

// relax drops what would keep a bare row out of the table and returns its quoted
// name: row-level security stays.
func relax(t *testing.T, conn *pgx.Conn, table string) string {
	t.Helper()
	name := pgx.Identifier{table}.Sanitize()
	rows, err := conn.Query(t.Context(), `
		SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname)
		  FROM pg_constraint WHERE conrelid = $1::regclass
		UNION ALL
		SELECT format('ALTER TABLE %s ALTER %I DROP NOT NULL', attrelid::regclass, attname)
		  FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull AND NOT attisdropped AND attidentity = ''
		UNION ALL
		SELECT format('DROP INDEX %s', i.indexrelid::regclass) FROM pg_index i
		 WHERE i.indrelid = $1::regclass AND i.indisunique
		   AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)`, table)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return name
}

func TestApplicationRoleCannotStepAround(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a := newTenant(t, d, "a")
	for _, sql := range []string{
		`ALTER TABLE client DISABLE ROW LEVEL SECURITY`,
		`DROP POLICY tenant ON client`,
		`CREATE POLICY all_rows ON client USING (true)`,
		`TRUNCATE client CASCADE`,
		`SET ROLE clientele_owner`,
		`SET SESSION AUTHORIZATION clientele_owner`,
		`SET LOCAL row_security = off; SELECT * FROM client`,
		`CREATE OR REPLACE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'`,
		`CREATE TABLE public.mine (x int)`,
		`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`,
		`UPDATE schema_release SET release = 99`,
		`COPY client TO PROGRAM 'true'`,
	} {
		err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
		if err == nil {
			t.Errorf("the application role may %s", sql)
		}
	}
}
