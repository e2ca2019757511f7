package conversation

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// Close ends a conversation by somebody's word. Automation may do so only where it
// has full autonomy (R79); its refusal is audited. Closing an ended one changes
// nothing. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Close(ctx context.Context, a actor.Actor, id ID) (*Conversation, error) {
	if err := event.Require(ctx, s.DB, a, actor.EditClients, s.now()); err != nil {
		return nil, err
	}
	var c *Conversation
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		if c, err = Lock(ctx, tx, id); err != nil {
			return err
		}
		if err := mayAct(ctx, tx, a, id, "close conversations"); err != nil {
			return err
		}
		return End(ctx, tx, a, c, s.now(), "closed by "+a.Name, s.Changes)
	})
	if refusal, ok := errors.AsType[*actor.Refusal](err); ok {
		return nil, event.RefuseAbout(ctx, s.DB, refusal, event.Event{ConversationID: uuid.NullUUID{UUID: id.UUID, Valid: true}, At: s.now()})
	}
	return c, err
}

// mayAct is the gate for what automation does in a conversation besides sending.
func mayAct(ctx context.Context, tx pgx.Tx, a actor.Actor, id ID, act actor.Can) error {
	if a.Kind == actor.Person {
		return nil
	}
	all, err := Policies(ctx, tx, []ID{id})
	if err != nil {
		return err
	}
	if d := policy.Act(all[id], policy.Automation, string(act)); d.Outcome != policy.Allow {
		return &actor.Refusal{Actor: a, Action: act, Why: d.Proof[0].Why}
	}
	return nil
}
