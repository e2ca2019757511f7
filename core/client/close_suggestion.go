package client

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// CloseSuggestion decides an open suggestion of a value that a message led to,
// when automation has learned more about it. State is "accepted" or "dismissed";
// nothing happens when there is no such suggestion, or a person was faster.
func (u *Unit) CloseSuggestion(ctx context.Context, message uuid.UUID, field, value, state string) error {
	_, err := u.tx.Exec(ctx, `UPDATE suggestion SET state = $4, decided_at = $5, decided_by = $6
 WHERE kind = 'value' AND state = 'open' AND message_id = $1 AND field = $2 AND value = $3`, message, field, value, state, u.now, u.actor.Name)
	if err != nil {
		return fmt.Errorf("close the suggestion of %s: %w", field, err)
	}
	return nil
}
