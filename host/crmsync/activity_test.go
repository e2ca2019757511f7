package crmsync_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/intake"
)

// take brings a message of one person in.
func (w *world) take(n int, ended bool) intake.Result {
	w.t.Helper()
	r, err := w.intake.Take(w.t.Context(), w.actor, intake.Message{
		Channel: "email", ExternalID: fmt.Sprint("mail-", n), ConversationExternalID: "thread", ChannelIdentifier: "ann@example.org",
		Text: fmt.Sprintf("Hello, this is about order %d.", n), Ended: ended,
	})
	if err != nil || r.State != "done" {
		w.t.Fatalf("take: %+v, %v", r, err)
	}
	return r
}

// why is the reason that a conversation's item has, and its state.
func (w *world) why(id conversation.ID) (state, reason string) {
	w.t.Helper()
	err := w.db.Tenant(context.WithoutCancel(w.t.Context()), w.actor, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT state, reason FROM sync_item WHERE kind = 'conversation' AND source_id = $1`, id).Scan(&state, &reason)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return state, reason
}

// No activity before a conversation's end, one after it, the same one after it was
// reopened; it moves with its conversation, and goes when that is nobody's.
func TestActivityThroughAConversationsLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	r := w.take(1, false)
	id := conversation.ID{UUID: r.ConversationID.UUID}
	w.settle()
	if n := w.crm.count("log"); n != 0 || len(w.crm.held()) != 1 {
		t.Errorf("%d activities were logged before the end", n)
	}
	w.take(2, true)
	w.until("the activity", func() bool { return len(w.crm.held()) == 2 })
	first := w.crm.held()[id.String()]
	w.take(3, true)
	w.until("the activity's change", func() bool { return w.crm.count("log") == 2 })
	w.settle()
	if got := w.crm.held()[id.String()]; got.id != first.id || len(w.crm.held()) != 2 {
		t.Errorf("reopening made another activity: %+v", w.crm.held())
	}
	lee := w.client("lee@example.org")
	w.settle()
	if _, err := w.convs.LinkTo(t.Context(), w.actor, id, lee); err != nil {
		t.Fatal(err)
	}
	w.until("the activity to move", func() bool { return w.crm.held()[id.String()].owner == w.state(lee).CRMID })
	if _, err := w.convs.Unlink(t.Context(), w.actor, id); err != nil {
		t.Fatal(err)
	}
	w.until("the activity to go", func() bool {
		_, there := w.crm.held()[id.String()]
		return !there
	})
	w.settle()
	if state, reason := w.why(id); state != "excluded" || !strings.Contains(reason, "its activity was taken from the CRM") {
		t.Errorf("%s: %s", state, reason)
	}
	if _, err := w.convs.LinkTo(t.Context(), w.actor, id, lee); err != nil {
		t.Fatal(err)
	}
	w.until("the activity to come back", func() bool { return w.crm.held()[id.String()].owner == w.state(lee).CRMID })
}

// A sensitive client is in the CRM, his conversations are not, and it says why.
func TestSensitiveConversationsStayOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.take(1, true)
	w.exec(`UPDATE client SET sensitive = true`)
	w.start()
	w.settle()
	if n := w.crm.count("log"); n != 0 || len(w.crm.held()) != 1 {
		t.Errorf("%d activities, %d records", n, len(w.crm.held()))
	}
	if state, reason := w.why(conversation.ID{UUID: r.ConversationID.UUID}); state != "excluded" || !strings.Contains(reason, "sensitive") {
		t.Errorf("%s: %s", state, reason)
	}
}

// What an anonymous visitor chatted stays out, and says why (R11). When he turns out
// to be somebody, it goes in with him.
func TestVisitorsChatsWaitForAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.take(1, true)
	w.exec(`UPDATE client SET kind = 'anonymous'`)
	w.exec(`DELETE FROM sync_item WHERE kind = 'client'`)
	w.start()
	w.settle()
	id := conversation.ID{UUID: r.ConversationID.UUID}
	if state, reason := w.why(id); state != "excluded" || !strings.Contains(reason, "anonymous visitor") {
		t.Errorf("%s: %s", state, reason)
	}
	w.exec(`UPDATE client SET kind = 'person'`)
	w.edit(client.ID{UUID: r.ClientID.UUID}, "first_name", "Ann")
	w.until("the activity to come", func() bool { _, there := w.crm.held()[id.String()]; return there })
}

// Fifty edits wait for the schedule and are one write then.
func TestFiftyEditsAreOneWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.client("ann@example.org")
	w.start()
	w.settle()
	before := w.crm.count("write")
	for n := range 50 {
		w.edit(id, "city", fmt.Sprint("Town ", n))
	}
	w.kick()
	if c := w.counts(); c.Due != 0 || c.Scheduled != 1 || w.crm.count("write") != before {
		t.Errorf("before the schedule: %+v, %d writes", c, w.crm.count("write")-before)
	}
	if n, err := w.status.RunNow(t.Context(), w.actor, w.connection.ID); err != nil || n != 1 {
		t.Errorf("run now made %d due, %v", n, err)
	}
	w.until("the write", func() bool { return w.counts().Scheduled == 0 && w.state(id).State == "synced" })
	if n := w.crm.count("write") - before; n != 1 || w.crm.held()[id.String()].fields["town"].Text() != "Town 49" {
		t.Errorf("%d writes, the CRM holds %v", n, w.crm.held())
	}
}

// A paused backfill rests while a new client lands; resumed, it ends, and its
// progress and run are told from what was stored.
func TestBackfillRestsAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.more(w.actor, w.connection.ID, 50)
	if err := w.backfills.SetPaused(t.Context(), w.actor, w.connection.ID, true); err != nil {
		t.Fatal(err)
	}
	w.start()
	id := w.client("new@example.org")
	w.until("the new client to land", func() bool { return w.state(id).State == "synced" })
	b, err := w.backfills.Latest(t.Context(), w.actor, w.connection.ID)
	if err != nil || !b.Paused || b.Waiting != 50 || !b.Estimate.Measured || b.Estimate.Calls < 2 {
		t.Errorf("paused: %+v, %v", b, err)
	}
	if err := w.backfills.SetPaused(t.Context(), w.actor, w.connection.ID, false); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if c := w.counts(); c.Synced != 51 {
		t.Errorf("counts %+v", c)
	}
	w.until("the run to be counted", func() bool {
		runs, err := w.status.Runs(t.Context(), w.actor, w.connection.ID, 10)
		created := int64(0)
		for _, r := range runs {
			created += r.Created
		}
		return err == nil && created == 51
	})
}
