package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// Preferences is what is in force for a client, and what differs from it.
type Preferences struct {
	Client *Client
	Policy policy.Policy
	// Own are conversations that have values of their own, the exempt ones among
	// them (R87).
	Own []OwnPolicy
}

// OwnPolicy is a conversation with settings of its own.
type OwnPolicy struct {
	Conversation ConversationID `json:"conversation"`
	Settings     []policy.Name  `json:"settings"`
	// Exempt: not sensitive, although the client is.
	Exempt bool `json:"exempt"`
}

// PolicyChange is a change of a client's policy that was made, or would be.
type PolicyChange struct {
	Preferences
	Effect PolicyEffect
}

// Preferences answers what is in force for a client. Reading a sensitive client is
// audited. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Preferences(ctx context.Context, a actor.Actor, id ID) (*Preferences, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	p := &Preferences{}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		if p.Client, err = Load(ctx, tx, id); err != nil {
			return err
		}
		if err := p.read(ctx, tx, a.Tenant); err != nil || !p.Client.Sensitive || a.Kind == actor.System {
			return err
		}
		return event.Append(ctx, tx, a, event.Event{
			Kind: event.Read, ClientID: uuid.NullUUID{UUID: p.Client.ID.UUID, Valid: true}, Payload: map[string]any{}, At: s.Now(),
		})
	})
	return p, err
}

func (p *Preferences) read(ctx context.Context, tx pgx.Tx, t actor.TenantID) (err error) {
	if p.Policy, err = PolicyOf(ctx, tx, t, p.Client); err != nil {
		return err
	}
	p.Own, err = ownPolicies(ctx, tx, p.Client)
	return err
}

// ChangePreferences changes a client's preferences (R70): all of the edit, or
// nothing. Conversations without values of their own follow at once, since they
// never had a copy (R71). What keys loosen needs the admin scope (§1.21).
//
// Errors: *NotFoundError, FieldErrors with all that is wrong, *ConflictError,
// *StateError for a deleted client, *actor.Refusal.
func (s *Service) ChangePreferences(ctx context.Context, a actor.Actor, id ID, e PreferenceEdit) (*PolicyChange, error) {
	if err := e.checkForClient(new(policy.Zones)); err != nil {
		return nil, err
	}
	return s.changePolicy(ctx, a, id, actor.EditClients, false, e.apply)
}

// WhatIf does what ChangePreferences and, with a marking, MarkSensitive do, and
// takes it back, so that what it answers is what would happen. It takes the rights
// of what it asks about. Errors: those of both.
func (s *Service) WhatIf(ctx context.Context, a actor.Actor, id ID, e PreferenceEdit, m *Marking) (*PolicyChange, error) {
	if err := e.checkForClient(new(policy.Zones)); err != nil {
		return nil, err
	}
	needs := actor.EditClients
	if m != nil {
		needs = actor.MarkSensitive
	}
	return s.changePolicy(ctx, a, id, needs, true, func(ctx context.Context, u *Unit, c *Client) ([]policy.Name, error) {
		changed, err := e.apply(ctx, u, c)
		if err != nil || m == nil {
			return changed, err
		}
		marked, err := m.apply(ctx, u, c)
		return append(changed, marked...), err
	})
}

// changePolicy is the one way in which a client's policy changes: with the right
// for it, and a further one when that lets more through than before.
func (s *Service) changePolicy(ctx context.Context, a actor.Actor, id ID, needs actor.Can, preview bool,
	fn func(context.Context, *Unit, *Client) ([]policy.Name, error),
) (*PolicyChange, error) {
	if refusal, ok := errors.AsType[*actor.Refusal](a.Require(needs)); ok {
		return nil, s.refusedAbout(ctx, refusal, id)
	}
	var change *PolicyChange
	var unit *Unit
	err := s.change(ctx, a, "preferences", func(ctx context.Context, u *Unit) error {
		unit = u
		c, err := u.Client(ctx, id)
		if err != nil {
			return err
		}
		if c.Deleted() {
			return &StateError{Rule: "the client is deleted", WayOut: "restore it first"}
		}
		change = &PolicyChange{Preferences: Preferences{Client: c}}
		if err := change.make(ctx, u, fn); err != nil || !preview {
			return err
		}
		if err := u.Flush(ctx); err != nil {
			return err
		}
		return errPreview
	})
	if refusal, ok := errors.AsType[*actor.Refusal](err); ok {
		return nil, s.refusedAbout(ctx, refusal, id)
	}
	if err != nil && !errors.Is(err, errPreview) {
		return nil, err
	}
	followers := change.Effect.Conversations
	change.Effect = unit.Effect()
	change.Effect.Conversations = followers
	return change, nil
}

// make changes a client's policy and looks what that means.
func (change *PolicyChange) make(ctx context.Context, u *Unit, fn func(context.Context, *Unit, *Client) ([]policy.Name, error)) error {
	before, err := PolicyOf(ctx, u.tx, u.actor.Tenant, change.Client)
	if err != nil {
		return err
	}
	changed, err := fn(ctx, u, change.Client)
	if err != nil {
		return err
	}
	if err := change.read(ctx, u.tx, u.actor.Tenant); err != nil {
		return err
	}
	if looser := policy.Loosened(before, change.Policy); len(looser) > 0 && !u.actor.May(actor.LoosenClients) {
		return &actor.Refusal{Actor: u.actor, Action: actor.LoosenClients, Why: "this loosens " + policy.Words(looser)}
	}
	change.Effect.Conversations, err = followers(ctx, u.tx, change.Client.ID, changed)
	return err
}

// ownPolicies lists the client's conversations that have settings of their own, at
// most 1,000, the latest first.
func ownPolicies(ctx context.Context, tx pgx.Tx, c *Client) ([]OwnPolicy, error) {
	settings, err := c.PolicySettings(nil)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, policy FROM conversation WHERE client_id = $1 AND policy <> '{}' ORDER BY last_message_at DESC, id LIMIT 1000`, c.ID)
	if err != nil {
		return nil, fmt.Errorf("read conversations with settings of their own: %w", err)
	}
	own := []OwnPolicy{}
	var id ConversationID
	var raw map[policy.Name]json.RawMessage
	_, err = pgx.ForEachRow(rows, []any{&id, &raw}, func() error {
		o := OwnPolicy{Conversation: id}
		for name := range raw {
			o.Settings = append(o.Settings, name)
		}
		slices.Sort(o.Settings)
		if text, marked := raw[policy.NameSensitive]; marked {
			var mark policy.Mark
			if err := json.Unmarshal(text, &mark); err != nil {
				return fmt.Errorf("read the mark of conversation %s: %w", id, err)
			}
			inForce := mark.InForce(settings)
			o.Exempt = inForce != nil && !inForce.Value && c.Sensitive
		}
		own, raw = append(own, o), nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read conversations with settings of their own: %w", err)
	}
	return own, nil
}

// followers counts the client's conversations that inherit at least one of the
// settings.
func followers(ctx context.Context, tx pgx.Tx, id ID, changed []policy.Name) (n int, err error) {
	if len(changed) == 0 {
		return 0, nil
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM conversation WHERE client_id = $1 AND NOT policy ?& $2::text[]`, id, changed).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count conversations that follow: %w", err)
	}
	return n, nil
}
