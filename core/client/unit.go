package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
)

// Changes is told, in the same transaction, which clients have a new revision,
// and which conversations got another client through a merge. The sync engine
// implements it (design.md §2).
type Changes interface {
	ClientsChanged(ctx context.Context, tx pgx.Tx, t actor.TenantID, ids []ID, reason string) error
	ConversationsChanged(ctx context.Context, tx pgx.Tx, t actor.TenantID, ids []ConversationID, reason string) error
}

// Unit is one unit of work on clients inside the caller's transaction. Changes
// of a client are kept in memory and written by Flush: one new revision, one row
// update and one call of Changes for each client, however much was changed. Not
// for concurrent use.
type Unit struct {
	tx      pgx.Tx
	actor   actor.Actor
	now     time.Time
	changes Changes
	clients map[ID]*Client
	touched []ID
	reason  string
	events  []event.Event
	// moved are conversations that a merge or its undo gave another client.
	moved []ConversationID
	// policies is what changed that decides about messages, and effect what came of
	// it for those that wait.
	outbound Outbound
	policies PolicyScope
	effect   PolicyEffect
}

// Begin starts a unit of work. Reason is told to Changes ("intake", "edit").
func Begin(tx pgx.Tx, a actor.Actor, now time.Time, changes Changes, reason string) *Unit {
	return &Unit{tx: tx, actor: a, now: now, changes: changes, reason: reason, clients: map[ID]*Client{}}
}

// Client loads and locks a client for this unit; merged ids lead to the survivor.
func (u *Unit) Client(ctx context.Context, id ID) (*Client, error) {
	if c, ok := u.clients[id]; ok {
		return c, nil // a client that this unit merged is its survivor here
	}
	c, err := lock(ctx, u.tx, id)
	if err != nil {
		return nil, err
	}
	if known, ok := u.clients[c.ID]; ok {
		return known, nil
	}
	u.clients[c.ID] = c
	return c, nil
}

// Now is the time at which all of the unit's work happens.
func (u *Unit) Now() time.Time { return u.now }

// Log adds an event to the unit, written by Flush in the order of the calls.
func (u *Unit) Log(c *Client, kind event.Kind, payload map[string]any) {
	u.events = append(u.events, event.Event{
		Kind: kind, ClientID: uuid.NullUUID{UUID: c.ID.UUID, Valid: true}, Payload: payload, At: u.now,
	})
}

// LogConversation is Log for an event that belongs to a conversation too.
func (u *Unit) LogConversation(client *ID, conversation uuid.UUID, kind event.Kind, at time.Time, payload map[string]any) {
	e := event.Event{Kind: kind, ConversationID: uuid.NullUUID{UUID: conversation, Valid: true}, Payload: payload, At: at}
	if client != nil {
		e.ClientID = uuid.NullUUID{UUID: client.UUID, Valid: true}
	}
	u.events = append(u.events, e)
}

// Touched tells whether the unit changed the client.
func (u *Unit) Touched(id ID) bool { return slices.Contains(u.touched, id) }

// Contacted moves the client's last contact forward (R181). That alone is no new
// revision: CRMs get it with the conversation.
func (u *Unit) Contacted(ctx context.Context, id ID, at time.Time) error {
	_, err := u.tx.Exec(ctx, `UPDATE client SET last_contact_at = greatest(last_contact_at, $2) WHERE id = $1`, id, at)
	if err != nil {
		return fmt.Errorf("note last contact: %w", err)
	}
	if c, ok := u.clients[id]; ok && (c.LastContactAt == nil || c.LastContactAt.Before(at)) {
		c.LastContactAt = &at
	}
	return nil
}

// Flush writes what changed. After it the unit is done.
func (u *Unit) Flush(ctx context.Context) error {
	for _, id := range u.touched {
		c := u.clients[id]
		c.Revision++
		c.UpdatedAt = u.now
		if err := save(ctx, u.tx, c); err != nil {
			return err
		}
	}
	if err := u.indexDuplicates(ctx); err != nil {
		return err
	}
	u.stampRevisions()
	if err := event.Append(ctx, u.tx, u.actor, u.events...); err != nil {
		return err
	}
	u.events = nil
	if err := u.tellOutbound(ctx); err != nil || u.changes == nil {
		return err
	}
	if len(u.touched) > 0 {
		if err := u.changes.ClientsChanged(ctx, u.tx, u.actor.Tenant, u.touched, u.reason); err != nil {
			return err
		}
	}
	if len(u.moved) == 0 {
		return nil
	}
	return u.changes.ConversationsChanged(ctx, u.tx, u.actor.Tenant, u.moved, u.reason)
}

// stampRevisions notes in each change which revision it made, so that a stale
// edit can be told what the record looked like when it began.
func (u *Unit) stampRevisions() {
	for _, e := range u.events {
		if c, ok := u.clients[ID{e.ClientID.UUID}]; ok && e.Payload != nil && u.Touched(c.ID) {
			e.Payload["revision"] = c.Revision
		}
	}
}

func (u *Unit) touch(c *Client) {
	if !slices.Contains(u.touched, c.ID) {
		u.touched = append(u.touched, c.ID)
	}
}
