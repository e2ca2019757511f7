package event

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Page says which part of a timeline is wanted; the zero Page is its start,
// newest first. Before and ID, those of the last event seen, are the cursor.
type Page struct {
	Before time.Time
	ID     uuid.UUID
	// Limit is the most events answered, 1 to 500; 0 means 50.
	Limit int
	// OldestFirst turns the order round (R173); Before then reads "after".
	OldestFirst bool `json:"-"`
	// Kinds limits the timeline to some kinds of event; none means all.
	Kinds []Kind `json:"-"`
}

// OfClients answers the events of clients, a survivor and those merged into it,
// and the messages and ends of the conversations they have now (R109). A message
// comes with the beginning of its text.
func OfClients(ctx context.Context, tx pgx.Tx, clients []uuid.UUID, p Page) ([]Event, error) {
	if p.Limit <= 0 || p.Limit > 500 {
		p.Limit = 50
	}
	if p.Before.IsZero() && !p.OldestFirst {
		p.Before = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if p.Kinds == nil {
		p.Kinds = []Kind{}
	}
	sql := timelineSQL
	if p.OldestFirst {
		sql = strings.NewReplacer("(e.at, e.id) < ", "(e.at, e.id) > ", "DESC", "ASC").Replace(sql)
	}
	rows, err := tx.Query(ctx, sql, clients, p.Before, p.ID, p.Limit, p.Kinds)
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByName[Event])
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	return events, nil
}

// timelineSQL reads each branch along its index and only as far as the page
// needs, then merges the two. Events of a conversation name no client of their
// own: whose they are follows the link.
const timelineSQL = `WITH own AS (
  SELECT e.* FROM unnest($1::uuid[]) AS c (id) CROSS JOIN LATERAL (
    SELECT e.id, e.at FROM event e WHERE e.client_id = c.id AND (e.at, e.id) < ($2, $3) AND ($5::text[] = '{}' OR e.kind = ANY($5))
     ORDER BY e.at DESC, e.id DESC LIMIT $4) e),
spoken AS (
  SELECT e.* FROM conversation v CROSS JOIN LATERAL (
    SELECT e.id, e.at FROM event e WHERE e.conversation_id = v.id AND e.client_id IS NULL AND (e.at, e.id) < ($2, $3)
       AND ($5::text[] = '{}' OR e.kind = ANY($5))
     ORDER BY e.at DESC, e.id DESC LIMIT $4) e
   WHERE v.client_id = ANY($1)),
page AS (SELECT id FROM (SELECT * FROM own UNION ALL SELECT * FROM spoken) e ORDER BY e.at DESC, e.id DESC LIMIT $4)
SELECT e.id, e.kind, e.client_id, e.conversation_id, e.actor_kind, e.actor_id, e.actor_name, e.payload, e.at,
       coalesce((SELECT left(CASE WHEN m.own_words = '' THEN m.text ELSE m.own_words END, 200) FROM message m
                  WHERE e.kind IN ('message', 'call') AND m.id = (e.payload->>'message')::uuid), '') AS excerpt
  FROM page JOIN event e ON e.id = page.id ORDER BY e.at DESC, e.id DESC`
