package outbound

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
)

// Sender hands messages of one channel to a provider. Implementations may be
// called concurrently, bear any text, and keep the deadline of their context.
type Sender interface {
	// Idempotent tells whether the provider takes a message with the same id once,
	// however often it is handed over. Only then is one repeated whose outcome is
	// unknown.
	Idempotent() bool
	// From is our side of the conversation: an address, a number, a name.
	From() string
	// Send hands the message over, once, and calls begun right before it first
	// reaches for the provider: until then no change of policy is committed, from
	// then on the message counts as being sent. A Send that returns without begun
	// having been called has not asked the provider anything.
	Send(ctx context.Context, d Delivery, begun func()) Result
}

// Senders finds the sender of a tenant's channel. The error is *NoSenderError
// when nobody set one up.
type Senders interface {
	Sender(ctx context.Context, t actor.TenantID, channel string) (Sender, error)
}

// Delivery is one message as a provider gets it.
type Delivery struct {
	// ID is stable over repetitions: the provider's idempotency key.
	ID      uuid.UUID
	Channel string
	// To is an email address, a number in E.164, or a chat session's id.
	To            string
	Subject, Text string
	// MessageID, InReplyTo and References are those of a mail, without angle
	// brackets; References oldest first.
	MessageID, InReplyTo string
	References           []string
	// Conversation is the id of the conversation it belongs to, or "".
	Conversation string
	At           time.Time
}

// Outcome says how handing a message over ended.
type Outcome string

// The outcomes.
const (
	// WasSent: the provider took it.
	WasSent Outcome = "sent"
	// Refused: the provider will never take it; nothing left.
	Refused Outcome = "refused"
	// Retry: nothing left, and it may go better later.
	Retry Outcome = "retry"
	// Unknown: the provider may have taken it.
	Unknown Outcome = "unknown"
)

// Result is an outcome with what a person should know of it. Detail holds no
// text of the message and no secret.
type Result struct {
	Outcome Outcome
	// ProviderID is what the provider calls the message, or "".
	ProviderID string
	Detail     string
	// After is how long the provider asks to wait before a retry; 0: it doesn't say.
	After time.Duration
}

// NoSenderError is a channel that the tenant has no sender for.
type NoSenderError struct{ Channel string }

// Error says what to do.
func (e *NoSenderError) Error() string {
	return "nothing sends on the channel " + e.Channel + ": let an admin set up its sender (PUT /v1/senders/" + e.Channel + ")"
}
