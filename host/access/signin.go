package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/match"
)

// Attempt is what a person typed to sign in, and from which network address.
type Attempt struct{ Email, Password, Address string }

// SignIn checks the password and starts a session, with a new token so that one
// planted before is worth nothing. The request must have come through Sessions.
// Errors: *Unauthenticated (the same for an unknown address and a wrong
// password), *Denied, *TooManyError.
func (s *Service) SignIn(ctx context.Context, try Attempt) error {
	email, ok := match.Email(try.Email)
	if !ok {
		email = strings.ToLower(try.Email)
	}
	if err := s.limit(email, try.Address); err != nil {
		return err
	}
	id, row, hash, err := s.findByEmail(ctx, email)
	if err != nil {
		return err
	}
	right, err := s.passwords.matches(ctx, try.Password, hash)
	if err != nil {
		return err
	}
	if !right {
		return &Unauthenticated{Reason: "email or password is wrong"}
	}
	if err := row.enter(); err != nil {
		return err
	}
	s.byEmail.forgive(email)
	return s.startSession(ctx, id)
}

// SignOut ends the request's session.
func (s *Service) SignOut(ctx context.Context) error {
	if err := s.sessions.Destroy(ctx); err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}

func (s *Service) startSession(ctx context.Context, id UserID) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("start session: %w", err)
	}
	s.sessions.Put(ctx, userKey, id.String())
	return nil
}

// limit is asked before any hash is computed.
func (s *Service) limit(email, address string) error {
	now := s.now()
	if wait, ok := s.byAddress.take(address, now); !ok {
		return &TooManyError{RetryAfter: wait}
	}
	if wait, ok := s.byEmail.take(email, now); !ok {
		return &TooManyError{RetryAfter: wait}
	}
	return nil
}

// findByEmail answers an empty hash for an unknown address.
func (s *Service) findByEmail(ctx context.Context, email string) (id UserID, c credential, hash string, err error) {
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT u.id, u.password_hash, u.disabled_at IS NOT NULL, coalesce(t.status = 'suspended', false)
 FROM app_user u LEFT JOIN tenant t ON t.id = u.tenant_id WHERE u.email = $1`, email).Scan(&id, &hash, &c.Disabled, &c.Suspended)
	})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return id, c, "", fmt.Errorf("find the account: %w", err)
	}
	return id, c, hash, nil
}
