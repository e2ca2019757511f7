package connection

import (
	"context"
	crypto "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk"
)

// AccessToken is the secret that authorises a static_token connection; ClientID
// and ClientSecret are those of an application that signs in, PrivateKey the one
// in PEM that signs a JWT bearer's assertions.
const (
	AccessToken  = "access_token"
	ClientID     = "client_id"
	ClientSecret = "client_secret"
	PrivateKey   = "private_key"
)

// tokenMargin is how long before its end a token is no longer used, so that none
// ends during a call. A claim ends claimTTL after its host last renewed it, so that
// a killed one delays the others no longer; failurePause is how long nobody asks a
// token endpoint that has just failed.
const (
	tokenMargin  = time.Minute
	claimTTL     = 10 * time.Second
	claimRenew   = 3 * time.Second
	claimPoll    = 100 * time.Millisecond
	failurePause = 5 * time.Second
	jwtLife      = 3 * time.Minute // the longest that Salesforce takes (salesforce.md §1.6)
)

// SignInError says that a person has to sign in to the CRM again, and why.
type SignInError struct{ Connection, Reason string }

// Error is for the tenant's admin.
func (e *SignInError) Error() string {
	return "connection " + e.Connection + " must be signed in again: " + e.Reason
}

// held is a connection's row of tokens.
type held struct {
	generation int64
	token      sdk.Token
	refresh    string
	expires    *time.Time
	refused    bool
	claimed    bool
	failure    string // while nobody shall ask again
}

func (h held) usable(now time.Time) bool {
	return h.token.AccessToken != "" && !h.refused && (h.expires == nil || now.Add(tokenMargin).Before(*h.expires))
}

// gates let one caller of this host at a time look after a connection's token; the
// others find the new one there. Safe for concurrent use.
type gates struct {
	mu  sync.Mutex
	all map[ID]chan struct{}
}

func (g *gates) of(id ID) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[ID]chan struct{}{}
	}
	if g.all[id] == nil {
		g.all[id] = make(chan struct{}, 1)
	}
	return g.all[id]
}

// token answers a valid token of a connection that signs in. Whichever of all
// hosts claims it first asks the provider; the others wait for what it stores, and
// take over when it dies. Errors: *SignInError, *InvalidError.
func (s *Service) token(ctx context.Context, a actor.Actor, c *Connection, about sdk.Description) (sdk.Token, error) {
	gate := s.gates.of(c.ID)
	select {
	case gate <- struct{}{}:
		defer func() { <-gate }()
	case <-ctx.Done():
		return sdk.Token{}, context.Cause(ctx)
	}
	first := int64(-1)
	for {
		now, err := s.readToken(ctx, a, c)
		if err == nil && first < 0 {
			first = now.generation
		}
		switch {
		case err != nil:
			return sdk.Token{}, err
		case now.usable(s.Now()), now.generation > first && now.token.AccessToken != "" && !now.refused:
			return now.token, nil // one that came just now is used, however short its life
		case now.failure != "":
			return sdk.Token{}, errors.New(now.failure)
		}
		if !now.claimed {
			claim, err := s.claim(ctx, a, c, now.generation)
			if err != nil {
				return sdk.Token{}, err
			}
			if claim != "" {
				if err := s.renew(ctx, a, c, about, now, claim); err != nil {
					return sdk.Token{}, err
				}
				continue
			}
		}
		select {
		case <-time.After(claimPoll/2 + rand.N(claimPoll)):
		case <-ctx.Done():
			return sdk.Token{}, context.Cause(ctx)
		}
	}
}

