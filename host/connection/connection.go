package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/sdk"
)

// ID identifies a connection.
type ID struct{ uuid.UUID }

// ParseID reads a connection id.
func ParseID(s string) (ID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return ID{}, fmt.Errorf("connection id %q: want a UUID", s)
	}
	return ID{id}, nil
}

// State says whether a connection works.
type State string

// The states: paused by a person, parked by the engine until its cause goes.
const (
	Active State = "active"
	Paused State = "paused"
	Parked State = "parked"
)

// Connection is one CRM account of a tenant.
type Connection struct {
	ID          ID              `json:"id"`
	TenantID    actor.TenantID  `json:"-"`
	Adapter     string          `json:"adapter"`
	Name        string          `json:"name"`
	Settings    json.RawMessage `json:"settings"`
	State       State           `json:"state"`
	Reason      string          `json:"reason"`
	ParkedUntil *time.Time      `json:"parked_until"`
	UpdateEvery time.Duration   `json:"update_every"`
	BatchSize   int             `json:"batch_size"`
	InstalledAt *time.Time      `json:"installed_at"`
	CreatedAt   time.Time       `json:"created_at"`
}

// NotFoundError is a connection that isn't there for this tenant.
type NotFoundError struct{ Name string }

// Error names the connection.
func (e *NotFoundError) Error() string { return "connection " + e.Name + " does not exist" }

// InvalidError is a connection that can't be made.
type InvalidError struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Rule + ": " + e.WayOut }

// Service makes and reads connections. Describe answers what an adapter says of
// itself, or why it can't.
type Service struct {
	DB       *db.DB
	Vault    *Vault
	Now      func() time.Time
	Describe func(ctx context.Context, adapter string) (sdk.Description, error)
	// Added is told of a new connection in its transaction, so that what is there
	// already becomes due.
	Added func(ctx context.Context, tx pgx.Tx, a actor.Actor, id ID) error

	tokens tokens
}

// New is what a connection is made of. Secrets by name; "access_token" is the
// token of a static_token connection.
type New struct {
	Adapter  string            `json:"adapter"`
	Name     string            `json:"name"`
	Settings json.RawMessage   `json:"settings"`
	Secrets  map[string]string `json:"secrets"`
}

// AccessToken is the secret that authorises a static_token connection.
const AccessToken = "access_token"

// Create makes a connection and marks all clients for it. Errors:
// *actor.Refusal, *InvalidError.
func (s *Service) Create(ctx context.Context, a actor.Actor, n New) (*Connection, error) {
	if err := a.Require(actor.Administer); err != nil {
		return nil, err
	}
	if err := s.check(ctx, &n); err != nil {
		return nil, err
	}
	id := ID{uuid.Must(uuid.NewV7())}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO connection (id, tenant_id, adapter, name, settings, created_at) VALUES ($1, $2, $3, $4, $5::text::json, $6)`,
			id, a.Tenant, n.Adapter, n.Name, string(n.Settings), s.Now())
		if err != nil {
			return err
		}
		for name, secret := range n.Secrets {
			sealed := s.Vault.Seal(secret, a.Tenant.String(), id.String(), name)
			if _, err := tx.Exec(ctx, `INSERT INTO connection_secret (tenant_id, connection_id, name, sealed) VALUES ($1, $2, $3, $4)`,
				a.Tenant, id, name, sealed); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO sync_lease (connection_id, tenant_id) VALUES ($1, $2)`, id, a.Tenant); err != nil {
			return err
		}
		return s.Added(ctx, tx, a, id)
	})
	if _, taken := db.UniqueViolation(err); taken {
		return nil, &InvalidError{Field: "name", Rule: fmt.Sprintf("%q is taken", n.Name), WayOut: "choose another"}
	}
	if err != nil {
		return nil, fmt.Errorf("create connection: %w", err)
	}
	return s.Get(ctx, a, id)
}

// List answers the tenant's connections by name.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Connection, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Connection
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = query(ctx, tx, ` ORDER BY name`)
		return err
	})
	return found, err
}

// Get reads one connection. Errors: *NotFoundError.
func (s *Service) Get(ctx context.Context, a actor.Actor, id ID) (*Connection, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Connection
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = query(ctx, tx, ` WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &NotFoundError{Name: id.String()}
	}
	return &found[0], nil
}

// SetPaused pauses a connection, or lets a paused or parked one work at once.
func (s *Service) SetPaused(ctx context.Context, a actor.Actor, id ID, paused bool) error {
	if err := a.Require(actor.Administer); err != nil {
		return err
	}
	state, reason := Active, ""
	if paused {
		state, reason = Paused, "paused by "+a.Name
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE connection SET state = $2, reason = $3, parked_until = NULL WHERE id = $1`, id, state, reason)
		if err != nil {
			return fmt.Errorf("set connection %s: %w", state, err)
		}
		if tag.RowsAffected() == 0 {
			return &NotFoundError{Name: id.String()}
		}
		return nil
	})
}

