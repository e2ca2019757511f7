package intake_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/intake"
)

// TestMatchingDecisions is the table of requirements §1.22, row by row, from the
// message to the stored rows.
func TestMatchingDecisions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		run  func(w *world)
	}{
		{"email from an unknown address makes a client", func(w *world) {
			w.take(email("ann@x.com", "Hello there."))
			if c := w.only(); c.Email() != "ann@x.com" || c.Source != "email" {
				w.t.Errorf("got %s from %s", c.Email(), c.Source)
			}
		}},
		{"chat that states a known address links, uncertain", func(w *world) {
			mail := w.take(email("ann@x.com", "Hello there."))
			r := w.take(chat("s1", "Hi, my email is ann@x.com"))
			w.sameClient(mail, r)
			w.wantCertain(r, false)
			w.wantCertain(mail, true)
		}},
		{"chat with a known address in its form links, uncertain", func(w *world) {
			mail := w.take(email("ann@x.com", "Hello there."))
			m := chat("s1", "Is anybody there?")
			m.Session.PreChat = &intake.PreChat{Name: "Ann Lee", Email: "Ann@X.com", Phone: "416-555-0100"}
			r := w.take(m)
			w.sameClient(mail, r)
			w.wantCertain(r, false)
			w.wantPhones(w.only(), "+14165550100")
		}},
		{"the same two in the other order", func(w *world) {
			r := w.take(chat("s1", "Hi, my email is ann@x.com"))
			mail := w.take(email("ann@x.com", "Hello there."))
			w.sameClient(mail, r)
			w.wantCertain(r, false)
			w.wantCertain(mail, true)
		}},
		{"a stated address under another name makes a new client", func(w *world) {
			w.take(named("ann@x.com", "Ann Lee", "Hello there."))
			w.take(sms("+14165550100", "This is Bob Roe. My email is ann@x.com"))
			all := w.list()
			if len(all) != 2 || all[1].Phone() != "+14165550100" || all[1].Email() != "" {
				w.t.Fatalf("got %s", names(all))
			}
			if got := w.suggestions(); !slices.Contains(got, "link") && !slices.Contains(got, "merge") {
				w.t.Errorf("no suggestion to look at Ann Lee: %v", got)
			}
		}},
		{"an SMS sender's number stays primary", func(w *world) {
			w.take(sms("+14165550100", "Hello"))
			w.take(sms("+14165550100", "call me at 416-555-0199"))
			w.wantPhones(w.only(), "+14165550100", "+14165550199")
		}},
		{"an SMS sender's number replaces an extracted primary", func(w *world) {
			w.take(named("ann@x.com", "Ann Lee", "Please call me.\n\n-- \nAnn Lee\nTel: 416-555-0100\n"))
			w.wantPhones(w.only(), "+14165550100")
			w.take(sms("+14165550111", "Ann Lee here, my email is ann@x.com"))
			w.wantPhones(w.only(), "+14165550111", "+14165550100")
		}},
		{"email hits A, its own phone hits B: A, and a merge suggestion", func(w *world) {
			a := w.take(email("e@x.com", "Hello there."))
			w.take(sms("+14165550100", "Hello"))
			r := w.take(email("e@x.com", "My phone number is 416-555-0100."))
			w.sameClient(a, r)
			if all := w.list(); len(all) != 2 || all[0].Phone() != "" {
				w.t.Errorf("A or B was changed: %s", names(all))
			}
			if got := w.suggestions(); !slices.Contains(got, "merge") {
				w.t.Errorf("no merge suggestion: %v", got)
			}
		}},
		{"shared phone, name agrees", func(w *world) {
			a, _ := w.shared("+14165550100")
			r := w.take(sms("+14165550100", "This is Ann here"))
			if r.ClientID.UUID != a.ID.UUID {
				w.t.Errorf("linked to another client than Ann")
			}
			w.wantCertain(r, true)
		}},
		{"shared phone, no name: the last contacted, uncertain", func(w *world) {
			_, b := w.shared("+14165550100")
			w.exec(`UPDATE client SET last_contact_at = $2 WHERE id = $1`, b.ID, noon.Add(time.Hour))
			r := w.take(sms("+14165550100", "Hello"))
			if r.ClientID.UUID != b.ID.UUID {
				w.t.Errorf("not linked to the last contacted")
			}
			w.wantCertain(r, false)
		}},
		{"another person's number is a suggestion only", func(w *world) {
			w.take(sms("+14165550100", "Hello"))
			a := w.take(email("ann@x.com", "Hello there."))
			r := w.take(email("ann@x.com", "Please call my wife on 416-555-0100."))
			w.sameClient(a, r)
			if all := w.list(); len(all) != 2 || all[1].Phone() != "" {
				w.t.Errorf("got %s", names(all))
			}
		}},
		{"a role address makes one shared mailbox", func(w *world) {
			w.take(email("info@acme.com", "We need a quote.\n\nBest regards,\nJo Bell\n"))
			w.take(email("info@acme.com", "Any news?\n\nBest regards,\nSam Hill\n"))
			c := w.only()
			if c.Kind != client.SharedMailbox || c.FirstName != "" {
				w.t.Errorf("got a %s named %q", c.Kind, c.FirstName)
			}
			if got := strings.Join(w.suggestions(), ","); !strings.Contains(got, "value first_name Jo") {
				w.t.Errorf("Jo Bell is no suggestion: %s", got)
			}
		}},
		{"a client deleted by mistake is hinted, not linked", func(w *world) {
			old := w.take(email("ann@x.com", "Hello there."))
			w.delete(old, "mistake")
			r := w.take(email("ann@x.com", "Hello again."))
			if r.ClientID == old.ClientID || !r.ClientCreated {
				w.t.Errorf("linked to the deleted client")
			}
			if got := w.suggestions(); !slices.Contains(got, "restore") {
				w.t.Errorf("no hint: %v", got)
			}
		}},
		{"a client deleted as spam makes nothing", func(w *world) {
			old := w.take(email("ann@x.com", "Buy now."))
			w.delete(old, "spam")
			r := w.take(email("ann@x.com", "Buy more."))
			if r.ClientID.Valid || r.Rule != "suppressed" || len(w.list()) != 0 {
				w.t.Errorf("got client %v by %s", r.ClientID, r.Rule)
			}
		}},
		{"an agent's forward is the inner sender's", func(w *world) {
			m := email("agent@own.com", "FYI\n\n---------- Forwarded message ---------\nFrom: Ann Lee <ann@x.com>\nDate: Mon, Nov 2, 2026 at 9:00 AM\nSubject: Quote\nTo: <agent@own.com>\n\nCould you send a quote?\n")
			m.Subject = "Fwd: Quote"
			w.take(m)
			if c := w.only(); c.Email() != "ann@x.com" {
				w.t.Errorf("got %s", c.Email())
			}
		}},
		{"a withheld number, the caller says his own", func(w *world) {
			w.take(call("c1", "anonymous", "Hi, my number is 416-555-0100, please call me back."))
			w.wantPhones(w.only(), "+14165550100")
		}},
		{"no-reply makes no client", func(w *world) {
			r := w.take(email("no-reply@shop.com", "Your order has shipped."))
			if len(w.list()) != 0 || r.ClientID.Valid {
				w.t.Errorf("got %s", names(w.list()))
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newWorld(t))
		})
	}
}

