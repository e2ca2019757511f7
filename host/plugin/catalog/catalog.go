// Package catalog remembers adapter programs and what operators decided about
// them, in the database that all hosts share: every version that has served, with
// its bytes; which version everybody or a single tenant gets instead of what a
// host's configuration declares; and what each host runs at the moment.
//
// The [Catalog] only reads and writes rows. [Follow] keeps one host's
// plugin.Registry in step with them, and a [Desk] lets operators act through a
// host and watch it follow. Starting, swapping and judging processes is
// the registry's work.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/host/plugin"
)

// Catalog is the shared memory of adapter versions. It is safe for concurrent use.
type Catalog struct {
	db  *db.DB
	log *slog.Logger
	now func() time.Time

	reporting sync.Mutex // one report of this host at a time
}

// New returns the catalog in d.
func New(d *db.DB, log *slog.Logger, now func() time.Time) *Catalog {
	return &Catalog{db: d, log: log, now: now}
}

// Ref names a version of an adapter: what it says it is, or the start of its
// digest where several say the same.
type Ref struct{ Adapter, Version string }

// ParseRef reads NAME@VERSION, as operators type it.
func ParseRef(s string) (Ref, error) {
	name, version, found := strings.Cut(s, "@")
	if !found || name == "" || version == "" {
		return Ref{}, fmt.Errorf("%q is not NAME@VERSION, such as hubspot@1.2.0", s)
	}
	return Ref{Adapter: name, Version: version}, nil
}

// ErrNoVersion is the kind of error for a version that the catalog does not have.
var ErrNoVersion = errors.New("the catalog has no such version")

// RefusedError is what can't be had, in words for the operator who asked.
type RefusedError struct{ Err error }

// Error is the reason.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap leads to what refused.
func (e *RefusedError) Unwrap() error { return e.Err }

// Use makes a version serve everybody on every host, over what is declared there.
// Hosts follow within seconds; plugin.Registry tells how it went.
func (c *Catalog) Use(ctx context.Context, a actor.Actor, ref Ref) error {
	return c.choose(ctx, a, ref, func(ctx context.Context, tx pgx.Tx, sum string) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO adapter_choice (adapter, sha256, chosen_by, chosen_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (adapter) DO UPDATE SET sha256 = excluded.sha256, chosen_by = excluded.chosen_by, chosen_at = excluded.chosen_at`,
			ref.Adapter, sum, a.Name, c.now())
		return err
	})
}

// UseDeclared takes the choice back: each host serves what its configuration
// declares.
func (c *Catalog) UseDeclared(ctx context.Context, a actor.Actor, adapter string) error {
	return c.change(ctx, a, `DELETE FROM adapter_choice WHERE adapter = $1`, adapter)
}

// Pin makes a version serve one tenant, whatever others get.
func (c *Catalog) Pin(ctx context.Context, a actor.Actor, ref Ref, tenant actor.TenantID) error {
	return c.choose(ctx, a, ref, func(ctx context.Context, tx pgx.Tx, sum string) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO adapter_pin (tenant_id, adapter, sha256, chosen_by, chosen_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id, adapter) DO UPDATE SET sha256 = excluded.sha256, chosen_by = excluded.chosen_by, chosen_at = excluded.chosen_at`,
			tenant, ref.Adapter, sum, a.Name, c.now())
		if _, unknown := db.ForeignKeyViolation(err); unknown {
			return fmt.Errorf("tenant %s: there is no such tenant", tenant)
		}
		return err
	})
}

// Unpin gives the tenant what everybody gets.
func (c *Catalog) Unpin(ctx context.Context, a actor.Actor, adapter string, tenant actor.TenantID) error {
	return c.change(ctx, a, `DELETE FROM adapter_pin WHERE adapter = $1 AND tenant_id = $2`, adapter, tenant)
}

// Rollback makes the version serve again that served everybody before the present
// one, on any host, and says which that is.
func (c *Catalog) Rollback(ctx context.Context, a actor.Actor, adapter string) (Ref, error) {
	if err := a.Require(actor.Operate); err != nil {
		return Ref{}, err
	}
	back, err := c.previous(ctx, adapter)
	if err != nil {
		return Ref{}, err
	}
	return back, c.Use(ctx, a, back)
}

