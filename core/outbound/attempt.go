package outbound

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// noSenderWait is how long a message waits for somebody to set up its sender.
const noSenderWait = time.Minute

// attempt is one message's way out, once: decide, ask the provider, store what
// came of it.
func (d *Dispatcher) attempt(ctx context.Context, t actor.TenantID, id ID) {
	a := actor.ForSystem(t, "outbound")
	// What has begun is finished, also when the host stops meanwhile.
	whole := context.WithoutCancel(ctx)
	channel, err := d.channelOf(whole, a, id)
	if err == nil {
		err = d.send(whole, a, id, channel, ctx.Done())
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "a message could not be dispatched; it stays due", "message", id, "error", err)
		d.pause(ctx) // rather than asking a database in trouble again at once
	}
}

func (d *Dispatcher) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(scanEvery):
	}
}

func (d *Dispatcher) channelOf(ctx context.Context, a actor.Actor, id ID) (channel string, err error) {
	err = d.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		m, err := load(ctx, tx, id)
		if err == nil {
			channel = string(m.Channel)
		}
		return err
	})
	return channel, err
}

// send keeps the message's policy still from the decision until the provider is
// being asked: a change of it is committed either before the decision, which then
// heeds it, or after the provider was reached for, and then finds the message
// among those being sent. The mark "sending" is committed in between by a
// transaction of its own, so that a crash can't forget a message that left.
func (d *Dispatcher) send(ctx context.Context, a actor.Actor, id ID, channel string, stopping <-chan struct{}) error {
	sender, err := d.Senders.Sender(ctx, a.Tenant, channel)
	if noSender, ok := errors.AsType[*NoSenderError](err); ok {
		return d.wait(ctx, a, id, noSender)
	}
	if err != nil {
		return err
	}
	var m *Message
	var result chan Result
	err = d.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		seen, err := load(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := hold(ctx, tx, a.Tenant, seen.ConversationID, seen.ClientID); err != nil {
			return err
		}
		var delivery Delivery
		if m, delivery, err = d.mark(ctx, a, id, sender); err != nil || m == nil {
			return err
		}
		result = d.ask(context.WithoutCancel(ctx), sender, delivery, stopping)
		return nil
	})
	if m == nil || result == nil {
		return err
	}
	// Whatever happened to the transaction that held the policy still: the provider
	// was asked, and its answer counts.
	return d.store(ctx, a, m, sender, <-result)
}

// ask starts to hand the message over and returns as soon as the provider is being
// asked; the result comes through the channel.
func (d *Dispatcher) ask(ctx context.Context, sender Sender, delivery Delivery, stopping <-chan struct{}) chan Result {
	begun, result := make(chan struct{}), make(chan Result, 1)
	begin := sync.OnceFunc(func() { close(begun) })
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	d.done.Go(func() {
		defer cancel()
		result <- sender.Send(ctx, delivery, begin)
		begin()
	})
	d.done.Go(func() {
		select {
		case <-ctx.Done():
		case <-stopping:
			select {
			case <-ctx.Done():
			case <-time.After(stopGrace):
				cancel()
			}
		}
	})
	<-begun
	return result
}

// mark decides in the transaction that marks the message as being sent. It answers
// nil when the message is not to be sent: somebody else has it, or the policy says
// otherwise by now, and then it has become what the policy says.
func (d *Dispatcher) mark(ctx context.Context, a actor.Actor, id ID, sender Sender) (marked *Message, delivery Delivery, err error) {
	s := d.Service
	err = d.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		marked = nil
		now := s.Now()
		var due bool
		err := tx.QueryRow(ctx, `SELECT state IN ('held', 'queued') AND due_at <= $2 FROM outbound_message WHERE id = $1 FOR UPDATE SKIP LOCKED`, id, now).Scan(&due)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !due {
			return nil
		}
		if err != nil {
			return wrapf(err, "claim message %s", id)
		}
		m, err := load(ctx, tx, id)
		if err != nil {
			return err
		}
		w := &work{service: s, tx: tx, actor: a, now: now}
		before := m.State
		if err := refuseDeleted(ctx, tx, m.ClientID); err != nil {
			m.State, m.Reason, m.DueAt = Cancelled, err.Error(), nil
			w.note(m, event.MessageCancelled, nil)
		} else if err := w.settle(ctx, m); err != nil {
			return err
		}
		m.UpdatedAt = now
		if m.State != Queued {
			if m.State != before {
				w.noteState(m)
			}
			if err := save(ctx, tx, m); err != nil {
				return err
			}
			return w.finish(ctx)
		}
		if before == Held {
			w.note(m, event.MessageReleased, nil)
		}
		m.State, m.Host, m.OurSide, m.StartedAt, m.DueAt = Sending, d.Host, sender.From(), &now, nil
		m.Attempts++
		if m.Channel == policy.Email {
			m.ExternalID = messageID(m, sender.From())
		}
		if delivery, err = deliver(ctx, tx, m, now); err != nil {
			return err
		}
		if err := save(ctx, tx, m); err != nil {
			return err
		}
		w.wake = false
		marked = m
		return w.finish(ctx)
	})
	if err != nil {
		return nil, delivery, err
	}
	return marked, delivery, nil
}

// deliver makes what the provider gets.
func deliver(ctx context.Context, tx pgx.Tx, m *Message, now time.Time) (Delivery, error) {
	out := Delivery{
		ID: m.ID.UUID, Channel: string(m.Channel), To: m.Address, Subject: m.Subject, Text: m.Text, MessageID: m.ExternalID, At: now,
	}
	if !m.ConversationID.Valid {
		return out, nil
	}
	out.Conversation = m.ConversationID.UUID.String()
	if m.Channel != policy.Email {
		return out, nil
	}
	var err error
	out.InReplyTo, out.References, err = thread(ctx, tx, conversation.ID{UUID: m.ConversationID.UUID})
	return out, err
}

// wait keeps a message that nothing can send until something can.
func (d *Dispatcher) wait(ctx context.Context, a actor.Actor, id ID, cause *NoSenderError) error {
	return d.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outbound_message SET state = 'queued', due_at = $2, reason = $3, updated_at = $4, revision = revision + 1
 WHERE id = $1 AND state IN ('held', 'queued') AND due_at <= $4`, id, d.Service.Now().Add(noSenderWait), cause.Error(), d.Service.Now())
		if err != nil {
			return wrapf(err, "let message %s wait", id)
		}
		return nil
	})
}

// store writes what came of a message, and tries for a while: what is not stored
// stays in doubt.
func (d *Dispatcher) store(ctx context.Context, a actor.Actor, m *Message, sender Sender, r Result) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for {
		err := d.outcome(ctx, a, m, sender, r)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if db.Code(err) != "" { // not the connection: the same again would fail again
			return err
		}
		d.pause(ctx)
	}
}