// One person on four channels is one client with four conversations (R24).
func TestFourChannelsOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take(named("ann@x.com", "Ann Lee", "Please call me.\n\n-- \nAnn Lee\nTel: 416-555-0100\n"))
	w.take(sms("+14165550100", "Any news?"))
	w.take(chat("s1", "my email is ann@x.com"))
	w.take(call("c1", "+14165550100", "Hello, just checking in."))
	c := w.only()
	found, _, err := w.convs.List(t.Context(), w.actor, convsOf(c))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 4 {
		t.Errorf("got %d conversations, want 4", len(found))
	}
}

// A visitor without an address becomes the client he turns out to be, and his
// conversation comes along.
func TestAnonymousVisitorIsAbsorbed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mail := w.take(email("ann@x.com", "Hello there."))
	first := w.take(chat("s1", "Hello, is anybody there?"))
	if len(w.list()) != 1 {
		t.Fatalf("an anonymous visitor is listed: %s", names(w.list()))
	}
	second := w.take(chat("s1", "my email is ann@x.com"))
	w.sameClient(mail, second)
	if c := w.conversation(first); c.ClientID != mail.ClientID {
		t.Errorf("the visitor's conversation stayed behind")
	}
	old, err := w.clients.Get(t.Context(), w.actor, client.ID{UUID: first.ClientID.UUID})
	if err != nil || old.ID.UUID != mail.ClientID.UUID {
		t.Errorf("the visitor's id leads to %v, %v", old, err)
	}
}

func (w *world) sameClient(a, b intake.Result) {
	w.t.Helper()
	if !a.ClientID.Valid || a.ClientID != b.ClientID {
		w.t.Errorf("linked to %v and %v, want one client", a.ClientID, b.ClientID)
	}
}

func (w *world) wantCertain(r intake.Result, certain bool) {
	w.t.Helper()
	if c := w.conversation(r); c.LinkCertain != certain {
		w.t.Errorf("%s conversation: certain = %v, want %v (%s)", c.Channel, c.LinkCertain, certain, c.LinkReason)
	}
}

func (w *world) wantPhones(c *client.Client, primary string, others ...string) {
	w.t.Helper()
	var got []string
	for _, id := range c.Identifiers {
		if id.Kind == client.Phone && !id.IsPrimary {
			got = append(got, id.Normal)
		}
	}
	if c.Phone() != primary || !slices.Equal(got, others) {
		w.t.Errorf("phones: primary %s, others %v; want %s, %v", c.Phone(), got, primary, others)
	}
}

// shared makes Ann and Bob, who share a phone.
func (w *world) shared(phone string) (ann, bob *client.Client) {
	w.take(named("ann@x.com", "Ann Lee", "Hello."))
	w.take(named("bob@x.com", "Bob Lee", "Hello."))
	all := w.list()
	for _, c := range all {
		w.exec(`INSERT INTO client_identifier (id, tenant_id, client_id, kind, value, normal, source, shared, is_primary, created_at)
VALUES (gen_random_uuid(), $1, $2, 'phone', $3, $3, 'human', true, true, $4)`, w.tenant.ID, c.ID, phone, noon)
	}
	return all[0], all[1]
}

func (w *world) delete(r intake.Result, reason string) {
	id := r.ClientID.UUID
	w.exec(`UPDATE client SET deleted_at = $2, deleted_reason = $3 WHERE id = $1`, id, noon, reason)
	w.exec(`UPDATE client_identifier SET active = false WHERE client_id = $1`, id)
	if reason == "spam" {
		w.exec(`INSERT INTO suppressed_identifier (tenant_id, kind, normal, client_id, created_at)
SELECT tenant_id, kind, normal, client_id, $2 FROM client_identifier WHERE client_id = $1`, id, noon)
	}
}

func named(from, name, text string) intake.Message {
	m := email(from, text)
	m.Participants[0].Name = name
	return m
}
