package outbound

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
	"github.com/clientele-crm/clientele/core/tenant"
)

// outcome stores what came of handing a message over. An answer that comes after
// somebody else has taken the message for lost still counts when it says sent.
func (d *Dispatcher) outcome(ctx context.Context, a actor.Actor, sending *Message, sender Sender, r Result) error {
	s := d.Service
	return d.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if sending.ConversationID.Valid {
			if _, err := conversation.Lock(ctx, tx, conversation.ID{UUID: sending.ConversationID.UUID}); err != nil {
				return err
			}
		}
		m, err := lockMessage(ctx, tx, sending.ID)
		if err != nil {
			return err
		}
		ours := m.Host == d.Host && m.Attempts == sending.Attempts
		if !ours || m.State != Sending && (m.State != MaybeSent || r.Outcome != WasSent) {
			return nil
		}
		w := &work{service: s, tx: tx, actor: a, now: s.Now()}
		m.UpdatedAt, m.Detail = w.now, r.Detail
		if err := d.conclude(ctx, w, m, sender, r); err != nil {
			return err
		}
		if err := save(ctx, tx, m); err != nil {
			return err
		}
		return w.finish(ctx)
	})
}

// conclude turns a result into the message's next state.
func (d *Dispatcher) conclude(ctx context.Context, w *work, m *Message, sender Sender, r Result) error {
	again := r.Outcome == Retry || r.Outcome == Unknown && sender.Idempotent()
	switch {
	case r.Outcome == WasSent:
		m.ProviderID, m.Reason = r.ProviderID, ""
		return w.sent(ctx, m)
	case again && m.Attempts < maxAttempts:
		due := w.now.Add(max(d.backoff(m.Attempts), r.After))
		m.State, m.Reason, m.DueAt = Queued, "tried again after: "+r.Detail, &due
	case r.Outcome == Unknown:
		w.doubt(m, r.Detail)
	default:
		m.State, m.Reason, m.DueAt = Failed, r.Detail, nil
		w.note(m, event.MessageFailed, map[string]any{"attempts": m.Attempts})
	}
	return nil
}

// doubt: nobody knows whether the message left, and it isn't repeated by itself.
func (w *work) doubt(m *Message, why string) {
	m.State, m.Reason, m.DueAt = MaybeSent, why, nil
	w.note(m, event.MessageInDoubt, nil)
}

// sent puts a message that left into its conversation, and starts one where it was
// the first word.
func (w *work) sent(ctx context.Context, m *Message) error {
	at := w.now
	if m.StartedAt != nil {
		at = *m.StartedAt
	}
	t := w.actor.Tenant
	settings, err := tenant.ReadSettings(ctx, w.tx, t)
	if err != nil {
		return err
	}
	idle := settings.Idle(string(m.Channel))
	u := client.Begin(w.tx, w.actor, w.now, nil, "outbound")
	c, err := w.conversationOf(ctx, u, m, at, idle)
	if err != nil {
		return err
	}
	err = conversation.Append(ctx, w.tx, t, c, conversation.Message{
		ID: m.ID.UUID, ConversationID: c.ID, Direction: "outbound", ExternalID: m.ExternalID, Subject: m.Subject,
		Text: m.Text, OwnWords: m.Text, Party: m.Address, OurSide: m.OurSide, SentAt: at,
	}, idle, w.now)
	if err != nil {
		return err
	}
	m.State, m.ConversationID, m.DueAt, m.SentAt = Sent, valid(c.ID.UUID), nil, &at
	payload := map[string]any{"channel": c.Channel, "direction": "outbound", "subject": m.Subject, "by": m.AuthorName, "origin": m.Origin}
	if m.ApprovedBy != "" {
		payload["approved_by"] = m.ApprovedBy
	}
	w.note(m, event.Message, payload)
	if to, linked := c.Client(); linked {
		if err := u.Contacted(ctx, to, at); err != nil {
			return err
		}
	}
	return u.Flush(ctx)
}

