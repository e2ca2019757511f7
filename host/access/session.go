package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/db"
)

const (
	// sessionLife is a working day: longer leaves a forgotten browser signed in,
	// shorter interrupts people at work.
	sessionLife = 12 * time.Hour
	// userKey is the session's member that holds the user's id.
	userKey = "user"
)

// newSessions is scs with our table. The cookie is out of reach of scripts and
// of other sites' posts; the table holds only a digest of it, so a leaked
// database opens no session.
func newSessions(d *db.DB, now func() time.Time, log *slog.Logger, secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store = &sessionStore{db: d, now: now}
	m.HashTokenInStore = true
	m.Lifetime = sessionLife
	m.Cookie.Name = "clientele_session"
	if secure {
		// The prefix makes browsers refuse the cookie from another host or path
		// (RFC 6265bis §4.1.3.2).
		m.Cookie.Name = "__Host-clientele_session"
	}
	m.Cookie.HttpOnly = true
	m.Cookie.Secure = secure
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.Cookie.Persist = false
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		log.ErrorContext(r.Context(), "session store", "error", err)
		http.Error(w, "The session could not be read. Please try again.", http.StatusInternalServerError)
	}
	return m
}

// sessionStore is scs's store on the table session. The user's id is kept beside
// the data, so that a person's sessions can be ended together.
type sessionStore struct {
	db  *db.DB
	now func() time.Time
}

var _ scs.CtxStore = (*sessionStore)(nil)

// FindCtx reads a session that has not expired.
func (s *sessionStore) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT data FROM session WHERE token = $1 AND expires_at > $2`, token, s.now()).Scan(&data)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read session: %w", err)
	}
	return data, true, nil
}

// CommitCtx writes a session, and sweeps expired ones away: sign-ins are rare
// enough for it, and nothing else has to run.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, values, err := scs.GobCodec{}.Decode(data)
	if err != nil {
		return fmt.Errorf("decode session: %w", err)
	}
	var user uuid.NullUUID
	if text, ok := values[userKey].(string); ok {
		if err := user.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("session's user: %w", err)
		}
	}
	err = s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO session (token, data, expires_at, user_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at, user_id = excluded.user_id`,
			token, data, expiry, user); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM session WHERE expires_at <= $1`, s.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("write session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session.
func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	err := s.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM session WHERE token = $1`, token)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// The methods without a context belong to scs.Store; scs calls the others.

// Find is FindCtx without a deadline of the caller's.
func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a deadline of the caller's.
func (s *sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a deadline of the caller's.
func (s *sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// endSessions signs a person out everywhere.
func endSessions(ctx context.Context, tx pgx.Tx, user UserID) error {
	if _, err := tx.Exec(ctx, `DELETE FROM session WHERE user_id = $1`, user); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}
