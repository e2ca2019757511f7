package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/plugin"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

const (
	chunkBytes = 1 << 20
	// A host reports every few seconds; after this it is taken for gone.
	goneAfter = 30 * time.Second
)

// Origin is how a version came into the catalog.
type Origin string

// The origins.
const (
	FromConfig  Origin = "config"
	FromInstall Origin = "install"
)

// Version is one program of one adapter.
type Version struct {
	Adapter, SHA256, Version string
	Origin                   Origin
	// Conformance is the level it has reached; None: not tried. Required is the one
	// that operators ask of the adapter. Quarantine is why no host serves it.
	Conformance, Required conformance.Level
	Quarantine            string
	AddedBy               string
	AddedAt               time.Time
	// Chosen: operators want it for everybody. Pinned lists tenants that get it.
	Chosen bool
	Pinned []actor.TenantID
}

// Running is one version on one host.
type Running struct {
	Host, Adapter, SHA256, Version string
	// DeclaredSHA256 is what the host's configuration points to; Drift tells that
	// everybody gets something else.
	DeclaredSHA256 string
	Drift          bool
	// Tenants pinned to it; 0: it serves everybody else.
	Tenants  int
	State    plugin.State
	Cause    string
	Restarts int
	SeenAt   time.Time
}

// Overview is the catalog as operators see it.
type Overview struct {
	Versions []Version // newest first within an adapter
	Running  []Running // of the hosts seen lately
}

// Overview lists versions and what runs where. Comparing both shows which hosts
// have not followed yet.
func (c *Catalog) Overview(ctx context.Context, a actor.Actor) (o Overview, err error) {
	if err := a.Require(actor.Operate); err != nil {
		return o, err
	}
	err = c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT v.adapter, v.sha256, v.version, v.origin, v.conformance,
			       coalesce((SELECT r.conformance FROM adapter_requirement r WHERE r.adapter = v.adapter), 0) AS required,
			       coalesce((SELECT q.cause FROM adapter_quarantine q WHERE (q.adapter, q.sha256) = (v.adapter, v.sha256)), '') AS quarantine,
			       v.added_by, v.added_at,
			       EXISTS (SELECT 1 FROM adapter_choice c WHERE (c.adapter, c.sha256) = (v.adapter, v.sha256)) AS chosen,
			       ARRAY(SELECT tenant_id FROM adapter_pin p WHERE (p.adapter, p.sha256) = (v.adapter, v.sha256) ORDER BY 1) AS pinned
			  FROM adapter_version v ORDER BY v.adapter, v.added_at DESC`)
		if err != nil {
			return err
		}
		if o.Versions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Version]); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `
			SELECT host, adapter, sha256, version, declared_sha256, tenants = 0 AND declared_sha256 <> sha256 AS drift,
			       tenants, state, cause, restarts, seen_at
			  FROM adapter_running WHERE seen_at > $1 ORDER BY adapter, host, tenants, sha256`, c.now().Add(-goneAfter))
		if err != nil {
			return err
		}
		o.Running, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Running])
		return err
	})
	if err != nil {
		return o, fmt.Errorf("list the adapter catalog: %w", err)
	}
	return o, nil
}

// keep has the version and its bytes in the catalog. It reads the bytes from this
// host's store.
func (c *Catalog) keep(ctx context.Context, v Version, r *plugin.Registry) error {
	program, err := r.Program(v.SHA256)
	if err != nil {
		return err
	}
	defer program.Close()
	return c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := program.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := keepProgram(ctx, tx, v.SHA256, program, c.now()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO adapter_version (adapter, sha256, version, origin, added_by, added_at)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			v.Adapter, v.SHA256, v.Version, v.Origin, v.AddedBy, c.now())
		return err
	})
}

// keepProgram writes the bytes unless they are there. Two hosts that try at once
// wait for each other at the first row.
func keepProgram(ctx context.Context, tx pgx.Tx, sum string, from io.Reader, now time.Time) error {
	tag, err := tx.Exec(ctx, `INSERT INTO adapter_program (sha256, bytes, created_at) VALUES ($1, 1, $2) ON CONFLICT DO NOTHING`, sum, now)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	var size int64
	buffer := make([]byte, chunkBytes)
	for n := 0; ; n++ {
		read, err := io.ReadFull(from, buffer)
		if read > 0 {
			size += int64(read)
			if _, err := tx.Exec(ctx, `INSERT INTO adapter_chunk (sha256, n, content) VALUES ($1, $2, $3)`, sum, n, buffer[:read]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			_, err := tx.Exec(ctx, `UPDATE adapter_program SET bytes = $2 WHERE sha256 = $1`, sum, size)
			return err
		case err != nil:
			return fmt.Errorf("read the program: %w", err)
		}
	}
}

// keptOfConfig is how many versions of an adapter that came from configurations
// stay although nothing uses them: what a rollback may want.
const keptOfConfig = 5

// prune forgets old versions that came from configurations, so that rebuilding an
// adapter every minute doesn't fill the database.
func (c *Catalog) prune(ctx context.Context) error {
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			DELETE FROM adapter_version v
			 WHERE (adapter, sha256) IN (
			         SELECT adapter, sha256 FROM (
			           SELECT adapter, sha256, row_number() OVER (PARTITION BY adapter ORDER BY added_at DESC) AS age
			             FROM adapter_version WHERE origin = $1) old
			          WHERE age > $2)
			   AND NOT EXISTS (SELECT 1 FROM adapter_choice c WHERE (c.adapter, c.sha256) = (v.adapter, v.sha256))
			   AND NOT EXISTS (SELECT 1 FROM adapter_pin p WHERE (p.adapter, p.sha256) = (v.adapter, v.sha256))
			   AND NOT EXISTS (SELECT 1 FROM adapter_running r WHERE r.adapter = v.adapter AND v.sha256 IN (r.sha256, r.declared_sha256)
			                      AND r.seen_at > $3)`,
			FromConfig, keptOfConfig, c.now().Add(-goneAfter))
		if err != nil {
			return err
		}
		return dropUnused(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("prune the adapter catalog: %w", err)
	}
	return nil
}

