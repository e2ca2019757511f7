package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk"
)

// callTimeout bounds one adapter call that somebody waits for.
const callTimeout = time.Minute

// Open answers what an adapter call needs of a connection: settings, the token of
// this moment, and the secrets among the adapter's settings. Errors: *SignInError,
// *InvalidError.
func (s *Service) Open(ctx context.Context, a actor.Actor, c *Connection, about sdk.Description) (sdk.Connection, error) {
	out := sdk.Connection{ID: c.ID.String(), Settings: c.Settings, Token: sdk.Token{Extras: map[string]string{}}}
	if c.Hold == HoldSignIn {
		return out, &SignInError{Connection: c.Name, Reason: c.Reason}
	}
	secrets, err := s.secrets(ctx, a, c)
	if err != nil {
		return out, err
	}
	if c.Auth == sdk.AuthStaticToken || c.Auth == "" {
		if out.Token.AccessToken = secrets[AccessToken]; out.Token.AccessToken == "" {
			return out, fmt.Errorf("connection %s has no credentials: connect it again", c.Name)
		}
	} else if out.Token, err = s.token(ctx, a, c, about); err != nil {
		return out, err
	}
	for name, secret := range secrets {
		if !slices.Contains([]string{AccessToken, ClientID, ClientSecret, PrivateKey}, name) {
			out.Token.Extras[name] = secret
		}
	}
	return out, nil
}

// secrets reads a connection's stored secrets by name. The application that signs
// in is the operator's where the connection has none of its own.
func (s *Service) secrets(ctx context.Context, a actor.Actor, c *Connection) (map[string]string, error) {
	found := map[string]string{}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		clear(found)
		rows, err := tx.Query(ctx, `SELECT name, sealed FROM connection_secret WHERE connection_id = $1`, c.ID)
		if err != nil {
			return err
		}
		var name string
		var sealed []byte
		_, err = pgx.ForEachRow(rows, []any{&name, &sealed}, func() error {
			secret, err := s.Vault.Open(sealed, c.place(name)...)
			found[name] = secret
			return err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open connection %s: %w", c.Name, err)
	}
	if app, ok := s.Apps[c.Adapter]; ok && found[ClientID] == "" {
		found[ClientID], found[ClientSecret] = app.ClientID, app.ClientSecret
	}
	return found, nil
}

// App is an application that an operator has registered with a CRM, with which
// admins sign in.
type App struct{ ClientID, ClientSecret string }

// Reached is an adapter call's other half: what the adapter is and what it is given.
type Reached struct {
	Adapter sdk.Adapter
	About   sdk.Description
	Open    sdk.Connection
}

// Call makes an adapter call for somebody who waits: with a deadline of a minute,
// once more with a new token when the CRM refuses the token, and its calls booked.
// Purpose is the word for it in the books. Errors: *sdk.Error, *SignInError,
// *InvalidError.
func (s *Service) Call(ctx context.Context, a actor.Actor, c *Connection, purpose string, call func(context.Context, Reached) (sdk.Usage, error)) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if c.Hold == HoldAdapter {
		return &InvalidError{Field: "connection", Rule: "rests: " + c.Reason, WayOut: "ask the operator of this host"}
	}
	adapter, err := s.Adapter(c.Adapter, c.TenantID)
	if err != nil {
		return fmt.Errorf("the adapter %s can't be used: %w", c.Adapter, err)
	}
	r := Reached{Adapter: adapter}
	if r.About, err = adapter.Describe(ctx); err != nil {
		return fmt.Errorf("the adapter %s does not answer: %w", c.Adapter, err)
	}
	for try := 1; ; try++ {
		if r.Open, err = s.Open(ctx, a, c, r.About); err != nil {
			return err
		}
		usage, err := call(ctx, r)
		refused, failed := errors.AsType[*sdk.Error](err)
		if failed {
			usage = refused.Usage
		}
		if e := s.Spent(ctx, a, c.ID, purpose, usage); e != nil {
			return errors.Join(err, e)
		}
		if !failed || refused.Class != sdk.ClassAuth || try == 2 || c.Auth == sdk.AuthStaticToken {
			return err
		}
		if err := s.Refused(ctx, a, c, r.Open.Token); err != nil {
			return err
		}
	}
}

// setting is a text among the connection's settings, or the schema's default.
func (c *Connection) setting(about sdk.Description, name string) string {
	settings := map[string]any{}
	if json.Unmarshal(withDefaults(about.SettingsSchema, c.Settings), &settings) != nil {
		return ""
	}
	text, _ := settings[name].(string)
	return text
}
