package client

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// Marking marks a client as sensitive, or takes the mark away (R75).
type Marking struct {
	Sensitive bool
	Reason    string
	// Keep lets exemptions that were made under an earlier mark hold on; without it
	// they are cleared (R87).
	Keep bool
	// Revision, when not 0, must be the client's present one.
	Revision int64
}

// MarkSensitive marks a client or takes the mark away, at once and for all of its
// conversations, present and future, but those exempt (R77, R78). Admins only
// (R76). Automated messages that wait become drafts in the same transaction (R80);
// taking the mark away releases none (R83).
//
// Errors: *NotFoundError, FieldErrors, *ConflictError, *StateError for a deleted
// client, *actor.Refusal.
func (s *Service) MarkSensitive(ctx context.Context, a actor.Actor, id ID, m Marking) (*PolicyChange, error) {
	return s.changePolicy(ctx, a, id, actor.MarkSensitive, false, m.apply)
}

func (m Marking) apply(ctx context.Context, u *Unit, c *Client) ([]policy.Name, error) {
	if err := CheckReason(m.Reason); err != nil {
		return nil, FieldErrors{err}
	}
	if m.Revision != 0 && m.Revision != c.Revision {
		return nil, &ConflictError{Wanted: m.Revision, Current: c, Fields: []FieldConflict{{
			Field: string(policy.NameSensitive), Yours: plainText(m.Sensitive), Theirs: plainText(c.Sensitive), Base: plainText(c.Sensitive),
		}}}
	}
	if c.Sensitive == m.Sensitive {
		return nil, nil
	}
	if m.Sensitive {
		if err := u.exemptions(ctx, c, m.Keep); err != nil {
			return nil, err
		}
	}
	c.Sensitive = m.Sensitive
	u.setPolicy(c, policy.NameSensitive, m.Reason, false)
	u.Log(c, event.Sensitivity, event.Change(string(policy.NameSensitive), !m.Sensitive, m.Sensitive, m.Reason))
	return []policy.Name{policy.NameSensitive}, nil
}

// exemptions keeps or clears those that conversations have from an earlier mark.
func (u *Unit) exemptions(ctx context.Context, c *Client, keep bool) error {
	const exempt = ` WHERE client_id = $1 AND policy #> '{sensitive,value}' = 'false'`
	if keep {
		_, err := u.tx.Exec(ctx, `UPDATE conversation SET policy = jsonb_set(policy, '{sensitive,kept}', to_jsonb($2::timestamptz))`+exempt, c.ID, u.now)
		if err != nil {
			return fmt.Errorf("keep exemptions of client %s: %w", c.ID, err)
		}
		return nil
	}
	rows, err := u.tx.Query(ctx, `UPDATE conversation SET policy = policy - 'sensitive'`+exempt+` RETURNING id`, c.ID)
	if err != nil {
		return fmt.Errorf("clear exemptions of client %s: %w", c.ID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ConversationID])
	if err != nil {
		return fmt.Errorf("clear exemptions of client %s: %w", c.ID, err)
	}
	for _, id := range ids {
		u.LogConversation(&c.ID, id.UUID, event.OverrideCleared, u.now, event.Change(string(policy.NameSensitive), false, nil, "the client was marked again"))
	}
	return nil
}
