package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/event"
)

// Found is an identifier that a message or a form brought, in normal form.
type Found struct {
	Kind      IdentifierKind
	Value     string
	Normal    string
	Extension string
	Source    Source
	Verified  bool
	// Shared: several people use it, and those who have it are marked already.
	Shared    bool
	MessageID uuid.NullUUID
	Evidence
}

// Evidence says where a value was read, for the person who reviews it (R147).
type Evidence struct {
	Detector   string
	Confidence float64
	Sentence   string
}

// AddIdentifier gives the client one more identifier, or strengthens the one it
// has. It becomes primary if it is the first of its kind, or if the channel
// proves it and the present primary was only extracted (R143). The caller has
// made sure that no other live client holds it.
func (u *Unit) AddIdentifier(ctx context.Context, c *Client, f Found) error {
	for i := range c.Identifiers {
		id := &c.Identifiers[i]
		if id.Kind == f.Kind && id.Normal == f.Normal && id.Extension == f.Extension && id.Normal != "" {
			return u.strengthen(ctx, c, id, f)
		}
	}
	id := Identifier{
		ID: uuid.Must(uuid.NewV7()), ClientID: c.ID, Kind: f.Kind, Value: f.Value, Normal: f.Normal,
		Extension: f.Extension, Source: f.Source, Verified: f.Verified, Shared: f.Shared, Active: true, MessageID: f.MessageID, CreatedAt: u.now,
	}
	before := c.primaryValue(f.Kind)
	primary := c.currentPrimary(f.Kind)
	id.IsPrimary = primary == nil
	if primary != nil && primary.Source == FromExtraction && f.Source != FromExtraction {
		if err := u.demote(ctx, primary); err != nil {
			return err
		}
		id.IsPrimary = true
	}
	_, err := u.tx.Exec(ctx, `INSERT INTO client_identifier
  (id, tenant_id, client_id, kind, value, normal, extension, is_primary, source, verified, shared, message_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, id.ID, u.actor.Tenant, c.ID, id.Kind, id.Value, id.Normal,
		id.Extension, id.IsPrimary, id.Source, id.Verified, id.Shared, id.MessageID, id.CreatedAt)
	if err != nil {
		return fmt.Errorf("add %s: %w", f.Kind, err)
	}
	if c.Kind == Anonymous && (f.Kind == Email || f.Kind == Phone) {
		c.Kind = Person
	}
	c.Identifiers = append(c.Identifiers, id)
	u.touch(c)
	u.Log(c, event.IdentifierAdded, map[string]any{
		"kind": id.Kind, "value": id.Value, "primary": id.IsPrimary, "source": id.Source,
		"detector": f.Detector, "sentence": f.Sentence, "primary_before": before,
	})
	return nil
}

// RemoveIdentifier takes an identifier away, and makes the oldest other one of
// its kind primary where it was.
func (u *Unit) RemoveIdentifier(ctx context.Context, c *Client, id Identifier, cause string) error {
	before := c.primaryValue(id.Kind)
	if _, err := u.tx.Exec(ctx, `DELETE FROM client_identifier WHERE id = $1`, id.ID); err != nil {
		return fmt.Errorf("remove %s: %w", id.Kind, err)
	}
	c.Identifiers = slices.DeleteFunc(c.Identifiers, func(x Identifier) bool { return x.ID == id.ID })
	u.touch(c)
	u.Log(c, event.IdentifierRemoved, map[string]any{"kind": id.Kind, "value": id.Value, "cause": cause, "primary_before": before})
	if !id.IsPrimary {
		return nil
	}
	for i := range c.Identifiers {
		if c.Identifiers[i].Kind == id.Kind {
			return u.promote(ctx, &c.Identifiers[i])
		}
	}
	return nil
}

// Absorb takes a visitor into the client he turned out to be, by a merge that a
// person can undo. A visitor is known by nothing but sessions; two known clients
// are merged by a person (R131). What the visitor said is no surer than
// what tied him to the client, so his conversations become uncertain (R133).
func (u *Unit) Absorb(ctx context.Context, visitor, into *Client, cause string) error {
	known := slices.ContainsFunc(visitor.Identifiers, func(id Identifier) bool { return id.Kind != Chat })
	if known || visitor.Kind == SharedMailbox || visitor.ID == into.ID {
		return nil
	}
	m, err := u.merge(ctx, into, []*Client{visitor}, nil, mergeBy{cause: cause})
	if err != nil {
		return fmt.Errorf("absorb visitor %s: %w", visitor.ID, err)
	}
	_, err = u.tx.Exec(ctx, `UPDATE conversation SET link_certain = false WHERE NOT link_locked AND id IN
  (SELECT (before->>'id')::uuid FROM merge_row WHERE merge_id = $1 AND reference = 'conversation.client_id' AND moved)`, m.ID)
	if err != nil {
		return fmt.Errorf("doubt the conversations of visitor %s: %w", visitor.ID, err)
	}
	return nil
}

// Has tells whether the client has an identifier.
func (c *Client) Has(kind IdentifierKind, normal string) bool {
	return slices.ContainsFunc(c.Identifiers, func(id Identifier) bool { return id.Kind == kind && id.Normal == normal })
}

func (u *Unit) strengthen(ctx context.Context, c *Client, id *Identifier, f Found) error {
	if !f.Source.Outranks(id.Source) && (id.Verified || !f.Verified) {
		return nil
	}
	if f.Source.Outranks(id.Source) {
		id.Source, id.MessageID = f.Source, f.MessageID
	}
	id.Verified = id.Verified || f.Verified
	if _, err := u.tx.Exec(ctx, `UPDATE client_identifier SET source = $2, verified = $3, message_id = $4 WHERE id = $1`,
		id.ID, id.Source, id.Verified, id.MessageID); err != nil {
		return fmt.Errorf("strengthen %s: %w", id.Kind, err)
	}
	primary := c.currentPrimary(id.Kind)
	if primary == nil || primary.ID == id.ID || primary.Source != FromExtraction || id.Source == FromExtraction {
		return nil
	}
	return u.changePrimary(ctx, c, id, "proved by the channel")
}

// makePrimary makes one of the client's identifiers the primary of its kind.
func (u *Unit) makePrimary(ctx context.Context, c *Client, id uuid.UUID) error {
	for i := range c.Identifiers {
		if c.Identifiers[i].ID == id && !c.Identifiers[i].IsPrimary {
			return u.changePrimary(ctx, c, &c.Identifiers[i], "chosen by a person")
		}
	}
	return nil
}

func (u *Unit) changePrimary(ctx context.Context, c *Client, id *Identifier, cause string) error {
	before := c.primaryValue(id.Kind)
	if primary := c.currentPrimary(id.Kind); primary != nil {
		if err := u.demote(ctx, primary); err != nil {
			return err
		}
	}
	u.touch(c)
	u.Log(c, event.IdentifierPrimary, map[string]any{"kind": id.Kind, "value": id.Value, "cause": cause, "primary_before": before})
	return u.promote(ctx, id)
}

func (u *Unit) demote(ctx context.Context, id *Identifier) error { return u.setPrimary(ctx, id, false) }

func (u *Unit) promote(ctx context.Context, id *Identifier) error { return u.setPrimary(ctx, id, true) }

func (u *Unit) setPrimary(ctx context.Context, id *Identifier, primary bool) error {
	id.IsPrimary = primary
	if _, err := u.tx.Exec(ctx, `UPDATE client_identifier SET is_primary = $2 WHERE id = $1`, id.ID, primary); err != nil {
		return fmt.Errorf("change primary %s: %w", id.Kind, err)
	}
	return nil
}

func (c *Client) currentPrimary(kind IdentifierKind) *Identifier {
	for i := range c.Identifiers {
		if c.Identifiers[i].Kind == kind && c.Identifiers[i].IsPrimary {
			return &c.Identifiers[i]
		}
	}
	return nil
}

// primaryValue is the primary identifier of a kind as typed, or "".
func (c *Client) primaryValue(kind IdentifierKind) string {
	if id := c.currentPrimary(kind); id != nil {
		return id.Value
	}
	return ""
}
