package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/extract"
)

// Settings are what an admin may change (R192), in force on the next message.
// The tenant's region and time zone stand beside them in Tenant.
type Settings struct {
	// Extraction is passed to every run; its Region follows the tenant's.
	Extraction extract.Settings `json:"extraction"`
	// NoCreation lists channels that never create clients.
	NoCreation []string `json:"no_creation,omitempty"`
	// IdleMinutes by channel: after so much silence a conversation has ended.
	// Absent: DefaultIdle. A call ends at once.
	IdleMinutes map[string]int `json:"idle_minutes,omitempty"`
	// Endpoint is the AI endpoint that is asked for a second opinion; nil: none.
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	// Policy is the tenant's part in what may be sent. SetPolicy changes it, since
	// messages that wait are decided again then.
	Policy Policy `json:"policy,omitzero"`
}

// Endpoint is an OpenAI-compatible chat endpoint. Its key is a secret and kept
// elsewhere.
type Endpoint struct {
	// URL is the API's base, such as https://api.example.com/v1.
	URL   string `json:"url"`
	Model string `json:"model"`
	// TimeoutSeconds is the patience for one answer, 1 to 60; 0 means 10. Too low
	// loses answers; too high only holds up other opinions, never a message.
	TimeoutSeconds int `json:"timeout_seconds,omitempty"`
	// CallsPerDay is the budget of a UTC day, 1 to 1,000,000; 0 means 1,000. What
	// goes beyond is not asked.
	CallsPerDay int `json:"calls_per_day,omitempty"`
}

// Timeout is the patience for one answer.
func (e Endpoint) Timeout() time.Duration {
	if e.TimeoutSeconds == 0 {
		return 10 * time.Second
	}
	return time.Duration(e.TimeoutSeconds) * time.Second
}

// Budget is how often the endpoint may be asked in a day.
func (e Endpoint) Budget() int {
	if e.CallsPerDay == 0 {
		return 1000
	}
	return e.CallsPerDay
}

// DefaultIdle is the silence that ends a conversation when nothing else does
// (R167, design.md §11).
func DefaultIdle(channel string) time.Duration {
	switch channel {
	case "chat":
		return 30 * time.Minute
	case "voice":
		return 0
	default:
		return 24 * time.Hour
	}
}

// Idle is the silence after which a conversation of the channel has ended.
func (s Settings) Idle(channel string) time.Duration {
	if m, ok := s.IdleMinutes[channel]; ok && channel != "voice" {
		return time.Duration(m) * time.Minute
	}
	return DefaultIdle(channel)
}

// MayCreate tells whether messages of the channel may create clients.
func (s Settings) MayCreate(channel string) bool { return !slices.Contains(s.NoCreation, channel) }

// Change is one change of a tenant's settings: each member that isn't nil takes
// the place of what was there.
type Change struct {
	Region       *string                    `json:"region,omitempty" doc:"Two-letter country, assumed for numbers and addresses without one"`
	Timezone     *string                    `json:"timezone,omitempty" doc:"IANA name, such as America/New_York"`
	NoCreation   *[]string                  `json:"no_creation,omitempty" doc:"Channels that never create clients"`
	IdleMinutes  *map[string]int            `json:"idle_minutes,omitempty" doc:"Silence, by channel, after which a conversation has ended"`
	Off          *[]extract.Field           `json:"off,omitempty" doc:"Fields that are not extracted"`
	Accept       *map[extract.Field]float64 `json:"accept,omitempty" doc:"Least confidence, by field, at which a value is written; 0.8 where none is given"`
	Suggest      *float64                   `json:"suggest,omitempty" doc:"Least confidence at which a value is suggested; 0 means 0.5"`
	OwnDomains   *[]string                  `json:"own_domains,omitempty" doc:"Mail domains of your own people, never a client's"`
	OwnAddresses *[]string                  `json:"own_addresses,omitempty" doc:"Your own addresses elsewhere"`
	OwnNumbers   *[]string                  `json:"own_numbers,omitempty" doc:"Your own phone numbers"`
	Agents       *[]string                  `json:"agents,omitempty" doc:"Full names of your own people"`
	NotNames     *[]string                  `json:"not_names,omitempty" doc:"Words that are no names"`
	Names        *[]string                  `json:"names,omitempty" doc:"Words that are names, whatever the lists say"`
	Endpoint     *Endpoint                  `json:"endpoint,omitempty" doc:"The AI endpoint for a second opinion; with an empty url there is none"`
}

