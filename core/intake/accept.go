package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Service takes messages in. Its methods may be called concurrently.
type Service struct {
	DB            *db.DB
	Tenants       *tenant.Service
	Now           func() time.Time
	Clients       client.Changes
	Conversations conversation.Changes
	// Outbound is told whose policies changed and who was answered; nil tells nobody.
	Outbound Outbound
	// AskAssistant is told, in the message's transaction, of a run with something
	// to ask the tenant's AI endpoint; it sees to it that Advise is called once that
	// has committed. Nil: nobody is asked.
	AskAssistant func(ctx context.Context, tx pgx.Tx, t actor.TenantID, run uuid.UUID) error
}

// Outbound is what waits to be sent, which a message may concern.
type Outbound interface {
	client.Outbound
	// Answered is told, in the message's transaction, of a message that our side
	// sent in a conversation by another way than Clientele, or that comes back to us
	// as a copy of what Clientele sent.
	Answered(ctx context.Context, tx pgx.Tx, a actor.Actor, m conversation.Message) error
}

// Result is what became of a message.
type Result struct {
	AcceptedID uuid.UUID `json:"accepted_id"`
	// State is done, failed or waiting.
	State string `json:"state"`
	// Duplicate tells that the same message had been accepted before.
	Duplicate      bool          `json:"duplicate"`
	MessageID      uuid.NullUUID `json:"message_id"`
	ConversationID uuid.NullUUID `json:"conversation_id"`
	ClientID       uuid.NullUUID `json:"client_id"`
	ClientCreated  bool          `json:"client_created"`
	ClientUpdated  bool          `json:"client_updated"`
	// NewLink tells that this message linked its conversation.
	NewLink bool `json:"new_link"`
	Certain bool `json:"certain"`
	// Rule and Reason say why it is linked so, or why not.
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	// Notes are things that were not as they should be, such as a broken MIME part.
	Notes []string `json:"notes,omitempty"`
	// Error is why processing failed; the message is kept and can be replayed.
	Error string `json:"error,omitempty"`
}

// Take accepts a message and processes it. The error is about accepting:
// *InvalidError, *TooLargeError, *actor.Refusal. After that the message is kept;
// if processing fails the result says so.
func (s *Service) Take(ctx context.Context, a actor.Actor, m Message) (Result, error) {
	id, duplicate, err := s.Accept(ctx, a, m)
	if err != nil {
		return Result{}, err
	}
	r, err := s.Process(ctx, a.Tenant, id)
	r.Duplicate = duplicate
	return r, err
}

// Accept commits the raw message, once for the same identity: (channel, source,
// external id), else the content (design.md §11).
func (s *Service) Accept(ctx context.Context, a actor.Actor, m Message) (id uuid.UUID, duplicate bool, err error) {
	if err := a.Require(actor.SendMessages); err != nil {
		return id, false, err
	}
	if len(m.MIME) > 0 && m.Channel == "" {
		m.Channel = "email"
	}
	if err := m.Validate(); err != nil {
		return id, false, err
	}
	m.Tenant = ""
	raw, err := json.Marshal(m)
	if err != nil {
		return id, false, fmt.Errorf("encode message: %w", err)
	}
	if limit := int64(MaxBytes)*4/3 + 1<<20; int64(len(raw)) > limit {
		return id, false, &TooLargeError{Bytes: int64(len(raw))}
	}
	identity := identify(m, raw)
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		id, duplicate = uuid.Must(uuid.NewV7()), false
		tag, err := tx.Exec(ctx, `INSERT INTO accepted_message (id, tenant_id, identity, channel, source, raw, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, identity) DO NOTHING`, id, a.Tenant, identity, m.Channel, m.Source, raw, s.Now())
		if err != nil || tag.RowsAffected() == 1 {
			return err
		}
		duplicate = true
		return tx.QueryRow(ctx, `SELECT id FROM accepted_message WHERE identity = $1`, identity).Scan(&id)
	})
	if err != nil {
		return id, false, fmt.Errorf("accept message: %w", err)
	}
	return id, duplicate, nil
}

// Failed lists messages that could not be processed, oldest first.
func (s *Service) Failed(ctx context.Context, a actor.Actor, limit int) ([]Failure, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Failure
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, channel, source, received_at, attempts, error FROM accepted_message
 WHERE state = 'failed' ORDER BY received_at, id LIMIT $1`, limit)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Failure])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list failed messages: %w", err)
	}
	return found, nil
}

// Failure is an accepted message that could not be processed.
type Failure struct {
	ID         uuid.UUID `json:"id"`
	Channel    string    `json:"channel"`
	Source     string    `json:"source"`
	ReceivedAt time.Time `json:"received_at"`
	Attempts   int       `json:"attempts"`
	Error      string    `json:"error"`
}

// NotAcceptedError is an accepted message that isn't there for this tenant.
type NotAcceptedError struct{ ID uuid.UUID }

// Error names the message.
func (e *NotAcceptedError) Error() string {
	return "message " + e.ID.String() + " was not accepted here"
}

// Replay processes a failed message again. Replaying a processed one answers its
// result and changes nothing.
func (s *Service) Replay(ctx context.Context, a actor.Actor, id uuid.UUID) (Result, error) {
	if err := a.Require(actor.SendMessages); err != nil {
		return Result{}, err
	}
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE accepted_message SET state = 'waiting', attempts = 0 WHERE id = $1 AND state = 'failed'`, id)
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("replay message %s: %w", id, err)
	}
	return s.Process(ctx, a.Tenant, id)
}

// identify is what makes a redelivery the same message. A mail without an id
// from the pusher has its Message-ID.
func identify(m Message, raw []byte) string {
	external := m.ExternalID
	if external == "" && len(m.MIME) > 0 {
		if mail, err := extract.ReadMail(m.MIME); err == nil {
			external = mail.MessageID
		}
	}
	hash := sha256.New()
	if external != "" {
		hash.Write([]byte(strings.Join([]string{m.Channel, m.Source, external}, "\x00")))
		return "id:" + hex.EncodeToString(hash.Sum(nil))
	}
	hash.Write(raw)
	return "content:" + hex.EncodeToString(hash.Sum(nil))
}

// unreadable is a message that will never be processed as it is.
type unreadable struct{ cause error }

func (u *unreadable) Error() string { return u.cause.Error() }
func (u *unreadable) Unwrap() error { return u.cause }

func isUnreadable(err error) bool {
	_, ok := errors.AsType[*unreadable](err)
	return ok
}