// ChangeSettings changes a connection's settings and lets it work again: what parked
// it may be gone. Errors: *actor.Refusal, *InvalidError, *NotFoundError.
func (s *Service) ChangeSettings(ctx context.Context, a actor.Actor, id ID, settings json.RawMessage) error {
	if err := a.Require(actor.Administer); err != nil {
		return err
	}
	c, err := s.Get(ctx, a, id)
	if err != nil {
		return err
	}
	n := New{Adapter: c.Adapter, Name: c.Name, Settings: settings}
	if err := s.check(ctx, &n); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection SET settings = $2::text::json, installed_at = NULL,
  state = CASE WHEN state = 'parked' THEN 'active' ELSE state END, parked_until = NULL, reason = CASE WHEN state = 'parked' THEN '' ELSE reason END
 WHERE id = $1`, id, string(n.Settings))
		return err
	})
}

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

// withDefaults adds the schema's defaults of settings that aren't given.
func withDefaults(schema, settings []byte) []byte {
	var declared struct {
		Properties map[string]struct {
			Default json.RawMessage `json:"default"`
		} `json:"properties"`
	}
	given := map[string]json.RawMessage{}
	if json.Unmarshal(schema, &declared) != nil || json.Unmarshal(settings, &given) != nil {
		return settings
	}
	for name, p := range declared.Properties {
		if _, ok := given[name]; !ok && len(p.Default) > 0 {
			given[name] = p.Default
		}
	}
	full, err := json.Marshal(given)
	if err != nil {
		return settings
	}
	return full
}

// check validates settings against the adapter's own schema (design.md §4).
func (s *Service) check(ctx context.Context, n *New) error {
	n.Name = strings.TrimSpace(n.Name)
	if n.Name == "" || len(n.Name) > 100 {
		return &InvalidError{Field: "name", Rule: "is empty or longer than 100 bytes", WayOut: "name the connection"}
	}
	if len(n.Settings) == 0 {
		n.Settings = json.RawMessage("{}")
	}
	if len(n.Settings) > 64<<10 {
		return &InvalidError{Field: "settings", Rule: "are larger than 64 KB", WayOut: "shorten them"}
	}
	d, err := s.Describe(ctx, n.Adapter)
	if err != nil {
		return &InvalidError{Field: "adapter", Rule: fmt.Sprintf("%q can't be asked: %s", n.Adapter, err), WayOut: "see the adapters in configs/clientele.yaml"}
	}
	if len(d.SettingsSchema) == 0 {
		return nil
	}
	return CheckSettings(d.SettingsSchema, n.Settings)
}

// CheckSettings validates settings against an adapter's schema. Error:
// *InvalidError; another one when the schema itself is wrong.
func CheckSettings(schemaText, settings []byte) error {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schemaText)))
	if err != nil {
		return fmt.Errorf("the adapter's settings schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("settings.json", schema); err != nil {
		return fmt.Errorf("the adapter's settings schema: %w", err)
	}
	compiled, err := compiler.Compile("settings.json")
	if err != nil {
		return fmt.Errorf("the adapter's settings schema: %w", err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(settings)))
	if err != nil {
		return &InvalidError{Field: "settings", Rule: "are no JSON", WayOut: `write {"key": "value"}`}
	}
	err = compiled.Validate(value)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		rules := leaves(invalid, message.NewPrinter(language.English))
		return &InvalidError{Field: "settings", Rule: "break the adapter's schema: " + strings.Join(rules, "; "), WayOut: "see the adapter's README"}
	}
	return err
}

// leaves are the single rules that were broken, each with its place.
func leaves(e *jsonschema.ValidationError, words *message.Printer) []string {
	if len(e.Causes) == 0 {
		return []string{"/" + strings.Join(e.InstanceLocation, "/") + " " + e.ErrorKind.LocalizedString(words)}
	}
	var rules []string
	for _, cause := range e.Causes {
		rules = append(rules, leaves(cause, words)...)
	}
	return rules
}

func query(ctx context.Context, tx pgx.Tx, suffix string, args ...any) ([]Connection, error) {
	rows, err := tx.Query(ctx, `SELECT id, tenant_id, adapter, name, settings::text, state, reason, parked_until,
  extract(epoch FROM update_every)::bigint, batch_size, installed_at, created_at FROM connection`+suffix, args...)
	if err != nil {
		return nil, fmt.Errorf("read connections: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Connection, error) {
		var c Connection
		var settings string
		var seconds int64
		err := row.Scan(&c.ID, &c.TenantID, &c.Adapter, &c.Name, &settings, &c.State, &c.Reason, &c.ParkedUntil,
			&seconds, &c.BatchSize, &c.InstalledAt, &c.CreatedAt)
		c.Settings, c.UpdateEvery = json.RawMessage(settings), time.Duration(seconds)*time.Second
		return c, err
	})
}
