package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/sdk"
)

// New is what a connection is made of. Secrets by name; "access_token" is the
// token of a static_token connection. Without an Auth it follows from the secrets;
// without a Policy it starts with DefaultPolicy.
type New struct {
	Adapter  string
	Name     string
	Auth     string
	Settings json.RawMessage
	Secrets  map[string]string
	Policy   *Policy
}

// Edit changes the parts of a connection that it names. Secrets are replaced by
// name; an empty one is taken away.
type Edit struct {
	Name     *string
	Auth     *string
	Settings json.RawMessage
	Secrets  map[string]string
	Policy   *Policy
}

// The limits of what an admin fills in, in bytes.
const (
	maxName     = 100
	maxSettings = 64 << 10
	maxSecret   = 16 << 10
	maxSecrets  = 20
)

// Create makes a connection and marks all clients for it. One that a person signs
// in to waits for that. Errors: *actor.Refusal, *InvalidError, all at once.
func (s *Service) Create(ctx context.Context, a actor.Actor, n New) (*Connection, error) {
	if err := a.Require(actor.Administer); err != nil {
		return nil, err
	}
	c := Connection{
		ID: ID{uuid.Must(uuid.NewV7())}, TenantID: a.Tenant, Adapter: n.Adapter, Name: n.Name, Auth: n.Auth, Settings: n.Settings, Policy: DefaultPolicy(),
	}
	if n.Policy != nil {
		c.Policy = *n.Policy
	}
	if err := s.allowed(ctx, a.Tenant, n.Adapter); err != nil {
		return nil, err
	}
	secrets, err := s.check(ctx, &c, n.Secrets, nil)
	if err != nil {
		return nil, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO connection (id, tenant_id, adapter, name, settings, created_at) VALUES ($1, $2, $3, '', $4::text::json, $5)`,
			c.ID, a.Tenant, c.Adapter, string(c.Settings), s.Now())
		if err != nil {
			return err
		}
		if err := s.store(ctx, tx, &c, secrets); err != nil {
			return err
		}
		if err := s.note(ctx, tx, a, &c, "added", ""); err != nil {
			return err
		}
		if c.Auth == sdk.AuthAuthorizationCode {
			if err := s.holdForSignIn(ctx, tx, a, &c, "nobody has signed in yet"); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO sync_lease (connection_id, tenant_id) VALUES ($1, $2)`, c.ID, a.Tenant); err != nil {
			return err
		}
		return s.Added(ctx, tx, a, c.ID)
	})
	if err != nil {
		return nil, editError("create connection", c.Name, err)
	}
	return s.read(ctx, a, c.ID)
}

