package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// Names tells how good the names are that automation gave.
	Names NameRate
	// Next continues, when there is something to continue with.
	Next *Cursor
}

// nameRateFor is the time over which names are counted: long enough for small
// tenants, short enough that what extraction learnt shows.
const nameRateFor = 90 * 24 * time.Hour

// NameRate is how often a name that automation gave was none (R148): of the
// clients with a name that people reviewed since Since, for how many they said so.
type NameRate struct {
	Reviewed int       `json:"reviewed"`
	Wrong    int       `json:"wrong"`
	Since    time.Time `json:"since"`
}

// Share is the wrong ones among the reviewed, 0 to 1; 0 when none was reviewed.
func (r NameRate) Share() float64 {
	if r.Reviewed == 0 {
		return 0
	}
	return float64(r.Wrong) / float64(r.Reviewed)
}

// QueuedClient is a client in the queue, each value with where it comes from.
type QueuedClient struct {
	Client *Client
	Values []SourcedValue
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
		if err := q.Names.count(ctx, tx, s.Now().Add(-nameRateFor)); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectClient()+waiting+` AND (c.created_at, c.id) > ($1, $2) ORDER BY c.created_at, c.id LIMIT $3`, after.CreatedAt, after.ID, limit+1)
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
		if err := complete(ctx, tx, found); err != nil {
			return err
		}
		sources, err := sourcesOf(ctx, tx, found)
		for _, c := range found {
			q.Clients = append(q.Clients, QueuedClient{Client: c, Values: sources[c.ID]})
		}
		return err
	})
	return q, err
}

func (r *NameRate) count(ctx context.Context, tx pgx.Tx, since time.Time) error {
	*r = NameRate{Since: since}
	err := tx.QueryRow(ctx, `SELECT count(DISTINCT client_id), count(DISTINCT client_id) FILTER (WHERE kind = 'extraction taught') FROM event
 WHERE kind IN ('reviewed', 'extraction taught') AND at >= $1 AND (kind = 'extraction taught' OR payload->>'named' = 'true')`, since).Scan(&r.Reviewed, &r.Wrong)
	if err != nil {
		return fmt.Errorf("count wrong names: %w", err)
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
			u.Log(c, event.Reviewed, map[string]any{"review": Confirmed, "named": c.FirstName+c.LastName != ""})
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
