// Package event is the append-only timeline and audit: every change of a client
// or conversation is one event with actor, before and after, and cause
// (requirements R102, R109). It knows how an event is written and read; what
// happened is the other packages' business.
package event

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// Kind is what happened, in the words of requirements §1.22.
type Kind string

// The timeline kinds.
const (
	Created              Kind = "created"
	FieldChanged         Kind = "field changed"
	IdentifierAdded      Kind = "identifier added"
	IdentifierRemoved    Kind = "identifier removed"
	IdentifierPrimary    Kind = "identifier made primary"
	NoteAdded            Kind = "note added"
	NoteEdited           Kind = "note edited"
	NoteDeleted          Kind = "note deleted"
	ConversationLinked   Kind = "conversation linked"
	ConversationMoved    Kind = "conversation moved"
	ConversationUnlinked Kind = "conversation unlinked"
	Message              Kind = "message"
	Call                 Kind = "call"
	ConversationEnded    Kind = "conversation ended"
	Suggested            Kind = "suggestion made"
	Reviewed             Kind = "reviewed"
	Sensitivity          Kind = "sensitivity changed"
	Preference           Kind = "preference changed"
	OverrideSet          Kind = "conversation override set"
	OverrideCleared      Kind = "conversation override cleared"
	Merged               Kind = "merged"
	Unmerged             Kind = "unmerged"
	Deleted              Kind = "deleted"
	Restored             Kind = "restored"
	Synced               Kind = "synced"
	SyncFailed           Kind = "sync failed"
	Read                 Kind = "read"
	Refused              Kind = "refused"
	Taught               Kind = "extraction taught"
	Connection           Kind = "connection changed"
	Mapping              Kind = "mapping changed"
	SenderChanged        Kind = "sender changed"
	Configured           Kind = "settings changed"
	DraftMade            Kind = "draft made"
	DraftEdited          Kind = "draft edited"
	DraftApproved        Kind = "draft approved"
	DraftRejected        Kind = "draft rejected"
	DraftSent            Kind = "draft sent"
	MessageHeld          Kind = "held"
	MessageReleased      Kind = "released"
	MessageCancelled     Kind = "cancelled"
	MessageSuperseded    Kind = "superseded"
	MessageBlocked       Kind = "blocked"
	MessageFailed        Kind = "sending failed"
	MessageInDoubt       Kind = "maybe sent"
	MessageUnderWay      Kind = "already being sent"
	CallAsked            Kind = "call task made"
	CallMade             Kind = "call task done"
)

// Event is one thing that happened.
type Event struct {
	ID             uuid.UUID      `json:"id"`
	Kind           Kind           `json:"kind"`
	ClientID       uuid.NullUUID  `json:"client_id"`
	ConversationID uuid.NullUUID  `json:"conversation_id"`
	ActorKind      actor.Kind     `json:"actor_kind"`
	ActorID        string         `json:"actor_id"`
	ActorName      string         `json:"actor_name"`
	Payload        map[string]any `json:"payload"`
	At             time.Time      `json:"at"`
	// Excerpt is the beginning of a message's own words. It is no part of the event
	// but read beside it.
	Excerpt string `json:"excerpt,omitempty"`
}

// Change is a payload: one field before and after, and why.
func Change(field string, before, after any, cause string) map[string]any {
	return map[string]any{"field": field, "before": before, "after": after, "cause": cause}
}

// Append writes events in the caller's transaction, so that a change and its
// event stand or fall together. Id and actor are filled in here; At must be set.
func Append(ctx context.Context, tx pgx.Tx, a actor.Actor, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	var rows columns
	for _, e := range events {
		e.ID = uuid.Must(uuid.NewV7())
		e.ActorKind, e.ActorID, e.ActorName = a.Kind, a.ID, a.Name
		if e.Payload == nil {
			e.Payload = map[string]any{}
		}
		digest, err := Digest(a.Tenant, e)
		if err != nil {
			return err
		}
		payload, err := json.Marshal(e.Payload)
		if err != nil {
			return fmt.Errorf("event payload of %q: %w", e.Kind, err)
		}
		rows.add(e, string(payload), digest)
	}
	batch := &pgx.Batch{}
	batch.Queue(insertSQL, a.Tenant, a.Kind, a.ID, a.Name, rows.id, rows.kind, rows.client, rows.conversation, rows.payload, rows.digest, rows.at)
	batch.Queue(`INSERT INTO event_unsealed (tenant_id, event_id) SELECT $1, unnest($2::uuid[])`, a.Tenant, rows.id)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("append %d events: %w", len(events), err)
	}
	return nil
}

// columns are events turned on their side: a hundred cost two statements.
type columns struct {
	id                   []uuid.UUID
	kind                 []string
	client, conversation []uuid.NullUUID
	payload              []string
	digest               [][]byte
	at                   []time.Time
}

func (c *columns) add(e Event, payload string, digest []byte) {
	c.id = append(c.id, e.ID)
	c.kind = append(c.kind, string(e.Kind))
	c.client = append(c.client, e.ClientID)
	c.conversation = append(c.conversation, e.ConversationID)
	c.payload = append(c.payload, payload)
	c.digest = append(c.digest, digest)
	c.at = append(c.at, e.At)
}

// Digest is what the audit seals: it covers every column, so that a changed
// event no longer agrees with it. Time counts in microseconds, as PostgreSQL
// keeps it.
func Digest(t actor.TenantID, e Event) ([]byte, error) {
	payload, err := canonical(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("event payload of %q: %w", e.Kind, err)
	}
	text, err := json.Marshal([]any{
		t.String(), e.ID, e.Kind, e.ClientID, e.ConversationID, e.ActorKind, e.ActorID, e.ActorName,
		payload, e.At.UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		return nil, fmt.Errorf("event digest: %w", err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// canonical brings a payload into the form in which it is read back: members in
// the order of their names, numbers as PostgreSQL gives them.
func canonical(payload map[string]any) (any, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	var read any
	return read, json.Unmarshal(text, &read)
}

const insertSQL = `INSERT INTO event (id, tenant_id, kind, client_id, conversation_id, actor_kind, actor_id, actor_name, payload, digest, at)
SELECT id, $1, kind, client_id, conversation_id, $2, $3, $4, payload::jsonb, digest, at
  FROM unnest($5::uuid[], $6::text[], $7::uuid[], $8::uuid[], $9::text[], $10::bytea[], $11::timestamptz[])
    AS e(id, kind, client_id, conversation_id, payload, digest, at)`
