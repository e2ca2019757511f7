package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// readAgain is how long looks of one actor at one thing count as one: a page that
// is put together from several reads is one look.
const readAgain = time.Minute

// NoteRead writes into the audit that somebody looked at a sensitive client, or at
// one of its conversations. The host's own work is no look.
func NoteRead(ctx context.Context, tx pgx.Tx, a actor.Actor, client uuid.UUID, conversation uuid.NullUUID, at time.Time) error {
	if a.Kind == actor.System {
		return nil
	}
	var noted bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM event WHERE client_id = $1 AND at > $2 AND at <= $3 AND kind = $4
   AND conversation_id IS NOT DISTINCT FROM $5 AND actor_kind = $6 AND actor_id = $7)`,
		client, at.Add(-readAgain), at, Read, conversation, a.Kind, a.ID).Scan(&noted)
	if err != nil {
		return fmt.Errorf("look for earlier reads: %w", err)
	}
	if noted {
		return nil
	}
	return Append(ctx, tx, a, Event{
		Kind: Read, ClientID: uuid.NullUUID{UUID: client, Valid: true}, ConversationID: conversation, Payload: map[string]any{}, At: at,
	})
}
