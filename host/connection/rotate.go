package connection

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/tenant"
)

// SealedColumn is where sealed secrets lie: a column of a tenant table, and the SQL
// expressions of the place that each was sealed for, which also name its row.
type SealedColumn struct {
	Table, Column string
	Place         []string
}

// SealedColumns are this package's.
func SealedColumns() []SealedColumn {
	return []SealedColumn{
		{Table: "connection_secret", Column: "sealed", Place: []string{"tenant_id::text", "connection_id::text", "name"}},
		{Table: "connection_token", Column: "sealed", Place: []string{"tenant_id::text", "connection_id::text", "'token'"}},
		{Table: "connection_token", Column: "sealed_refresh", Place: []string{"tenant_id::text", "connection_id::text", "'refresh_token'"}},
	}
}

// Rotator brings every sealed secret under the key that seals now.
type Rotator struct {
	DB      *db.DB
	Vault   *Vault
	Tenants *tenant.Service
	Columns []SealedColumn
}

// Rotation is what a rotation did.
type Rotation struct {
	Key       string `json:"key" doc:"Names the key that seals now"`
	Secrets   int    `json:"secrets" doc:"How many secrets there are"`
	Rewrapped int    `json:"rewrapped" doc:"How many of them were under another key"`
}

// Rotate rewraps what isn't under the first key of the key file, after it has put a
// new key there if that is asked for. Each tenant's secrets change in one
// transaction, and are readable at all times: a rotation that breaks off is simply
// run again. Errors: *actor.Refusal.
func (r *Rotator) Rotate(ctx context.Context, a actor.Actor, withNewKey bool) (Rotation, error) {
	if err := a.Require(actor.Operate); err != nil {
		return Rotation{}, err
	}
	tenants, err := r.Tenants.List(ctx, a)
	if err != nil {
		return Rotation{}, err
	}
	if withNewKey {
		err = r.Vault.AddKey()
	} else {
		err = r.Vault.reload(false)
	}
	if err != nil {
		return Rotation{}, err
	}
	done := Rotation{Key: r.Vault.KeyID()}
	for _, t := range tenants {
		var of Rotation
		err := r.DB.Tenant(ctx, actor.ForSystem(t.ID, "secrets"), func(ctx context.Context, tx pgx.Tx) error {
			of = Rotation{}
			for _, c := range r.Columns {
				if err := r.rewrap(ctx, tx, c, &of); err != nil {
					return fmt.Errorf("%s.%s: %w", c.Table, c.Column, err)
				}
			}
			return nil
		})
		if err != nil {
			return done, fmt.Errorf("rotate the secrets of tenant %s: %w", t.Slug, err)
		}
		done.Secrets, done.Rewrapped = done.Secrets+of.Secrets, done.Rewrapped+of.Rewrapped
	}
	return done, nil
}

// rewrap does one column of one tenant. A secret that changes meanwhile is sealed
// by the new key already.
func (r *Rotator) rewrap(ctx context.Context, tx pgx.Tx, c SealedColumn, done *Rotation) error {
	place := "ARRAY[" + strings.Join(c.Place, ", ") + "]::text[]"
	type secret struct {
		Place  []string
		Sealed []byte
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s AS place, %s AS sealed FROM %s WHERE %[2]s IS NOT NULL`, place, c.Column, c.Table))
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[secret])
	if err != nil {
		return err
	}
	done.Secrets += len(found)
	for _, s := range found {
		sealed, err := r.Vault.Rewrap(s.Sealed, s.Place...)
		if err != nil {
			return err
		}
		if sealed == nil {
			continue
		}
		tag, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s = $2 AND %[2]s = $3`, c.Table, c.Column, place), sealed, s.Place, s.Sealed)
		if err != nil {
			return err
		}
		done.Rewrapped += int(tag.RowsAffected())
	}
	return nil
}
