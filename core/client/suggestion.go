package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// SuggestionRecord is a suggestion that waits for a person or was decided.
type SuggestionRecord struct {
	ID             uuid.UUID      `json:"id"`
	Kind           SuggestionKind `json:"kind"`
	ClientID       uuid.NullUUID  `json:"client_id"`
	OtherClientID  uuid.NullUUID  `json:"other_client_id"`
	ConversationID uuid.NullUUID  `json:"conversation_id"`
	MessageID      uuid.NullUUID  `json:"message_id"`
	Field          string         `json:"field"`
	Value          string         `json:"value"`
	Reason         string         `json:"reason"`
	Sentence       string         `json:"sentence"`
	State          string         `json:"state"` // open, accepted, dismissed
	CreatedAt      time.Time      `json:"created_at"`
}

// SuggestionQuery asks for open suggestions, the oldest first.
type SuggestionQuery struct {
	// Client limits them to one client's, on either side.
	Client *ID
	Kind   SuggestionKind // or "" for all
	// After continues: the last one seen.
	After SuggestionCursor
	Limit int // 1 to 200; 0 means 50
}

// SuggestionCursor is where a list of suggestions goes on.
type SuggestionCursor struct {
	CreatedAt time.Time
	ID        uuid.UUID
}

// Suggestions answers a page of open suggestions about live clients; next is nil
// at the end. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Suggestions(ctx context.Context, a actor.Actor, q SuggestionQuery) (found []SuggestionRecord, next *SuggestionCursor, err error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, nil, err
	}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		where := ` WHERE s.state = 'open' AND (s.created_at, s.id) > ($1, $2) AND ($3 = '' OR s.kind = $3)
  AND NOT EXISTS (SELECT 1 FROM client c WHERE c.id = s.client_id AND c.deleted_at IS NOT NULL)`
		args := []any{q.After.CreatedAt, q.After.ID, string(q.Kind)}
		if q.Client != nil {
			c, err := Load(ctx, tx, *q.Client)
			if err != nil {
				return err
			}
			where += ` AND (s.client_id = $4 OR s.other_client_id = $4)`
			args = append(args, c.ID)
		}
		rows, err := tx.Query(ctx, selectSuggestion+where+fmt.Sprintf(` ORDER BY s.created_at, s.id LIMIT %d`, q.Limit+1), args...)
		if err != nil {
			return fmt.Errorf("list suggestions: %w", err)
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[SuggestionRecord])
		return err
	})
	if len(found) > q.Limit {
		found = found[:q.Limit]
		last := found[q.Limit-1]
		next = &SuggestionCursor{CreatedAt: last.CreatedAt, ID: last.ID}
	}
	return found, next, err
}

// AcceptSuggestion does what a suggestion proposes: sets the value, merges the
// two clients (with choices where they contradict each other), or restores the
// deleted one. A suggested link is accepted by linking the conversation
// (conversation.Service.LinkTo). It answers the client afterwards. Errors:
// *SuggestionNotFoundError, FieldErrors, *TakenError, *StateError,
// *actor.Refusal.
func (s *Service) AcceptSuggestion(ctx context.Context, a actor.Actor, id uuid.UUID, choices Choices) (*Client, error) {
	var c *Client
	err := s.decide(ctx, a, id, "accepted", func(ctx context.Context, u *Unit, g SuggestionRecord) (err error) {
		c, err = s.accept(ctx, u, g, choices)
		return err
	})
	return c, err
}

// DismissSuggestion says no; the same is not suggested again. Errors:
// *SuggestionNotFoundError, *actor.Refusal.
func (s *Service) DismissSuggestion(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.decide(ctx, a, id, "dismissed", func(context.Context, *Unit, SuggestionRecord) error { return nil })
}

// SuggestionNotFoundError is a suggestion that isn't there or isn't open.
type SuggestionNotFoundError struct{ ID uuid.UUID }

// Error names the suggestion.
func (e *SuggestionNotFoundError) Error() string {
	return "suggestion " + e.ID.String() + " does not exist or was decided already"
}

