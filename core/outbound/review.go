package outbound

import (
	"context"
	"fmt"
	"strings"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// Approve is a named person's yes to an automated message: the system then sends
// it, at once or when the client's hours open; now sends it outside them too,
// which is noted (R58, R62). Revision is the one the person has read, 0 for
// whichever. A message that only a person may send can't be approved (R63).
//
// Errors: *NotFoundError, *StateError, *actor.Refusal for everybody but people.
func (s *Service) Approve(ctx context.Context, a actor.Actor, id ID, revision int64, now bool) (*Message, error) {
	return s.change(ctx, a, actor.ReviewMessages, id, func(ctx context.Context, w *work, m *Message) error {
		if err := m.readAt(revision); err != nil {
			return err
		}
		if m.State != Awaiting {
			return m.refuse("approved", "only a message that awaits approval can be")
		}
		at := w.now
		m.ApprovedBy, m.ApprovedAt, m.ApprovedNow = a.Name, &at, now
		if err := w.settle(ctx, m); err != nil {
			return err
		}
		if m.State == Draft || m.State == Blocked {
			return m.refuse("approved", m.Reason)
		}
		w.note(m, event.DraftApproved, map[string]any{"now": now})
		return nil
	})
}

// Send is a person who opens a message and presses send: from then on it is that
// person's (R61). When is empty, Now, Opening, or a time, as for a new one.
//
// Errors: *NotFoundError, *StateError, *HoursError, *InvalidError, *actor.Refusal
// for everybody but people.
func (s *Service) Send(ctx context.Context, a actor.Actor, id ID, revision int64, when When) (*Message, error) {
	timing, err := New{Kind: policy.Note, Text: "-", When: when}.message(a, s.Now())
	if err != nil {
		return nil, err
	}
	return s.change(ctx, a, actor.ReviewMessages, id, func(ctx context.Context, w *work, m *Message) error {
		if err := m.readAt(revision); err != nil {
			return err
		}
		if !m.State.waiting() || m.State == Call {
			return m.refuse("sent", "it is no draft and not waiting")
		}
		m.Origin, m.AuthorID, m.AuthorName, m.NotBefore = policy.Person, a.ID, a.Name, timing.NotBefore
		if err := w.settleNew(ctx, m, when); err != nil {
			return err
		}
		if m.State == Blocked {
			return m.refuse("sent", m.Reason)
		}
		w.note(m, event.DraftSent, map[string]any{"when": when})
		if m.Kind == policy.Reply && m.ConversationID.Valid {
			return w.supersede(ctx, m)
		}
		return nil
	})
}

// Edit changes what a waiting message says. An approval given before is void: it
// was for other words. Errors: *NotFoundError, *StateError, *InvalidError,
// *actor.Refusal for everybody but people.
func (s *Service) Edit(ctx context.Context, a actor.Actor, id ID, revision int64, subject, text *string) (*Message, error) {
	return s.change(ctx, a, actor.ReviewMessages, id, func(ctx context.Context, w *work, m *Message) error {
		if err := m.readAt(revision); err != nil {
			return err
		}
		if !m.State.waiting() {
			return m.refuse("edited", "it waits no longer")
		}
		before := map[string]any{"subject": m.Subject, "text": m.Text}
		if subject != nil {
			m.Subject = strings.TrimSpace(*subject)
		}
		if text != nil {
			m.Text = *text
		}
		if err := checkText(m.Subject, m.Text); err != nil {
			return err
		}
		m.ApprovedBy, m.ApprovedAt, m.ApprovedNow = "", nil, false
		w.note(m, event.DraftEdited, map[string]any{"before": before, "after": map[string]any{"subject": m.Subject, "text": m.Text}})
		if m.State == Draft || m.State == Awaiting {
			return nil
		}
		return w.settle(ctx, m)
	})
}

// Reject puts an automated message away, with a reason that its makers can learn
// from. Errors: *NotFoundError, *StateError, *actor.Refusal for everybody but
// people.
func (s *Service) Reject(ctx context.Context, a actor.Actor, id ID, reason string) (*Message, error) {
	return s.end(ctx, a, actor.ReviewMessages, id, event.DraftRejected, "rejected by "+a.Name+because(reason), func(m *Message) bool {
		return m.State == Draft || m.State == Awaiting
	})
}

// Cancel takes back a message that has not left; automation its own too. Errors:
// *NotFoundError, *StateError, *actor.Refusal.
func (s *Service) Cancel(ctx context.Context, a actor.Actor, id ID, reason string) (*Message, error) {
	return s.end(ctx, a, actor.SendMessages, id, event.MessageCancelled, "cancelled by "+a.Name+because(reason), func(m *Message) bool {
		return m.State.waiting() || m.State == Failed
	})
}

func (s *Service) end(ctx context.Context, a actor.Actor, can actor.Can, id ID, kind event.Kind, reason string, may func(*Message) bool) (*Message, error) {
	return s.change(ctx, a, can, id, func(_ context.Context, w *work, m *Message) error {
		if !may(m) {
			return m.refuse("taken back", "it does not wait")
		}
		m.State, m.Reason, m.DueAt = Cancelled, reason, nil
		w.note(m, kind, nil)
		return nil
	})
}

// Retry lets a message go once more that failed, or of which nobody knows whether
// it left: only a person can take that on. Errors: *NotFoundError, *StateError,
// *actor.Refusal for everybody but people.
func (s *Service) Retry(ctx context.Context, a actor.Actor, id ID) (*Message, error) {
	return s.change(ctx, a, actor.ReviewMessages, id, func(ctx context.Context, w *work, m *Message) error {
		if m.State != Failed && m.State != MaybeSent {
			return m.refuse("sent again", "it neither failed nor is in doubt")
		}
		m.Origin, m.AuthorID, m.AuthorName, m.Attempts, m.NotBefore = policy.Person, a.ID, a.Name, 0, nil
		if err := w.settle(ctx, m); err != nil {
			return err
		}
		if m.State == Blocked {
			return m.refuse("sent again", m.Reason)
		}
		w.note(m, event.DraftSent, map[string]any{"again": true})
		return nil
	})
}

// Resolve is a person's word on a message in doubt: it was sent, or it was not.
// Errors: *NotFoundError, *StateError, *actor.Refusal for everybody but people.
func (s *Service) Resolve(ctx context.Context, a actor.Actor, id ID, sent bool) (*Message, error) {
	return s.change(ctx, a, actor.ReviewMessages, id, func(ctx context.Context, w *work, m *Message) error {
		if m.State != MaybeSent {
			return m.refuse("settled", "nobody doubts what became of it")
		}
		if !sent {
			m.State, m.Reason = Failed, "not sent, says "+a.Name
			w.note(m, event.MessageFailed, nil)
			return nil
		}
		m.Reason = "sent, says " + a.Name
		return w.sent(ctx, m)
	})
}

// CallDone says that a call task was done. Errors: *NotFoundError, *StateError,
// *actor.Refusal for everybody but people.
func (s *Service) CallDone(ctx context.Context, a actor.Actor, id ID) (*Message, error) {
	return s.change(ctx, a, actor.ReviewMessages, id, func(_ context.Context, w *work, m *Message) error {
		if m.State != Call {
			return m.refuse("done", "it is no call task that waits")
		}
		at := w.now
		m.State, m.Reason, m.DueAt, m.SentAt = Called, "done by "+a.Name, nil, &at
		w.note(m, event.CallMade, nil)
		return nil
	})
}

// readAt refuses a decision on a message that has changed since it was read.
func (m *Message) readAt(revision int64) error {
	if revision != 0 && revision != m.Revision {
		return &StateError{Rule: fmt.Sprintf("the message was changed meanwhile (revision %d, you read %d)", m.Revision, revision), WayOut: "read it again"}
	}
	return nil
}

func (m *Message) refuse(what, why string) error {
	way := "see its state"
	switch m.State {
	case Draft:
		way = "open it and press send (POST /v1/outbound/{id}/send)"
	case Sending:
		way = "wait for its outcome"
	case MaybeSent:
		way = "settle whether it was sent, or let it go again"
	}
	return &StateError{Rule: fmt.Sprintf("a message that is %q can't be %s: %s", m.State, what, why), WayOut: way}
}

func because(reason string) string {
	const most = 500
	if reason = strings.Join(strings.Fields(strings.ToValidUTF8(reason, "")), " "); reason == "" {
		return ""
	}
	runes := []rune(strings.ReplaceAll(reason, "\x00", ""))
	return ": " + string(runes[:min(len(runes), most)])
}
