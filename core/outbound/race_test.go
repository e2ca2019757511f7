package outbound_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
)

// racers toggle at once, each its own client.
const racers = 6

// rounds is how many toggles race; `make races` asks for 10,000.
func rounds(t *testing.T) int {
	text := os.Getenv("CLIENTELE_RACE_ROUNDS")
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CLIENTELE_RACE_ROUNDS: %v", err)
	}
	return n
}

// No automated message starts for its provider once a change of policy is
// committed that forbids it, whatever is changed and whoever is sending; and what
// was being sent at that moment is noted (R64, R77, R80). The provider itself looks,
// when it is asked, whether the change can be seen already.
func TestTogglesRaceTheDispatcher(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := &race{world: w, ended: map[uuid.UUID]time.Time{}}
	for _, channel := range []string{"email", "sms"} {
		w.senders.set(channel, &provider{asked: r.look, before: r.send})
	}
	kick := []*outbound.Dispatcher{w.dispatch(), w.dispatch()}
	r.kick = func() { kick[0].Kick(); kick[1].Kick() }
	each := rounds(t)/racers + 1
	var racing sync.WaitGroup
	for i := range racers {
		racing.Go(func() { r.run(i, each) })
	}
	racing.Wait()
	t.Logf("%d messages left before a toggle, %d were stopped by it, %d were under way", r.sent, r.stopped, r.underWay)
	if r.sent == 0 || r.stopped == 0 {
		t.Error("nothing raced: either all messages left, or none")
	}
}

type race struct {
	*world
	kick func()

	mu                      sync.Mutex
	ended                   map[uuid.UUID]time.Time // when the provider had each message
	sent, stopped, underWay int
}

// look is the provider at the moment at which it is asked: a message is an error
// when the policy that can be seen now doesn't allow it.
func (r *race) look(d outbound.Delivery) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := r.db.Tenant(ctx, actor.ForSystem(r.admin.Tenant, "test"), func(ctx context.Context, tx pgx.Tx) error {
		var conversationID, clientID uuid.NullUUID
		if err := tx.QueryRow(ctx, `SELECT conversation_id, client_id FROM outbound_message WHERE id = $1`, d.ID).Scan(&conversationID, &clientID); err != nil {
			return err
		}
		var p policy.Policy
		if conversationID.Valid {
			id := conversation.ID{UUID: conversationID.UUID}
			all, err := conversation.Policies(ctx, tx, []conversation.ID{id})
			if err != nil {
				return err
			}
			p = all[id]
		} else {
			c, err := client.Load(ctx, tx, client.ID{UUID: clientID.UUID})
			if err != nil {
				return err
			}
			if p, err = client.PolicyOf(ctx, tx, r.admin.Tenant, c); err != nil {
				return err
			}
		}
		m := policy.Message{Kind: policy.Reminder, Origin: policy.Automation, Channel: policy.Channel(d.Channel)}
		if got := policy.Decide(p, m, noon, r.out.Zones); got.Outcome != policy.Allow {
			r.t.Errorf("message %s started when it could be seen that it must not: %s", d.ID, got.Proof[0].Why)
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
}

func (r *race) send(d outbound.Delivery) outbound.Result {
	// A provider takes its time, so that toggles meet messages under way.
	time.Sleep(rand.N(4 * time.Millisecond))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended[d.ID] = time.Now()
	return outbound.Result{Outcome: outbound.WasSent}
}

// toggles are the changes that forbid, each with the way back.
func (r *race) toggles() []func(*client.Client) (restore func()) {
	prefer := func(to, back client.PreferenceEdit) func(*client.Client) func() {
		return func(c *client.Client) func() {
			r.prefer(c, to)
			return func() { r.prefer(c, back) }
		}
	}
	return []func(*client.Client) func(){
		prefer(client.PreferenceEdit{NeverAutoSend: new(true)}, client.PreferenceEdit{NeverAutoSend: new(false)}),
		prefer(client.PreferenceEdit{ReviewRequired: new(true)}, client.PreferenceEdit{ReviewRequired: new(false)}),
		prefer(client.PreferenceEdit{Windows: tuesday()}, client.PreferenceEdit{Reset: []policy.Name{policy.NameWindows}}),
		func(c *client.Client) func() {
			r.mark(c, true)
			return func() { r.mark(c, false) }
		},
		func(c *client.Client) func() {
			for _, channel := range []policy.Channel{policy.Email, policy.SMS} {
				r.optOut(c, channel)
			}
			return func() { r.lift(c) }
		},
		func(c *client.Client) func() {
			careful := r.client()
			r.mark(careful, true)
			m, err := r.clients.Merge(context.Background(), r.admin, client.MergeRequest{Survivor: careful.ID, Others: []client.ID{c.ID}})
			if err != nil {
				r.t.Error(err)
				return func() {}
			}
			return func() {
				if _, err := r.clients.UndoMerge(context.Background(), r.admin, m.ID); err != nil {
					r.t.Error(err)
				}
			}
		},
	}
}

func (r *race) run(racer, rounds int) {
	c := r.client()
	in := r.conversation(c, "sms")
	toggles := r.toggles()
	for i := range rounds {
		var all []*outbound.Message
		all = append(all, r.reply(r.robot, in, outbound.New{}), r.write(r.robot, c, outbound.New{Kind: policy.Reminder}))
		r.kick()
		// The moment of the toggle is what the race is about.
		time.Sleep(rand.N(30 * time.Millisecond))
		restore := toggles[(racer+i)%len(toggles)](c)
		toggled := time.Now()
		for _, m := range all {
			r.settled(m, toggled)
		}
		r.clear(all)
		restore()
	}
}

// settled waits until nothing happens to a message by itself, and counts.
func (r *race) settled(m *outbound.Message, toggled time.Time) {
	var got *outbound.Message
	until(r.t, func() bool {
		got = r.get(m)
		return got.State != outbound.Queued && got.State != outbound.Sending
	}, func() string { return fmt.Sprintf("message to settle, it is %s: %s", got.State, got.Reason) })
	r.mu.Lock()
	ended, left := r.ended[m.ID.UUID]
	r.mu.Unlock()
	if left != (got.State == outbound.Sent) {
		r.t.Errorf("the message is %s, and the provider had it: %v", got.State, left)
	}
	noted := r.events(m, event.MessageUnderWay) > 0
	if left && ended.After(toggled) && !noted {
		r.t.Errorf("message %s was under way when the policy changed, and nobody is told", m.ID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if left {
		r.sent++
	} else {
		r.stopped++
	}
	if noted {
		r.underWay++
	}
}

// clear puts what a round left away.
func (r *race) clear(all []*outbound.Message) {
	for _, m := range all {
		if got := r.get(m); got.State == outbound.Sent || got.State == outbound.Blocked {
			continue
		}
		if _, err := r.out.Cancel(context.Background(), r.admin, m.ID, "next round"); err != nil && r.get(m).State != outbound.Sent {
			r.t.Error(err)
		}
	}
}
