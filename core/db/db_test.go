package db_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// newTenant makes a tenant and answers the system's actor in it.
func newTenant(t *testing.T, d *db.DB, slug string) actor.Actor {
	t.Helper()
	id := actor.TenantID{UUID: uuid.Must(uuid.NewV7())}
	err := d.Global(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tenant (id, slug, name, region, timezone, created_at) VALUES ($1, $2, $2, 'US', 'UTC', now())`, id.String(), slug)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return actor.ForSystem(id, "test")
}

func addConnection(ctx context.Context, tx pgx.Tx, tenant actor.TenantID, name string) error {
	_, err := tx.Exec(ctx, `INSERT INTO connection (id, tenant_id, adapter, name, created_at) VALUES ($1, $2, 'x', $3, now())`,
		uuid.Must(uuid.NewV7()), tenant.String(), name)
	return err
}

func count(t *testing.T, d *db.DB, a actor.Actor, sql string) (n int) {
	t.Helper()
	err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, sql).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTenantTransactionCommitsOrRollsBack(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a := newTenant(t, d, "a")
	refused := errors.New("refused")
	err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		if err := addConnection(ctx, tx, a.Tenant, "one"); err != nil {
			t.Fatal(err)
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v, want the function's own error", err)
	}
	if n := count(t, d, a, `SELECT count(*) FROM connection`); n != 0 {
		t.Errorf("%d rows after a failed transaction, want 0", n)
	}
	if err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		return addConnection(ctx, tx, a.Tenant, "one")
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, a, `SELECT count(*) FROM connection`); n != 1 {
		t.Errorf("%d rows after a committed transaction, want 1", n)
	}
}

func TestTenantRefusesAnActorWithoutTenant(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	err := d.Tenant(t.Context(), actor.ForOperator("ops"), func(context.Context, pgx.Tx) error {
		t.Error("the function ran")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "no tenant") {
		t.Errorf("got %v, want a refusal that says why", err)
	}
}

func TestGlobalSeesNoTenantRows(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a := newTenant(t, d, "a")
	if err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		return addConnection(ctx, tx, a.Tenant, "one")
	}); err != nil {
		t.Fatal(err)
	}
	// Many times: a pooled connection must not remember the tenant before.
	for range 20 {
		err := d.Global(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
			var n int
			if err := tx.QueryRow(ctx, `SELECT count(*) FROM connection`).Scan(&n); err != nil {
				return err
			}
			if n != 0 {
				t.Errorf("%d tenant rows without a tenant, want 0", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTransactionRunsAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a := newTenant(t, d, "a")
	if err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		return errors.Join(addConnection(ctx, tx, a.Tenant, "one"), addConnection(ctx, tx, a.Tenant, "two"))
	}); err != nil {
		t.Fatal(err)
	}
	// Both hold one row and then want the other's.
	var holding atomic.Int32
	both := make(chan struct{})
	cross := func(first, second string) error {
		var runs int
		return d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
			runs++
			if _, err := tx.Exec(ctx, `UPDATE connection SET batch_size = batch_size + 1 WHERE name = $1`, first); err != nil {
				return err
			}
			if runs == 1 {
				if holding.Add(1) == 2 {
					close(both)
				}
				<-both
			}
			_, err := tx.Exec(ctx, `UPDATE connection SET batch_size = batch_size + 1 WHERE name = $1`, second)
			return err
		})
	}
	other := make(chan error)
	go func() { other <- cross("two", "one") }()
	if err := errors.Join(cross("one", "two"), <-other); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, a, `SELECT min(batch_size) FROM connection`); n != 2 {
		t.Errorf("each row was raised %d times, want 2", n)
	}
}

func TestRetriesAreBounded(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	runs := 0
	err := d.Global(t.Context(), func(context.Context, pgx.Tx) error {
		runs++
		return &pgconn.PgError{Code: "40001"}
	})
	if db.Code(err) != "40001" || runs < 2 || runs > 10 {
		t.Errorf("%d runs and %v, want a few runs and the last error", runs, err)
	}
}

func TestTransactionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := d.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_sleep(20)`)
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestViolationsNameTheirConstraint(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a := newTenant(t, d, "a")
	err := d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		if err := addConnection(ctx, tx, a.Tenant, "one"); err != nil {
			return err
		}
		return addConnection(ctx, tx, a.Tenant, "one")
	})
	if name, ok := db.UniqueViolation(err); !ok || name != "connection_tenant_id_name_key" {
		t.Errorf("UniqueViolation(%v) = %q, %v", err, name, ok)
	}
	err = d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO connection_secret VALUES ($1, $2, 'x', '')`, a.Tenant.String(), uuid.Must(uuid.NewV7()))
		return err
	})
	if name, ok := db.ForeignKeyViolation(err); !ok || name != "connection_secret_tenant_id_connection_id_fkey" {
		t.Errorf("ForeignKeyViolation(%v) = %q, %v", err, name, ok)
	}
}

type wakeUp struct {
	Source string `json:"source"`
}

func (wakeUp) Kind() string { return "wake_up" }

func TestJobIsInsertedWithItsTransaction(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a := newTenant(t, d, "a")
	insert := func(result error) error {
		return d.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
			if err := d.InsertJob(ctx, tx, wakeUp{Source: "x"}, &river.InsertOpts{Queue: "test"}); err != nil {
				t.Fatal(err)
			}
			return result
		})
	}
	if err := insert(errors.New("no")); err == nil {
		t.Fatal("want the function's error")
	}
	if n := count(t, d, a, `SELECT count(*) FROM river.river_job`); n != 0 {
		t.Errorf("%d jobs after a rollback, want 0", n)
	}
	if err := insert(nil); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, a, `SELECT count(*) FROM river.river_job WHERE kind = 'wake_up' AND queue = 'test'`); n != 1 {
		t.Errorf("%d jobs after a commit, want 1", n)
	}
}
