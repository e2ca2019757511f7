package outbound_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/policy"
)

func TestReplyLeavesAndStandsInItsConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	in := w.conversation(c, "email")
	w.dispatch()
	m := w.becomes(w.reply(w.member, in, outbound.New{Text: "It costs 5 €."}), outbound.Sent)
	calls := w.senders.by["email"].got()
	if len(calls) != 1 || calls[0].To != c.Email() || calls[0].Subject != "Re: Offer" || calls[0].Text != "It costs 5 €." {
		t.Fatalf("the provider got %+v", calls)
	}
	if calls[0].MessageID != m.ID.String()+"@acme.example" || calls[0].InReplyTo == "" || len(calls[0].References) != 1 || calls[0].References[0] != calls[0].InReplyTo {
		t.Errorf("threading %+v", calls[0])
	}
	conv, messages, err := w.convs.Get(t.Context(), w.admin, in)
	if err != nil || len(messages) != 2 || messages[1].ID != m.ID.UUID || messages[1].Direction != "outbound" || conv.MessageCount != 2 {
		t.Errorf("conversation %+v %+v, %v", conv, messages, err)
	}
	if w.events(m, event.Message) != 1 || m.ProviderID != "p-"+m.ID.String() {
		t.Errorf("%d events, provider id %q", w.events(m, event.Message), m.ProviderID)
	}
	// The answer to it finds the conversation by its Message-ID.
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		var found int
		err := tx.QueryRow(ctx, `SELECT count(*) FROM conversation_key WHERE conversation_id = $1 AND key = $2`, in, "mid:"+m.ExternalID).Scan(&found)
		if found != 1 {
			t.Error("an answer would not find its conversation")
		}
		return err
	})
}

func TestNewMessageStartsAConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client()
	w.dispatch()
	m := w.becomes(w.write(w.robot, c, outbound.New{Kind: policy.FollowUp, Subject: "Your offer"}), outbound.Sent)
	found, _, err := w.convs.List(t.Context(), w.admin, conversationsOf(c))
	if err != nil || len(found) != 1 || found[0].ID.UUID != m.ConversationID.UUID || found[0].Subject != "Your offer" || !found[0].LinkCertain {
		t.Errorf("conversations %+v, %v", found, err)
	}
	if got, err := w.clients.Get(t.Context(), w.admin, c.ID); err != nil || got.LastContactAt == nil {
		t.Errorf("last contact %+v, %v", got, err)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		idempotent bool
		results    []outbound.Outcome
		want       outbound.State
		calls      int
	}{
		{"refused", false, []outbound.Outcome{outbound.Refused}, outbound.Failed, 1},
		{"later, then sent", false, []outbound.Outcome{outbound.Retry, outbound.Retry, outbound.WasSent}, outbound.Sent, 3},
		{"unknown is not repeated", false, []outbound.Outcome{outbound.Unknown, outbound.WasSent}, outbound.MaybeSent, 1},
		{"unknown is repeated where that is safe", true, []outbound.Outcome{outbound.Unknown, outbound.WasSent}, outbound.Sent, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var n atomic.Int32
			p := w.senders.set("email", &provider{idempotent: test.idempotent, before: func(outbound.Delivery) outbound.Result {
				i := min(int(n.Add(1)), len(test.results))
				return outbound.Result{Outcome: test.results[i-1], Detail: "told so"}
			}})
			w.dispatch()
			m := w.reply(w.member, w.conversation(w.client(), "email"), outbound.New{})
			until(t, func() bool {
				got := w.get(m)
				if got.State == outbound.Queued && got.DueAt != nil && got.DueAt.After(noon.Add(30*time.Second)) {
					w.at(*got.DueAt) // rather than waiting for it
				}
				return got.State == test.want
			}, func() string { return "message to be " + string(test.want) + ", it is " + string(w.get(m).State) })
			if calls := p.got(); len(calls) != test.calls {
				t.Errorf("the provider was asked %d times, want %d", len(calls), test.calls)
			} else if calls[0].ID != calls[len(calls)-1].ID || calls[0].MessageID != calls[len(calls)-1].MessageID {
				t.Error("a repetition has another id")
			}
			if got := w.get(m); got.Attempts != test.calls || test.want != outbound.Sent && got.Reason == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A person decides about what maybe left, never the system.
func TestMaybeSentIsForPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.senders.set("email", &provider{before: func(outbound.Delivery) outbound.Result {
		return outbound.Result{Outcome: outbound.Unknown, Detail: "silence"}
	}})
	w.dispatch()
	in := w.conversation(w.client(), "email")
	first, second := w.reply(w.robot, in, outbound.New{}), w.reply(w.robot, in, outbound.New{})
	for _, m := range []*outbound.Message{first, second} {
		w.becomes(m, outbound.MaybeSent)
	}
	w.at(noon.Add(24 * time.Hour))
	if _, err := w.out.Retry(t.Context(), w.robot, first.ID); !isRefusal(err) {
		t.Errorf("automation sends again: %v", err)
	}
	if m, err := w.out.Resolve(t.Context(), w.member, first.ID, true); err != nil || m.State != outbound.Sent || !m.ConversationID.Valid {
		t.Errorf("it arrived: %+v, %v", m, err)
	}
	if m, err := w.out.Resolve(t.Context(), w.member, second.ID, false); err != nil || m.State != outbound.Failed {
		t.Errorf("it did not: %+v, %v", m, err)
	}
	p.mu.Lock()
	p.before = nil
	p.mu.Unlock()
	if _, err := w.out.Retry(t.Context(), w.member, second.ID); err != nil {
		t.Error(err)
	}
	if m := w.becomes(second, outbound.Sent); m.Origin != policy.Person || m.AuthorName != "Mia" {
		t.Errorf("who sent it again is %s (%s)", m.AuthorName, m.Origin)
	}
	if n := len(p.got()); n != 3 {
		t.Errorf("the provider was asked %d times, want 3", n)
	}
}

func TestAMessageWaitsForItsSender(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.senders.set("sms", nil)
	w.dispatch()
	m := w.reply(w.member, w.conversation(w.client(), "sms"), outbound.New{})
	until(t, func() bool { return w.get(m).Reason != "" }, func() string { return "message to say what it waits for" })
	if got := w.get(m); got.State != outbound.Queued || got.Attempts != 0 {
		t.Errorf("%+v", got)
	}
	w.senders.set("sms", &provider{})
	w.at(noon.Add(2 * time.Minute))
	w.becomes(m, outbound.Sent)
}

// Two hosts share the work, and no message leaves twice.
func TestHostsShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := w.conversation(w.client(), "email")
	for range 3 {
		w.dispatch()
	}
	var all []*outbound.Message
	for range 40 {
		all = append(all, w.reply(w.robot, in, outbound.New{}))
	}
	for _, m := range all {
		w.becomes(m, outbound.Sent)
	}
	seen := map[string]int{}
	for _, c := range w.senders.by["email"].got() {
		seen[c.ID.String()]++
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("message %s left %d times", id, n)
		}
	}
	if len(seen) != len(all) {
		t.Errorf("%d messages left, want %d", len(seen), len(all))
	}
}

