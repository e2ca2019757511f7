package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/google/uuid"
)

// summaryMessages is how many messages a summary is made from, the last ones
// being the ones that count.
const summaryMessages = 500

// End ends a conversation: it gets its summary (R167) and the CRMs are told. At
// is when it ended. Ending an ended one changes nothing.
func End(ctx context.Context, tx pgx.Tx, a actor.Actor, c *Conversation, at time.Time, cause string, changes Changes) error {
	if c.State == Ended {
		return nil
	}
	messages, err := Messages(ctx, tx, c.ID, summaryMessages)
	if err != nil {
		return err
	}
	c.Summary = summarise(messages)
	c.State, c.EndedAt = Ended, &at
	c.Revision++
	if _, err := tx.Exec(ctx, `UPDATE conversation SET state = 'ended', ended_at = $2, revision = revision + 1,
  summary = CASE WHEN summary_source = 'person' THEN summary ELSE $3 END,
  summary_source = CASE WHEN summary_source = 'person' THEN 'person' ELSE 'rules' END WHERE id = $1`, c.ID, at, c.Summary); err != nil {
		return fmt.Errorf("end conversation %s: %w", c.ID, err)
	}
	err = event.Append(ctx, tx, a, event.Event{
		Kind: event.ConversationEnded, ConversationID: uuid.NullUUID{UUID: c.ID.UUID, Valid: true},
		Payload: map[string]any{"cause": cause}, At: at,
	})
	if err != nil || changes == nil {
		return err
	}
	return changes.ConversationsChanged(ctx, tx, a.Tenant, []ID{c.ID}, "ended")
}

// Sweeper ends conversations that fell silent, in all tenants.
type Sweeper struct {
	DB      *db.DB
	Now     func() time.Time
	Changes Changes
}

// Sweep ends up to most silent conversations and tells how many.
func (s *Sweeper) Sweep(ctx context.Context, most int) (int, error) {
	type silent struct {
		TenantID       actor.TenantID
		ConversationID ID
	}
	var found []silent
	err := s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, conversation_id FROM conversations_idle($1, $2)`, s.Now(), most)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[silent])
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("find silent conversations: %w", err)
	}
	for i, f := range found {
		a := actor.ForSystem(f.TenantID, "conversation")
		err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
			c, err := Lock(ctx, tx, f.ConversationID)
			if err != nil {
				return err
			}
			var idleAt time.Time
			if err := tx.QueryRow(ctx, `SELECT idle_at FROM conversation WHERE id = $1`, c.ID).Scan(&idleAt); err != nil {
				return fmt.Errorf("read idle time: %w", err)
			}
			if idleAt.After(s.Now()) {
				return nil // a message came between the search and the lock
			}
			return End(ctx, tx, a, c, idleAt, "silence", s.Changes)
		})
		if err != nil {
			return i, fmt.Errorf("end silent conversation %s: %w", f.ConversationID, err)
		}
	}
	return len(found), nil
}

func summarise(messages []Message) string {
	said := make([]extract.Said, 0, len(messages))
	for _, m := range messages {
		said = append(said, extract.Said{Direction: extract.Direction(m.Direction), Subject: m.Subject, Text: m.OwnWords})
	}
	return extract.Summary(said)
}
