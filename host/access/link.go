package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/match"
)

// linkLife is how long a login link can be used: it has to survive a weekend in
// somebody's mailbox, and not much more.
const linkLife = 72 * time.Hour

// LoginLink lets one person set a password and sign in, once. Token is shown
// only here; the database keeps its digest.
type LoginLink struct {
	Token     string
	Email     string
	ExpiresAt time.Time
}

// Path is where the link leads on the host's own pages.
func (l LoginLink) Path() string { return LinkPath + l.Token }

// LinkPath is the path of the page that takes login links, less the token.
const LinkPath = "/welcome/"

// CreateLoginLink makes a one-time link for a person of a tenant. An admin makes
// one for any user of the own tenant. An operator makes the tenant's first admin
// with it (R210), or lets an admin who lost the password in again, but can't add
// people to a tenant that has an admin: client data is none of an operator's
// business. Errors: *actor.Refusal, *InvalidError, *NotFoundError.
func (s *Service) CreateLoginLink(ctx context.Context, a actor.Actor, tenantSlug, email string) (LoginLink, error) {
	if err := requireUsers(a); err != nil {
		return LoginLink{}, err
	}
	normal, ok := match.Email(email)
	if !ok {
		return LoginLink{}, &InvalidError{Field: "email", Rule: "is no email address", WayOut: "write it like ann@example.com"}
	}
	link := LoginLink{Token: rand.Text(), Email: normal, ExpiresAt: s.now().Add(linkLife)}
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tenant, err := findTenant(ctx, tx, a, tenantSlug)
		if err != nil {
			return err
		}
		user, err := s.linkedUser(ctx, tx, a, tenant, normal)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO login_link (digest, user_id, expires_at) VALUES ($1, $2, $3)`, digest(link.Token), user, link.ExpiresAt)
		if err != nil {
			return fmt.Errorf("store login link: %w", err)
		}
		return nil
	})
	if err != nil {
		return LoginLink{}, err
	}
	return link, nil
}

// CheckLoginLink answers whose link it is, without using it. Errors:
// *NotFoundError for one that is unknown, used or expired.
func (s *Service) CheckLoginLink(ctx context.Context, token string) (User, error) {
	var found []User
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = queryUsers(ctx, tx, `WHERE id = (SELECT user_id FROM login_link WHERE digest = $1 AND used_at IS NULL AND expires_at > $2)`,
			digest(token), s.now())
		return err
	})
	if err != nil {
		return User{}, err
	}
	if len(found) == 0 {
		return User{}, errLinkGone()
	}
	return found[0], nil
}

// UseLoginLink sets the person's password, ends their other sessions, uses the
// link up and signs in. A refused password leaves the link usable. The request
// must have come through Sessions. Errors: *NotFoundError, *InvalidError,
// *Denied, *TooManyError.
func (s *Service) UseLoginLink(ctx context.Context, token, password, address string) error {
	if wait, ok := s.byAddress.take(address, s.now()); !ok {
		return &TooManyError{RetryAfter: wait}
	}
	user, err := s.CheckLoginLink(ctx, token)
	if err != nil {
		return err
	}
	if err := checkPassword(password, user.Email); err != nil {
		return err
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE login_link SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2`, digest(token), s.now())
		if err != nil {
			return fmt.Errorf("use login link: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errLinkGone() // somebody else was faster
		}
		if _, err := tx.Exec(ctx, `UPDATE app_user SET password_hash = $2 WHERE id = $1`, user.ID, hash); err != nil {
			return fmt.Errorf("set password: %w", err)
		}
		return endSessions(ctx, tx, user.ID)
	})
	if err != nil {
		return err
	}
	_, row, _, err := s.findByEmail(ctx, user.Email)
	if err != nil {
		return err
	}
	if err := row.enter(); err != nil {
		return err
	}
	return s.startSession(ctx, user.ID)
}

// linkedUser finds the person a link is for, or makes a tenant's first admin.
func (s *Service) linkedUser(ctx context.Context, tx pgx.Tx, a actor.Actor, tenant uuid.UUID, email string) (UserID, error) {
	users, err := queryUsers(ctx, tx, `WHERE tenant_id = $1`, tenant)
	if err != nil {
		return UserID{}, err
	}
	admins := 0
	for _, u := range users {
		if u.Email == email && (u.Role == actor.Admin || a.Kind != actor.Operator) {
			return u.ID, nil
		}
		if u.Role == actor.Admin && u.HasPassword {
			admins++
		}
	}
	if a.Kind != actor.Operator {
		return UserID{}, &NotFoundError{What: "a user with this address"}
	}
	if admins > 0 {
		return UserID{}, &InvalidError{Field: "email", Rule: "is no admin of the tenant, which already has one", WayOut: "ask that admin to add the person"}
	}
	first, err := s.newUser(actor.TenantID{UUID: tenant}, NewUser{Email: email, Role: actor.Admin})
	if err != nil {
		return UserID{}, err
	}
	return first.ID, insertUser(ctx, tx, first, "")
}

// findTenant answers the tenant of a slug; to an actor inside a tenant no other
// exists.
func findTenant(ctx context.Context, tx pgx.Tx, a actor.Actor, slug string) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM tenant WHERE slug = $1 AND ($2::uuid IS NULL OR id = $2)`, slug, tenantOf(a)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, &NotFoundError{What: fmt.Sprintf("tenant %q", slug)}
	}
	if err != nil {
		return id, fmt.Errorf("find tenant %q: %w", slug, err)
	}
	return id, nil
}

func errLinkGone() error { return &NotFoundError{What: "this login link was used, has expired or"} }

// digest is what the database keeps of a secret. Our secrets are 128 random
// bits and more, so no salt and no slow hash is needed.
func digest(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
