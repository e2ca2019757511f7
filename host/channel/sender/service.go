package sender

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/host/channel/dial"
	"github.com/clientele-crm/clientele/host/connection"
)

// Vault seals a secret for one place and opens it there again; it is
// host/connection's.
type Vault interface {
	Seal(secret string, place ...string) []byte
	Open(sealed []byte, place ...string) (string, error)
}

// Options are what senders need of the host.
type Options struct {
	DB    *db.DB
	Vault Vault
	Now   func() time.Time
	// Private lets tenants name providers in the host's own network.
	Private bool
	// Roots replaces the system's certificate authorities.
	Roots *x509.CertPool
}

// Service keeps each tenant's senders. It may be used concurrently.
type Service struct {
	Options
	client *http.Client
}

var _ outbound.Senders = (*Service)(nil)

// New makes the service.
func New(o Options) *Service {
	s := &Service{Options: o, client: dial.Client(dial.New(o.Private))}
	if transport, ok := s.client.Transport.(*http.Transport); ok && o.Roots != nil {
		transport.TLSClientConfig = tlsConfig(o.Roots)
	}
	return s
}

// Close gives idle connections back.
func (s *Service) Close() { s.client.CloseIdleConnections() }

// Configured is a channel's sender as people see it: without its secret.
type Configured struct {
	Channel string `json:"channel"`
	Settings
	HasSecret  bool      `json:"has_secret"`
	Idempotent bool      `json:"idempotent" doc:"A message whose outcome is unknown is sent again, because the provider takes it once"`
	ChangedAt  time.Time `json:"changed_at"`
	ChangedBy  string    `json:"changed_by"`
}

// List answers the tenant's senders by channel. Errors: *actor.Refusal.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Configured, error) {
	if err := event.Require(ctx, s.DB, a, actor.Administer, s.Now()); err != nil {
		return nil, err
	}
	var found []Configured
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT channel, settings, sealed IS NOT NULL, changed_at, changed_by FROM sender ORDER BY channel`)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Configured, error) {
			var c Configured
			if err := row.Scan(&c.Channel, &c.Settings, &c.HasSecret, &c.ChangedAt, &c.ChangedBy); err != nil {
				return c, err
			}
			c.Idempotent = c.Webhook != nil && c.Webhook.Idempotent
			return c, nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list senders: %w", err)
	}
	return found, nil
}

// Set says how the tenant sends on a channel, from the next message on. A nil
// secret keeps the one there is, as long as the provider stays the same: a secret
// is never shown to another. Errors: *actor.Refusal, *InvalidError.
func (s *Service) Set(ctx context.Context, a actor.Actor, channel string, settings Settings, secret *string) (*Configured, error) {
	if err := event.Require(ctx, s.DB, a, actor.Administer, s.Now()); err != nil {
		return nil, err
	}
	if err := settings.check(channel); err != nil {
		return nil, err
	}
	if secret != nil && len(*secret) > maxSetting {
		return nil, &InvalidError{"secret", fmt.Sprintf("is longer than %d bytes", maxSetting), "shorten it"}
	}
	now := s.Now()
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		old, sealed, err := s.read(ctx, tx, a.Tenant, channel)
		if err != nil {
			return err
		}
		switch {
		case secret != nil && *secret != "":
			sealed = s.Vault.Seal(*secret, place(a.Tenant, channel)...)
		case secret != nil || old == nil || old.provider() != settings.provider():
			sealed = nil
		}
		if sealed == nil && settings.needsSecret() {
			return &InvalidError{"secret", "is missing", "give the mail server's password, or the key that signs requests to the gateway"}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO sender (tenant_id, channel, settings, sealed, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, channel) DO UPDATE SET settings = excluded.settings, sealed = excluded.sealed,
  changed_at = excluded.changed_at, changed_by = excluded.changed_by`, a.Tenant, channel, settings, sealed, now, a.Name); err != nil {
			return fmt.Errorf("store the sender: %w", err)
		}
		return event.Append(ctx, tx, a, event.Event{Kind: event.SenderChanged, Payload: map[string]any{"channel": channel}, At: now})
	})
	if err != nil {
		return nil, err
	}
	all, err := s.List(ctx, a)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c Configured) bool { return c.Channel == channel })
	if i < 0 {
		return nil, &outbound.NoSenderError{Channel: channel} // taken away meanwhile
	}
	return &all[i], nil
}

// Remove takes a channel's sender away; what waits for it is retried until one is
// set up. Errors: *actor.Refusal, *outbound.NoSenderError.
func (s *Service) Remove(ctx context.Context, a actor.Actor, channel string) error {
	now := s.Now()
	if err := event.Require(ctx, s.DB, a, actor.Administer, now); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM sender WHERE channel = $1`, channel)
		if err != nil {
			return fmt.Errorf("remove the sender: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return &outbound.NoSenderError{Channel: channel}
		}
		return event.Append(ctx, tx, a, event.Event{Kind: event.SenderChanged, Payload: map[string]any{"channel": channel, "removed": true}, At: now})
	})
}

// Sender implements outbound.Senders.
func (s *Service) Sender(ctx context.Context, t actor.TenantID, channel string) (outbound.Sender, error) {
	var settings *Settings
	var sealed []byte
	err := s.DB.Tenant(ctx, actor.ForSystem(t, "outbound"), func(ctx context.Context, tx pgx.Tx) (err error) {
		settings, sealed, err = s.read(ctx, tx, t, channel)
		return err
	})
	if err != nil {
		return nil, err
	}
	if settings == nil {
		return nil, &outbound.NoSenderError{Channel: channel}
	}
	secret := ""
	if sealed != nil {
		if secret, err = s.Vault.Open(sealed, place(t, channel)...); err != nil {
			return nil, fmt.Errorf("the sender of %s: %w", channel, err)
		}
	}
	return s.make(*settings, secret), nil
}

// make is where kinds of provider become senders.
func (s *Service) make(settings Settings, secret string) outbound.Sender {
	if settings.SMTP != nil {
		return &mailer{settings: settings, password: secret, dialer: dial.New(s.Private), roots: s.Roots}
	}
	return &webhook{settings: settings, secret: secret, client: s.client, now: s.Now}
}

// read answers nil settings when the channel has no sender.
func (s *Service) read(ctx context.Context, tx pgx.Tx, t actor.TenantID, channel string) (*Settings, []byte, error) {
	var text, sealed []byte
	err := tx.QueryRow(ctx, `SELECT settings, sealed FROM sender WHERE tenant_id = $1 AND channel = $2`, t, channel).Scan(&text, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the sender of %s: %w", channel, err)
	}
	settings := &Settings{}
	if err := json.Unmarshal(text, settings); err != nil {
		return nil, nil, fmt.Errorf("settings of the sender of %s: %w", channel, err)
	}
	return settings, sealed, nil
}

// place is where a sender's secret belongs: it opens nowhere else.
// SealedColumns are where this package's secrets lie, for a rotation.
func SealedColumns() []connection.SealedColumn {
	return []connection.SealedColumn{{Table: "sender", Column: "sealed", Place: []string{"tenant_id::text", "'sender'", "channel"}}}
}

func place(t actor.TenantID, channel string) []string { return []string{t.String(), "sender", channel} }
