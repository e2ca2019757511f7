package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/intake"
)

func convsOf(c *client.Client) conversation.Query { return conversation.Query{Client: &c.ID} }

// Fifty deliveries from one new sender at once make one client (R12).
func TestParallelDeliveriesMakeOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all sync.WaitGroup
	failed := make(chan error, 50)
	for i := range 50 {
		all.Go(func() {
			m := sms("+14165550100", fmt.Sprintf("Message %d, my email is ann@x.com", i))
			m.ExternalID = fmt.Sprint("parallel-", i)
			if i%2 == 1 {
				m = email("ann@x.com", fmt.Sprintf("Message %d, call me at +1 416 555 0100", i))
				m.ExternalID = fmt.Sprint("parallel-", i)
			}
			r, err := w.intake.Take(t.Context(), w.actor, m)
			if err != nil || r.State != "done" {
				failed <- fmt.Errorf("message %d: %s %s %w", i, r.State, r.Error, err)
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	w.only()
}

// The same message again, also at the same time, changes nothing.
func TestRedelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := email("ann@x.com", "Hello there.")
	m.ExternalID = "same"
	first := w.take(m)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			r, err := w.intake.Take(t.Context(), w.actor, m)
			if err != nil || !r.Duplicate || r.ClientCreated || r.MessageID != first.MessageID {
				t.Errorf("redelivery: %+v, %v", r, err)
			}
		})
	}
	all.Wait()
	if c := w.conversation(first); c.MessageCount != 1 {
		t.Errorf("got %d messages, want 1", c.MessageCount)
	}
}

// A message that can't be read is kept with its reason and can be replayed.
func TestUnreadableMailIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, err := w.intake.Take(t.Context(), w.actor, intake.Message{Channel: "email", MIME: []byte("\x00\x01\x02 no mail at all")})
	if err != nil {
		t.Fatal(err)
	}
	if r.State != "failed" || !strings.Contains(r.Error, "mail") {
		t.Errorf("got %s: %s", r.State, r.Error)
	}
	failures, err := w.intake.Failed(t.Context(), w.actor, 10)
	if err != nil || len(failures) != 1 || failures[0].ID != r.AcceptedID {
		t.Fatalf("failed messages: %v, %v", failures, err)
	}
	if again, err := w.intake.Replay(t.Context(), w.actor, r.AcceptedID); err != nil || again.State != "failed" {
		t.Errorf("replay: %+v, %v", again, err)
	}
}

// What a host accepted and then died over is processed by the sweep.
func TestSweepProcessesWhatWasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, _, err := w.intake.Accept(t.Context(), w.actor, email("ann@x.com", "Hello there."))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.intake.Sweep(t.Context(), time.Hour, 10); n != 0 || err != nil {
		t.Errorf("swept %d too early, %v", n, err)
	}
	if n, err := w.intake.Sweep(t.Context(), 0, 10); n != 1 || err != nil {
		t.Errorf("swept %d, %v; want 1", n, err)
	}
	w.only()
	if r, err := w.intake.Process(t.Context(), w.tenant.ID, id); err != nil || r.State != "done" || r.ClientCreated {
		t.Errorf("processed again: %+v, %v", r, err)
	}
}

func TestBadMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cases := []struct {
		name   string
		m      intake.Message
		fields []string
	}{
		{"unknown channel", intake.Message{Channel: "fax", Text: "Hello"}, []string{"channel"}},
		{"everything wrong", intake.Message{Channel: "voice", Direction: "up", Participants: []intake.Participant{{Role: "boss"}}},
			[]string{"direction", "participants[0].role", "call.id"}},
		{"chat without session", intake.Message{Channel: "chat", Text: "Hi"}, []string{"session.id"}},
		{"a NUL in an id", intake.Message{Channel: "sms", ExternalID: "a\x00b"}, []string{"external_id"}},
		{"a mail by SMS", intake.Message{Channel: "sms", MIME: []byte("From: a@b.c\n\nHi")}, []string{"mime"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.intake.Take(t.Context(), w.actor, c.m)
			invalid, ok := errors.AsType[*intake.InvalidError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			var got []string
			for _, p := range invalid.Problems {
				got = append(got, p.Field)
				if p.Rule == "" || p.WayOut == "" {
					t.Errorf("%s: no rule or way out", p.Field)
				}
			}
			if strings.Join(got, ",") != strings.Join(c.fields, ",") {
				t.Errorf("got problems of %v, want %v", got, c.fields)
			}
		})
	}
	if _, err := w.intake.Take(t.Context(), w.actor, intake.Message{Channel: "email", MIME: make([]byte, intake.MaxBytes+1)}); err == nil {
		t.Error("a mail over the limit was accepted")
	} else if _, ok := errors.AsType[*intake.TooLargeError](err); !ok {
		t.Errorf("got %v", err)
	}
	viewer := actor.Actor{Tenant: w.tenant.ID, Kind: actor.Person, Role: actor.Viewer}
	if _, err := w.intake.Take(t.Context(), viewer, email("ann@x.com", "Hi")); err == nil {
		t.Error("a viewer pushed a message")
	}
}