func (s *Service) decide(ctx context.Context, a actor.Actor, id uuid.UUID, state string, fn func(context.Context, *Unit, SuggestionRecord) error) error {
	if err := s.require(ctx, a, actor.EditClients); err != nil {
		return err
	}
	err := s.change(ctx, a, "suggestion", func(ctx context.Context, u *Unit) error {
		rows, err := u.tx.Query(ctx, selectSuggestion+` WHERE s.id = $1 AND s.state = 'open' FOR UPDATE`, id)
		if err != nil {
			return fmt.Errorf("read suggestion: %w", err)
		}
		g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[SuggestionRecord])
		if errors.Is(err, pgx.ErrNoRows) {
			return &SuggestionNotFoundError{ID: id}
		}
		if err != nil {
			return fmt.Errorf("read suggestion: %w", err)
		}
		// Decided first: a merge then finds nothing open to close.
		if _, err := u.tx.Exec(ctx, `UPDATE suggestion SET state = $2, decided_at = $3, decided_by = $4 WHERE id = $1`, id, state, u.now, a.Name); err != nil {
			return fmt.Errorf("decide suggestion: %w", err)
		}
		return fn(ctx, u, g)
	})
	if refusal, ok := errors.AsType[*actor.Refusal](err); ok {
		return s.refused(ctx, refusal)
	}
	return err
}

func (s *Service) accept(ctx context.Context, u *Unit, g SuggestionRecord, choices Choices) (*Client, error) {
	if g.Kind == SuggestLink {
		return nil, &StateError{Rule: "this suggestion is about a conversation", WayOut: "accept it by linking the conversation to the client"}
	}
	if g.Kind == SuggestMerge {
		if err := u.actor.Require(actor.MergeClients); err != nil {
			return nil, err
		}
		survivor, others, err := u.lockForMerge(ctx, MergeRequest{Survivor: ID{g.ClientID.UUID}, Others: []ID{{g.OtherClientID.UUID}}})
		if err != nil {
			return nil, err
		}
		_, err = u.merge(ctx, survivor, others, choices, mergeBy{cause: "a suggestion was accepted: " + g.Reason, asks: true})
		return survivor, err
	}
	if g.Kind == SuggestRestore {
		return s.acceptRestore(ctx, u, ID{g.OtherClientID.UUID})
	}
	c, err := u.Client(ctx, ID{g.ClientID.UUID})
	if err != nil {
		return nil, err
	}
	return c, s.acceptValue(ctx, u, c, g)
}

func (s *Service) acceptRestore(ctx context.Context, u *Unit, id ID) (*Client, error) {
	if err := u.actor.Require(actor.DeleteClients); err != nil {
		return nil, err
	}
	c, err := u.Client(ctx, id)
	if err != nil || !c.Deleted() {
		return c, err
	}
	if err := u.mayRestore(ctx, c); err != nil {
		return nil, err
	}
	return u.restore(ctx, c, true)
}

// acceptValue: what a person accepts counts as his, with the sentence it came
// from.
func (s *Service) acceptValue(ctx context.Context, u *Unit, c *Client, g SuggestionRecord) error {
	if c.Deleted() {
		return &StateError{Rule: "the client is deleted", WayOut: "restore it first"}
	}
	evidence := Evidence{Detector: "suggestion accepted", Confidence: 1, Sentence: g.Sentence}
	if f, ok := FieldNamed(g.Field); ok {
		text, err := f.Clean(g.Value)
		if err != nil {
			return FieldErrors(nil).add(err)
		}
		return u.set(ctx, c, f, text, Filling{Source: FromHuman, MessageID: g.MessageID, Evidence: evidence})
	}
	region, err := s.Region(ctx, u.actor.Tenant)
	if err != nil {
		return fmt.Errorf("read the tenant's region: %w", err)
	}
	found, err := checkIdentifier(IdentifierKind(g.Field), &g.Value, region)
	if err != nil {
		return FieldErrors(nil).add(err)
	}
	if err := u.claim(ctx, c, found, false); err != nil {
		return err
	}
	found.MessageID, found.Evidence = g.MessageID, evidence
	return u.AddIdentifier(ctx, c, *found)
}

const selectSuggestion = `SELECT s.id, s.kind, s.client_id, s.other_client_id, s.conversation_id, s.message_id, s.field, s.value,
  s.reason, s.sentence, s.state, s.created_at FROM suggestion s`