func (c Change) apply(t *Tenant) {
	set(&t.Region, c.Region)
	set(&t.Timezone, c.Timezone)
	t.Region = strings.ToUpper(t.Region)
	s := &t.Settings
	set(&s.NoCreation, c.NoCreation)
	set(&s.IdleMinutes, c.IdleMinutes)
	x := &s.Extraction
	set(&x.Off, c.Off)
	set(&x.Accept, c.Accept)
	set(&x.Suggest, c.Suggest)
	set(&x.OwnDomains, c.OwnDomains)
	set(&x.OwnAddresses, c.OwnAddresses)
	set(&x.OwnNumbers, c.OwnNumbers)
	set(&x.Agents, c.Agents)
	set(&x.NotNames, c.NotNames)
	set(&x.Names, c.Names)
	if c.Endpoint != nil {
		s.Endpoint = c.Endpoint
		if *c.Endpoint == (Endpoint{}) {
			s.Endpoint = nil
		}
	}
}

// members names what the change changes, for the audit.
func (c Change) members() []string {
	var names []string
	for name, given := range map[string]bool{
		"region": c.Region != nil, "timezone": c.Timezone != nil, "no_creation": c.NoCreation != nil, "idle_minutes": c.IdleMinutes != nil,
		"off": c.Off != nil, "accept": c.Accept != nil, "suggest": c.Suggest != nil, "own_domains": c.OwnDomains != nil,
		"own_addresses": c.OwnAddresses != nil, "own_numbers": c.OwnNumbers != nil, "agents": c.Agents != nil,
		"not_names": c.NotNames != nil, "names": c.Names != nil, "endpoint": c.Endpoint != nil,
	} {
		if given {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// ReadSettings answers the actor's tenant with its settings. Errors:
// *actor.Refusal.
func (s *Service) ReadSettings(ctx context.Context, a actor.Actor) (Tenant, error) {
	if err := event.Require(ctx, s.DB, a, actor.Administer, s.Now()); err != nil {
		return Tenant{}, err
	}
	return s.Get(ctx, a.Tenant)
}

// ChangeSettings changes some settings of the actor's tenant and answers the
// tenant as it is then; the audit names what was changed, and by whom. Errors:
// *actor.Refusal; joined *InvalidError for everything that is wrong, with nothing
// changed.
func (s *Service) ChangeSettings(ctx context.Context, a actor.Actor, c Change) (Tenant, error) {
	if err := event.Require(ctx, s.DB, a, actor.Administer, s.Now()); err != nil {
		return Tenant{}, err
	}
	var t Tenant
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		// What people teach meanwhile (TeachNotNames) must not be lost.
		if _, err := tx.Exec(ctx, `SELECT 1 FROM tenant WHERE id = $1 FOR NO KEY UPDATE`, a.Tenant); err != nil {
			return fmt.Errorf("lock the tenant: %w", err)
		}
		found, err := query(ctx, tx, ` WHERE id = $1`, a.Tenant)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return &NotFoundError{Name: a.Tenant.String()}
		}
		t = found[0]
		c.apply(&t)
		if err := errors.Join(t.validate(), t.Settings.validate(t.Region)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE tenant SET region = $2, timezone = $3, settings = $4 WHERE id = $1`,
			a.Tenant, t.Region, t.Timezone, t.Settings); err != nil {
			return fmt.Errorf("store settings: %w", err)
		}
		return event.Append(ctx, tx, a, event.Event{Kind: event.Configured, Payload: map[string]any{"settings": c.members()}, At: s.Now()})
	})
	return t, err
}