// What a host was sending when it died goes again where that is safe, and is in
// doubt where not.
func TestADeadHostsMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.senders.set("sms", &provider{idempotent: true})
	c := w.client()
	safe, unsafe := w.reply(w.member, w.conversation(c, "sms"), outbound.New{}), w.reply(w.member, w.conversation(c, "email"), outbound.New{})
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outbound_message SET state = 'sending', host = 'dead', attempts = 1, started_at = $1, due_at = NULL`, noon)
		return err
	})
	w.dispatch()
	w.becomes(safe, outbound.Sent)
	if m := w.becomes(unsafe, outbound.MaybeSent); w.events(m, event.MessageInDoubt) != 1 {
		t.Error("nobody is told")
	}
	if n := len(w.senders.by["email"].got()); n != 0 {
		t.Errorf("a message in doubt was repeated %d times", n)
	}
}

// An answer that comes after everybody thought the host dead still counts.
func TestALateAnswerEndsTheDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.senders.set("email", &provider{before: func(outbound.Delivery) outbound.Result {
		<-release
		return outbound.Result{Outcome: outbound.WasSent}
	}})
	w.dispatch()
	m := w.becomes(w.reply(w.member, w.conversation(w.client(), "email"), outbound.New{}), outbound.Sending)
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outbound_message SET state = 'maybe sent' WHERE id = $1`, m.ID)
		return err
	})
	close(release)
	w.becomes(m, outbound.Sent)
}

func TestSuspendedTenantsSendNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.reply(w.member, w.conversation(w.client(), "email"), outbound.New{})
	if err := w.tenants.SetStatus(t.Context(), actor.ForOperator("test"), "acme", "suspended"); err != nil {
		t.Fatal(err)
	}
	d := w.dispatch()
	for range 20 {
		d.Kick()
		time.Sleep(10 * time.Millisecond) // some rounds that must find nothing
	}
	w.is(m, outbound.Queued)
	if err := w.tenants.SetStatus(t.Context(), actor.ForOperator("test"), "acme", "active"); err != nil {
		t.Fatal(err)
	}
	w.becomes(m, outbound.Sent)
}