// Change changes a connection and lets it work again, since what parked it may be
// gone. When other clients sync now, or as something else, all are looked at
// again. Errors: *actor.Refusal, *InvalidError, all at once, *NotFoundError.
func (s *Service) Change(ctx context.Context, a actor.Actor, id ID, e Edit) (*Connection, error) {
	if err := a.Require(actor.Administer); err != nil {
		return nil, err
	}
	before, err := s.read(ctx, a, id)
	if err != nil {
		return nil, err
	}
	after := *before
	if e.Name != nil {
		after.Name = *e.Name
	}
	if e.Auth != nil {
		after.Auth = *e.Auth
	}
	if e.Settings != nil {
		after.Settings = e.Settings
	}
	if e.Policy != nil {
		after.Policy = *e.Policy
	}
	stored, err := s.secrets(ctx, a, before)
	if err != nil {
		return nil, err
	}
	secrets, err := s.check(ctx, &after, e.Secrets, stored)
	if err != nil {
		return nil, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if !before.selects(after.Policy) {
			if err := s.Changed(ctx, tx, a, id); err != nil {
				return err
			}
		}
		if err := s.store(ctx, tx, &after, secrets); err != nil {
			return err
		}
		if err := s.note(ctx, tx, a, &after, "changed", ""); err != nil {
			return err
		}
		if err := s.authChanged(ctx, tx, a, before, &after, len(secrets) > 0); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE connection SET state = 'active', reason = '', parked_until = NULL WHERE id = $1 AND state = 'parked' AND hold = ''`, id)
		if err != nil {
			return err
		}
		if err == nil && (e.Settings != nil || after.ClientObject != before.ClientObject) {
			_, err = tx.Exec(ctx, `UPDATE connection SET installed_at = NULL WHERE id = $1`, id)
		}
		return err
	})
	if err != nil {
		return nil, editError("change connection", after.Name, err)
	}
	return s.read(ctx, a, id)
}

// selects tells whether another policy writes the same records of the same
// clients.
func (p Policy) selects(other Policy) bool {
	return p.ClientObject == other.ClientObject && p.Filter == other.Filter && p.WriteMode == other.WriteMode &&
		p.Companies == other.Companies && p.Sensitive == other.Sensitive && strings.Join(p.ActivityChannels, " ") == strings.Join(other.ActivityChannels, " ")
}

// store writes what an admin may choose, and the secrets.
func (s *Service) store(ctx context.Context, tx pgx.Tx, c *Connection, secrets map[string]string) error {
	_, err := tx.Exec(ctx, `UPDATE connection SET name = $2, settings = $3::text::json, client_object = $4, filter = $5, write_mode = $6,
  update_every = make_interval(secs => $7), cron = $8, activity_channels = $9, company_policy = $10, sensitive_policy = $11,
  auth_method = $12, token_host = $13 WHERE id = $1`,
		c.ID, c.Name, string(c.Settings), c.ClientObject, c.Filter, c.WriteMode,
		c.UpdateEvery.Seconds(), c.Cron, c.ActivityChannels, c.Companies, c.Sensitive, c.Auth, c.tokenHost)
	if err != nil {
		return err
	}
	for name, secret := range secrets {
		if err := s.putSecret(ctx, tx, c, name, secret); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) putSecret(ctx context.Context, tx pgx.Tx, c *Connection, name, secret string) error {
	if secret == "" {
		_, err := tx.Exec(ctx, `DELETE FROM connection_secret WHERE connection_id = $1 AND name = $2`, c.ID, name)
		return err
	}
	sealed := s.Vault.Seal(secret, c.place(name)...)
	_, err := tx.Exec(ctx, `INSERT INTO connection_secret (tenant_id, connection_id, name, sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, connection_id, name) DO UPDATE SET sealed = excluded.sealed`, c.TenantID, c.ID, name, sealed)
	return err
}

// authChanged: another way to sign in, or other secrets, make the token void; a way
// that needs a person waits for one, and one that doesn't no longer does.
func (s *Service) authChanged(ctx context.Context, tx pgx.Tx, a actor.Actor, before, after *Connection, secrets bool) error {
	if before.Auth == after.Auth && !secrets {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE connection_token SET generation = generation + 1, refused = true, claimed_until = '-infinity', failed_until = '-infinity',
  sealed_refresh = CASE WHEN $2 THEN sealed_refresh END WHERE connection_id = $1`, after.ID, before.Auth == after.Auth)
	if err != nil || before.Auth == after.Auth {
		return err
	}
	if after.Auth == sdk.AuthAuthorizationCode {
		return s.holdForSignIn(ctx, tx, a, after, "nobody has signed in yet")
	}
	_, err = tx.Exec(ctx, `UPDATE connection SET hold = '' WHERE id = $1 AND hold = 'sign_in'`, after.ID)
	return err
}

