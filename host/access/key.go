package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

const (
	// keyPrefix makes a key recognisable to people and to secret scanners.
	keyPrefix = "ck_"
	// usedEvery is how exactly last use is kept: a write per request would cost
	// more than the request.
	usedEvery = time.Minute
)

// KeyID identifies an API key.
type KeyID struct{ uuid.UUID }

// ParseKeyID reads what String writes. Errors: *NotFoundError, since no key has
// such an id.
func ParseKeyID(s string) (KeyID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return KeyID{}, &NotFoundError{What: "API key " + s}
	}
	return KeyID{id}, nil
}

// Key is an API key of a tenant, without its secret. UserID is set for a key
// that acts for a person.
type Key struct {
	ID         KeyID         `json:"id"`
	Name       string        `json:"name"`
	Scopes     []actor.Scope `json:"scopes"`
	UserID     uuid.NullUUID `json:"user_id"`
	CreatedBy  string        `json:"created_by"`
	CreatedAt  time.Time     `json:"created_at"`
	LastUsedAt *time.Time    `json:"last_used_at"`
	RevokedAt  *time.Time    `json:"revoked_at"`
}

// NewKey is what a key is made of. With ForMe the key acts for the person who
// makes it, within its scopes and never beyond the person's role.
type NewKey struct {
	Name   string
	Scopes []actor.Scope
	ForMe  bool
}

// Scopes are all scopes, in the order people read.
func Scopes() []actor.Scope {
	return []actor.Scope{actor.ScopeRead, actor.ScopeWrite, actor.ScopeExport, actor.ScopeAdmin}
}

// CreateKey makes a key and answers its secret, which can't be shown again.
// Errors: *actor.Refusal, *InvalidError.
func (s *Service) CreateKey(ctx context.Context, a actor.Actor, n NewKey) (k Key, secret string, err error) {
	if err := a.Require(actor.Administer); err != nil {
		return Key{}, "", err
	}
	k = Key{ID: KeyID{uuid.Must(uuid.NewV7())}, Name: strings.TrimSpace(n.Name), Scopes: n.Scopes, CreatedBy: a.Name, CreatedAt: s.now()}
	if err := k.validate(); err != nil {
		return Key{}, "", err
	}
	if n.ForMe {
		if a.Kind != actor.Person {
			return Key{}, "", &InvalidError{Field: "for_me", Rule: "needs a person", WayOut: "sign in to make a key that acts for you"}
		}
		if err := k.UserID.UnmarshalText([]byte(a.ID)); err != nil {
			return Key{}, "", fmt.Errorf("the actor's id: %w", err)
		}
	}
	secret = keyPrefix + rand.Text()
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO api_key (id, tenant_id, name, digest, scopes, user_id, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			k.ID, a.Tenant, k.Name, digest(secret), k.Scopes, k.UserID, k.CreatedBy, k.CreatedAt)
		return err
	})
	if err != nil {
		return Key{}, "", fmt.Errorf("store API key: %w", err)
	}
	return k, secret, nil
}

// ListKeys answers the tenant's keys, newest first, revoked ones too. Errors:
// *actor.Refusal.
func (s *Service) ListKeys(ctx context.Context, a actor.Actor) ([]Key, error) {
	if err := a.Require(actor.Administer); err != nil {
		return nil, err
	}
	var found []Key
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, name, scopes, user_id, created_by, created_at, last_used_at, revoked_at
 FROM api_key WHERE tenant_id = $1 ORDER BY created_at DESC, id DESC`, a.Tenant)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Key])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	return found, nil
}

// RevokeKey ends a key at once; revoking again changes nothing. Errors:
// *actor.Refusal, *NotFoundError.
func (s *Service) RevokeKey(ctx context.Context, a actor.Actor, id KeyID) error {
	if err := a.Require(actor.Administer); err != nil {
		return err
	}
	return s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE id = $1 AND tenant_id = $2`, id, a.Tenant, s.now())
		if err != nil {
			return fmt.Errorf("revoke API key %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return &NotFoundError{What: "API key " + id.String()}
		}
		return nil
	})
}

func (k Key) validate() error {
	if n := utf8.RuneCountInString(k.Name); n == 0 || n > 100 {
		return &InvalidError{Field: "name", Rule: "is empty or longer than 100 characters", WayOut: "name the key after the program that will use it"}
	}
	if len(k.Scopes) == 0 {
		return &InvalidError{Field: "scopes", Rule: "are empty", WayOut: "choose from read, write, export and admin"}
	}
	for i, scope := range k.Scopes {
		if !slices.Contains(Scopes(), scope) {
			return &InvalidError{Field: "scopes", Rule: fmt.Sprintf("hold %q, which is none", scope), WayOut: "choose from read, write, export and admin"}
		}
		if slices.Contains(k.Scopes[:i], scope) {
			return &InvalidError{Field: "scopes", Rule: fmt.Sprintf("hold %q twice", scope), WayOut: "name each scope once"}
		}
	}
	return nil
}

func (s *Service) byKey(ctx context.Context, secret string) (actor.Actor, error) {
	unknown := &Unauthenticated{Reason: "this API key is unknown or was revoked: make a new one under Settings, API keys"}
	if !strings.HasPrefix(secret, keyPrefix) || len(secret) > 100 {
		return actor.Actor{}, unknown
	}
	var row credential
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT k.tenant_id, k.user_id, u.name AS user_name, u.role, u.disabled_at IS NOT NULL AS disabled,
  t.status = 'suspended' AS suspended, k.id::text AS key_id, k.name AS key_name, k.scopes, k.last_used_at
 FROM api_key k JOIN tenant t ON t.id = k.tenant_id LEFT JOIN app_user u ON u.id = k.user_id
 WHERE k.digest = $1 AND k.revoked_at IS NULL AND k.scopes <> '{}'`, digest(secret))
		if err != nil {
			return err
		}
		row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[credential])
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return actor.Actor{}, unknown
	}
	if err != nil {
		return actor.Actor{}, fmt.Errorf("read the API key: %w", err)
	}
	if err := row.enter(); err != nil {
		return actor.Actor{}, err
	}
	s.noteUse(ctx, row)
	return row.program(), nil
}

// noteUse is for people who wonder whether a key is still needed; a failure must
// not fail the request.
func (s *Service) noteUse(ctx context.Context, c credential) {
	now := s.now()
	if c.LastUsedAt != nil && now.Sub(*c.LastUsedAt) < usedEvery {
		return
	}
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE api_key SET last_used_at = $2 WHERE id = $1`, c.KeyID, now)
		return err
	})
	if err != nil {
		s.log.WarnContext(ctx, "note use of an API key", "key", c.KeyID, "error", err)
	}
}

// program is the actor of a key: automation, or, for a bound key, its person
// within the key's scopes (§1.21).
func (c credential) program() actor.Actor {
	a := actor.Actor{
		Tenant: actor.TenantID{UUID: c.TenantID.UUID}, Kind: actor.Automation,
		ID: c.KeyID, Name: "key " + c.KeyName, Scopes: c.Scopes,
	}
	if c.UserID.Valid {
		a.Kind, a.ID, a.Role = actor.Person, c.UserID.UUID.String(), *c.Role
		a.Name = *c.UserName + " (" + a.Name + ")"
	}
	return a
}