// Refused notes that the CRM refused a token before its time; the next call gets
// another one. A newer token stays.
func (s *Service) Refused(ctx context.Context, a actor.Actor, c *Connection, t sdk.Token) error {
	now, err := s.readToken(ctx, a, c)
	if err != nil || now.token.AccessToken != t.AccessToken {
		return err
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection_token SET refused = true WHERE connection_id = $1 AND generation = $2`, c.ID, now.generation)
		return err
	})
}

func (s *Service) readToken(ctx context.Context, a actor.Actor, c *Connection) (held, error) {
	var h held
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		h = held{}
		var sealed, refresh []byte
		err := tx.QueryRow(ctx, `SELECT generation, sealed, sealed_refresh, expires_at, refused, claimed_until > now(),
  CASE WHEN failed_until > now() THEN failure ELSE '' END FROM connection_token WHERE connection_id = $1`, c.ID).
			Scan(&h.generation, &sealed, &refresh, &h.expires, &h.refused, &h.claimed, &h.failure)
		if errors.Is(err, pgx.ErrNoRows) {
			_, err = tx.Exec(ctx, `INSERT INTO connection_token (tenant_id, connection_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, c.TenantID, c.ID)
			return err
		}
		if err != nil {
			return err
		}
		if sealed != nil {
			text, err := s.Vault.Open(sealed, c.place("token")...)
			if err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(text), &h.token); err != nil {
				return fmt.Errorf("stored token: %w", err)
			}
		}
		if refresh != nil {
			h.refresh, err = s.Vault.Open(refresh, c.place("refresh_token")...)
		}
		return err
	})
	if err != nil {
		return held{}, fmt.Errorf("read the token of connection %s: %w", c.Name, err)
	}
	return h, nil
}

func (c *Connection) place(field string) []string {
	return []string{c.TenantID.String(), c.ID.String(), field}
}

// claim takes the right to ask the provider for the next generation; "" when
// another host has it.
func (s *Service) claim(ctx context.Context, a actor.Actor, c *Connection, generation int64) (string, error) {
	claim, won := crypto.Text(), false
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE connection_token SET claimed_by = $3, claimed_until = now() + $4::interval
 WHERE connection_id = $1 AND generation = $2 AND claimed_until <= now()`, c.ID, generation, claim, claimTTL)
		won = tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return "", fmt.Errorf("claim the token of connection %s: %w", c.Name, err)
	}
	if !won {
		return "", nil
	}
	return claim, nil
}

// renew asks the provider and stores its answer. A caller who goes away doesn't
// end it: the provider may have taken the old refresh token back already.
func (s *Service) renew(ctx context.Context, a actor.Actor, c *Connection, about sdk.Description, now held, claim string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout+claimTTL)
	defer cancel()
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { s.keepClaim(keeping, a, c, claim) })
	got, e, err := s.ask(ctx, a, c, about, now)
	stop()
	kept.Wait()
	if err != nil {
		return s.renewFailed(ctx, a, c, about, claim, err)
	}
	return s.storeToken(ctx, a, c, now.generation, e.host, got)
}

func (s *Service) keepClaim(ctx context.Context, a actor.Actor, c *Connection, claim string) {
	tick := time.NewTicker(claimRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A failure costs the claim at worst, and the generation guards the rest.
		_ = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE connection_token SET claimed_until = now() + $3::interval WHERE connection_id = $1 AND claimed_by = $2`, c.ID, claim, claimTTL)
			return err
		})
	}
}

