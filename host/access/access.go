package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

// Options are what a Service needs beside the database.
type Options struct {
	Logger *slog.Logger
	// Secure is set when people reach the pages over https: the session cookie
	// then never travels in clear. Set without https, nobody can sign in.
	Secure bool
	// Hash is the cost of password hashes; nil means the second recommended
	// option of RFC 9106 §4. Cheaper ones are for tests.
	Hash *argon2id.Params
}

// Service keeps users, sessions, login links and API keys. Safe for concurrent
// use.
type Service struct {
	db        *db.DB
	now       func() time.Time
	log       *slog.Logger
	sessions  *scs.SessionManager
	passwords *hasher
	byEmail   *limiter
	byAddress *limiter
}

// New makes the service. It computes one password hash, so it takes a moment.
func New(d *db.DB, now func() time.Time, o Options) (*Service, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	passwords, err := newHasher(o.Hash)
	if err != nil {
		return nil, err
	}
	return &Service{
		db: d, now: now, log: log, passwords: passwords,
		sessions: newSessions(d, now, log, o.Secure),
		// Five tries for one account, then one in 30 s; thirty from one address,
		// then one a second: an office or a proxy is one address.
		byEmail:   newLimiter(30*time.Second, 5),
		byAddress: newLimiter(time.Second, 30),
	}, nil
}

// Sessions makes the session of a request's cookie known to Authenticate, SignIn
// and SignOut, which only work below it, and writes the cookie.
func (s *Service) Sessions(next http.Handler) http.Handler { return s.sessions.LoadAndSave(next) }

// Authenticate tells who sends a request: the key of an Authorization header if
// there is one, else the person of the session. Errors: *Unauthenticated,
// *Denied; anything else is the database's.
func (s *Service) Authenticate(r *http.Request) (actor.Actor, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return actor.Actor{}, &Unauthenticated{Reason: "the Authorization header is no API key: send `Authorization: Bearer ck_…`"}
		}
		return s.byKey(r.Context(), strings.TrimSpace(secret))
	}
	return s.bySession(r.Context())
}

func (s *Service) bySession(ctx context.Context) (actor.Actor, error) {
	anonymous := &Unauthenticated{Reason: "sign in, or send an API key: `Authorization: Bearer ck_…`"}
	text := s.sessions.GetString(ctx, userKey)
	if text == "" {
		return actor.Actor{}, anonymous
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return actor.Actor{}, anonymous
	}
	var row credential
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT u.tenant_id, u.id AS user_id, u.name AS user_name, u.role, u.disabled_at IS NOT NULL AS disabled,
  coalesce(t.status = 'suspended', false) AS suspended, '' AS key_id, '' AS key_name, '{}'::text[] AS scopes, NULL::timestamptz AS last_used_at
 FROM app_user u LEFT JOIN tenant t ON t.id = u.tenant_id WHERE u.id = $1`, id)
		if err != nil {
			return err
		}
		row, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[credential])
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return actor.Actor{}, anonymous
	}
	if err != nil {
		return actor.Actor{}, fmt.Errorf("read the session's user: %w", err)
	}
	if err := row.enter(); err != nil {
		return actor.Actor{}, err
	}
	return row.person(), nil
}

// credential is what a session or a key leads to.
type credential struct {
	TenantID   uuid.NullUUID
	UserID     uuid.NullUUID
	UserName   *string
	Role       *actor.Role
	Disabled   bool
	Suspended  bool
	KeyID      string
	KeyName    string
	Scopes     []actor.Scope
	LastUsedAt *time.Time
}

func (c credential) enter() error {
	switch {
	case c.Disabled:
		return &Denied{Reason: "this account is disabled: ask an admin of your tenant to enable it"}
	case c.Suspended:
		return &Denied{Reason: "this tenant is suspended: ask the operator of this installation"}
	}
	return nil
}

func (c credential) person() actor.Actor {
	a := actor.Actor{Kind: actor.Person, ID: c.UserID.UUID.String(), Name: *c.UserName, Role: *c.Role}
	if *c.Role == RoleOperator {
		a.Kind, a.Role = actor.Operator, ""
		return a
	}
	a.Tenant = actor.TenantID{UUID: c.TenantID.UUID}
	return a
}
