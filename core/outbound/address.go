package outbound

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/match"
	"github.com/clientele-crm/clientele/core/policy"
)

// addressReply finds whom a reply goes to: who wrote last, else whom we wrote to;
// in a chat the session.
func addressReply(ctx context.Context, tx pgx.Tx, m *Message) error {
	sql, what := `SELECT party FROM message WHERE conversation_id = $1 AND party <> '' ORDER BY direction = 'inbound' DESC, sent_at DESC, id DESC LIMIT 1`, "address"
	if m.Channel == policy.Chat {
		sql, what = `SELECT regexp_replace(key, '^(session|ext):', '') FROM conversation_key WHERE conversation_id = $1
 AND (key LIKE 'session:%' OR key LIKE 'ext:%') ORDER BY key LIKE 'session:%' DESC, key LIMIT 1`, "session"
	}
	err := tx.QueryRow(ctx, sql, m.ConversationID.UUID).Scan(&m.Address)
	if errors.Is(err, pgx.ErrNoRows) {
		return missing(what)
	}
	if err != nil {
		return wrapf(err, "find whom to answer")
	}
	m.AddressNormal = normal(m.Channel, m.Address)
	if m.AddressNormal == "" {
		return missing(what)
	}
	m.Address = deliverable(m.Address, m.AddressNormal)
	return nil
}

// deliverable is an address as it was typed where only its case differs from the
// normal form, which a mail server may care about; else the normal form.
func deliverable(typed, normal string) string {
	if typed = strings.TrimSpace(typed); strings.EqualFold(typed, normal) {
		return typed
	}
	return normal
}

// normal is an address in the form in which identifiers and opt-outs are kept; ""
// when nothing can be sent to it.
func normal(channel policy.Channel, address string) string {
	switch channel {
	case policy.Email:
		n, _ := match.Email(address)
		return n
	case policy.SMS, policy.Phone:
		n, _ := match.Phone(address, "")
		return n.E164
	default:
		return strings.TrimSpace(address)
	}
}

// chooseChannel picks channel and address of a new message (R45); a person may
// want another of the channels that are offered.
func (w *work) chooseChannel(ctx context.Context, m *Message, wanted policy.Channel) error {
	p, err := policyOf(ctx, w.tx, m)
	if err != nil {
		return err
	}
	to, err := client.Load(ctx, w.tx, client.ID{UUID: m.ClientID.UUID})
	if err != nil {
		return err
	}
	r, err := client.ReachOf(ctx, w.tx, to)
	if err != nil {
		return err
	}
	c := policy.Choose(p, r, m.Origin)
	notes := strings.Join(c.Notes, "; ")
	if c.Outcome == policy.Blocked {
		m.Channel = policy.Email
		if len(p.Channels.Value) > 0 {
			m.Channel = p.Channels.Value[0]
		}
		m.become(policy.Decision{Outcome: policy.Blocked, Proof: []policy.Spoken{{Rule: ruleChannel, Asks: policy.Blocked, Why: notes, From: policy.Client}}}, w.now, false)
		return nil
	}
	if wanted != "" && wanted != c.Channel {
		// What the client would get if that channel were the one preferred.
		p.Channels.Value = []policy.Channel{wanted}
		if c = policy.Choose(p, r, m.Origin); c.Channel != wanted {
			return &InvalidError{"channel", "the client can't be reached by " + string(wanted) + ": " + strings.Join(c.Notes, "; "), "leave it out, or choose another"}
		}
	}
	m.Channel, m.AddressNormal, m.Address = c.Channel, c.Address, c.Address
	for _, id := range to.Identifiers {
		if id.Kind == client.Email && id.Normal == c.Address {
			m.Address = deliverable(id.Value, id.Normal)
		}
	}
	if c.Outcome == policy.Draft {
		m.AskReview = notes
	}
	if m.Channel == policy.SMS {
		return joinSMS(ctx, w.tx, m)
	}
	return nil
}

// joinSMS puts a new SMS into the exchange with the same number that is still
// going on (design.md §11), whose own policy it then has.
func joinSMS(ctx context.Context, tx pgx.Tx, m *Message) error {
	var in conversation.ID
	err := tx.QueryRow(ctx, `SELECT v.id FROM conversation v JOIN conversation_key k ON k.tenant_id = v.tenant_id AND k.conversation_id = v.id AND k.channel = 'sms'
 WHERE v.client_id = $1 AND v.channel = 'sms' AND v.last_message_at > $2 AND split_part(k.key, '|', 2) = $3
 ORDER BY v.last_message_at DESC LIMIT 1`, m.ClientID.UUID, m.CreatedAt.Add(-conversation.SMSGap), m.AddressNormal).Scan(&in)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return wrapf(err, "find the exchange of SMS")
	}
	m.ConversationID, m.Live = valid(in.UUID), true
	return nil
}
