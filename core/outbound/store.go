package outbound

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/policy"
)

// selectMessage reads messages with what policy needs of their conversation.
const selectMessage = `SELECT o.id, CASE WHEN v.id IS NULL THEN o.client_id ELSE v.client_id END AS client_id, o.conversation_id,
  o.kind, o.channel, o.origin, o.author_id, o.author_name, o.address, o.address_normal, o.subject, o.text, o.state, o.reason, o.decision,
  o.due_at, o.not_before, o.ask_review, o.approved_by, o.approved_at, o.approved_now, o.notice_by, o.notice_reason, o.attempts, o.host, o.started_at, o.our_side,
  o.external_id, o.provider_id, o.detail, o.sent_at, o.created_at, o.updated_at, o.revision,
  (SELECT max(m.sent_at) FROM message m WHERE m.tenant_id = o.tenant_id AND m.conversation_id = v.id AND m.direction = 'inbound') AS inbound_at,
  coalesce(v.state = 'open', false) AS live
 FROM outbound_message o LEFT JOIN conversation v ON v.tenant_id = o.tenant_id AND v.id = o.conversation_id`

func query(ctx context.Context, tx pgx.Tx, suffix string, args ...any) ([]*Message, error) {
	rows, err := tx.Query(ctx, selectMessage+suffix, args...)
	if err != nil {
		return nil, fmt.Errorf("read outbound messages: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Message])
	if err != nil {
		return nil, fmt.Errorf("read outbound messages: %w", err)
	}
	return found, nil
}

// load reads one message without a lock.
func load(ctx context.Context, tx pgx.Tx, id ID) (*Message, error) {
	found, err := query(ctx, tx, ` WHERE o.id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &NotFoundError{ID: id}
	}
	return found[0], nil
}

// lockMessage reads a message and holds it until the transaction ends. Whoever
// decides about it holds its conversation and client first: see hold.
func lockMessage(ctx context.Context, tx pgx.Tx, id ID) (*Message, error) {
	if _, err := tx.Exec(ctx, `SELECT 1 FROM outbound_message WHERE id = $1 FOR UPDATE`, id); err != nil {
		return nil, fmt.Errorf("lock outbound message %s: %w", id, err)
	}
	return load(ctx, tx, id)
}

// hold keeps everything still that a message's policy is made of, so that each
// change of policy comes wholly before or wholly after what the caller does: the
// conversation's and the client's own rows, which such changes lock, and the
// tenant's settings. The order is everybody's: conversation, then client.
//
// The row locks are exclusive: with shared ones, a busy client's messages could keep
// a change of its policy waiting for ever.
func hold(ctx context.Context, tx pgx.Tx, t actor.TenantID, conversation, clientID uuid.NullUUID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, tenantPolicyLock(t)); err != nil {
		return wrapf(err, "hold the tenant's policy")
	}
	if conversation.Valid {
		// Whose it is may have changed while this waited.
		err := tx.QueryRow(ctx, `SELECT client_id FROM conversation WHERE id = $1 FOR NO KEY UPDATE`, conversation.UUID).Scan(&clientID)
		if err != nil {
			return wrapf(err, "hold the conversation's policy")
		}
	}
	if clientID.Valid {
		if _, err := tx.Exec(ctx, `SELECT 1 FROM client WHERE id = $1 FOR NO KEY UPDATE`, clientID.UUID); err != nil {
			return wrapf(err, "hold the client's policy")
		}
	}
	return nil
}

// holdTenant waits until nothing of the tenant is between decision and departure,
// and lets nothing get there, until the transaction ends.
func holdTenant(ctx context.Context, tx pgx.Tx, t actor.TenantID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, tenantPolicyLock(t)); err != nil {
		return wrapf(err, "hold the tenant's policy")
	}
	return nil
}

func tenantPolicyLock(t actor.TenantID) int64 {
	h := fnv.New64a()
	h.Write(t.UUID[:])
	h.Write([]byte("outbound policy"))
	return int64(h.Sum64())
}

// policies answers what is in force for each message, with one query for those of
// conversations and one for the new ones.
func policies(ctx context.Context, tx pgx.Tx, messages []*Message) ([]policy.Policy, error) {
	var conversations []conversation.ID
	var clients []client.ID
	for _, m := range messages {
		if m.ConversationID.Valid {
			conversations = append(conversations, conversation.ID{UUID: m.ConversationID.UUID})
		} else {
			clients = append(clients, client.ID{UUID: m.ClientID.UUID})
		}
	}
	byConversation, err := conversation.Policies(ctx, tx, conversations)
	if err != nil {
		return nil, err
	}
	byClient, err := conversation.ClientPolicies(ctx, tx, clients)
	if err != nil {
		return nil, err
	}
	all := make([]policy.Policy, len(messages))
	for i, m := range messages {
		if m.ConversationID.Valid {
			all[i] = byConversation[conversation.ID{UUID: m.ConversationID.UUID}]
		} else {
			all[i] = byClient[client.ID{UUID: m.ClientID.UUID}]
		}
	}
	return all, nil
}

// policyOf is policies for one message.
func policyOf(ctx context.Context, tx pgx.Tx, m *Message) (policy.Policy, error) {
	all, err := policies(ctx, tx, []*Message{m})
	if err != nil {
		return policy.Policy{}, err
	}
	return all[0], nil
}

func insert(ctx context.Context, tx pgx.Tx, t actor.TenantID, m *Message) error {
	_, err := tx.Exec(ctx, `INSERT INTO outbound_message (id, tenant_id, client_id, conversation_id, kind, channel, origin, author_id, author_name,
  address, address_normal, subject, text, state, reason, decision, due_at, not_before, ask_review, notice_by, notice_reason, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $22)`,
		m.ID, t, ownClient(m), m.ConversationID, m.Kind, m.Channel, m.Origin, m.AuthorID, m.AuthorName, m.Address, m.AddressNormal,
		m.Subject, m.Text, m.State, m.Reason, m.Decision, m.DueAt, m.NotBefore, m.AskReview, m.NoticeBy, m.NoticeReason, m.CreatedAt)
	if err != nil {
		return fmt.Errorf("store the message: %w", err)
	}
	m.Revision = 1
	return nil
}

// ownClient is a new message's client; a reply has its conversation's.
func ownClient(m *Message) uuid.NullUUID {
	if m.ConversationID.Valid {
		return uuid.NullUUID{}
	}
	return m.ClientID
}

// save writes what may change after acceptance. The caller has the row locked.
func save(ctx context.Context, tx pgx.Tx, m *Message) error {
	err := tx.QueryRow(ctx, `UPDATE outbound_message SET conversation_id = $2, origin = $3, author_id = $4, author_name = $5, subject = $6, text = $7,
  state = $8, reason = $9, decision = $10, due_at = $11, not_before = $12, approved_by = $13, approved_at = $14, approved_now = $15,
  attempts = $16, host = $17, started_at = $18, external_id = $19, provider_id = $20, detail = $21, sent_at = $22, updated_at = $23, our_side = $24,
  revision = revision + 1 WHERE id = $1 RETURNING revision`,
		m.ID, m.ConversationID, m.Origin, m.AuthorID, m.AuthorName, m.Subject, m.Text, m.State, m.Reason, m.Decision, m.DueAt, m.NotBefore,
		m.ApprovedBy, m.ApprovedAt, m.ApprovedNow, m.Attempts, m.Host, m.StartedAt, m.ExternalID, m.ProviderID, m.Detail, m.SentAt, m.UpdatedAt, m.OurSide,
	).Scan(&m.Revision)
	if errors.Is(err, pgx.ErrNoRows) {
		return &NotFoundError{ID: m.ID}
	}
	if err != nil {
		return fmt.Errorf("store outbound message %s: %w", m.ID, err)
	}
	return nil
}
