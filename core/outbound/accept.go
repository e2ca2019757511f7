package outbound

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// The limits of a message's parts, in characters. An SMS beyond 1,600 is refused
// by gateways, which would make ten and more messages of it.
const (
	maxText    = 100_000
	maxSMS     = 1_600
	maxSubject = 500
	// farthest is how far ahead a message may be scheduled.
	farthest = 366 * 24 * time.Hour
)

// When says when a person's message goes, or from when on an automated one may.
type When string

// What a person may say instead of a time.
const (
	// Now: outside the client's hours too (R58).
	Now When = "now"
	// Opening: when the client's hours open next; now, if they are open.
	Opening When = "opening"
)

// New is a message that somebody wants to send. Who that is follows from the
// actor and from nothing in here.
type New struct {
	// Kind is Reply or Receipt for a reply, any other kind for a new message; ""
	// is Reply, or Note.
	Kind policy.Kind
	// Channel is a person's choice for a new message; "" lets the client's
	// preferences choose (R45).
	Channel       policy.Channel
	Subject, Text string
	// When is empty, Now, Opening, or a time in RFC 3339.
	When When
	// NoticeReason says why a legal notice is one.
	NoticeReason string
}

// Reply accepts an answer in a conversation, on its channel. What became of it is
// in the message's state: nothing that the policy doesn't let go is an error.
//
// Errors: *conversation.NotFoundError, *actor.Refusal, *InvalidError, *StateError
// where the conversation has no address, *HoursError for a person outside the
// client's hours.
func (s *Service) Reply(ctx context.Context, a actor.Actor, to conversation.ID, n New) (*Message, error) {
	if n.Kind == "" {
		n.Kind = policy.Reply
	}
	if n.Kind != policy.Reply && n.Kind != policy.Receipt && n.Kind != policy.Notice {
		return nil, &InvalidError{"kind", fmt.Sprintf("%q is no reply", n.Kind), "use reply, receipt or legal_notice, or write to the client (POST /v1/clients/{id}/messages)"}
	}
	if n.Channel != "" {
		return nil, &InvalidError{"channel", "a reply stays on its conversation's channel", "leave it out"}
	}
	return s.accept(ctx, a, n, func(ctx context.Context, w *work, m *Message) error {
		if err := hold(ctx, w.tx, a.Tenant, valid(to.UUID), uuid.NullUUID{}); err != nil {
			return notThere(err, &conversation.NotFoundError{ID: to})
		}
		c, err := conversation.Load(ctx, w.tx, to)
		if err != nil {
			return err
		}
		m.ConversationID, m.ClientID, m.Live = valid(to.UUID), c.ClientID, c.State == conversation.Open
		m.Channel = policy.ChannelOf(c.Channel)
		if m.Subject == "" && m.Channel == policy.Email {
			m.Subject = answering(c.Subject)
		}
		if err := refuseDeleted(ctx, w.tx, m.ClientID); err != nil {
			return err
		}
		return addressReply(ctx, w.tx, m)
	})
}

// Write accepts a new message to a client: a follow-up, a reminder, a campaign, or
// what a person has to say. The channel is the first preferred one on which the
// client is reachable (R45); by phone it becomes a call task.
//
// Errors: *client.NotFoundError, *actor.Refusal, *InvalidError, *StateError for a
// deleted client, *HoursError for a person outside the client's hours.
func (s *Service) Write(ctx context.Context, a actor.Actor, to client.ID, n New) (*Message, error) {
	if n.Kind == "" {
		n.Kind = policy.Note
	}
	switch {
	case n.Kind == policy.Reply:
		return nil, &InvalidError{"kind", "a reply needs its conversation", "use POST /v1/conversations/{id}/replies"}
	case n.Kind == policy.Note && origin(a) != policy.Person:
		return nil, &InvalidError{"kind", "a message of its own is what a person writes", "say what it is: follow_up, reminder, campaign, receipt or legal_notice"}
	case n.Channel != "" && origin(a) != policy.Person:
		return nil, &InvalidError{"channel", "the client's preferences choose the channel for automation", "leave it out"}
	}
	return s.accept(ctx, a, n, func(ctx context.Context, w *work, m *Message) error {
		for { // a merged id leads to the survivor, also when the merge comes just now
			c, err := client.Load(ctx, w.tx, to)
			if err != nil {
				return err
			}
			if m.ClientID == valid(c.ID.UUID) {
				break
			}
			m.ClientID = valid(c.ID.UUID)
			if err := hold(ctx, w.tx, a.Tenant, uuid.NullUUID{}, m.ClientID); err != nil {
				return err
			}
		}
		if err := refuseDeleted(ctx, w.tx, m.ClientID); err != nil {
			return err
		}
		return w.chooseChannel(ctx, m, n.Channel)
	})
}

