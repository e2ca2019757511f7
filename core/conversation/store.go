package conversation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// SMSGap is the silence after which the same pair of numbers starts a new
// conversation (design.md §11).
const SMSGap = 24 * time.Hour

// Place says where a message belongs. Keys are what finds its conversation again
// (Message-IDs, a number pair, a session or call id, the pusher's own id).
type Place struct {
	Channel string
	Keys    []string
	Subject string
	SentAt  time.Time
	Idle    time.Duration
	// Gap is the silence after which the same key starts a new conversation; 0
	// means never.
	Gap time.Duration
}

// Resolve finds the conversation of a message by its keys or starts one, with
// the row locked, and notes the keys. The caller holds a lock on the keys, so
// that two messages of one conversation can't start two.
func Resolve(ctx context.Context, tx pgx.Tx, t actor.TenantID, p Place, now time.Time) (*Conversation, error) {
	c, err := byKeys(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = &Conversation{
			ID: NewID(), Channel: p.Channel, Subject: p.Subject, State: Open,
			StartedAt: p.SentAt, LastMessageAt: p.SentAt, Revision: 1,
		}
		if _, err := tx.Exec(ctx, `INSERT INTO conversation (id, tenant_id, channel, subject, started_at, last_message_at, idle_at, created_at)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7)`, c.ID, t, c.Channel, c.Subject, c.StartedAt, p.SentAt.Add(p.Idle), now); err != nil {
			return nil, fmt.Errorf("start conversation: %w", err)
		}
	}
	return c, AddKeys(ctx, tx, t, c, p.Keys)
}

// AddKeys notes by what else a conversation is found again.
func AddKeys(ctx context.Context, tx pgx.Tx, t actor.TenantID, c *Conversation, keys []string) error {
	_, err := tx.Exec(ctx, `INSERT INTO conversation_key (tenant_id, channel, key, conversation_id)
SELECT $1, $2, k, $4 FROM unnest($3::text[]) k ON CONFLICT DO NOTHING`, t, c.Channel, keys, c.ID)
	if err != nil {
		return fmt.Errorf("note conversation keys: %w", err)
	}
	return nil
}

// KeyLock is the number of the advisory lock on a key, which whoever resolves a
// conversation by it holds.
func KeyLock(t actor.TenantID, channel, key string) int64 {
	h := fnv.New64a()
	h.Write(t.UUID[:])
	for _, part := range []string{"conversation", channel, key} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return int64(h.Sum64())
}