// previous names, by its digest, what served everybody before the present version.
func (c *Catalog) previous(ctx context.Context, adapter string) (Ref, error) {
	back := Ref{Adapter: adapter}
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			WITH present AS (SELECT sha256 FROM adapter_service WHERE adapter = $1 ORDER BY id DESC LIMIT 1)
			SELECT s.sha256 FROM adapter_service s JOIN adapter_version v USING (adapter, sha256)
			 WHERE s.adapter = $1 AND s.sha256 <> (SELECT sha256 FROM present) ORDER BY s.id DESC LIMIT 1`, adapter).Scan(&back.Version)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Ref{}, fmt.Errorf("roll back %s: no other version has served before: %w", adapter, ErrNoVersion)
	}
	if err != nil {
		return Ref{}, fmt.Errorf("roll back %s: %w", adapter, err)
	}
	return back, nil
}

// Remove forgets a version and its bytes. It is refused while the version is
// chosen, pinned, or seen running.
func (c *Catalog) Remove(ctx context.Context, a actor.Actor, ref Ref) error {
	return c.decide(ctx, a, ref, func(ctx context.Context, tx pgx.Tx, sum string) error {
		var host string
		err := tx.QueryRow(ctx, `SELECT host FROM adapter_running WHERE adapter = $1 AND $2 IN (sha256, declared_sha256) AND seen_at > $3 LIMIT 1`,
			ref.Adapter, sum, c.now().Add(-goneAfter)).Scan(&host)
		if err == nil {
			return &RefusedError{fmt.Errorf("the host %s uses it: choose another version first", host)}
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM adapter_version WHERE adapter = $1 AND sha256 = $2`, ref.Adapter, sum); err != nil {
			if _, used := db.ForeignKeyViolation(err); used {
				return &RefusedError{errors.New("it is chosen or pinned: choose another version first")}
			}
			return err
		}
		return dropUnused(ctx, tx)
	})
}

// Install takes a program into the catalog without using it. It is started once,
// to hear its name and version.
func (c *Catalog) Install(ctx context.Context, a actor.Actor, r *plugin.Registry, path string) (Ref, error) {
	if err := a.Require(actor.Operate); err != nil {
		return Ref{}, err
	}
	sum, d, err := r.Inspect(ctx, path)
	if err != nil {
		return Ref{}, &RefusedError{fmt.Errorf("install: %w", err)}
	}
	v := Version{Adapter: d.Name, SHA256: sum, Version: d.Version, Origin: FromInstall, AddedBy: a.Name}
	if err := c.keep(ctx, v, r); err != nil {
		return Ref{}, fmt.Errorf("install %s@%s: %w", d.Name, d.Version, err)
	}
	return Ref{Adapter: d.Name, Version: d.Version}, nil
}

// Desired is what operators decided and what is in quarantine, by adapter: what
// plugin.Registry.Desire takes.
func (c *Catalog) Desired(ctx context.Context) (map[string]plugin.Desired, error) {
	desired := map[string]plugin.Desired{}
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		clear(desired)
		rows, err := tx.Query(ctx, `
			SELECT adapter, sha256, NULL::uuid, NULL::text, false FROM adapter_choice
			UNION ALL SELECT adapter, sha256, tenant_id, NULL, false FROM adapter_pin
			UNION ALL SELECT adapter, sha256, NULL, cause, false FROM adapter_quarantine
			UNION ALL SELECT adapter, sha256, NULL, NULL, true FROM (`+lastGood+`) good`)
		if err != nil {
			return err
		}
		var name, sum string
		var tenant *actor.TenantID
		var quarantine *string
		var before bool
		_, err = pgx.ForEachRow(rows, []any{&name, &sum, &tenant, &quarantine, &before}, func() error {
			d := desired[name]
			switch {
			case before:
				d.Before = sum
			case quarantine != nil:
				d.Quarantined = with(d.Quarantined, sum, *quarantine)
			case tenant != nil:
				d.Pins = with(d.Pins, *tenant, sum)
			default:
				d.SHA256 = sum
			}
			desired[name] = d
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which adapter versions are wanted: %w", err)
	}
	return desired, nil
}

// lastGood is what served everybody last, of what is not in quarantine.
const lastGood = `
	SELECT DISTINCT ON (s.adapter) s.adapter, s.sha256 FROM adapter_service s JOIN adapter_version v USING (adapter, sha256)
	 WHERE NOT EXISTS (SELECT 1 FROM adapter_quarantine q WHERE (q.adapter, q.sha256) = (s.adapter, s.sha256))
	 ORDER BY s.adapter, s.id DESC`

func with[K comparable](m map[K]string, k K, v string) map[K]string {
	if m == nil {
		m = map[K]string{}
	}
	m[k] = v
	return m
}

// Fetch writes a program's bytes, for plugin.Options.
func (c *Catalog) Fetch(ctx context.Context, sum string, to io.Writer) error {
	for n := 0; ; n++ {
		// A chunk a transaction: none holds more than a megabyte, or long.
		var content []byte
		err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, `SELECT content FROM adapter_chunk WHERE sha256 = $1 AND n = $2`, sum, n).Scan(&content)
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows) && n > 0:
			return nil
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNoVersion
		case err != nil:
			return fmt.Errorf("read chunk %d: %w", n, err)
		}
		if _, err := to.Write(content); err != nil {
			return err
		}
	}
}

