package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/policy"
)

// ID identifies a conversation; it is also the stable key of its activity in
// every CRM (design.md §11). It is declared where clients are, because a merge
// says which conversations it moved.
type ID = client.ConversationID

// NewID makes a time-ordered id.
func NewID() ID { return ID{UUID: uuid.Must(uuid.NewV7())} }

// ParseID reads a conversation id.
func ParseID(s string) (ID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return ID{}, fmt.Errorf("conversation id %q: want a UUID such as 0198c0de-0000-7000-8000-000000000000", s)
	}
	return ID{UUID: id}, nil
}

// State says whether a conversation goes on.
type State string

// The states; a message reopens an ended conversation.
const (
	Open  State = "open"
	Ended State = "ended"
)

// Link says how a conversation came to its client.
type Link string

// The ways: by the channel's own identifier, by what was said, by a person.
const (
	ByChannel Link = "channel"
	ByContent Link = "content"
	ByHand    Link = "manual"
)

// Conversation is one mail thread, SMS exchange, chat session or call (R74).
type Conversation struct {
	ID            ID            `json:"id"`
	Channel       string        `json:"channel"`
	ClientID      uuid.NullUUID `json:"client_id"`
	LinkMethod    Link          `json:"link_method"`
	LinkCertain   bool          `json:"link_certain"`
	LinkLocked    bool          `json:"link_locked"`
	LinkReason    string        `json:"link_reason"`
	Subject       string        `json:"subject"`
	State         State         `json:"state"`
	MessageCount  int           `json:"message_count"`
	StartedAt     time.Time     `json:"started_at"`
	LastMessageAt time.Time     `json:"last_message_at"`
	EndedAt       *time.Time    `json:"ended_at"`
	Summary       string        `json:"summary"`
	Revision      int64         `json:"revision"`
	// Own are the settings that the conversation has beside its client's (R72).
	Own policy.ConversationSettings `json:"-" db:"policy"`
}

// Head is a conversation in a list, with enough to follow the client's journey
// (R175): whose it is, and what was said last.
type Head struct {
	Conversation
	// ClientName is what the linked client is called, or empty.
	ClientName string `json:"client_name"`
	// Last is the last message.
	Last Last `json:"last_message"`
}

// Last is the last message of a conversation, in short.
type Last struct {
	Direction string `json:"direction"`
	// Party is the outside party's address or number.
	Party string `json:"party"`
	// Excerpt is the beginning of what was said, at most 200 characters.
	Excerpt string `json:"excerpt"`
}

// Message is one message of a conversation, as text.
type Message struct {
	ID             uuid.UUID      `json:"id"`
	ConversationID ID             `json:"conversation_id"`
	Direction      string         `json:"direction"`
	ExternalID     string         `json:"external_id"`
	Subject        string         `json:"subject"`
	Text           string         `json:"text"`
	OwnWords       string         `json:"own_words"`
	Party          string         `json:"party"`
	OurSide        string         `json:"our_side"`
	Detail         map[string]any `json:"detail"`
	SentAt         time.Time      `json:"sent_at"`
}

// Changes is told, in the same transaction, which conversations have something
// new for the CRMs: they ended, their summary or their client changed. The sync
// engine implements it.
type Changes interface {
	ConversationsChanged(ctx context.Context, tx pgx.Tx, t actor.TenantID, ids []ID, reason string) error
}

// NotFoundError is a conversation that isn't there for this tenant.
type NotFoundError struct{ ID ID }

// Error names the conversation.
func (e *NotFoundError) Error() string { return "conversation " + e.ID.String() + " does not exist" }

// Client is the linked client, if there is one.
func (c *Conversation) Client() (client.ID, bool) {
	return client.ID{UUID: c.ClientID.UUID}, c.ClientID.Valid
}
