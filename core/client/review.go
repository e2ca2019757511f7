package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Queue is a page of the clients that automation made and nobody has looked at
// yet, the oldest first (R146).
type Queue struct {
	Clients []QueuedClient
	// Count is how many wait in all, Oldest since when the first one does.
	Count  int
	Oldest *time.Time
	// Next continues, when there is something to continue with.
	Next *Cursor
}

// QueuedClient is a client in the queue, each value with where it comes from.
type QueuedClient struct {
	Client *Client
	Values []SourcedValue
}

// SourcedValue is a value and the sentence it was read in (R147).
type SourcedValue struct {
	Field     string        `json:"field"` // of the catalogue, or an identifier's kind
	Value     string        `json:"value"`
	Source    Source        `json:"source"`
	Detector  string        `json:"detector,omitempty"`
	Sentence  string        `json:"sentence,omitempty"`
	MessageID uuid.NullUUID `json:"message_id"`
}

// ReviewQueue answers a page of the queue of new clients; limit is 1 to 200, 0
// means 50. Anonymous visitors don't wait for review. Errors: *actor.Refusal.
func (s *Service) ReviewQueue(ctx context.Context, a actor.Actor, after Cursor, limit int) (Queue, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return Queue{}, err
	}
	if limit <= 0 || limit > 200 {
		limit = 50
	}
	const waiting = ` WHERE c.review = 'unreviewed' AND c.deleted_at IS NULL AND c.kind <> 'anonymous'`
	var q Queue
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		q = Queue{}
		if err := tx.QueryRow(ctx, `SELECT count(*), min(c.created_at) FROM client c`+waiting).Scan(&q.Count, &q.Oldest); err != nil {
			return fmt.Errorf("count clients to review: %w", err)
		}
		rows, err := tx.Query(ctx, selectClient+waiting+` AND (c.created_at, c.id) > ($1, $2) ORDER BY c.created_at, c.id LIMIT $3`, after.CreatedAt, after.ID, limit+1)
		if err != nil {
			return fmt.Errorf("list clients to review: %w", err)
		}
		found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Client])
		if err != nil {
			return fmt.Errorf("list clients to review: %w", err)
		}
		if len(found) > limit {
			found = found[:limit]
			last := found[limit-1]
			q.Next = &Cursor{CreatedAt: last.CreatedAt, ID: last.ID}
		}
		if err := loadIdentifiers(ctx, tx, found); err != nil {
			return err
		}
		return q.sources(ctx, tx, found)
	})
	return q, err
}

// sources reads where the values of a page come from: of fields from their
// provenance, of identifiers from the event that added them.
func (q *Queue) sources(ctx context.Context, tx pgx.Tx, found []*Client) error {
	ids := make([]ID, len(found))
	for i, c := range found {
		ids[i] = c.ID
	}
	rows, err := tx.Query(ctx, `SELECT client_id, field, '', source, detector, sentence, message_id FROM client_value WHERE client_id = ANY($1) AND NOT cleared
UNION ALL
SELECT i.client_id, i.kind, i.value, i.source, coalesce(e.payload->>'detector', ''), coalesce(e.payload->>'sentence', ''), i.message_id
  FROM client_identifier i LEFT JOIN event e ON e.client_id = i.client_id AND e.kind = $2 AND e.payload->>'kind' = i.kind AND e.payload->>'value' = i.value
 WHERE i.client_id = ANY($1) ORDER BY 1, 2, 3`, ids, event.IdentifierAdded)
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	values := map[ID][]SourcedValue{}
	var id ID
	var v SourcedValue
	_, err = pgx.ForEachRow(rows, []any{&id, &v.Field, &v.Value, &v.Source, &v.Detector, &v.Sentence, &v.MessageID}, func() error {
		values[id] = append(values[id], v)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	for _, c := range found {
		list := values[c.ID]
		for i := range list {
			if f, ok := FieldNamed(list[i].Field); ok {
				list[i].Value = f.Get(c)
			}
		}
		q.Clients = append(q.Clients, QueuedClient{Client: c, Values: list})
	}
	return nil
}

// ConfirmReview says that an automatic client is right (R146). Errors:
// *NotFoundError, *StateError for a deleted one, *actor.Refusal.
func (s *Service) ConfirmReview(ctx context.Context, a actor.Actor, id ID) (*Client, error) {
	return s.changeClient(ctx, a, id, "review", func(_ context.Context, u *Unit, c *Client) error {
		if c.Review != Confirmed {
			c.Review = Confirmed
			u.touch(c)
			u.Log(c, event.Reviewed, map[string]any{"review": Confirmed})
		}
		return nil
	})
}

// NotAName says that a client's name is none: it is cleared for good, and the
// tenant's extraction learns the words, so that the next message with them yields
// no name (R148). Words are those of the name to learn; none means all of them.
// It answers what was learnt. Errors: *NotFoundError, FieldErrors, *StateError,
// *actor.Refusal.
func (s *Service) NotAName(ctx context.Context, a actor.Actor, id ID, words []string) (c *Client, learnt []string, err error) {
	c, err = s.changeClient(ctx, a, id, "review", func(ctx context.Context, u *Unit, c *Client) error {
		name := strings.Fields(join(c.FirstName, c.LastName))
		if len(name) == 0 {
			return &StateError{Rule: "the client has no name", WayOut: "read it again"}
		}
		learnt = name
		if len(words) > 0 {
			learnt = words
		}
		for _, word := range learnt {
			if !slices.ContainsFunc(name, func(part string) bool { return same(part, word) }) {
				return FieldErrors{{Field: "words", Rule: "holds a word that is not in the name", WayOut: "name words of the client's name, or none for all"}}
			}
		}
		for _, field := range []string{"first_name", "last_name"} {
			f, _ := FieldNamed(field)
			if f.Get(c) == "" {
				continue
			}
			if err := u.Set(ctx, c, f, ""); err != nil {
				return err
			}
		}
		u.Log(c, event.Taught, map[string]any{"not_names": learnt})
		return tenant.TeachNotNames(ctx, u.tx, a.Tenant, learnt)
	})
	return c, learnt, err
}
