package event_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/event"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const insufficientPrivilege = "42501"

var noon = time.Date(2026, 11, 2, 12, 0, 0, 123456789, time.UTC)

// audited is a tenant with some events, sealed, and the owner's connection, which
// can do what the hosts can't.
type audited struct {
	*event.Auditor
	admin actor.Actor
	owner *pgx.Conn
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	d, owner := dbtest.NewWithOwner(t)
	conn, err := pgx.Connect(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	a := &audited{Auditor: &event.Auditor{DB: d, Now: func() time.Time { return noon }}, owner: conn}
	a.admin = actor.Actor{Tenant: actor.TenantID{UUID: uuid.Must(uuid.NewV7())}, Kind: actor.Person, ID: "1", Name: "Ada", Role: actor.Admin}
	err = d.Global(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tenant (id, slug, name, region, timezone, created_at) VALUES ($1, 'acme', 'Acme', 'CA', 'UTC', now())`, a.admin.Tenant)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, 5)
	return a
}

func (a *audited) write(t *testing.T, n int) {
	t.Helper()
	err := a.DB.Tenant(t.Context(), a.admin, func(ctx context.Context, tx pgx.Tx) error {
		for i := range n {
			type nested struct {
				Z, A string
				N    float64
			}
			e := event.Event{Kind: event.Suggested, At: noon.Add(time.Duration(i)), Payload: map[string]any{
				"z": "é <&> \u2028", "a": nested{"z", "a", 0.1 + float64(i)}, "n": 1e21, "t": noon, "id": uuid.New(), "none": nil,
			}}
			if err := event.Append(ctx, tx, a.admin, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (a *audited) seal(t *testing.T) int {
	t.Helper()
	n, err := a.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (a *audited) verify(t *testing.T) event.Proof {
	t.Helper()
	p, err := a.Verify(t.Context(), a.admin)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (a *audited) tamper(t *testing.T, sql string) {
	t.Helper()
	tag, err := a.owner.Exec(t.Context(), sql)
	if err != nil || tag.RowsAffected() == 0 {
		t.Fatalf("%s: %d rows, %v", sql, tag.RowsAffected(), err)
	}
}

func TestSealsProveTheAudit(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	if p := a.verify(t); p.Waiting != 5 || p.Seals != 0 || len(p.Broken) != 0 {
		t.Errorf("before sealing: %+v", p)
	}
	if n := a.seal(t); n != 5 {
		t.Errorf("sealed %d, want 5", n)
	}
	a.write(t, 3)
	a.seal(t)
	a.write(t, 2)
	p := a.verify(t)
	if p.Seals != 2 || p.Events != 8 || p.Waiting != 2 || len(p.Broken) != 0 || len(p.Digest) != 64 {
		t.Errorf("proof %+v", p)
	}
	if a.seal(t); a.seal(t) != 0 {
		t.Error("sealed events were sealed again")
	}
}

func TestTamperingIsNoticed(t *testing.T) {
	t.Parallel()
	const one = `(SELECT id FROM event ORDER BY id LIMIT 1)`
	for name, test := range map[string]struct{ sql, want string }{
		"a changed payload":    {`UPDATE event SET payload = payload || '{"x": 1}' WHERE id = ` + one, "was changed"},
		"a changed actor":      {`UPDATE event SET actor_name = 'Eve' WHERE id = ` + one, "was changed"},
		"a changed time":       {`UPDATE event SET at = at + interval '1 microsecond' WHERE id = ` + one, "was changed"},
		"a changed digest too": {`UPDATE event SET actor_name = 'Eve', digest = '\x00' WHERE id = ` + one, "does not agree with its events"},
		"an event taken away":  {`DELETE FROM event WHERE id = ` + one, "was taken away"},
		"an event slipped in": {`INSERT INTO event SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).* FROM event e LIMIT 1`,
			"covered by no seal"},
		"a seal taken away": {`DELETE FROM event_seal WHERE number = 2`, "covered by no seal"},
		"a seal in between": {`DELETE FROM event_seal WHERE number = 1`, "seal 1 is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAudited(t)
			a.seal(t)
			a.write(t, 2)
			a.seal(t)
			a.tamper(t, test.sql)
			if p := a.verify(t); !strings.Contains(fmt.Sprint(p.Broken), test.want) {
				t.Errorf("broken: %v, want %q", p.Broken, test.want)
			}
		})
	}
}

func TestErasureKeepsTheChain(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.seal(t)
	a.tamper(t, `UPDATE event SET payload = '{}', erased_at = now() WHERE id = (SELECT id FROM event LIMIT 1)`)
	if p := a.verify(t); p.Erased != 1 || len(p.Broken) != 0 {
		t.Errorf("proof %+v, want one erased event and a whole chain", p)
	}
}

func TestHostsCanOnlyAddEvents(t *testing.T) {
	t.Parallel()
	a := newAudited(t)
	a.seal(t)
	for _, sql := range []string{
		`UPDATE event SET actor_name = 'Eve'`, `DELETE FROM event`, `UPDATE event_seal SET number = 9`, `DELETE FROM event_seal`,
	} {
		err := a.DB.Tenant(t.Context(), a.admin, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
		if db.Code(err) != insufficientPrivilege {
			t.Errorf("%s: %v, want it to be refused", sql, err)
		}
	}
	member := a.admin
	member.Role = actor.Member
	if _, err := a.Verify(t.Context(), member); err == nil {
		t.Error("a member verified the audit")
	}
}
