package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
)

// LinkTo links a conversation to a client, or moves it to another (R17). The link
// is locked: automation never reverts it. Both clients' timelines get the event,
// and the CRMs' activities follow. Errors: *NotFoundError, *client.NotFoundError,
// *client.StateError for a deleted client, *actor.Refusal.
func (s *Service) LinkTo(ctx context.Context, a actor.Actor, id ID, to client.ID) (*Conversation, error) {
	return s.relink(ctx, a, id, func(ctx context.Context, l *linking) error {
		c, err := l.unit.Client(ctx, to)
		if err != nil {
			return err
		}
		if c.Deleted() {
			return &client.StateError{Rule: "the client is deleted", WayOut: "restore it first"}
		}
		return l.set(ctx, &c.ID)
	})
}

// Unlink takes a conversation from its client (R17), and keeps automation from
// linking it again. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Unlink(ctx context.Context, a actor.Actor, id ID) (*Conversation, error) {
	return s.relink(ctx, a, id, func(ctx context.Context, l *linking) error { return l.set(ctx, nil) })
}

// Confirm says that an uncertain link is right. Errors: *NotFoundError,
// *client.StateError for an unlinked conversation, *actor.Refusal.
func (s *Service) Confirm(ctx context.Context, a actor.Actor, id ID) (*Conversation, error) {
	return s.relink(ctx, a, id, func(ctx context.Context, l *linking) error {
		linked, has := l.conversation.Client()
		if !has {
			return &client.StateError{Rule: "the conversation is linked to nobody", WayOut: "link it to a client"}
		}
		return l.set(ctx, &linked)
	})
}

// linking is a person's decision about one conversation, at work.
type linking struct {
	tx           pgx.Tx
	now          time.Time
	unit         *client.Unit
	conversation *Conversation
	by           string
}

func (s *Service) relink(ctx context.Context, a actor.Actor, id ID, fn func(context.Context, *linking) error) (*Conversation, error) {
	if err := event.Require(ctx, s.DB, a, actor.EditClients, s.now()); err != nil {
		return nil, err
	}
	var c *Conversation
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		if c, err = Lock(ctx, tx, id); err != nil {
			return err
		}
		now := s.now()
		l := &linking{tx: tx, now: now, conversation: c, by: a.Name, unit: client.Begin(tx, a, now, nil, "link").Telling(s.Outbound)}
		if err := fn(ctx, l); err != nil {
			return err
		}
		if err := l.unit.Flush(ctx); err != nil || s.Changes == nil {
			return err
		}
		return s.Changes.ConversationsChanged(ctx, tx, a.Tenant, []ID{id}, "linked")
	})
	return c, err
}

// set links the conversation, tells both timelines and closes the questions that
// were open about it.
func (l *linking) set(ctx context.Context, to *client.ID) error {
	c := l.conversation
	from, had := c.Client()
	switch {
	case to == nil && had:
		l.log(&from, event.ConversationUnlinked, map[string]any{"from": from})
	case to == nil:
	case had && from == *to:
		l.log(to, event.ConversationLinked, map[string]any{"reason": "confirmed by " + l.by, "certain": true})
	case had:
		l.log(&from, event.ConversationMoved, map[string]any{"from": from, "to": *to})
		l.log(to, event.ConversationMoved, map[string]any{"from": from, "to": *to})
	default:
		l.log(to, event.ConversationLinked, map[string]any{"reason": "linked by " + l.by, "certain": true})
	}
	if err := SetLink(ctx, l.tx, l.unit, c, to, ByHand, to != nil, true, "decided by "+l.by); err != nil {
		return err
	}
	for _, id := range []uuid.NullUUID{{UUID: from.UUID, Valid: had}, c.ClientID} {
		if !id.Valid {
			continue
		}
		if err := l.unit.RecallContact(ctx, client.ID{UUID: id.UUID}); err != nil {
			return err
		}
	}
	_, err := l.tx.Exec(ctx, `UPDATE suggestion SET state = CASE WHEN client_id = $2 THEN 'accepted' ELSE 'dismissed' END, decided_at = $3, decided_by = $4
 WHERE conversation_id = $1 AND kind = 'link' AND state = 'open'`, c.ID, c.ClientID, l.now, l.by)
	if err != nil {
		return fmt.Errorf("close suggestions about conversation %s: %w", c.ID, err)
	}
	return nil
}

func (l *linking) log(of *client.ID, kind event.Kind, payload map[string]any) {
	l.unit.LogConversation(of, l.conversation.ID.UUID, kind, l.now, payload)
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}
