package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

var _ client.Outbound = (*Service)(nil)

// recheckMost is how many messages are decided again at once: enough to make the
// round trips cheap, few enough to be held in memory.
const recheckMost = 5000

// PolicyChanged decides again about every message that waits under the policies
// that changed, in the transaction that changed them: what may no longer go by
// itself becomes a draft, what is held gets its new time, and a draft stays one
// (R59, R80, R83). Messages that a provider is being asked to take are past
// recalling; they are noted in the timeline.
//
// It implements client.Outbound. The caller has locked the clients and conversations
// whose policies changed: no message of theirs is between decision and departure.
func (s *Service) PolicyChanged(ctx context.Context, tx pgx.Tx, a actor.Actor, scope client.PolicyScope) (client.PolicyEffect, error) {
	r := recheck{work: work{service: s, tx: tx, actor: a, now: s.Now()}, scope: scope}
	if scope.Tenant {
		if err := holdTenant(ctx, tx, a.Tenant); err != nil {
			return r.effect, err
		}
	}
	for after := (ID{}); ; {
		ids, err := r.page(ctx, after)
		if err != nil {
			return r.effect, err
		}
		if err := r.decide(ctx, ids); err != nil {
			return r.effect, err
		}
		if len(ids) < recheckMost {
			break
		}
		after = ids[len(ids)-1]
	}
	return r.effect, r.finish(ctx)
}

// recheck is one change of policy, at work.
type recheck struct {
	work
	scope  client.PolicyScope
	effect client.PolicyEffect
}

// page answers the next messages that may be concerned, locked.
func (r *recheck) page(ctx context.Context, after ID) ([]ID, error) {
	const state = `o.state IN ('draft', 'awaiting approval', 'held', 'queued', 'call task', 'sending')`
	sql, args := `SELECT o.id FROM outbound_message o WHERE o.id > $1 AND `+state, []any{after}
	if !r.scope.Tenant {
		sql = `SELECT o.id FROM outbound_message o WHERE o.id > $1 AND ` + state + ` AND o.id IN (
   SELECT id FROM outbound_message WHERE client_id = ANY($2) AND conversation_id IS NULL
   UNION ALL SELECT m.id FROM outbound_message m JOIN conversation v ON v.tenant_id = m.tenant_id AND v.id = m.conversation_id WHERE v.client_id = ANY($2)
   UNION ALL SELECT id FROM outbound_message WHERE conversation_id = ANY($3))`
		args = append(args, r.scope.Clients, r.scope.Conversations)
	}
	rows, err := r.tx.Query(ctx, sql+fmt.Sprintf(` ORDER BY o.id LIMIT %d FOR UPDATE`, recheckMost), args...)
	if err != nil {
		return nil, wrapf(err, "find the messages that wait")
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[ID])
	if err != nil {
		return nil, wrapf(err, "find the messages that wait")
	}
	return ids, nil
}

func (r *recheck) decide(ctx context.Context, ids []ID) error {
	messages, err := query(ctx, r.tx, ` WHERE o.id = ANY($1)`, ids)
	if err != nil {
		return err
	}
	all, err := policies(ctx, r.tx, messages)
	if err != nil {
		return err
	}
	changed := messages[:0]
	for i, m := range messages {
		if r.one(m, all[i]) {
			changed = append(changed, m)
		}
	}
	return saveAll(ctx, r.tx, changed, r.now)
}

// one decides again about a message and tells whether it changed.
func (r *recheck) one(m *Message, p policy.Policy) bool {
	before := *m
	switch m.State {
	case Sending:
		if d := m.decide(p, r.now, r.service.Zones); d.Outcome != policy.Allow {
			r.note(m, event.MessageUnderWay, map[string]any{"reason": "it was being sent when this changed: " + why(d)})
		}
		return false
	case Draft, Awaiting:
		d := m.decide(p, r.now, r.service.Zones)
		if d.Outcome != policy.HumanOnly || m.State == Draft {
			return false // a draft stays one, whatever is loosened
		}
		m.become(d, r.now, false)
		return true
	}
	m.settle(p, r.now, r.service.Zones)
	if m.State == Queued && before.State == Queued {
		m.DueAt = before.DueAt // a retry keeps its time
	}
	r.count(&before, m)
	if m.Origin == policy.Person && m.State == Held && spoke(m.Decision, policy.RuleSensitive) && !spoke(before.Decision, policy.RuleSensitive) {
		r.note(m, event.MessageHeld, map[string]any{"told": m.AuthorName, "reason": "marked sensitive; what a person scheduled stays"})
		return true
	}
	return m.State != before.State || !same(m.DueAt, before.DueAt) || m.Reason != before.Reason
}

// count tells what became of a message, and notes in the timeline what people
// should see there: a new time alone is seen on the message.
func (r *recheck) count(before, m *Message) {
	switch {
	case m.State == Draft || m.State == Awaiting:
		r.effect.Drafted++
		r.noteState(m)
	case m.State == Blocked:
		r.effect.Blocked++
		r.noteState(m)
	case m.State == Queued && before.State == Held:
		r.effect.Released++
		r.wake = true
	case m.DueAt == nil && before.DueAt != nil: // nothing will open by itself (R56)
		r.effect.Retimed++
		r.note(m, event.MessageHeld, map[string]any{"stuck": true})
	case m.State == Held && !same(m.DueAt, before.DueAt), m.State == Call && !same(m.DueAt, before.DueAt):
		r.effect.Retimed++
		if m.DueAt != nil && (r.effect.NextAt.IsZero() || m.DueAt.Before(r.effect.NextAt)) {
			r.effect.NextAt = *m.DueAt
		}
	}
}

func spoke(d policy.Decision, rule policy.Rule) bool {
	for _, s := range d.Proof {
		if s.Rule == rule {
			return true
		}
	}
	return false
}

func same(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// saveAll writes what a recheck changed, in one statement.
func saveAll(ctx context.Context, tx pgx.Tx, messages []*Message, now time.Time) error {
	if len(messages) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(messages))
	states, reasons, decisions := make([]string, len(messages)), make([]string, len(messages)), make([]string, len(messages))
	dues := make([]*time.Time, len(messages))
	for i, m := range messages {
		text, err := json.Marshal(m.Decision)
		if err != nil {
			return wrapf(err, "decision about message %s", m.ID)
		}
		ids[i], states[i], reasons[i], decisions[i], dues[i] = m.ID.UUID, string(m.State), m.Reason, string(text), m.DueAt
	}
	_, err := tx.Exec(ctx, `UPDATE outbound_message o SET state = u.state, reason = u.reason, decision = u.decision::jsonb, due_at = u.due_at,
  updated_at = $6, revision = o.revision + 1
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS u (id, state, reason, decision, due_at) WHERE o.id = u.id`,
		ids, states, reasons, decisions, dues, now)
	if err != nil {
		return wrapf(err, "store what became of %d messages", len(messages))
	}
	return nil
}
