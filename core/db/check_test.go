package db_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/migrations"
)

func exec(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// openError opens and closes again; it answers the refusal.
func openError(t *testing.T, url string) error {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: url, MaxConns: 2})
	if err == nil {
		d.Close()
	}
	return err
}

func TestOpenRefusesWhatRowLevelSecurityDoesNotBind(t *testing.T) {
	t.Parallel()
	owner := dbtest.NewURL(t)
	tests := map[string]struct{ role, want string }{
		"owner":     {"clientele_owner", "owns tables"},
		"superuser": {"postgres", "superuser"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			url := strings.Replace(owner, "user=clientele_owner", "user="+test.role, 1)
			err := openError(t, url)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "clientele_app") {
				t.Errorf("got %v, want a sentence about %q with the way out", err, test.want)
			}
		})
	}
}

func TestOpenRefusesASchemaThatDoesNotFit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ change, want string }{
		"behind":      {`DELETE FROM goose_db_version WHERE version_id = 1`, "lacks migration 1"},
		"far ahead":   {`UPDATE schema_release SET release = release + 2`, "start the newer clientele"},
		"one release": {`UPDATE schema_release SET release = release + 1`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := dbtest.NewURL(t)
			exec(t, owner, test.change)
			err := openError(t, dbtest.AppURL(owner))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want it to open", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestOpenErrorKeepsThePassword(t *testing.T) {
	t.Parallel()
	err := openError(t, "postgres://u:hunter2@[::bad/clientele")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v, want a refusal without the password", err)
	}
}

func TestMigrateFromEmptyAndAgain(t *testing.T) {
	t.Parallel()
	owner := dbtest.NewEmptyURL(t)
	// Several hosts may start at once.
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() { errs[i] = db.Migrate(t.Context(), owner, slog.New(slog.DiscardHandler)) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := openError(t, dbtest.AppURL(owner)); err != nil {
		t.Errorf("open after migrating: %v", err)
	}
}

func TestMigrateLeavesANewerDatabaseAlone(t *testing.T) {
	t.Parallel()
	owner := dbtest.NewURL(t)
	exec(t, owner, `UPDATE schema_release SET release = release + 1`)
	if err := db.Migrate(t.Context(), owner, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("one release newer: %v, want the host to run", err)
	}
	exec(t, owner, `UPDATE schema_release SET release = release + 1`)
	err := db.Migrate(t.Context(), owner, slog.New(slog.DiscardHandler))
	newer, ok := errors.AsType[*db.NewerError](err)
	if !ok || newer.Host != migrations.Release || newer.Database != migrations.Release+2 {
		t.Errorf("two releases newer: got %v, want *NewerError with both releases", err)
	}
}
