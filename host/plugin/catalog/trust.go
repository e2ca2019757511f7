package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

// SetConformance writes down which level of the conformance suite a version has
// reached.
func (c *Catalog) SetConformance(ctx context.Context, a actor.Actor, ref Ref, level conformance.Level) error {
	if level < conformance.None || level > conformance.Highest {
		return &RefusedError{fmt.Errorf("conformance level %d: there are 0 to %d", int(level), int(conformance.Highest))}
	}
	return c.decide(ctx, a, ref, func(ctx context.Context, tx pgx.Tx, sum string) error {
		_, err := tx.Exec(ctx, `UPDATE adapter_version SET conformance = $3 WHERE adapter = $1 AND sha256 = $2`, ref.Adapter, sum, level)
		return err
	})
}

// Require lets only versions serve that have reached the level; None asks for
// nothing. What serves already stays until it is swapped or its host restarts.
func (c *Catalog) Require(ctx context.Context, a actor.Actor, adapter string, level conformance.Level) error {
	if level < conformance.None || level > conformance.Highest {
		return &RefusedError{fmt.Errorf("conformance level %d: there are 0 to %d", int(level), int(conformance.Highest))}
	}
	if level == conformance.None {
		return c.change(ctx, a, `DELETE FROM adapter_requirement WHERE adapter = $1`, adapter)
	}
	return c.change(ctx, a, `
		INSERT INTO adapter_requirement (adapter, conformance, set_by, set_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (adapter) DO UPDATE SET conformance = excluded.conformance, set_by = excluded.set_by, set_at = excluded.set_at`,
		adapter, level, a.Name, c.now())
}

// Admit refuses a program whose version has not reached the level required, for
// plugin.Options.
func (c *Catalog) Admit(ctx context.Context, adapter, sum string) error {
	return c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error { return admit(ctx, tx, adapter, sum) })
}

func admit(ctx context.Context, tx pgx.Tx, adapter, sum string) error {
	var required, reached conformance.Level
	err := tx.QueryRow(ctx, `
		SELECT r.conformance, coalesce((SELECT v.conformance FROM adapter_version v WHERE (v.adapter, v.sha256) = (r.adapter, $2)), 0)
		  FROM adapter_requirement r WHERE r.adapter = $1`, adapter, sum).Scan(&required, &reached)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask which conformance level is required: %w", err)
	}
	if reached < required {
		return &RefusedError{fmt.Errorf("conformance level %s is required of %s and the program %.12s has %s: install it, run `clientele adapter conformance BINARY --record`, then try again", required, adapter, sum, reached)}
	}
	return nil
}

// condemn writes down that a program keeps crashing.
func (c *Catalog) condemn(ctx context.Context, host, adapter, sum, cause string) error {
	err := c.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO adapter_quarantine (adapter, sha256, cause, host, since) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			adapter, sum, cause, host, c.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("write the quarantine of %s down: %w", adapter, err)
	}
	return nil
}

// release takes a program out of quarantine: an operator has chosen it anew.
func release(ctx context.Context, tx pgx.Tx, adapter, sum string) error {
	_, err := tx.Exec(ctx, `DELETE FROM adapter_quarantine WHERE adapter = $1 AND sha256 = $2`, adapter, sum)
	return err
}
