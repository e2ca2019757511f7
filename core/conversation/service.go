package conversation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
)

// Service is what people and programs do with conversations. Its methods may be
// called concurrently; each checks the actor's rights (§1.21).
type Service struct {
	DB *db.DB
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Changes is told which conversations the CRMs should hear of; nil tells nobody.
	Changes Changes
	// Outbound is told whose policies changed; nil tells nobody.
	Outbound client.Outbound
}

// Query asks for conversations, the last contacted first.
type Query struct {
	// Client limits the list to one client's, of all channels (R108, R172).
	Client *client.ID
	// Unlinked limits it to those without a client, Uncertain to guesses (R157).
	Unlinked, Uncertain bool
	After               Cursor
	// Limit is 1 to 200; 0 means 50.
	Limit int
}

// Cursor is where a list goes on: after this conversation.
type Cursor struct {
	LastMessageAt time.Time
	ID            ID
}

// List answers a page; Next is nil at the end (R172–R175). Errors:
// *client.NotFoundError, *actor.Refusal.
func (s *Service) List(ctx context.Context, a actor.Actor, q Query) (found []Head, next *Cursor, err error) {
	if err := event.Require(ctx, s.DB, a, actor.SeeClients, s.now()); err != nil {
		return nil, nil, err
	}
	if q.Limit <= 0 || q.Limit > 200 {
		q.Limit = 50
	}
	where, args := q.where()
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if q.Client != nil {
			c, err := client.Load(ctx, tx, *q.Client)
			if err != nil {
				return err
			}
			args[0] = c.ID // a merged id leads to the survivor
		}
		rows, err := tx.Query(ctx, selectConversation+where+fmt.Sprintf(` ORDER BY c.last_message_at DESC, c.id DESC LIMIT %d`, q.Limit+1), args...)
		if err != nil {
			return fmt.Errorf("list conversations: %w", err)
		}
		page, err := pgx.CollectRows(rows, pgx.RowToStructByName[Conversation])
		if err != nil {
			return fmt.Errorf("list conversations: %w", err)
		}
		if next = nil; len(page) > q.Limit {
			page = page[:q.Limit]
			last := page[q.Limit-1]
			next = &Cursor{LastMessageAt: last.LastMessageAt, ID: last.ID}
		}
		found, err = heads(ctx, tx, page)
		return err
	})
	return found, next, err
}

// heads adds to conversations whose they are and what was said last.
func heads(ctx context.Context, tx pgx.Tx, page []Conversation) ([]Head, error) {
	heads := make([]Head, len(page))
	at := map[ID]*Head{}
	ids := []ID{}
	var clients []client.ID
	for i, c := range page {
		heads[i].Conversation = c
		at[c.ID], ids = &heads[i], append(ids, c.ID)
		if linked, ok := c.Client(); ok {
			clients = append(clients, linked)
		}
	}
	linked, err := client.LoadMany(ctx, tx, clients)
	if err != nil {
		return nil, err
	}
	names := map[uuid.UUID]string{}
	for _, c := range linked {
		names[c.ID.UUID] = c.DisplayName()
	}
	for i := range heads {
		heads[i].ClientName = names[heads[i].ClientID.UUID]
	}
	rows, err := tx.Query(ctx, `SELECT m.* FROM unnest($1::uuid[]) AS c (id) CROSS JOIN LATERAL (
  SELECT conversation_id, direction, party, left(CASE WHEN own_words = '' THEN text ELSE own_words END, 200)
    FROM message WHERE conversation_id = c.id ORDER BY sent_at DESC, id DESC LIMIT 1) m`, ids)
	if err != nil {
		return nil, fmt.Errorf("read last messages: %w", err)
	}
	var id ID
	var last Last
	if _, err := pgx.ForEachRow(rows, []any{&id, &last.Direction, &last.Party, &last.Excerpt}, func() error {
		at[id].Last = last
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read last messages: %w", err)
	}
	return heads, nil
}

func (q Query) where() (string, []any) {
	where, args := ` WHERE true`, []any{}
	if q.Client != nil {
		where += ` AND c.client_id = $1`
		args = append(args, *q.Client)
	}
	if q.Unlinked {
		where += ` AND c.client_id IS NULL`
	}
	if q.Uncertain {
		where += ` AND c.client_id IS NOT NULL AND NOT c.link_certain AND NOT c.link_locked`
	}
	if !q.After.LastMessageAt.IsZero() {
		where += fmt.Sprintf(` AND (c.last_message_at, c.id) < ($%d, $%d)`, len(args)+1, len(args)+2)
		args = append(args, q.After.LastMessageAt, q.After.ID)
	}
	return where, args
}

// Get reads a conversation with its messages, at most 1,000 of them, oldest
// first. Reading a sensitive client's is audited. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Get(ctx context.Context, a actor.Actor, id ID) (*Conversation, []Message, error) {
	if err := event.Require(ctx, s.DB, a, actor.SeeClients, s.now()); err != nil {
		return nil, nil, err
	}
	var c *Conversation
	var messages []Message
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		if c, err = Load(ctx, tx, id); err != nil {
			return err
		}
		if messages, err = Messages(ctx, tx, id, 1000); err != nil {
			return err
		}
		return s.noteRead(ctx, tx, a, c)
	})
	return c, messages, err
}

// noteRead writes the read of a sensitive client's conversation into the audit.
func (s *Service) noteRead(ctx context.Context, tx pgx.Tx, a actor.Actor, c *Conversation) error {
	if !c.ClientID.Valid {
		return nil
	}
	var sensitive bool
	if err := tx.QueryRow(ctx, `SELECT sensitive FROM client WHERE id = $1`, c.ClientID).Scan(&sensitive); err != nil {
		return fmt.Errorf("read whether the client is sensitive: %w", err)
	}
	if !sensitive {
		return nil
	}
	return event.NoteRead(ctx, tx, a, c.ClientID.UUID, uuid.NullUUID{UUID: c.ID.UUID, Valid: true}, s.now())
}

// Run is one extraction run over a message, and what matching decided on it.
type Run struct {
	ID        uuid.UUID       `json:"id"`
	MessageID uuid.UUID       `json:"message_id"`
	Findings  json.RawMessage `json:"findings"`
	Decision  json.RawMessage `json:"decision"`
	// Advice is what the tenant's AI endpoint said of the run, and what came of it;
	// null when nobody was asked.
	Advice    json.RawMessage `json:"advice"`
	CreatedAt time.Time       `json:"created_at"`
}

// Explain tells why a conversation is linked as it is, or not: identifiers seen,
// their normal forms, candidates, and the rule that decided, message by message,
// newest first (R199).
func (s *Service) Explain(ctx context.Context, a actor.Actor, id ID) (*Conversation, []Run, error) {
	if err := event.Require(ctx, s.DB, a, actor.SeeClients, s.now()); err != nil {
		return nil, nil, err
	}
	var c *Conversation
	var runs []Run
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		if c, err = Load(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id, message_id, findings, decision, advice, created_at FROM extraction_run
 WHERE conversation_id = $1 ORDER BY created_at DESC, id DESC LIMIT 100`, id)
		if err != nil {
			return fmt.Errorf("read extraction runs: %w", err)
		}
		runs, err = pgx.CollectRows(rows, pgx.RowToStructByName[Run])
		return err
	})
	return c, runs, err
}
