package client

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Outbound is told, in the same transaction, that the policies of some messages
// that wait may have changed, and decides each of them again: what may no longer
// leave by itself becomes a draft, and what is held gets its new time. A draft
// stays one, since loosening releases nothing (R83). What it did it counts; a
// what-if makes the change, asks, and takes everything back.
type Outbound interface {
	PolicyChanged(ctx context.Context, tx pgx.Tx, a actor.Actor, s PolicyScope) (PolicyEffect, error)
}

// PolicyScope is whose policies changed.
type PolicyScope struct {
	Clients       []ID
	Conversations []ConversationID
	// Tenant: those of all.
	Tenant bool
}

func (s PolicyScope) empty() bool {
	return len(s.Clients) == 0 && len(s.Conversations) == 0 && !s.Tenant
}

// PolicyEffect is what a change of policies does.
type PolicyEffect struct {
	// Conversations whose policy follows the change, having no value of their own
	// for all that changed.
	Conversations int `json:"conversations"`
	// What becomes of messages that wait: of automated ones that turn into drafts,
	// are blocked, are held until another time, or are held no longer.
	Drafted  int `json:"drafted"`
	Blocked  int `json:"blocked"`
	Retimed  int `json:"retimed"`
	Released int `json:"released"`
	// NextAt is when the first of the retimed may leave.
	NextAt time.Time `json:"next_at,omitzero"`
}

// Telling sets who is told of changed policies; nil tells nobody.
func (u *Unit) Telling(o Outbound) *Unit {
	u.outbound = o
	return u
}

// PolicyMoved notes that a conversation got another client, and so another policy.
func (u *Unit) PolicyMoved(id ConversationID) {
	u.policies.Conversations = append(u.policies.Conversations, id)
}

// Effect is what Outbound answered to the unit's Flush.
func (u *Unit) Effect() PolicyEffect { return u.effect }

func (u *Unit) policyChanged(c *Client) {
	if !slices.Contains(u.policies.Clients, c.ID) {
		u.policies.Clients = append(u.policies.Clients, c.ID)
	}
}

func (u *Unit) tellOutbound(ctx context.Context) error {
	scope := u.policies
	scope.Conversations = append(scope.Conversations, u.moved...)
	if u.outbound == nil || scope.empty() {
		return nil
	}
	effect, err := u.outbound.PolicyChanged(ctx, u.tx, u.actor, scope)
	if err != nil {
		return fmt.Errorf("decide again about messages that wait: %w", err)
	}
	u.effect = effect
	return nil
}

// PolicySet says who set each of a client's preferences and its flag.
type PolicySet map[policy.Name]policy.Set

// restore puts some settings' origins back to what they were.
func (p PolicySet) restore(before PolicySet, names ...policy.Name) {
	for _, name := range names {
		if set, was := before[name]; was {
			p[name] = set
		} else {
			delete(p, name)
		}
	}
}

func preferenceNames() []policy.Name {
	return []policy.Name{policy.NameChannels, policy.NameWindows, policy.NameTimezone, policy.NameNever, policy.NameReview}
}

// PolicySettings are the client's part in a policy. A setting at its default that
// nobody ever set is none.
func (c *Client) PolicySettings(optOuts []policy.OptOut) (policy.ClientSettings, error) {
	windows, err := c.windows()
	if err != nil {
		return policy.ClientSettings{}, err
	}
	return policy.ClientSettings{
		ID:             c.ID.String(),
		Channels:       ownSetting(c, policy.NameChannels, c.channels(), len(c.PreferredChannels) == 0),
		Windows:        ownSetting(c, policy.NameWindows, windows, len(windows) == 0),
		Timezone:       c.zone(),
		NeverAutoSend:  ownSetting(c, policy.NameNever, c.NeverAutoSend, !c.NeverAutoSend),
		ReviewRequired: ownSetting(c, policy.NameReview, c.HumanReviewRequired, !c.HumanReviewRequired),
		Sensitive:      ownSetting(c, policy.NameSensitive, c.Sensitive, !c.Sensitive),
		OptOuts:        optOuts,
	}, nil
}

func ownSetting[T any](c *Client, name policy.Name, value T, unset bool) *policy.Own[T] {
	set, known := c.PolicySet[name]
	if unset && !known {
		return nil
	}
	return &policy.Own[T]{Value: value, Set: set}
}

// zone is the client's own; the empty text is the tenant's (R57).
func (c *Client) zone() *policy.Own[string] {
	if c.Timezone == "" {
		return nil
	}
	return &policy.Own[string]{Value: c.Timezone, Set: c.PolicySet[policy.NameTimezone]}
}

func (c *Client) channels() []policy.Channel {
	channels := make([]policy.Channel, len(c.PreferredChannels))
	for i, name := range c.PreferredChannels {
		channels[i] = policy.Channel(name)
	}
	return channels
}

func (c *Client) windows() ([]policy.Window, error) {
	windows := []policy.Window{}
	if len(c.ContactWindows) == 0 {
		return windows, nil
	}
	if err := json.Unmarshal(c.ContactWindows, &windows); err != nil {
		return nil, fmt.Errorf("read the contact windows of client %s: %w", c.ID, err)
	}
	return windows, nil
}

// PolicyOf computes what is in force for a new message to the client, beside any
// conversation.
func PolicyOf(ctx context.Context, tx pgx.Tx, t actor.TenantID, c *Client) (policy.Policy, error) {
	of, err := tenant.ReadPolicy(ctx, tx, t)
	if err != nil {
		return policy.Policy{}, err
	}
	optOuts, err := optOutsOf(ctx, tx, c.ID)
	if err != nil {
		return policy.Policy{}, err
	}
	settings, err := c.PolicySettings(policyOptOuts(optOuts))
	if err != nil {
		return policy.Policy{}, err
	}
	return policy.Combine(policy.In{Tenant: of, Client: settings}), nil
}

// mergedPolicySet notes the merge as the origin of what it changed, so that no
// approval given before it counts for what became stricter.
func mergedPolicySet(before, after *Client, merge policy.Set) PolicySet {
	set := maps.Clone(before.PolicySet)
	if set == nil {
		set = PolicySet{}
	}
	old, now := frameOf(before), frameOf(after)
	for name, changed := range map[policy.Name]bool{
		policy.NameChannels:  fmt.Sprint(old.PreferredChannels) != fmt.Sprint(now.PreferredChannels),
		policy.NameWindows:   old.ContactWindows != now.ContactWindows,
		policy.NameTimezone:  old.Timezone != now.Timezone,
		policy.NameNever:     old.NeverAutoSend != now.NeverAutoSend,
		policy.NameReview:    old.HumanReviewRequired != now.HumanReviewRequired,
		policy.NameSensitive: old.Sensitive != now.Sensitive,
	} {
		if changed {
			set[name] = merge
		}
	}
	return set
}
