package outbound

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// Service is what people and programs do with outbound messages. Its methods may
// be called concurrently; each checks the actor's rights (§1.21).
type Service struct {
	DB    *db.DB
	Now   func() time.Time
	Zones *policy.Zones
}

// Wake asks whichever host gets it to look for what is due. Wake-ups may be lost
// or doubled: due messages are also found by a scan.
type Wake struct {
	TenantID string `json:"tenant_id"`
}

// Kind names the job.
func (Wake) Kind() string { return "outbound_wake" }

// InsertOpts: a wake-up is tried once.
func (Wake) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1} }

// origin follows the credential, never the request (R210, §1.21).
func origin(a actor.Actor) policy.Origin {
	if a.Kind == actor.Person {
		return policy.Person
	}
	return policy.Automation
}

// work is one decision about messages, at work in a transaction.
type work struct {
	service *Service
	tx      pgx.Tx
	actor   actor.Actor
	now     time.Time
	events  []event.Event
	wake    bool
}

// change runs fn on one message, with everything held still that its policy is
// made of. The message is read again under the lock.
func (s *Service) change(ctx context.Context, a actor.Actor, can actor.Can, id ID, fn func(context.Context, *work, *Message) error) (*Message, error) {
	now := s.Now()
	if err := event.Require(ctx, s.DB, a, can, now); err != nil {
		return nil, err
	}
	var m *Message
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		seen, err := load(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := hold(ctx, tx, a.Tenant, seen.ConversationID, seen.ClientID); err != nil {
			return err
		}
		if m, err = lockMessage(ctx, tx, id); err != nil {
			return err
		}
		w := &work{service: s, tx: tx, actor: a, now: now}
		if err := fn(ctx, w, m); err != nil {
			return err
		}
		m.UpdatedAt = now
		if err := save(ctx, tx, m); err != nil {
			return err
		}
		if err := s.foresee(ctx, tx, now, m); err != nil {
			return err
		}
		return w.finish(ctx)
	})
	return m, err
}

// settle decides about a message anew.
func (w *work) settle(ctx context.Context, m *Message) error {
	p, err := policyOf(ctx, w.tx, m)
	if err != nil {
		return err
	}
	m.settle(p, w.now, w.service.Zones)
	w.wake = w.wake || m.State == Queued
	return nil
}

// note adds an event to the timeline: a reply's belongs to its conversation, and
// is whose the conversation is; a new message's to its client.
func (w *work) note(m *Message, kind event.Kind, more map[string]any) {
	w.events = append(w.events, happened(m, kind, w.now, more))
}

// noteState tells what a message has become, where that is worth an event.
func (w *work) noteState(m *Message) {
	if kind, ok := map[State]event.Kind{
		Draft: event.DraftMade, Awaiting: event.DraftMade, Held: event.MessageHeld, Blocked: event.MessageBlocked, Call: event.CallAsked,
	}[m.State]; ok {
		w.note(m, kind, nil)
	}
}

// finish writes the events and wakes the dispatchers.
func (w *work) finish(ctx context.Context) error {
	if err := event.Append(ctx, w.tx, w.actor, w.events...); err != nil {
		return err
	}
	if !w.wake {
		return nil
	}
	return w.service.DB.InsertJob(ctx, w.tx, Wake{TenantID: w.actor.Tenant.String()}, nil)
}

func happened(m *Message, kind event.Kind, at time.Time, more map[string]any) event.Event {
	payload := map[string]any{"message": m.ID, "kind": m.Kind, "channel": m.Channel}
	if m.Reason != "" {
		payload["reason"] = m.Reason
	}
	if m.DueAt != nil && m.State != Queued {
		payload["until"] = m.DueAt.UTC()
	}
	for k, v := range more {
		payload[k] = v
	}
	e := event.Event{Kind: kind, ConversationID: m.ConversationID, Payload: payload, At: at}
	if !m.ConversationID.Valid {
		e.ClientID = m.ClientID
	}
	return e
}

// foresee says when messages go: their own time, or for drafts the time at which
// they would if somebody approved them now.
func (s *Service) foresee(ctx context.Context, tx pgx.Tx, now time.Time, messages ...*Message) error {
	var drafts []*Message
	for _, m := range messages {
		switch m.State {
		case Held, Queued, Call:
			m.GoesAt = m.DueAt
		case Awaiting, Draft:
			drafts = append(drafts, m)
		}
	}
	all, err := policies(ctx, tx, drafts)
	if err != nil {
		return err
	}
	for i, m := range drafts {
		asked := *m
		asked.ApprovedBy, asked.ApprovedAt, asked.ApprovedNow = "you", &now, false
		if m.State == Draft {
			asked.Origin = policy.Person // nobody approves it: a person sends it
		}
		asked.settle(all[i], now, s.Zones)
		m.GoesAt = asked.DueAt
	}
	return nil
}

func valid(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: true} }

// missing says that a conversation's other side has no address.
func missing(what string) error {
	return &StateError{Rule: "the conversation has no " + what + " to answer to", WayOut: "write to its client instead (POST /v1/clients/{id}/messages)"}
}

func wrapf(err error, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, err)...)
}