// Mails find their conversation by References; an SMS exchange ends after a day.
func TestConversations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := func(id, references string) intake.Result {
		return w.take(intake.Message{Channel: "email", MIME: []byte("From: Ann Lee <ann@x.com>\r\nTo: help@own.com\r\nSubject: Quote\r\nMessage-ID: <" + id +
			">\r\nReferences: " + references + "\r\nDate: Mon, 02 Nov 2026 09:00:00 +0000\r\n\r\nText of " + id + "\r\n")})
	}
	first := mail("1@x.com", "")
	third := mail("3@x.com", "<1@x.com> <2@x.com>")
	second := mail("2@x.com", "<1@x.com>")
	other := mail("9@x.com", "")
	if first.ConversationID != second.ConversationID || first.ConversationID != third.ConversationID {
		t.Error("one thread became several conversations")
	}
	if other.ConversationID == first.ConversationID {
		t.Error("two threads became one conversation")
	}
	at := func(hours int) intake.Result {
		m := sms("+14165550100", fmt.Sprint("after ", hours))
		sent := noon.Add(time.Duration(hours-100) * time.Hour)
		m.Time = &sent
		return w.take(m)
	}
	a, b, c := at(0), at(23), at(50)
	if a.ConversationID != b.ConversationID || b.ConversationID == c.ConversationID {
		t.Error("the gap of 24 h does not part SMS exchanges")
	}
}

// A silent conversation ends with a summary; a new message opens it again.
func TestSilenceEndsAConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.take(chat("s1", "I need a quote for two trucks, please."))
	sweeper := func(after time.Duration) *conversation.Sweeper {
		return &conversation.Sweeper{DB: w.db, Now: func() time.Time { return noon.Add(after) }}
	}
	if n, err := sweeper(29*time.Minute).Sweep(t.Context(), 10); n != 0 || err != nil {
		t.Fatalf("ended %d after 29 minutes, %v", n, err)
	}
	if n, err := sweeper(31*time.Minute).Sweep(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("ended %d after 31 minutes, %v", n, err)
	}
	c := w.conversation(r)
	if c.State != conversation.Ended || !strings.Contains(c.Summary, "two trucks") {
		t.Errorf("got %s: %q", c.State, c.Summary)
	}
	w.take(chat("s1", "Are you there?"))
	if c := w.conversation(r); c.State != conversation.Open {
		t.Error("a new message did not open the conversation again")
	}
}

// Everything that was seen and decided is stored with the message (R125, R199).
func TestRunsAreStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.take(named("ann@x.com", "Ann Lee", "I'm looking for a truck."))
	_, runs, err := w.convs.Explain(t.Context(), w.actor, conversation.ID{UUID: r.ConversationID.UUID})
	if err != nil || len(runs) != 1 {
		t.Fatalf("got %d runs, %v", len(runs), err)
	}
	for _, want := range []string{"nobody matches", "ann@x.com"} {
		if !strings.Contains(string(runs[0].Decision), want) {
			t.Errorf("the decision does not tell %q: %s", want, runs[0].Decision)
		}
	}
}

// Nothing of one tenant is seen, matched or touched by another's messages.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine := w.take(email("ann@x.com", "Hello there."))
	other, err := w.intake.Tenants.Create(t.Context(), actor.ForOperator("test"), otherTenant())
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.intake.Take(t.Context(), actor.ForSystem(other.ID, "test"), email("ann@x.com", "Hello there."))
	if err != nil || !r.ClientCreated || r.ClientID == mine.ClientID {
		t.Fatalf("got %+v, %v", r, err)
	}
	if _, err := w.intake.Replay(t.Context(), actor.ForSystem(other.ID, "test"), mine.AcceptedID); err == nil {
		t.Error("another tenant replayed a message")
	}
	err = w.db.Tenant(t.Context(), actor.ForSystem(other.ID, "test"), func(ctx context.Context, tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM message`).Scan(&n); err != nil {
			return err
		}
		if n != 1 {
			t.Errorf("the other tenant sees %d messages, want its own one", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
