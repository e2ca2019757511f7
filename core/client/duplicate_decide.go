package client

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/match"
)

// KeptSeparate is the event of a decision that two clients are two people.
const KeptSeparate event.Kind = "kept separate"

// KeepSeparate decides that two clients are two people. The pair leaves the queue
// until a name, email or phone of one of them changes. Deciding again is no error.
// Errors: *NotFoundError, *StateError for one client with itself or a deleted one,
// *actor.Refusal.
func (s *Service) KeepSeparate(ctx context.Context, a actor.Actor, one, other ID) error {
	return s.decidePair(ctx, a, one, other, "separate", s.separate)
}

// Reconsider takes KeepSeparate back: the pair is in the queue again if it is
// alike enough. Without such a decision it changes nothing. Errors as of
// KeepSeparate.
func (s *Service) Reconsider(ctx context.Context, a actor.Actor, one, other ID) error {
	return s.decidePair(ctx, a, one, other, "open", s.reopen)
}

// decidePair makes a decision on a pair and writes its events, one on each client.
func (s *Service) decidePair(ctx context.Context, a actor.Actor, one, other ID, decision string,
	decide func(ctx context.Context, tx pgx.Tx, a actor.Actor, first, second *Client) (changed bool, err error),
) error {
	if err := s.require(ctx, a, actor.MergeClients); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		first, second, err := loadPair(ctx, tx, one, other)
		if err != nil {
			return err
		}
		changed, err := decide(ctx, tx, a, first, second)
		if err != nil {
			return fmt.Errorf("decide on clients %s and %s: %w", first.ID, second.ID, err)
		}
		if !changed {
			return nil
		}
		tell := func(c, other *Client) event.Event {
			return event.Event{Kind: KeptSeparate, ClientID: uuid.NullUUID{UUID: c.ID.UUID, Valid: true}, At: s.Now(),
				Payload: map[string]any{"other": other.ID, "decision": decision}}
		}
		return event.Append(ctx, tx, a, tell(first, second), tell(second, first))
	})
}

func (s *Service) separate(ctx context.Context, tx pgx.Tx, a actor.Actor, first, second *Client) (bool, error) {
	p, q := first.profile(), second.profile()
	score := match.Score(p, q)
	tag, err := tx.Exec(ctx, `INSERT INTO duplicate_pair (tenant_id, client_id, other_client_id, bits, band, reasons, found_at, state, fingerprint, decided_at, decided_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'separate', $8, $7, $9) ON CONFLICT (tenant_id, client_id, other_client_id) DO UPDATE
 SET bits = excluded.bits, band = excluded.band, reasons = excluded.reasons, state = 'separate', fingerprint = excluded.fingerprint,
     decided_at = excluded.decided_at, decided_by = excluded.decided_by
 WHERE duplicate_pair.fingerprint <> excluded.fingerprint`,
		a.Tenant, first.ID, second.ID, score.Bits, score.Band, orNone(score.Reasons), s.Now(), fingerprint(p, q), a.Name)
	return tag.RowsAffected() > 0, err
}

func (s *Service) reopen(ctx context.Context, tx pgx.Tx, _ actor.Actor, first, second *Client) (bool, error) {
	score := match.Score(first.profile(), second.profile())
	sql, args := `UPDATE duplicate_pair SET bits = $3, band = $4, reasons = $5, state = 'open', fingerprint = '', decided_at = NULL, decided_by = ''
 WHERE client_id = $1 AND other_client_id = $2 AND state = 'separate'`, []any{first.ID, second.ID, score.Bits, score.Band, orNone(score.Reasons)}
	if score.Band == match.Low {
		sql, args = `DELETE FROM duplicate_pair WHERE client_id = $1 AND other_client_id = $2 AND state = 'separate'`, args[:2]
	}
	tag, err := tx.Exec(ctx, sql, args...)
	return tag.RowsAffected() > 0, err
}

// loadPair reads two live clients, the lower id first.
func loadPair(ctx context.Context, tx pgx.Tx, one, other ID) (first, second *Client, err error) {
	if first, err = Load(ctx, tx, one); err != nil {
		return nil, nil, err
	}
	if second, err = Load(ctx, tx, other); err != nil {
		return nil, nil, err
	}
	if first.ID == second.ID {
		return nil, nil, &StateError{Rule: "these two are one client", WayOut: "read the list again"}
	}
	for _, c := range []*Client{first, second} {
		if c.Deleted() {
			return nil, nil, &StateError{Rule: c.DisplayName() + " is deleted", WayOut: "restore it first"}
		}
	}
	if lower, _ := inOrder(first.ID, second.ID); lower != first.ID {
		first, second = second, first
	}
	return first, second, nil
}