// accept is the one way in for both.
func (s *Service) accept(ctx context.Context, a actor.Actor, n New, place func(context.Context, *work, *Message) error) (*Message, error) {
	now := s.Now()
	if err := event.Require(ctx, s.DB, a, actor.SendMessages, now); err != nil {
		return nil, err
	}
	fresh, err := n.message(a, now)
	if err != nil {
		return nil, err
	}
	if fresh.Kind == policy.Notice {
		if err := event.Require(ctx, s.DB, a, actor.Administer, now); err != nil {
			return nil, err
		}
	}
	var m *Message
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		again := *fresh // a retried transaction starts anew
		m = &again
		w := &work{service: s, tx: tx, actor: a, now: now}
		if err := place(ctx, w, m); err != nil {
			return err
		}
		if m.Channel == policy.SMS && utf8.RuneCountInString(m.Text) > maxSMS {
			return &InvalidError{"text", fmt.Sprintf("is longer than the %d characters of an SMS", maxSMS), "shorten it"}
		}
		if m.State == "" {
			if err := w.settleNew(ctx, m, n.When); err != nil {
				return err
			}
		}
		if err := insert(ctx, tx, a.Tenant, m); err != nil {
			return err
		}
		w.noteState(m)
		if m.Origin == policy.Person && m.Kind == policy.Reply && m.State != Blocked {
			if err := w.supersede(ctx, m); err != nil {
				return err
			}
		}
		if err := s.foresee(ctx, tx, now, m); err != nil {
			return err
		}
		return w.finish(ctx)
	})
	return m, err
}

// settleNew decides about a new message. A person outside the client's hours is
// asked once what he wants (R58).
func (w *work) settleNew(ctx context.Context, m *Message, when When) error {
	p, err := policyOf(ctx, w.tx, m)
	if err != nil {
		return err
	}
	if m.Origin == policy.Person && m.NotBefore == nil && m.Channel != policy.Phone {
		d := m.decide(p, w.now, w.service.Zones)
		closed := d.Outcome == policy.Allow && (d.Stuck || !d.Opens.IsZero())
		switch {
		case closed && when == Opening && !d.Stuck:
			m.NotBefore = &d.Opens
		case closed && when != Now:
			return &HoursError{Warnings: d.Warnings, Opens: d.Opens}
		}
	}
	m.settle(p, w.now, w.service.Zones)
	w.wake = w.wake || m.State == Queued
	return nil
}

// message checks what was asked for and fills in who asks.
func (n New) message(a actor.Actor, now time.Time) (*Message, error) {
	m := &Message{
		ID: ID{uuid.Must(uuid.NewV7())}, Kind: n.Kind, Origin: origin(a), AuthorID: a.ID, AuthorName: a.Name,
		Subject: strings.TrimSpace(n.Subject), Text: n.Text, CreatedAt: now, UpdatedAt: now,
	}
	if !slices.Contains(policy.Kinds(), n.Kind) {
		return nil, &InvalidError{"kind", fmt.Sprintf("%.40q is no kind of message", n.Kind), "see the kinds in /docs"}
	}
	if err := checkText(m.Subject, m.Text); err != nil {
		return nil, err
	}
	switch {
	case n.Kind == policy.Notice && strings.TrimSpace(n.NoticeReason) == "":
		return nil, &InvalidError{"reason", "is missing", "say what law requires the notice"}
	case n.Kind == policy.Notice:
		m.NoticeBy, m.NoticeReason = a.Name, strings.TrimSpace(n.NoticeReason)
	case n.NoticeReason != "":
		return nil, &InvalidError{"reason", "belongs to a legal notice", "leave it out, or set kind to legal_notice"}
	}
	switch n.When {
	case "":
	case Now, Opening:
		if m.Origin != policy.Person {
			return nil, &InvalidError{"when", "is a person's choice", "leave it out: it goes as soon as the policy lets it"}
		}
	default:
		at, err := time.Parse(time.RFC3339, string(n.When))
		if err != nil || at.Before(now) || at.Sub(now) > farthest {
			return nil, &InvalidError{"when", "is no time within the next year", `use "now", "opening", or a time such as 2026-11-02T09:00:00Z`}
		}
		m.NotBefore = &at
	}
	return m, nil
}

