package client_test

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/db/dbtest"
)

// unregistered lists columns with a foreign key to client that References leaves
// out, and references that are no such column.
func unregistered(t *testing.T, conn *pgx.Conn) (missing, stale []string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT k.conrelid::regclass || '.' || a.attname FROM pg_constraint k
		  JOIN unnest(k.conkey, k.confkey) AS c (mine, theirs) ON true
		  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.mine
		  JOIN pg_attribute o ON o.attrelid = k.confrelid AND o.attnum = c.theirs
		 WHERE k.contype = 'f' AND k.confrelid = 'client'::regclass AND o.attname = 'id'`)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var registered []string
	for _, r := range client.References() {
		registered = append(registered, r.Table+"."+r.Column)
	}
	for _, column := range catalog {
		if !slices.Contains(registered, column) {
			missing = append(missing, column)
		}
	}
	for _, name := range registered {
		if !slices.Contains(catalog, name) {
			stale = append(stale, name)
		}
	}
	return missing, stale
}

func connectOwner(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestEveryTableThatPointsToClientsIsRegistered(t *testing.T) {
	t.Parallel()
	missing, stale := unregistered(t, connectOwner(t, dbtest.NewURL(t)))
	if len(missing) > 0 {
		t.Errorf("no Reference for %v: say in core/client/reference.go what merge, undo, erase and export do with it", missing)
	}
	if len(stale) > 0 {
		t.Errorf("References without a foreign key to client: %v", stale)
	}
}

func TestForgottenForeignKeyIsNoticed(t *testing.T) {
	t.Parallel()
	conn := connectOwner(t, dbtest.NewURL(t))
	if _, err := conn.Exec(t.Context(), `CREATE TABLE gift (tenant_id uuid, giver_id uuid,
		FOREIGN KEY (tenant_id, giver_id) REFERENCES client (tenant_id, id))`); err != nil {
		t.Fatal(err)
	}
	if missing, _ := unregistered(t, conn); !slices.Equal(missing, []string{"gift.giver_id"}) {
		t.Errorf("missing references: %v, want gift.giver_id", missing)
	}
}