// change runs one statement for an operator.
func (c *Catalog) change(ctx context.Context, a actor.Actor, sql string, args ...any) error {
	if err := a.Require(actor.Operate); err != nil {
		return err
	}
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("change the adapter catalog: %w", err)
	}
	return nil
}

// decide resolves the version and runs fn with its digest, for an operator.
func (c *Catalog) decide(ctx context.Context, a actor.Actor, ref Ref, fn func(ctx context.Context, tx pgx.Tx, sum string) error) error {
	if err := a.Require(actor.Operate); err != nil {
		return err
	}
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		sum, err := resolve(ctx, tx, ref)
		if err != nil {
			return err
		}
		return fn(ctx, tx, sum)
	})
	if err != nil {
		return fmt.Errorf("%s@%s: %w", ref.Adapter, ref.Version, err)
	}
	return nil
}

// choose is decide for what is to serve: the version must have reached the level
// required, and comes out of quarantine.
func (c *Catalog) choose(ctx context.Context, a actor.Actor, ref Ref, fn func(ctx context.Context, tx pgx.Tx, sum string) error) error {
	return c.decide(ctx, a, ref, func(ctx context.Context, tx pgx.Tx, sum string) error {
		if err := admit(ctx, tx, ref.Adapter, sum); err != nil {
			return err
		}
		if err := release(ctx, tx, ref.Adapter, sum); err != nil {
			return err
		}
		return fn(ctx, tx, sum)
	})
}

// digest of the version that the reference names.
func (c *Catalog) digest(ctx context.Context, a actor.Actor, ref Ref) (found string, err error) {
	err = c.decide(ctx, a, ref, func(_ context.Context, _ pgx.Tx, sum string) error {
		found = sum
		return nil
	})
	return found, err
}

// shortestDigest is how many digits of a digest name a version.
const shortestDigest = 8

// resolve prefers the newest of the versions that say the same about themselves.
func resolve(ctx context.Context, tx pgx.Tx, ref Ref) (sum string, err error) {
	prefix := ref.Version
	if len(prefix) < shortestDigest {
		prefix = "none"
	}
	err = tx.QueryRow(ctx, `
		SELECT sha256 FROM adapter_version WHERE adapter = $1 AND (version = $2 OR starts_with(sha256, $3))
		 ORDER BY added_at DESC LIMIT 1`, ref.Adapter, ref.Version, prefix).Scan(&sum)
	if !errors.Is(err, pgx.ErrNoRows) {
		return sum, err
	}
	var known []string
	err = tx.QueryRow(ctx, `SELECT coalesce(array_agg(version ORDER BY added_at DESC), '{}') FROM adapter_version WHERE adapter = $1`, ref.Adapter).Scan(&known)
	if err != nil {
		return "", err
	}
	if len(known) == 0 {
		return "", fmt.Errorf("%w: it knows no adapter %s; install one", ErrNoVersion, ref.Adapter)
	}
	return "", fmt.Errorf("%w: it has %s", ErrNoVersion, strings.Join(known, ", "))
}
