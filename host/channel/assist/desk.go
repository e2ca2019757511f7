package assist

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/connection"
)

// Vault seals secrets for one place and opens them there.
type Vault interface {
	Seal(secret string, place ...string) []byte
	Open(sealed []byte, place ...string) (string, error)
}

// Desk keeps each tenant's key and counts its calls. Its methods may be called
// concurrently.
type Desk struct {
	DB    *db.DB
	Vault Vault
	Now   func() time.Time
}

// keyName is the key's name among a tenant's secrets.
const keyName = "assistant_key"

// SealedColumns are where this package's secrets lie, for a rotation.
func SealedColumns() []connection.SealedColumn {
	return []connection.SealedColumn{{Table: "tenant_secret", Column: "sealed", Place: []string{"tenant_id::text", "name"}}}
}

// maxKey bounds a key, in bytes.
const maxKey = 1000

// SetKey stores the endpoint's key; it can't be read back. Errors:
// *actor.Refusal, *tenant.InvalidError.
func (d *Desk) SetKey(ctx context.Context, a actor.Actor, key string) error {
	if err := event.Require(ctx, d.DB, a, actor.Administer, d.Now()); err != nil {
		return err
	}
	key = strings.TrimSpace(key)
	if key == "" || len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return &tenant.InvalidError{Field: "key", Rule: fmt.Sprintf("is empty, longer than %d bytes, or holds more than visible ASCII", maxKey), WayOut: "give the key as the endpoint's maker shows it"}
	}
	return d.change(ctx, a, "endpoint key", `INSERT INTO tenant_secret (tenant_id, name, sealed) VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, name) DO UPDATE SET sealed = excluded.sealed`, a.Tenant, keyName, d.Vault.Seal(key, a.Tenant.String(), keyName))
}

// DropKey forgets the key. Errors: *actor.Refusal.
func (d *Desk) DropKey(ctx context.Context, a actor.Actor) error {
	if err := event.Require(ctx, d.DB, a, actor.Administer, d.Now()); err != nil {
		return err
	}
	return d.change(ctx, a, "endpoint key dropped", `DELETE FROM tenant_secret WHERE tenant_id = $1 AND name = $2`, a.Tenant, keyName)
}

func (d *Desk) change(ctx context.Context, a actor.Actor, what, sql string, args ...any) error {
	return d.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return fmt.Errorf("change the endpoint's key: %w", err)
		}
		return event.Append(ctx, tx, a, event.Event{Kind: event.Configured, Payload: map[string]any{"settings": []string{what}}, At: d.Now()})
	})
}

// Standing is what an admin may know of the endpoint's use.
type Standing struct {
	KeySet     bool `json:"key_set" doc:"Whether a key is stored; it can't be read back"`
	CallsToday int  `json:"calls_today" doc:"Calls of this UTC day, out of calls_per_day"`
}

// Standing tells whether there is a key, and today's calls. Errors:
// *actor.Refusal.
func (d *Desk) Standing(ctx context.Context, a actor.Actor) (Standing, error) {
	if err := event.Require(ctx, d.DB, a, actor.Administer, d.Now()); err != nil {
		return Standing{}, err
	}
	var s Standing
	err := d.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM tenant_secret WHERE name = $1),
  coalesce((SELECT calls FROM assistant_usage WHERE day = $2), 0)`, keyName, d.today()).Scan(&s.KeySet, &s.CallsToday)
	})
	if err != nil {
		return s, fmt.Errorf("read the endpoint's standing: %w", err)
	}
	return s, nil
}

// spend takes one call out of the day's budget and answers the key, which is
// empty for an endpoint that needs none. ok is false when the budget is spent.
func (d *Desk) spend(ctx context.Context, t tenant.Tenant) (key string, ok bool, err error) {
	var sealed []byte
	err = d.DB.Tenant(ctx, actor.ForSystem(t.ID, "assistant"), func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO assistant_usage AS u (tenant_id, day, calls) VALUES ($1, $2, 1)
ON CONFLICT (tenant_id, day) DO UPDATE SET calls = u.calls + 1 WHERE u.calls < $3`, t.ID, d.today(), t.Settings.Endpoint.Budget())
		if ok = err == nil && tag.RowsAffected() == 1; err != nil || !ok {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT sealed FROM tenant_secret WHERE name = $1`, keyName).Scan(&sealed)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil || !ok || sealed == nil {
		return "", ok, err
	}
	key, err = d.Vault.Open(sealed, t.ID.String(), keyName)
	return key, true, err
}

func (d *Desk) today() string { return d.Now().UTC().Format(time.DateOnly) }