func dropUnused(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM adapter_program p WHERE NOT EXISTS (SELECT 1 FROM adapter_version v WHERE v.sha256 = p.sha256)`)
	return err
}

// report writes down what this host runs. Rows of what it no longer runs go.
func (c *Catalog) report(ctx context.Context, host string, statuses []plugin.Status) error {
	c.reporting.Lock()
	defer c.reporting.Unlock()
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM adapter_running WHERE host = $1 OR seen_at < $2`, host, c.now().Add(-24*time.Hour)); err != nil {
			return err
		}
		for _, s := range statuses {
			_, err := tx.Exec(ctx, `
				INSERT INTO adapter_running (host, adapter, sha256, version, declared_sha256, tenants, state, cause, restarts, seen_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				host, s.Name, s.SHA256, s.Version, s.DeclaredSHA256, len(s.Pinned), s.State, s.Cause, s.Restarts, c.now())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("report the running adapters: %w", err)
	}
	return nil
}

// served writes down that a version began to serve everybody, unless the last row
// says so already.
func (c *Catalog) served(ctx context.Context, host string, s plugin.Status) error {
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO adapter_service (adapter, sha256, version, host, since)
			SELECT $1, $2, $3, $4, $5
			 WHERE $2 IS DISTINCT FROM (SELECT sha256 FROM adapter_service WHERE adapter = $1 ORDER BY id DESC LIMIT 1)`,
			s.Name, s.SHA256, s.Version, host, c.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("write down what serves: %w", err)
	}
	return nil
}

// everybodys are the statuses of versions that run and serve everybody.
func everybodys(all []plugin.Status) []plugin.Status {
	return slices.DeleteFunc(slices.Clone(all), func(s plugin.Status) bool {
		return len(s.Pinned) > 0 || s.State != plugin.Running
	})
}