// ask makes the connection's grant at the token endpoint.
func (s *Service) ask(ctx context.Context, a actor.Actor, c *Connection, about sdk.Description, now held) (held, endpoint, error) {
	e, err := c.endpoint(about)
	if err != nil {
		return held{}, e, err
	}
	secrets, err := s.secrets(ctx, a, c)
	if err != nil {
		return held{}, e, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, tokenClient())
	var token *oauth2.Token
	switch c.Auth {
	case sdk.AuthClientCredentials:
		grant := clientcredentials.Config{ClientID: secrets[ClientID], ClientSecret: secrets[ClientSecret], TokenURL: e.TokenURL, Scopes: e.scopes, AuthStyle: e.AuthStyle}
		token, err = grant.Token(ctx)
	case sdk.AuthJWTBearer:
		grant := jwt.Config{
			Email: secrets[ClientID], PrivateKey: []byte(secrets[PrivateKey]), Subject: c.setting(about, "username"),
			Audience: c.setting(about, "login_url"), TokenURL: e.TokenURL, Expires: jwtLife,
		}
		token, err = grant.TokenSource(ctx).Token()
	case sdk.AuthAuthorizationCode:
		if now.refresh == "" {
			return held{}, e, &SignInError{Connection: c.Name, Reason: "nobody has signed in yet"}
		}
		grant := oauth2.Config{ClientID: secrets[ClientID], ClientSecret: secrets[ClientSecret], Endpoint: e.Endpoint}
		token, err = grant.TokenSource(ctx, &oauth2.Token{RefreshToken: now.refresh}).Token()
	default:
		return held{}, e, fmt.Errorf("connection %s has no credentials: connect it again", c.Name)
	}
	if err != nil {
		return held{}, e, tokenError(err)
	}
	m, err := c.method(about)
	return s.taken(token, m, now), e, err
}

// taken is the provider's answer as it is kept; what it leaves out stays as it was.
func (s *Service) taken(token *oauth2.Token, m sdk.AuthMethod, before held) held {
	got := held{token: sdk.Token{AccessToken: token.AccessToken, Extras: map[string]string{}}, refresh: before.refresh}
	maps.Copy(got.token.Extras, before.token.Extras)
	for _, name := range m.KeepExtras {
		switch v := token.Extra(name).(type) {
		case string:
			got.token.Extras[name] = v
		case float64: // a number in JSON, such as HubSpot's hub_id
			got.token.Extras[name] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	if token.RefreshToken != "" {
		got.refresh = token.RefreshToken
	}
	if !token.Expiry.IsZero() {
		ends := s.Now().Add(time.Until(token.Expiry))
		got.expires = &ends
	}
	return got
}

// storeToken stores a new generation before anybody uses it, if the one it follows
// still stands.
func (s *Service) storeToken(ctx context.Context, a actor.Actor, c *Connection, generation int64, host string, got held) error {
	text, err := json.Marshal(got.token)
	if err != nil {
		return fmt.Errorf("encode the token of connection %s: %w", c.Name, err)
	}
	var refresh []byte
	if got.refresh != "" {
		refresh = s.Vault.Seal(got.refresh, c.place("refresh_token")...)
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE connection_token SET generation = generation + 1, sealed = $3, sealed_refresh = $4, expires_at = $5, refused = false,
  claimed_until = '-infinity', failure = '', failed_until = '-infinity' WHERE connection_id = $1 AND generation = $2`,
			c.ID, generation, s.Vault.Seal(string(text), c.place("token")...), refresh, got.expires)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE connection SET token_host = $2 WHERE id = $1 AND token_host = ''`, c.ID, host)
		return err
	})
	if err != nil {
		return fmt.Errorf("store the token of connection %s: %w", c.Name, err)
	}
	return nil
}

// renewFailed gives the claim back. Where the provider says that a person has to
// act, the connection waits for that person; else nobody asks again for a moment.
func (s *Service) renewFailed(ctx context.Context, a actor.Actor, c *Connection, about sdk.Description, claim string, failed error) error {
	m, _ := c.method(about)
	if refused, ok := errors.AsType[*refusal](failed); ok && refused.final(m) {
		failed = &SignInError{Connection: c.Name, Reason: refused.Error()}
	} else if _, signIn := errors.AsType[*SignInError](failed); !signIn {
		failed = fmt.Errorf("get a token for connection %s: %w", c.Name, failed)
	}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if signIn, ok := errors.AsType[*SignInError](failed); ok {
			if err := s.holdForSignIn(ctx, tx, a, c, signIn.Reason); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE connection_token SET claimed_until = '-infinity', failure = $3, failed_until = now() + $4::interval
 WHERE connection_id = $1 AND claimed_by = $2`, c.ID, claim, failed.Error(), failurePause)
		return err
	})
	return errors.Join(failed, err)
}
