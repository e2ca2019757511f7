package connection

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// Hold is what a parked connection waits for that time alone doesn't bring.
type Hold string

// The holds: a person must sign in to the CRM again, or an operator must allow
// the adapter.
const (
	HoldSignIn  Hold = "sign_in"
	HoldAdapter Hold = "adapter"
)

// Connection is one CRM account of a tenant.
type Connection struct {
	ID       ID             `json:"id"`
	TenantID actor.TenantID `json:"-"`
	Adapter  string         `json:"adapter"`
	Name     string         `json:"name"`
	// Auth is the way it signs in: one of the kinds of sdk.AuthMethod, or "" where
	// the adapter names none.
	Auth        string          `json:"auth"`
	Settings    json.RawMessage `json:"settings"`
	State       State           `json:"state"`
	Reason      string          `json:"reason"`
	ParkedUntil *time.Time      `json:"parked_until"`
	// Hold says who must act before a parked connection works again.
	Hold Hold `json:"hold"`
	Policy
	// Timezone is the tenant's, for schedules.
	Timezone    string     `json:"-"`
	BatchSize   int        `json:"batch_size"`
	InstalledAt *time.Time `json:"installed_at"`
	CreatedAt   time.Time  `json:"created_at"`
	// CheckedAt, Account, User and Sandbox are what the last Check said.
	CheckedAt *time.Time `json:"checked_at"`
	Account   string     `json:"account"`
	User      string     `json:"user"`
	Sandbox   bool       `json:"sandbox"`

	tokenHost string
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
	// Changed is told, in the transaction, that other values or other clients go to
	// a connection's CRM now, so that all become due.
	Changed func(ctx context.Context, tx pgx.Tx, a actor.Actor, id ID) error

	// Adapter answers the running adapter of a name for a tenant, or why there is
	// none.
	Adapter func(name string, t actor.TenantID) (sdk.Adapter, error)
	// Spent books calls to the CRM under a purpose.
	Spent func(ctx context.Context, a actor.Actor, id ID, purpose string, u sdk.Usage) error
	// PublicURL is the address that people reach the host at; "" rules sign-ins out.
	PublicURL string
	// Apps are the applications that operators have registered, by adapter.
	Apps map[string]App

	gates gates
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
	return s.read(ctx, a, id)
}

func (s *Service) read(ctx context.Context, a actor.Actor, id ID) (*Connection, error) {
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

// SetPaused pauses a connection, or lets a paused or parked one work at once. One
// on hold stays parked until somebody has acted. Errors: *actor.Refusal,
// *NotFoundError.
func (s *Service) SetPaused(ctx context.Context, a actor.Actor, id ID, paused bool) error {
	if err := a.Require(actor.Administer); err != nil {
		return err
	}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		sql, args := `UPDATE connection SET state = 'paused', reason = $2, parked_until = NULL WHERE id = $1`, []any{id, "paused by " + a.Name}
		if !paused {
			sql, args = `UPDATE connection SET parked_until = NULL, state = CASE hold WHEN '' THEN 'active' ELSE 'parked' END,
  reason = CASE hold WHEN '' THEN '' WHEN 'adapter' THEN 'the operator has taken the adapter ' || adapter || ' from this tenant'
           ELSE 'sign in to the CRM again' END WHERE id = $1`, []any{id}
		}
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return err
		}
		found, err := query(ctx, tx, ` WHERE id = $1`, id)
		if err == nil && len(found) == 0 {
			err = &NotFoundError{Name: id.String()}
		}
		if err != nil {
			return err
		}
		return s.note(ctx, tx, a, &found[0], map[bool]string{true: "paused", false: "resumed"}[paused], "")
	})
	if err != nil {
		return fmt.Errorf("pause or resume connection %s: %w", id, err)
	}
	return nil
}

func query(ctx context.Context, tx pgx.Tx, suffix string, args ...any) ([]Connection, error) {
	rows, err := tx.Query(ctx, `SELECT id, tenant_id, adapter, name, auth_method, settings::text, state, reason, parked_until, hold,
  client_object, filter, write_mode, extract(epoch FROM update_every)::bigint, cron, activity_channels, company_policy, sensitive_policy,
  (SELECT timezone FROM tenant WHERE tenant.id = tenant_id), batch_size, installed_at, created_at,
  checked_at, account, crm_user, sandbox, token_host FROM connection`+suffix, args...)
	if err != nil {
		return nil, fmt.Errorf("read connections: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Connection, error) {
		var c Connection
		var settings string
		var seconds int64
		err := row.Scan(&c.ID, &c.TenantID, &c.Adapter, &c.Name, &c.Auth, &settings, &c.State, &c.Reason, &c.ParkedUntil, &c.Hold,
			&c.ClientObject, &c.Filter, &c.WriteMode, &seconds, &c.Cron, &c.ActivityChannels, &c.Companies, &c.Sensitive,
			&c.Timezone, &c.BatchSize, &c.InstalledAt, &c.CreatedAt,
			&c.CheckedAt, &c.Account, &c.User, &c.Sandbox, &c.tokenHost)
		c.Settings, c.UpdateEvery = json.RawMessage(settings), time.Duration(seconds)*time.Second
		return c, err
	})
}

// OfTenant reads the connections of a transaction's tenant, for what must be
// decided within it.
func OfTenant(ctx context.Context, tx pgx.Tx) ([]Connection, error) { return query(ctx, tx, "") }
