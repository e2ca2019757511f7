package connection

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk"
)

// Open answers what an adapter call needs of a connection: settings and the
// token of this moment. With a client id and secret the token comes by the
// client-credentials grant; else it is the stored one.
func (s *Service) Open(ctx context.Context, a actor.Actor, c *Connection, about sdk.Description) (sdk.Connection, error) {
	out, err := s.unseal(ctx, a, c)
	if err != nil || out.Token.AccessToken != "" {
		return out, err
	}
	id, secret := out.Token.Extras[ClientID], out.Token.Extras[ClientSecret]
	for _, m := range about.Auth {
		if m.Kind != sdk.AuthClientCredentials || id == "" {
			continue
		}
		settings := map[string]any{}
		if err := json.Unmarshal(withDefaults(about.SettingsSchema, c.Settings), &settings); err != nil {
			return sdk.Connection{}, fmt.Errorf("settings of connection %s: %w", c.Name, err)
		}
		out.Token, err = s.tokens.get(ctx, c.ID, m, settings, id, secret, s.Now())
		if err != nil {
			return sdk.Connection{}, fmt.Errorf("get a token for connection %s: %w", c.Name, err)
		}
		return out, nil
	}
	return sdk.Connection{}, fmt.Errorf("connection %s has no credentials: connect it again", c.Name)
}

func (s *Service) unseal(ctx context.Context, a actor.Actor, c *Connection) (sdk.Connection, error) {
	out := sdk.Connection{ID: c.ID.String(), Settings: c.Settings, Token: sdk.Token{Extras: map[string]string{}}}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT name, sealed FROM connection_secret WHERE connection_id = $1`, c.ID)
		if err != nil {
			return err
		}
		var name string
		var sealed []byte
		_, err = pgx.ForEachRow(rows, []any{&name, &sealed}, func() error {
			secret, err := s.Vault.Open(sealed, c.TenantID.String(), c.ID.String(), name)
			if err != nil {
				return err
			}
			if name == AccessToken {
				out.Token.AccessToken = secret
			} else {
				out.Token.Extras[name] = secret
			}
			return nil
		})
		return err
	})
	if err != nil {
		return sdk.Connection{}, fmt.Errorf("open connection %s: %w", c.Name, err)
	}
	return out, nil
}
