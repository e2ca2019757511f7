package connection

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/sdk"
)

// CallbackPath is where every CRM sends people back to: one path for all tenants
// and adapters, so that one address is registered with each CRM.
const CallbackPath = "/oauth/callback"

// stateLife is how long a person may take to sign in to the CRM.
const stateLife = 10 * time.Minute

// SignIn is a sign-in under way.
type SignIn struct {
	URL       string    `json:"url" doc:"Open it in the browser in which you are signed in here"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Answer is what the CRM sends back with the person.
type Answer struct{ State, Code, Error, Description string }

// Callback is the address to register with a CRM. Error: *InvalidError where the
// host doesn't know its own address.
func (s *Service) Callback() (string, error) {
	if s.PublicURL == "" {
		return "", &InvalidError{
			Field: "server.public_url", Rule: "is not set, so a CRM can't send people back here",
			WayOut: "the operator sets it in the host's configuration to the address that people use, such as https://clientele.example.com",
		}
	}
	return strings.TrimSuffix(s.PublicURL, "/") + CallbackPath, nil
}

// StartSignIn begins the authorization-code flow with PKCE (RFC 6749 §4.1, RFC
// 7636) and answers where the person has to go. Errors: *actor.Refusal,
// *InvalidError, *NotFoundError.
func (s *Service) StartSignIn(ctx context.Context, a actor.Actor, id ID) (SignIn, error) {
	if err := a.Require(actor.Administer); err != nil {
		return SignIn{}, err
	}
	c, err := s.read(ctx, a, id)
	if err != nil {
		return SignIn{}, err
	}
	grant, m, _, err := s.grant(ctx, a, c)
	if err != nil {
		return SignIn{}, err
	}
	state, verifier := rand.Text()+rand.Text(), oauth2.GenerateVerifier()
	digest := sha256.Sum256([]byte(state))
	begun := SignIn{ExpiresAt: s.Now().Add(stateLife)}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM oauth_state WHERE expires_at < $1`, s.Now()); err != nil {
			return err
		}
		user := ""
		if a.Kind == actor.Person {
			user = a.ID
		}
		_, err := tx.Exec(ctx, `INSERT INTO oauth_state (digest, tenant_id, connection_id, user_id, sealed, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			digest[:], c.TenantID, c.ID, user, s.Vault.Seal(verifier, c.place("verifier")...), begun.ExpiresAt)
		return err
	})
	if err != nil {
		return SignIn{}, fmt.Errorf("begin the sign-in of connection %s: %w", c.Name, err)
	}
	var options []oauth2.AuthCodeOption
	if m.PKCE {
		options = append(options, oauth2.S256ChallengeOption(verifier))
	}
	begun.URL = grant.AuthCodeURL(state, options...)
	return begun, nil
}

// FinishSignIn takes the CRM's answer, which works once, and lets the connection
// work. Only who began it may end it, or, where a program did, any admin of the
// tenant: else a stranger's account could be put under somebody's connection.
// Errors: *actor.Refusal, *InvalidError.
func (s *Service) FinishSignIn(ctx context.Context, a actor.Actor, answer Answer) (*Connection, error) {
	if err := a.Require(actor.Administer); err != nil {
		return nil, err
	}
	c, verifier, err := s.redeem(ctx, a, answer.State)
	if err != nil {
		return nil, err
	}
	if answer.Error != "" || answer.Code == "" {
		return c, &InvalidError{Field: "sign-in", Rule: strings.TrimSpace("was ended by the CRM: " + answer.Error + " " + answer.Description), WayOut: "start it again, and agree there"}
	}
	grant, m, e, err := s.grant(ctx, a, c)
	if err != nil {
		return c, err
	}
	var options []oauth2.AuthCodeOption
	if m.PKCE {
		options = append(options, oauth2.VerifierOption(verifier))
	}
	// The code works once: a visitor who goes away doesn't end it.
	asking, cancel := context.WithTimeout(context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, tokenClient()), tokenTimeout)
	defer cancel()
	token, err := grant.Exchange(asking, answer.Code, options...)
	if err != nil {
		return c, &InvalidError{Field: "sign-in", Rule: "was not completed: " + tokenError(err).Error(), WayOut: "start it again"}
	}
	if token.RefreshToken == "" {
		return c, &InvalidError{Field: "sign-in", Rule: "gave no refresh token, so it would soon end", WayOut: "let the CRM's app ask for offline access (refresh_token, offline_access), then start again"}
	}
	if err := s.signedIn(asking, a, c, e.host, s.taken(token, m, held{})); err != nil {
		return c, err
	}
	return s.read(ctx, a, c.ID)
}

// grant is the authorization-code grant of a connection.
func (s *Service) grant(ctx context.Context, a actor.Actor, c *Connection) (oauth2.Config, sdk.AuthMethod, endpoint, error) {
	none := sdk.AuthMethod{}
	callback, err := s.Callback()
	if err != nil {
		return oauth2.Config{}, none, endpoint{}, err
	}
	if c.Auth != sdk.AuthAuthorizationCode {
		return oauth2.Config{}, none, endpoint{}, &InvalidError{Field: "auth", Rule: "is " + c.Auth + ", which needs no sign-in", WayOut: "choose authorization_code for the connection"}
	}
	about, err := s.Describe(ctx, c.Adapter)
	if err != nil {
		return oauth2.Config{}, none, endpoint{}, fmt.Errorf("the adapter %s can't be asked: %w", c.Adapter, err)
	}
	e, err := c.endpoint(about)
	if err != nil {
		return oauth2.Config{}, none, e, err
	}
	secrets, err := s.secrets(ctx, a, c)
	if err != nil {
		return oauth2.Config{}, none, e, err
	}
	if secrets[ClientID] == "" {
		return oauth2.Config{}, none, e, &InvalidError{
			Field: "secrets." + ClientID, Rule: "is missing: no application is registered for this CRM",
			WayOut: "register one there with the address " + callback + ", and give its client_id and client_secret",
		}
	}
	m, err := c.method(about)
	return oauth2.Config{ClientID: secrets[ClientID], ClientSecret: secrets[ClientSecret], Endpoint: e.Endpoint, Scopes: e.scopes, RedirectURL: callback}, m, e, err
}

// redeem takes a state away and answers the connection and proof that it stands
// for.
func (s *Service) redeem(ctx context.Context, a actor.Actor, state string) (*Connection, string, error) {
	digest := sha256.Sum256([]byte(state))
	var t actor.TenantID
	var id ID
	var user string
	var sealed []byte
	err := s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `DELETE FROM oauth_state WHERE digest = $1 RETURNING
  CASE WHEN expires_at > $2 THEN tenant_id ELSE '00000000-0000-0000-0000-000000000000' END, connection_id, user_id, sealed`, digest[:], s.Now()).
			Scan(&t, &id, &user, &sealed)
	})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, "", fmt.Errorf("read the sign-in: %w", err)
	}
	if err != nil || t != a.Tenant || (user != "" && user != a.ID) {
		return nil, "", &InvalidError{Field: "sign-in", Rule: fmt.Sprintf("is unknown, used, older than %s, or somebody else's", stateLife), WayOut: "start it again in this browser"}
	}
	c, err := s.read(ctx, a, id)
	if err != nil {
		return nil, "", err
	}
	verifier, err := s.Vault.Open(sealed, c.place("verifier")...)
	return c, verifier, err
}

// signedIn stores the first token of a sign-in, which stands over every renewal
// under way, and lets the connection work.
func (s *Service) signedIn(ctx context.Context, a actor.Actor, c *Connection, host string, got held) error {
	now, err := s.readToken(ctx, a, c)
	if err != nil {
		return err
	}
	for range 3 { // a renewal may come between; there is hardly a second
		if err := s.storeToken(ctx, a, c, now.generation, host, got); err != nil {
			return err
		}
		after, err := s.readToken(ctx, a, c)
		if err != nil {
			return err
		}
		if now = after; after.refresh == got.refresh {
			break
		}
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection SET hold = '', state = CASE state WHEN 'parked' THEN 'active' ELSE state END,
  reason = CASE state WHEN 'parked' THEN '' ELSE reason END, parked_until = NULL WHERE id = $1 AND hold <> 'adapter'`, c.ID)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, a, c, "signed in", "")
	})
	if err != nil {
		return fmt.Errorf("let connection %s work: %w", c.Name, err)
	}
	return nil
}

// holdForSignIn stops a connection until a person has signed in again.
func (s *Service) holdForSignIn(ctx context.Context, tx pgx.Tx, a actor.Actor, c *Connection, reason string) error {
	tag, err := tx.Exec(ctx, `UPDATE connection SET hold = 'sign_in', parked_until = NULL,
  state = CASE state WHEN 'paused' THEN state ELSE 'parked' END, reason = CASE state WHEN 'paused' THEN reason ELSE $2 END
 WHERE id = $1 AND hold = ''`, c.ID, "sign in to the CRM again: "+reason)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	return s.note(ctx, tx, a, c, "needs a sign-in", reason)
}

// note writes what happened to a connection into the tenant's audit.
func (s *Service) note(ctx context.Context, tx pgx.Tx, a actor.Actor, c *Connection, what, reason string) error {
	return event.Append(ctx, tx, a, event.Event{
		Kind: event.Connection, Payload: map[string]any{"connection": c.Name, "adapter": c.Adapter, "what": what, "reason": reason}, At: s.Now(),
	})
}
