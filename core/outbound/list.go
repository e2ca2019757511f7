package outbound

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
)

// Query asks for outbound messages, the last accepted first.
type Query struct {
	// States limits the list; none means all.
	States []State
	// Client limits it to one client's, Conversation to one conversation's.
	Client       *client.ID
	Conversation *conversation.ID
	// Stuck limits it to what holds without a time: a person has to mend something
	// (R56).
	Stuck bool
	// After is where the list goes on: after this message.
	After ID
	// Limit is 1 to 200; 0 means 50.
	Limit int
}

// Get reads one message. Reading one to a sensitive client is audited. Errors:
// *NotFoundError, *actor.Refusal.
func (s *Service) Get(ctx context.Context, a actor.Actor, id ID) (*Message, error) {
	now := s.Now()
	if err := event.Require(ctx, s.DB, a, actor.SeeClients, now); err != nil {
		return nil, err
	}
	var m *Message
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		if m, err = load(ctx, tx, id); err != nil {
			return err
		}
		if err := s.foresee(ctx, tx, now, m); err != nil || a.Kind == actor.System {
			return err
		}
		p, err := policyOf(ctx, tx, m)
		if err != nil || !p.Sensitive.Value {
			return err
		}
		return event.Append(ctx, tx, a, event.Event{Kind: event.Read, ClientID: m.ClientID, ConversationID: m.ConversationID, Payload: map[string]any{"message": m.ID}, At: now})
	})
	return m, err
}

// List answers a page; next is nil at the end. Errors: *actor.Refusal.
func (s *Service) List(ctx context.Context, a actor.Actor, q Query) (found []*Message, next *ID, err error) {
	now := s.Now()
	if err := event.Require(ctx, s.DB, a, actor.SeeClients, now); err != nil {
		return nil, nil, err
	}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		where, args, err := q.where(ctx, tx)
		if err != nil {
			return err
		}
		if found, err = query(ctx, tx, where+fmt.Sprintf(` ORDER BY o.id DESC LIMIT %d`, q.Limit+1), args...); err != nil {
			return err
		}
		if len(found) > q.Limit {
			found = found[:q.Limit]
			next = &found[q.Limit-1].ID
		}
		return s.foresee(ctx, tx, now, found...)
	})
	return found, next, err
}

func (q Query) where(ctx context.Context, tx pgx.Tx) (string, []any, error) {
	where, args := ` WHERE true`, []any{}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(` AND `+condition, len(args))
	}
	if len(q.States) > 0 {
		add(`o.state = ANY($%d)`, q.States)
	}
	if q.Client != nil {
		c, err := client.Load(ctx, tx, *q.Client) // a merged id leads to the survivor
		if err != nil {
			return "", nil, err
		}
		add(`(o.client_id = $%[1]d AND o.conversation_id IS NULL OR v.client_id = $%[1]d)`, c.ID)
	}
	if q.Conversation != nil {
		add(`o.conversation_id = $%d`, *q.Conversation)
	}
	if q.Stuck {
		where += ` AND o.state = 'held' AND o.due_at IS NULL`
	}
	if q.After != (ID{}) {
		add(`o.id < $%d`, q.After)
	}
	return where, args, nil
}
