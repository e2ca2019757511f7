package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// OptOut is a client's word not to be contacted on a channel, or at one address of
// it (R46). It is no preference: it wins over every automation, and over people.
type OptOut struct {
	ID uuid.UUID `json:"id"`
	// ClientID is who gave it. One for an address counts for everybody who has that
	// address.
	ClientID ID             `json:"client_id"`
	Channel  policy.Channel `json:"channel"`
	// Address in normal form; "" is all of the channel.
	Address string    `json:"address"`
	Reason  string    `json:"reason"`
	SetBy   string    `json:"set_by"`
	At      time.Time `json:"at"`
}

// NewOptOut is what an opt-out is made of; Address as typed, or "".
type NewOptOut struct {
	Channel policy.Channel
	Address string
	Reason  string
}

// AddOptOut notes that the client opted out. Noting the same twice is no error.
// Errors: *NotFoundError, FieldErrors, *StateError for a deleted client,
// *actor.Refusal.
func (s *Service) AddOptOut(ctx context.Context, a actor.Actor, id ID, n NewOptOut) (*PolicyChange, error) {
	address, err := s.checkOptOut(ctx, a, n)
	if err != nil {
		return nil, err
	}
	return s.changePolicy(ctx, a, id, actor.EditClients, false, func(ctx context.Context, u *Unit, c *Client) ([]policy.Name, error) {
		tag, err := u.tx.Exec(ctx, `INSERT INTO client_opt_out (id, tenant_id, client_id, channel, address, reason, set_by, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`, uuid.Must(uuid.NewV7()), a.Tenant, c.ID, n.Channel, address, n.Reason, a.Name, u.now)
		if err != nil {
			return nil, fmt.Errorf("note an opt-out of client %s: %w", c.ID, err)
		}
		if tag.RowsAffected() == 0 {
			return nil, nil
		}
		return u.optOutChanged(ctx, c, n.Channel, address, event.Change(string(policy.NameOptOuts), nil, optOutWords(n.Channel, address), n.Reason))
	})
}

// LiftOptOut takes an opt-out back, with a reason that is kept. Errors: as of
// AddOptOut, *OptOutNotFoundError.
func (s *Service) LiftOptOut(ctx context.Context, a actor.Actor, id ID, optOut uuid.UUID, reason string) (*PolicyChange, error) {
	if wrong := CheckReason(reason); wrong != nil {
		return nil, FieldErrors{wrong}
	}
	if reason == "" {
		return nil, FieldErrors{{Field: "reason", Rule: "is missing", WayOut: "say how you know that the client wants to be contacted again"}}
	}
	return s.changePolicy(ctx, a, id, actor.EditClients, false, func(ctx context.Context, u *Unit, c *Client) ([]policy.Name, error) {
		var channel policy.Channel
		var address string
		err := u.tx.QueryRow(ctx, `DELETE FROM client_opt_out WHERE id = $1 AND client_id = $2 RETURNING channel, address`, optOut, c.ID).Scan(&channel, &address)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, &OptOutNotFoundError{ID: optOut}
		}
		if err != nil {
			return nil, fmt.Errorf("lift an opt-out of client %s: %w", c.ID, err)
		}
		return u.optOutChanged(ctx, c, channel, address, event.Change(string(policy.NameOptOuts), optOutWords(channel, address), nil, reason))
	})
}

// OptOutNotFoundError is an opt-out that the client doesn't have.
type OptOutNotFoundError struct{ ID uuid.UUID }

// Error names the opt-out.
func (e *OptOutNotFoundError) Error() string { return "opt-out " + e.ID.String() + " does not exist" }

// OptOuts answers the opt-outs that bind a client: its own, and those of addresses
// that it has. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) OptOuts(ctx context.Context, a actor.Actor, id ID) (found []OptOut, err error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		c, err := Load(ctx, tx, id)
		if err != nil {
			return err
		}
		found, err = optOutsOf(ctx, tx, c.ID)
		return err
	})
	return found, err
}

func (s *Service) checkOptOut(ctx context.Context, a actor.Actor, n NewOptOut) (address string, err error) {
	var wrong FieldErrors
	if n.Channel == "" {
		wrong = append(wrong, &FieldError{Field: "channel", Rule: "is missing", WayOut: "name email, sms or phone"})
	} else if p := policy.CheckChannels("channel", []policy.Channel{n.Channel}); p != nil {
		wrong = append(wrong, &FieldError{Field: p.Field, Rule: p.Rule, WayOut: p.WayOut})
	}
	if e := CheckReason(n.Reason); e != nil {
		wrong = append(wrong, e)
	}
	if n.Address != "" && len(wrong) == 0 {
		region, err := s.Region(ctx, a.Tenant)
		if err != nil {
			return "", fmt.Errorf("read the tenant's region: %w", err)
		}
		found, err := checkIdentifier(identifierKind(n.Channel), &n.Address, region)
		if err != nil || found.Normal == "" {
			wrong = append(wrong, &FieldError{Field: "address", Rule: "can't be read as one of the channel", WayOut: "write an email address, or a number with its country code"})
		} else {
			address = found.Normal
		}
	}
	return address, wrong.orNil()
}

// optOutChanged tells everybody whom the opt-out binds: the client, and others who
// have the address.
func (u *Unit) optOutChanged(ctx context.Context, c *Client, channel policy.Channel, address string, change map[string]any) ([]policy.Name, error) {
	u.touch(c)
	u.policyChanged(c)
	u.Log(c, event.Preference, change)
	rows, err := u.tx.Query(ctx, `SELECT client_id FROM client_identifier WHERE kind = $1 AND normal = $2 AND normal <> '' AND active ORDER BY client_id LIMIT 1000`,
		identifierKind(channel), address)
	if err != nil {
		return nil, fmt.Errorf("find who has an address: %w", err)
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[ID])
	if err != nil {
		return nil, fmt.Errorf("find who has an address: %w", err)
	}
	for _, id := range others {
		other, err := u.Client(ctx, id)
		if err != nil {
			return nil, err
		}
		u.policyChanged(other)
	}
	return []policy.Name{policy.NameOptOuts}, nil
}

// identifierKind is the kind of the addresses that a channel reaches.
func identifierKind(channel policy.Channel) IdentifierKind {
	if channel == policy.Email {
		return Email
	}
	return Phone
}

// optOutWords keeps the address out of the audit, which outlives it.
func optOutWords(channel policy.Channel, address string) string {
	if address == "" {
		return string(channel)
	}
	return string(channel) + ", one address"
}

func optOutsOf(ctx context.Context, tx pgx.Tx, id ID) ([]OptOut, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, o.client_id, o.channel, o.address, o.reason, o.set_by, o.at FROM client_opt_out o
 WHERE o.client_id = $1 OR o.address <> '' AND (o.address, CASE o.channel WHEN 'email' THEN 'email' ELSE 'phone' END) IN (
   SELECT i.normal, i.kind FROM client_identifier i WHERE i.client_id = $1 AND i.active)
 ORDER BY o.at, o.id LIMIT 1000`, id)
	if err != nil {
		return nil, fmt.Errorf("read opt-outs of client %s: %w", id, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[OptOut])
	if err != nil {
		return nil, fmt.Errorf("read opt-outs of client %s: %w", id, err)
	}
	return found, nil
}

func policyOptOuts(found []OptOut) []policy.OptOut {
	out := make([]policy.OptOut, len(found))
	for i, o := range found {
		out[i] = policy.OptOut{Channel: o.Channel, Address: o.Address, Set: policy.Set{By: o.SetBy, At: o.At, Reason: o.Reason}}
	}
	return out
}