// Append adds a message. It reopens the conversation when it is newer than the
// end, and moves the time at which silence ends it.
func Append(ctx context.Context, tx pgx.Tx, t actor.TenantID, c *Conversation, m Message, idle time.Duration, now time.Time) error {
	if m.Detail == nil {
		m.Detail = map[string]any{}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO message (id, tenant_id, conversation_id, direction, external_id, subject, text, own_words, party, our_side, detail, sent_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, m.ID, t, c.ID, m.Direction, m.ExternalID, m.Subject,
		m.Text, m.OwnWords, m.Party, m.OurSide, m.Detail, m.SentAt, now); err != nil {
		return fmt.Errorf("add message: %w", err)
	}
	c.MessageCount++
	c.StartedAt = earlier(c.StartedAt, m.SentAt)
	c.LastMessageAt = later(c.LastMessageAt, m.SentAt)
	c.State, c.EndedAt = Open, nil
	if c.Subject == "" {
		c.Subject = m.Subject
	}
	if _, err := tx.Exec(ctx, `UPDATE conversation SET message_count = $2, started_at = $3, last_message_at = $4, idle_at = $5,
  state = 'open', ended_at = NULL, subject = $6, revision = revision + 1 WHERE id = $1`,
		c.ID, c.MessageCount, c.StartedAt, c.LastMessageAt, c.LastMessageAt.Add(idle), c.Subject); err != nil {
		return fmt.Errorf("note message in conversation: %w", err)
	}
	c.Revision++
	return nil
}

// SetLink stores who the conversation is with, within a unit of work. A person's
// link is locked, and automation leaves it alone (R17). With another client comes
// another policy: an exemption falls (R87), and messages that wait are decided
// again.
func SetLink(ctx context.Context, tx pgx.Tx, u *client.Unit, c *Conversation, to *client.ID, by Link, certain, locked bool, reason string) error {
	was := c.ClientID
	c.ClientID = uuid.NullUUID{}
	if to != nil {
		c.ClientID = uuid.NullUUID{UUID: to.UUID, Valid: true}
	} else {
		by = ""
	}
	if c.ClientID != was {
		u.PolicyMoved(c.ID)
		if exempt := c.Own.Sensitive; exempt != nil && !exempt.Value {
			c.Own.Sensitive = nil
			u.LogConversation(to, c.ID.UUID, event.OverrideCleared, u.Now(), event.Change(string(policy.NameSensitive), false, nil, "the conversation got another client"))
		}
	}
	c.LinkMethod, c.LinkCertain, c.LinkLocked, c.LinkReason = by, certain, locked, reason
	c.Revision++
	_, err := tx.Exec(ctx, `UPDATE conversation SET client_id = $2, link_method = $3, link_certain = $4, link_locked = $5,
  link_reason = $6, policy = $7, revision = revision + 1 WHERE id = $1`, c.ID, c.ClientID, c.LinkMethod, certain, locked, reason, c.Own)
	if err != nil {
		return fmt.Errorf("link conversation %s: %w", c.ID, err)
	}
	return nil
}

// Doubt makes the automatic links of the conversation that a message belongs to
// uncertain: what tied it to its client was only said in it (R133).
func Doubt(ctx context.Context, tx pgx.Tx, message uuid.UUID, reason string) error {
	_, err := tx.Exec(ctx, `UPDATE conversation SET link_certain = false, link_reason = $2
 WHERE id = (SELECT conversation_id FROM message WHERE id = $1) AND link_certain AND NOT link_locked`, message, reason)
	if err != nil {
		return fmt.Errorf("doubt the link of a conversation: %w", err)
	}
	return nil
}

// Load reads one conversation.
func Load(ctx context.Context, tx pgx.Tx, id ID) (*Conversation, error) {
	return one(ctx, tx, id, selectConversation+` WHERE c.id = $1`)
}

// Lock is Load with the row held until the end of the transaction.
func Lock(ctx context.Context, tx pgx.Tx, id ID) (*Conversation, error) {
	return one(ctx, tx, id, selectConversation+` WHERE c.id = $1 FOR UPDATE OF c`)
}

// Messages are a conversation's messages, oldest first, at most limit.
func Messages(ctx context.Context, tx pgx.Tx, id ID, limit int) ([]Message, error) {
	rows, err := tx.Query(ctx, `SELECT id, conversation_id, direction, external_id, subject, text, own_words, party, our_side, detail, sent_at
  FROM message WHERE conversation_id = $1 ORDER BY sent_at, id LIMIT $2`, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read messages of %s: %w", id, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Message])
	if err != nil {
		return nil, fmt.Errorf("read messages of %s: %w", id, err)
	}
	return found, nil
}

func one(ctx context.Context, tx pgx.Tx, id ID, sql string) (*Conversation, error) {
	rows, err := tx.Query(ctx, sql, id)
	if err != nil {
		return nil, fmt.Errorf("read conversation %s: %w", id, err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Conversation])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{ID: id}
	}
	if err != nil {
		return nil, fmt.Errorf("read conversation %s: %w", id, err)
	}
	return c, nil
}

// byKeys finds the latest conversation with one of the keys; within the
// gap where there is one.
func byKeys(ctx context.Context, tx pgx.Tx, p Place) (*Conversation, error) {
	sql := selectConversation + ` WHERE c.channel = $1 AND c.id IN
  (SELECT conversation_id FROM conversation_key WHERE channel = $1 AND key = ANY($2))`
	args := []any{p.Channel, p.Keys}
	if p.Gap > 0 {
		sql += ` AND c.last_message_at > $3 AND c.started_at < $4`
		args = append(args, p.SentAt.Add(-p.Gap), p.SentAt.Add(p.Gap))
	}
	rows, err := tx.Query(ctx, sql+` ORDER BY c.last_message_at DESC, c.id LIMIT 1 FOR UPDATE OF c`, args...)
	if err != nil {
		return nil, fmt.Errorf("find conversation: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Conversation])
	if err != nil {
		return nil, fmt.Errorf("find conversation: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

const selectConversation = `SELECT c.id, c.channel, c.client_id, c.link_method, c.link_certain, c.link_locked, c.link_reason, c.subject,
  c.state, c.message_count, c.started_at, c.last_message_at, c.ended_at, c.summary, c.revision, c.policy FROM conversation c`