func checkText(subject, text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return &InvalidError{"text", "is empty", "write something"}
	case utf8.RuneCountInString(text) > maxText:
		return &InvalidError{"text", fmt.Sprintf("is longer than %d characters", maxText), "shorten it"}
	case !utf8.ValidString(text+subject) || strings.ContainsRune(text+subject, 0):
		return &InvalidError{"text", "holds bytes that are no text", "send UTF-8 without NUL"}
	case utf8.RuneCountInString(subject) > maxSubject || strings.ContainsAny(subject, "\r\n\u2028\u2029"):
		return &InvalidError{"subject", fmt.Sprintf("is longer than %d characters or more than a line", maxSubject), "write it on one line"}
	}
	return nil
}

// answering is the subject of an answer.
func answering(subject string) string {
	if subject == "" || strings.HasPrefix(strings.ToLower(subject), "re:") {
		return subject
	}
	runes := []rune("Re: " + strings.Join(strings.Fields(subject), " "))
	return string(runes[:min(len(runes), maxSubject)])
}

// refuseDeleted keeps messages from going to a client that is out of use.
func refuseDeleted(ctx context.Context, tx pgx.Tx, id uuid.NullUUID) error {
	if !id.Valid {
		return nil
	}
	var deleted bool
	if err := tx.QueryRow(ctx, `SELECT deleted_at IS NOT NULL FROM client WHERE id = $1`, id.UUID).Scan(&deleted); err != nil {
		return wrapf(err, "read the client")
	}
	if deleted {
		return &StateError{Rule: "the client is deleted", WayOut: "restore it first"}
	}
	return nil
}

// supersede takes the automated answers of a conversation back that a person's
// answer makes pointless (R59).
func (w *work) supersede(ctx context.Context, by *Message) error {
	return supersede(ctx, w.tx, w.actor, conversation.ID{UUID: by.ConversationID.UUID}, by.ID, w.now)
}

// Answered supersedes the automated answers that wait in a conversation, because
// our side has written there by another way: an agent in a mail program, say. A
// copy of what left from here is no answer.
func (s *Service) Answered(ctx context.Context, tx pgx.Tx, a actor.Actor, m conversation.Message) error {
	var ours bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM outbound_message WHERE conversation_id = $1 AND external_id = $2 AND external_id <> '')`,
		m.ConversationID, m.ExternalID).Scan(&ours)
	if err != nil {
		return wrapf(err, "look whether a message left from here")
	}
	if ours {
		return nil
	}
	return supersede(ctx, tx, a, m.ConversationID, ID{}, s.Now())
}

// supersede takes back the answers that a person's own (by, if it is one of ours)
// makes pointless.
func supersede(ctx context.Context, tx pgx.Tx, a actor.Actor, in conversation.ID, by ID, now time.Time) error {
	rows, err := tx.Query(ctx, `UPDATE outbound_message SET state = 'superseded', reason = 'a person answered', due_at = NULL, updated_at = $3, revision = revision + 1
 WHERE conversation_id = $1 AND id <> $2 AND origin = 'automation' AND kind IN ('reply', 'follow_up')
   AND state IN ('draft', 'awaiting approval', 'held', 'queued') RETURNING id`, in, by, now)
	if err != nil {
		return wrapf(err, "supersede answers")
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ID])
	if err != nil {
		return wrapf(err, "supersede answers")
	}
	var events []event.Event
	for _, id := range ids {
		events = append(events, event.Event{
			Kind: event.MessageSuperseded, ConversationID: valid(in.UUID), At: now,
			Payload: map[string]any{"message": id, "reason": "a person answered"},
		})
	}
	return event.Append(ctx, tx, a, events...)
}

func notThere(err, instead error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return instead
	}
	return err
}
