package access

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/match"
)

// UserID identifies a user.
type UserID struct{ uuid.UUID }

// RoleOperator is the role of a user above tenants (R210); the roles inside a
// tenant are actor's.
const RoleOperator actor.Role = "operator"

// User is a person who may sign in. An operator belongs to no tenant.
type User struct {
	ID          UserID        `json:"id"`
	TenantID    uuid.NullUUID `json:"-"`
	Email       string        `json:"email"`
	Name        string        `json:"name"`
	Role        actor.Role    `json:"role"`
	HasPassword bool          `json:"has_password"`
	DisabledAt  *time.Time    `json:"disabled_at"`
	CreatedAt   time.Time     `json:"created_at"`
}

// NewUser is what a user is made of. Name defaults to the local part of Email.
// Without a Password the person enters by a login link.
type NewUser struct {
	Email, Name string
	Role        actor.Role
	Password    string
}

// CreateUser makes a user of the actor's tenant, for those who administer it, or
// an operator, for operators. Errors: *actor.Refusal, *InvalidError.
func (s *Service) CreateUser(ctx context.Context, a actor.Actor, n NewUser) (User, error) {
	need := actor.Administer
	if n.Role == RoleOperator {
		need = actor.Operate
	}
	if err := a.Require(need); err != nil {
		return User{}, err
	}
	u, err := s.newUser(a.Tenant, n)
	if err != nil {
		return User{}, err
	}
	hash := ""
	if n.Password != "" {
		if err := checkPassword(n.Password, u.Email); err != nil {
			return User{}, err
		}
		if hash, err = s.passwords.hash(ctx, n.Password); err != nil {
			return User{}, err
		}
		u.HasPassword = true
	}
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error { return insertUser(ctx, tx, u, hash) })
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// ListUsers answers the users of the actor's tenant, or the operators, by email.
// Errors: *actor.Refusal.
func (s *Service) ListUsers(ctx context.Context, a actor.Actor) ([]User, error) {
	if err := requireUsers(a); err != nil {
		return nil, err
	}
	var found []User
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = queryUsers(ctx, tx, `WHERE tenant_id IS NOT DISTINCT FROM $1 ORDER BY email`, tenantOf(a))
		return err
	})
	return found, err
}

// SetDisabled keeps a user out, at once and everywhere, or lets them in again.
// Nobody disables themselves, so an admin always remains. Errors:
// *actor.Refusal, *InvalidError, *NotFoundError.
func (s *Service) SetDisabled(ctx context.Context, a actor.Actor, id UserID, disabled bool) error {
	if err := requireUsers(a); err != nil {
		return err
	}
	if disabled && a.ID == id.String() {
		return &InvalidError{Field: "user", Rule: "is you", WayOut: "ask another admin"}
	}
	var at *time.Time
	if disabled {
		now := s.now()
		at = &now
	}
	return s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE app_user SET disabled_at = $3 WHERE id = $1 AND tenant_id IS NOT DISTINCT FROM $2`, id, tenantOf(a), at)
		if err != nil {
			return fmt.Errorf("change user %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return &NotFoundError{What: "user " + id.String()}
		}
		return endSessions(ctx, tx, id)
	})
}

func (s *Service) newUser(t actor.TenantID, n NewUser) (User, error) {
	email, ok := match.Email(n.Email)
	if !ok {
		return User{}, &InvalidError{Field: "email", Rule: "is no email address", WayOut: "write it like ann@example.com"}
	}
	name := strings.TrimSpace(n.Name)
	if name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	if utf8.RuneCountInString(name) > 200 {
		return User{}, &InvalidError{Field: "name", Rule: "is longer than 200 characters", WayOut: "shorten it"}
	}
	u := User{ID: UserID{uuid.Must(uuid.NewV7())}, Email: email, Name: name, Role: n.Role, CreatedAt: s.now()}
	switch n.Role {
	case RoleOperator:
	case actor.Admin, actor.Member, actor.Viewer:
		u.TenantID = uuid.NullUUID{UUID: t.UUID, Valid: true}
	default:
		return User{}, &InvalidError{Field: "role", Rule: fmt.Sprintf("%q is no role", n.Role), WayOut: "use admin, member or viewer"}
	}
	return u, nil
}

// requireUsers asks for the right to see and change users: an admin's in the
// tenant, an operator's above.
func requireUsers(a actor.Actor) error {
	if a.Kind == actor.Operator {
		return a.Require(actor.Operate)
	}
	return a.Require(actor.Administer)
}

func tenantOf(a actor.Actor) uuid.NullUUID {
	return uuid.NullUUID{UUID: a.Tenant.UUID, Valid: a.Kind != actor.Operator}
}

func insertUser(ctx context.Context, tx pgx.Tx, u User, hash string) error {
	_, err := tx.Exec(ctx, `INSERT INTO app_user (id, tenant_id, email, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		u.ID, u.TenantID, u.Email, u.Name, u.Role, hash, u.CreatedAt)
	if _, taken := db.UniqueViolation(err); taken {
		return &InvalidError{Field: "email", Rule: "already has an account here", WayOut: "use another address"}
	}
	if err != nil {
		return fmt.Errorf("create user: %w", err)
	}
	return nil
}

func queryUsers(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]User, error) {
	rows, err := tx.Query(ctx, `SELECT id, tenant_id, email, name, role, password_hash <> '' AS has_password, disabled_at, created_at FROM app_user `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[User])
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return found, nil
}
