// Package tenant keeps the tenants of a host: who they are and their settings.
// It knows nothing of what a tenant owns; every other package gets a tenant's id
// through actor.Actor and reads settings from here.
package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/language"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/extract"
)

// Status says whether a tenant may work.
type Status string

// The states of a tenant. A suspended one keeps its data, but nobody signs in,
// nothing is accepted and nothing is synced.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
)

// Tenant is one customer of the host.
type Tenant struct {
	ID        actor.TenantID `json:"id"`
	Slug      string         `json:"slug"`
	Name      string         `json:"name"`
	Region    string         `json:"region"`
	Timezone  string         `json:"timezone"`
	Status    Status         `json:"status"`
	Settings  Settings       `json:"settings"`
	CreatedAt time.Time      `json:"created_at"`
}

// ExtractSettings are the settings of an extraction run for the tenant.
func (t Tenant) ExtractSettings() extract.Settings {
	s := t.Settings.Extraction
	s.Region = t.Region
	return s
}

// NotFoundError is a tenant that doesn't exist.
type NotFoundError struct{ Name string }

// Error names the tenant and where to look.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("tenant %q does not exist: see `clientele tenant list`", e.Name)
}

// InvalidError is a tenant that can't be made.
type InvalidError struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Rule + ": " + e.WayOut }

// Service makes and lists tenants, for operators (R210).
type Service struct {
	DB  *db.DB
	Now func() time.Time
}

// New is what a tenant is made of. Region is an ISO 3166 country code, Timezone
// an IANA name.
type New struct {
	Slug, Name, Region, Timezone string
	Settings                     Settings
}

var slugForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Create makes a tenant. Errors: *actor.Refusal, *InvalidError.
func (s *Service) Create(ctx context.Context, a actor.Actor, n New) (Tenant, error) {
	if err := a.Require(actor.Operate); err != nil {
		return Tenant{}, err
	}
	t := Tenant{
		ID: actor.TenantID{UUID: uuid.Must(uuid.NewV7())}, Slug: n.Slug, Name: strings.TrimSpace(n.Name), Region: strings.ToUpper(n.Region),
		Timezone: n.Timezone, Status: Active, Settings: n.Settings, CreatedAt: s.Now(),
	}
	if err := errors.Join(t.validate(), t.Settings.validate(t.Region)); err != nil {
		return Tenant{}, err
	}
	err := s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO tenant (id, slug, name, region, timezone, settings, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			t.ID, t.Slug, t.Name, t.Region, t.Timezone, t.Settings, t.CreatedAt)
		return err
	})
	if _, taken := db.UniqueViolation(err); taken {
		return Tenant{}, &InvalidError{Field: "slug", Rule: fmt.Sprintf("%q is taken", n.Slug), WayOut: "choose another"}
	}
	if err != nil {
		return Tenant{}, fmt.Errorf("create tenant %s: %w", n.Slug, err)
	}
	return t, nil
}

// List answers all tenants by slug. Errors: *actor.Refusal.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Tenant, error) {
	if err := a.Require(actor.Operate); err != nil {
		return nil, err
	}
	return s.query(ctx, ` ORDER BY slug`)
}

// BySlug finds a tenant by its slug. Errors: *NotFoundError.
func (s *Service) BySlug(ctx context.Context, slug string) (Tenant, error) {
	return s.one(ctx, slug, ` WHERE slug = $1`, slug)
}

// Get finds a tenant by its id. Errors: *NotFoundError.
func (s *Service) Get(ctx context.Context, id actor.TenantID) (Tenant, error) {
	return s.one(ctx, id.String(), ` WHERE id = $1`, id)
}

// SetStatus suspends a tenant or lets it work again. Errors: *actor.Refusal,
// *NotFoundError.
func (s *Service) SetStatus(ctx context.Context, a actor.Actor, slug string, status Status) error {
	if err := a.Require(actor.Operate); err != nil {
		return err
	}
	return s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tenant SET status = $2 WHERE slug = $1`, slug, status)
		if err != nil {
			return fmt.Errorf("set tenant %s %s: %w", slug, status, err)
		}
		if tag.RowsAffected() == 0 {
			return &NotFoundError{Name: slug}
		}
		return nil
	})
}

func (s *Service) one(ctx context.Context, name, where string, args ...any) (Tenant, error) {
	found, err := s.query(ctx, where, args...)
	if err != nil {
		return Tenant{}, err
	}
	if len(found) == 0 {
		return Tenant{}, &NotFoundError{Name: name}
	}
	return found[0], nil
}

func (s *Service) query(ctx context.Context, where string, args ...any) (found []Tenant, err error) {
	err = s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		found, err = query(ctx, tx, where, args...)
		return err
	})
	return found, err
}

func query(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]Tenant, error) {
	rows, err := tx.Query(ctx, `SELECT id, slug, name, region, timezone, status, settings, created_at FROM tenant`+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Tenant, error) {
		var t Tenant
		var settings []byte
		if err := row.Scan(&t.ID, &t.Slug, &t.Name, &t.Region, &t.Timezone, &t.Status, &settings, &t.CreatedAt); err != nil {
			return t, err
		}
		return t, json.Unmarshal(settings, &t.Settings)
	})
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	return found, nil
}

func (t Tenant) validate() error {
	if !slugForm.MatchString(t.Slug) {
		return &InvalidError{Field: "slug", Rule: fmt.Sprintf("%q is no short name", t.Slug), WayOut: "use 1 to 63 of a-z, 0-9 and -, such as acme"}
	}
	if n := len([]rune(t.Name)); n == 0 || n > 200 {
		return &InvalidError{Field: "name", Rule: "is empty or longer than 200 characters", WayOut: "give the tenant's name"}
	}
	if region, err := language.ParseRegion(t.Region); err != nil || !region.IsCountry() || len(t.Region) != 2 {
		return &InvalidError{Field: "region", Rule: fmt.Sprintf("%q is no country", t.Region), WayOut: "use a two-letter ISO 3166 code such as US"}
	}
	if _, err := time.LoadLocation(t.Timezone); err != nil || t.Timezone == "" || t.Timezone == "Local" {
		return &InvalidError{Field: "timezone", Rule: fmt.Sprintf("%q is no time zone", t.Timezone), WayOut: "use an IANA name such as America/New_York"}
	}
	return nil
}

// ReadSettings reads a tenant's settings in the caller's transaction.
func ReadSettings(ctx context.Context, tx pgx.Tx, t actor.TenantID) (Settings, error) {
	var s Settings
	if err := tx.QueryRow(ctx, `SELECT settings FROM tenant WHERE id = $1`, t).Scan(&s); err != nil {
		return s, fmt.Errorf("read the tenant's settings: %w", err)
	}
	return s, nil
}