// conversationOf finds the conversation that a message belongs to, or starts it,
// and notes by what an answer will find it again.
func (w *work) conversationOf(ctx context.Context, u *client.Unit, m *Message, at time.Time, idle time.Duration) (*conversation.Conversation, error) {
	t := w.actor.Tenant
	var keys []string
	gap := time.Duration(0)
	switch m.Channel {
	case policy.Email:
		keys = []string{"mid:" + m.ExternalID}
	case policy.SMS:
		keys, gap = []string{"pair:" + strings.ToLower(strings.TrimSpace(m.OurSide)) + "|" + m.AddressNormal}, conversation.SMSGap
	}
	if m.ConversationID.Valid {
		c, err := conversation.Lock(ctx, w.tx, conversation.ID{UUID: m.ConversationID.UUID})
		if err != nil {
			return nil, err
		}
		return c, conversation.AddKeys(ctx, w.tx, t, c, keys)
	}
	for _, key := range keys {
		if _, err := w.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, conversation.KeyLock(t, string(m.Channel), key)); err != nil {
			return nil, wrapf(err, "wait for messages of the same conversation")
		}
	}
	c, err := conversation.Resolve(ctx, w.tx, t, conversation.Place{
		Channel: string(m.Channel), Keys: keys, Subject: m.Subject, SentAt: at, Idle: idle, Gap: gap,
	}, w.now)
	if err != nil || c.ClientID.Valid {
		return c, err
	}
	to := client.ID{UUID: m.ClientID.UUID}
	if err := conversation.SetLink(ctx, w.tx, u, c, &to, conversation.ByChannel, true, false, "we wrote to the client"); err != nil {
		return nil, err
	}
	u.LogConversation(&to, c.ID.UUID, event.ConversationLinked, w.now, map[string]any{"reason": "we wrote to the client", "certain": true})
	return c, nil
}

// mostReferences bounds the References of a mail: the oldest and the latest are
// what readers use.
const mostReferences = 20

// thread answers what a mail in a conversation refers to: the client's last mail,
// and those before it, oldest first.
func thread(ctx context.Context, tx pgx.Tx, id conversation.ID) (inReplyTo string, references []string, err error) {
	rows, err := tx.Query(ctx, `SELECT external_id, direction FROM message WHERE conversation_id = $1 AND external_id <> '' ORDER BY sent_at DESC, id DESC LIMIT $2`, id, mostReferences)
	if err != nil {
		return "", nil, wrapf(err, "read what the mail answers")
	}
	var external, direction string
	if _, err := pgx.ForEachRow(rows, []any{&external, &direction}, func() error {
		if !isMessageID(external) {
			return nil
		}
		if inReplyTo == "" && direction == "inbound" {
			inReplyTo = external
		}
		references = append(references, external)
		return nil
	}); err != nil {
		return "", nil, wrapf(err, "read what the mail answers")
	}
	slices.Reverse(references)
	if inReplyTo == "" && len(references) > 0 {
		inReplyTo = references[len(references)-1]
	}
	return inReplyTo, references, nil
}

// isMessageID tells a mail's own id from one that a pusher made up.
func isMessageID(s string) bool {
	return len(s) <= 250 && strings.Count(s, "@") == 1 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' })
}

// messageID is a mail's Message-ID, the same at every try (design.md §11).
func messageID(m *Message, from string) string {
	if m.ExternalID != "" {
		return m.ExternalID
	}
	return fmt.Sprintf("%s@%s", m.ID, from[strings.LastIndexByte(from, '@')+1:])
}

// recover takes up what died in somebody's hands: this host's own, when it could
// not store an outcome, and those of hosts that are no more.
func (d *Dispatcher) recover(ctx context.Context) {
	type lost struct {
		TenantID  actor.TenantID
		MessageID ID
		Host      string
		Alive     bool
	}
	var all []lost
	err := d.db.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, message_id, host, alive FROM outbound_sending()`)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[lost])
		return err
	})
	for _, l := range all {
		if l.Alive && (l.Host != d.Host || d.has(l.MessageID)) {
			continue
		}
		if err == nil {
			err = d.recoverOne(ctx, actor.ForSystem(l.TenantID, "outbound"), l.MessageID, l.Host)
		}
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "can't take up what a dead host was sending; trying again", "error", err)
	}
}

// recoverOne lets a message go again where the provider takes it once, and puts it
// in doubt where not.
func (d *Dispatcher) recoverOne(ctx context.Context, a actor.Actor, id ID, host string) error {
	channel, err := d.channelOf(ctx, a, id)
	if err != nil {
		return err
	}
	sender, err := d.Senders.Sender(ctx, a.Tenant, channel)
	again := err == nil && sender.Idempotent()
	s := d.Service
	return d.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		m, err := lockMessage(ctx, tx, id)
		if err != nil || m.State != Sending || m.Host != host {
			return err
		}
		w := &work{service: s, tx: tx, actor: a, now: s.Now()}
		m.UpdatedAt = w.now
		if again {
			m.State, m.Reason, m.DueAt, w.wake = Queued, "its host ended while sending it; sent again under the same id", &w.now, true
		} else {
			w.doubt(m, "its host ended while sending it")
		}
		if err := save(ctx, tx, m); err != nil {
			return err
		}
		return w.finish(ctx)
	})
}