// check answers everything that is wrong with a connection, puts in what is left
// to default, and parts the secrets from the settings. Stored are the secrets it
// has. The adapter itself says what settings it takes (design.md §4).
func (s *Service) check(ctx context.Context, c *Connection, given, stored map[string]string) (secrets map[string]string, err error) {
	var problems []error
	add := func(field, rule, wayOut string) {
		problems = append(problems, &InvalidError{Field: field, Rule: rule, WayOut: wayOut})
	}
	if c.Name = strings.TrimSpace(c.Name); c.Name == "" || len(c.Name) > maxName {
		add("name", fmt.Sprintf("is empty or longer than %d bytes", maxName), "name the connection")
	}
	if len(c.Settings) == 0 {
		c.Settings = json.RawMessage("{}")
	}
	about, err := s.Describe(ctx, c.Adapter)
	if err != nil {
		add("adapter", fmt.Sprintf("%q can't be asked: %s", c.Adapter, err), "see the adapters in configs/clientele.yaml")
		return nil, errors.Join(problems...)
	}
	open, secrets := split(about.SettingsSchema, c.Settings)
	maps.Copy(secrets, given)
	all := maps.Clone(secrets)
	for name, secret := range stored {
		if _, replaced := all[name]; !replaced {
			all[name] = secret
		}
	}
	problems = append(problems, checkSettings(about, withSecrets(about.SettingsSchema, open, all)), checkSecrets(secrets))
	problems = append(problems, c.Policy.check(about, s.Now())...)
	c.Settings = open
	if c.ClientObject == "" {
		c.ClientObject = c.Object(about) // what it is today, also when the adapter's favourite changes
	}
	problems = append(problems, c.chooseAuth(about, all))
	return secrets, errors.Join(problems...)
}

// chooseAuth settles the way to sign in and the host that secrets go to.
func (c *Connection) chooseAuth(about sdk.Description, secrets map[string]string) error {
	if len(about.Auth) == 0 {
		return nil
	}
	if c.Auth == "" {
		switch {
		case secrets[AccessToken] != "":
			c.Auth = sdk.AuthStaticToken
		case secrets[PrivateKey] != "":
			c.Auth = sdk.AuthJWTBearer
		case secrets[ClientSecret] != "":
			c.Auth = sdk.AuthClientCredentials
		default:
			c.Auth = about.Auth[0].Kind
		}
	}
	if _, err := c.method(about); err != nil {
		return err
	}
	for _, name := range neededSecrets(c.Auth) {
		if secrets[name] == "" {
			return &InvalidError{Field: "secrets." + name, Rule: "is missing, and " + c.Auth + " needs it", WayOut: "give it, or choose another way to sign in"}
		}
	}
	c.tokenHost = ""
	if c.Auth == sdk.AuthStaticToken {
		return nil
	}
	e, err := c.endpoint(about)
	c.tokenHost = e.host
	return err
}

// neededSecrets are those that a way to sign in can't do without. The application
// of a sign-in may be the operator's.
func neededSecrets(auth string) []string {
	switch auth {
	case sdk.AuthStaticToken:
		return []string{AccessToken}
	case sdk.AuthClientCredentials:
		return []string{ClientID, ClientSecret}
	case sdk.AuthJWTBearer:
		return []string{ClientID, PrivateKey}
	default:
		return nil
	}
}

func checkSettings(about sdk.Description, settings json.RawMessage) error {
	if len(settings) > maxSettings {
		return &InvalidError{Field: "settings", Rule: fmt.Sprintf("are larger than %d KB", maxSettings>>10), WayOut: "shorten them"}
	}
	if len(about.SettingsSchema) == 0 {
		return nil
	}
	return CheckSettings(about.SettingsSchema, settings)
}

func checkSecrets(secrets map[string]string) error {
	if len(secrets) > maxSecrets {
		return &InvalidError{Field: "secrets", Rule: fmt.Sprintf("are more than %d", maxSecrets), WayOut: "give those that the adapter asks for"}
	}
	for name, secret := range secrets {
		if name == "" || len(name) > maxName || len(secret) > maxSecret {
			return &InvalidError{
				Field: "secrets", Rule: fmt.Sprintf("hold a name longer than %d bytes or a value longer than %d KB", maxName, maxSecret>>10), WayOut: "shorten it",
			}
		}
	}
	return nil
}

func editError(doing, name string, err error) error {
	if _, taken := db.UniqueViolation(err); taken {
		return &InvalidError{Field: "name", Rule: fmt.Sprintf("%q is taken", name), WayOut: "choose another"}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
