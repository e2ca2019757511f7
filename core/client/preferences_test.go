package client_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// R70, R71: one save stores everything, and a conversation that had no values of
// its own follows at once, with the name of who set them.
func TestPreferencesAreOneSaveAndConversationsFollow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.named("Ann", "Lee", "ann@x.com")
	talk := w.talk(ann, "email", "ann@x.com")
	heard := &hearing{effect: client.PolicyEffect{Drafted: 3}}
	w.clients.Outbound = heard

	change, err := w.clients.ChangePreferences(t.Context(), w.member("Max"), ann.ID, client.PreferenceEdit{
		Channels: &[]policy.Channel{policy.SMS, policy.Email}, Windows: weekdays(), Timezone: ptr("America/Toronto"),
		NeverAutoSend: ptr(true), ReviewRequired: ptr(true), Reason: "asked for it", Revision: ann.Revision,
	})
	if err != nil {
		t.Fatal(err)
	}
	if change.Effect.Conversations != 1 || change.Effect.Drafted != 3 {
		t.Errorf("effect %+v, want one conversation and what outbound said", change.Effect)
	}
	if !slices.Equal(heard.clients, []client.ID{ann.ID}) {
		t.Errorf("outbound heard of %v", heard.clients)
	}
	c := w.get(ann.ID)
	if !slices.Equal(c.PreferredChannels, []string{"sms", "email"}) || c.Timezone != "America/Toronto" || c.Revision == ann.Revision {
		t.Errorf("stored %v in %q, revision %d", c.PreferredChannels, c.Timezone, c.Revision)
	}
	p := w.policy(talk)
	if p.Level != policy.Manual || !p.NeverAutoSend.Value || !p.ReviewRequired.Value || len(p.Windows.Value) != 1 {
		t.Errorf("the conversation has %+v", p)
	}
	if p.NeverAutoSend.From != policy.Client || p.NeverAutoSend.By != "Max" || p.NeverAutoSend.At.IsZero() {
		t.Errorf("Never Auto-Send comes from %+v", p.NeverAutoSend)
	}
	read, err := w.clients.Preferences(t.Context(), w.member("Eve"), ann.ID)
	if err != nil || !reflect.DeepEqual(read.Policy, p) {
		t.Errorf("the client reads %+v (%v), the conversation %+v", read.Policy, err, p)
	}
	if n := w.events(event.Preference, ann); n != 5 {
		t.Errorf("%d changes are in the audit, want one a setting", n)
	}

	again := w.prefer(ann, client.PreferenceEdit{NeverAutoSend: ptr(true)})
	if again.Client.Revision != c.Revision || w.events(event.Preference, ann) != 5 {
		t.Error("setting what is set already was a change")
	}
	w.prefer(ann, client.PreferenceEdit{Reset: []policy.Name{policy.NameNever, policy.NameWindows}})
	if p := w.policy(talk); p.Level != policy.Review || p.NeverAutoSend.From != policy.BuiltIn || len(p.Windows.Value) != 0 {
		t.Errorf("after a reset the conversation has %+v", p)
	}
}

// R70: nothing of a wrong edit is stored, and all that is wrong is said by field.
func TestWrongPreferencesAreRefusedByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.named("Ann", "Lee", "ann@x.com")
	for name, c := range map[string]struct {
		edit   client.PreferenceEdit
		fields []string
	}{
		"chat can't be preferred": {client.PreferenceEdit{Channels: &[]policy.Channel{policy.Chat}}, []string{"preferred_channels"}},
		"a channel twice":         {client.PreferenceEdit{Channels: &[]policy.Channel{policy.SMS, policy.SMS}}, []string{"preferred_channels"}},
		"no such zone":            {client.PreferenceEdit{Timezone: ptr("Mars/Base")}, []string{"timezone"}},
		"a window without a day":  {client.PreferenceEdit{Windows: &[]policy.Window{{Start: 60, End: 120}}}, []string{"contact_windows"}},
		"AI autonomy":             {client.PreferenceEdit{Autonomy: ptr(policy.Acts)}, []string{"ai_autonomy"}},
		"no preference":           {client.PreferenceEdit{Reset: []policy.Name{policy.NameSensitive}}, []string{"reset"}},
		"set and reset":           {client.PreferenceEdit{NeverAutoSend: ptr(true), Reset: []policy.Name{policy.NameNever}}, []string{"reset"}},
		"too long a reason":       {client.PreferenceEdit{NeverAutoSend: ptr(true), Reason: strings.Repeat("x", client.MaxReason+1)}, []string{"reason"}},
		"everything at once": {client.PreferenceEdit{
			Channels: &[]policy.Channel{policy.Chat}, Timezone: ptr("Mars/Base"), NeverAutoSend: ptr(true),
		}, []string{"preferred_channels", "timezone"}},
	} {
		_, err := w.clients.ChangePreferences(t.Context(), w.admin, ann.ID, c.edit)
		wrong, _ := errors.AsType[client.FieldErrors](err)
		var fields []string
		for _, e := range wrong {
			fields = append(fields, e.Field)
			if e.Rule == "" || e.WayOut == "" {
				t.Errorf("%s: %q names no rule or no way out", name, e.Error())
			}
		}
		if !slices.Equal(fields, c.fields) {
			t.Errorf("%s: %v, want errors of %v", name, err, c.fields)
		}
	}
	if c := w.get(ann.ID); c.Revision != ann.Revision || c.NeverAutoSend {
		t.Errorf("a refused edit stored %+v", c)
	}
	_, err := w.clients.ChangePreferences(t.Context(), w.admin, client.NewID(), client.PreferenceEdit{NeverAutoSend: ptr(true)})
	if _, ok := errors.AsType[*client.NotFoundError](err); !ok {
		t.Errorf("no such client: %v", err)
	}
}

// R70: a stale edit is a conflict that shows all three values, never an overwrite.
func TestStalePreferencesConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.named("Ann", "Lee", "ann@x.com")
	w.prefer(ann, client.PreferenceEdit{Timezone: ptr("America/Toronto")})
	_, err := w.clients.ChangePreferences(t.Context(), w.admin, ann.ID, client.PreferenceEdit{Timezone: ptr("Europe/Paris"), Revision: ann.Revision})
	conflict, ok := errors.AsType[*client.ConflictError](err)
	if !ok {
		t.Fatalf("%v, want a conflict", err)
	}
	want := []client.FieldConflict{{Field: "timezone", Yours: "Europe/Paris", Theirs: "America/Toronto", Base: ""}}
	if !slices.Equal(conflict.Fields, want) || w.get(ann.ID).Timezone != "America/Toronto" {
		t.Errorf("%+v, want %+v; stored is %q", conflict.Fields, want, w.get(ann.ID).Timezone)
	}
	_, err = w.clients.MarkSensitive(t.Context(), w.admin, ann.ID, client.Marking{Sensitive: true, Revision: ann.Revision})
	if _, ok := errors.AsType[*client.ConflictError](err); !ok || w.get(ann.ID).Sensitive {
		t.Errorf("a stale mark: %v", err)
	}
}

// R73, R75, R76: who may do what. A refusal is typed, changes nothing, and is in
// the audit of the client that it was about.
func TestWhoMayChangePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := func(scopes ...actor.Scope) actor.Actor {
		return actor.Actor{Tenant: w.admin.Tenant, Kind: actor.Automation, Name: "key", Scopes: scopes}
	}
	everybody := map[string]actor.Actor{
		"admin": w.admin, "member": w.member("Max"), "viewer": person(w.admin.Tenant, actor.Viewer, "Vic"),
		"write key": key(actor.ScopeRead, actor.ScopeWrite), "admin key": key(actor.ScopeRead, actor.ScopeWrite, actor.ScopeAdmin),
		"system": actor.ForSystem(w.admin.Tenant, "intake"),
	}
	mark := func(sensitive bool) func(actor.Actor, client.ID) error {
		return func(a actor.Actor, id client.ID) error {
			_, err := w.clients.MarkSensitive(t.Context(), a, id, client.Marking{Sensitive: sensitive})
			return err
		}
	}
	never := func(on bool) func(actor.Actor, client.ID) error {
		return func(a actor.Actor, id client.ID) error {
			_, err := w.clients.ChangePreferences(t.Context(), a, id, client.PreferenceEdit{NeverAutoSend: &on})
			return err
		}
	}
	for name, c := range map[string]struct {
		do  func(actor.Actor, client.ID) error
		may []string
	}{
		"mark":   {mark(true), []string{"admin", "admin key"}},
		"unmark": {mark(false), []string{"admin", "admin key"}},
		"ask what marking would do": {func(a actor.Actor, id client.ID) error {
			_, err := w.clients.WhatIf(t.Context(), a, id, client.PreferenceEdit{}, &client.Marking{Sensitive: true})
			return err
		}, []string{"admin", "admin key"}},
		"restrict": {never(true), []string{"admin", "member", "write key", "admin key", "system"}},
		"loosen":   {never(false), []string{"admin", "member", "admin key"}},
		"opt out": {func(a actor.Actor, id client.ID) error {
			_, err := w.clients.AddOptOut(t.Context(), a, id, client.NewOptOut{Channel: policy.SMS})
			return err
		}, []string{"admin", "member", "write key", "admin key", "system"}},
	} {
		for who, a := range everybody {
			id := w.named("Ann", "Lee", "").ID
			switch name {
			case "unmark":
				w.mark(id, client.Marking{Sensitive: true})
			case "loosen":
				if err := never(true)(w.admin, id); err != nil {
					t.Fatal(err)
				}
			}
			before := w.get(id).Revision
			err := c.do(a, id)
			if slices.Contains(c.may, who) {
				if err != nil {
					t.Errorf("%s may not %s: %v", who, name, err)
				}
				continue
			}
			refusal, ok := errors.AsType[*actor.Refusal](err)
			if !ok || w.get(id).Revision != before {
				t.Errorf("%s may %s: %v", who, name, err)
			}
			if ok && name == "loosen" && !strings.Contains(refusal.Error(), "never auto send") && a.May(actor.EditClients) {
				t.Errorf("%q doesn't say what it would loosen", refusal.Error())
			}
			if n := w.count(`SELECT count(*) FROM event WHERE kind = $1 AND client_id = $2`, event.Refused, id); n != 1 {
				t.Errorf("%s may not %s, %d times in the client's audit", who, name, n)
			}
		}
	}
	other := w.named("Bob", "Ray", "")
	if err := mark(true)(w.newTenant(), other.ID); err == nil || w.get(other.ID).Sensitive {
		t.Errorf("another tenant's admin marked a client: %v", err)
	}
}

// R40, R60: what if answers what would happen, and nothing happened.
func TestWhatIfTakesItselfBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.named("Ann", "Lee", "ann@x.com")
	talk := w.talk(ann, "email", "ann@x.com")
	heard := &hearing{effect: client.PolicyEffect{Drafted: 2, Retimed: 1}}
	w.clients.Outbound = heard
	before, events, normal := w.get(ann.ID), w.count(`SELECT count(*) FROM event`), w.policy(talk)

	edit := client.PreferenceEdit{NeverAutoSend: ptr(true), Windows: weekdays()}
	what, err := w.clients.WhatIf(t.Context(), w.admin, ann.ID, edit, &client.Marking{Sensitive: true})
	if err != nil {
		t.Fatal(err)
	}
	if what.Effect.Conversations != 1 || what.Effect.Drafted != 2 || what.Effect.Retimed != 1 || len(heard.clients) == 0 {
		t.Errorf("what would happen: %+v, outbound heard of %v", what.Effect, heard.clients)
	}
	if !what.Policy.Sensitive.Value || what.Policy.Level != policy.Manual || len(what.Policy.Windows.Value) != 1 {
		t.Errorf("the policy would be %+v", what.Policy)
	}
	if after := w.get(ann.ID); !reflect.DeepEqual(after, before) || w.count(`SELECT count(*) FROM event`) != events || !reflect.DeepEqual(w.policy(talk), normal) {
		t.Errorf("a what-if left %+v, it was %+v", after, before)
	}
	w.prefer(ann, edit)
	if done := w.mark(ann.ID, client.Marking{Sensitive: true}); !done.Policy.Sensitive.Value || done.Policy.Level != what.Policy.Level {
		t.Errorf("done is %+v, asked was %+v", done.Policy, what.Policy)
	}
}

// R77–R80, R87: a mark holds at once in every conversation, an old one and a new
// one, but an exemption; marking again clears exemptions unless they are kept.
func TestMarkHoldsInEveryConversationButTheExempt(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keep=%v", keep), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.named("Ann", "Lee", "ann@x.com")
			old, exempt := w.talk(ann, "email", "ann@x.com"), w.talk(ann, "email", "ann@x.com")
			w.mark(ann.ID, client.Marking{Sensitive: true, Reason: "legal"})
			w.exec(`UPDATE conversation SET policy = jsonb_build_object('sensitive', jsonb_build_object('value', false, 'for', $2::text, 'by', 'Ada', 'at', $3::timestamptz)) WHERE id = $1`,
				exempt, ann.ID, w.now())
			next := w.talk(ann, "sms", "+14165550100")
			for name, id := range map[string]conversation.ID{"an old": old, "a new": next} {
				if p := w.policy(id); !p.Sensitive.Value || p.Level != policy.Review || p.Autonomy.Value != policy.Suggest || p.Sensitive.Reason != "legal" {
					t.Errorf("%s conversation has %+v", name, p)
				}
			}
			if w.policy(exempt).Sensitive.Value {
				t.Error("the exempt conversation is sensitive")
			}
			read, err := w.clients.Preferences(t.Context(), w.member("Eve"), ann.ID)
			if err != nil || len(read.Own) != 1 || read.Own[0].Conversation.UUID != exempt.UUID || !read.Own[0].Exempt {
				t.Errorf("the client lists %+v, %v", read, err)
			}
			if w.events(event.Read, ann) != 1 {
				t.Error("reading a sensitive client is not in the audit")
			}

			w.mark(ann.ID, client.Marking{})
			if p := w.policy(old); p.Sensitive.Value || p.Autonomy.Value != policy.Acts || p.Level != policy.Auto {
				t.Errorf("after unmarking %+v", p)
			}
			w.mark(ann.ID, client.Marking{Sensitive: true, Keep: keep})
			if w.policy(exempt).Sensitive.Value == keep {
				t.Errorf("marked again, the exempt conversation is sensitive: %v", !keep)
			}
			if n := w.count(`SELECT count(*) FROM event WHERE kind = $1 AND conversation_id = $2`, event.OverrideCleared, exempt); (n == 1) == keep {
				t.Errorf("%d cleared exemptions are in the audit", n)
			}
		})
	}
}

// R84: a merge adds restrictions and opt-outs up, an undo gives each its own again,
// and no edit of fields comes near the flag.
func TestMergeAndUndoCarryPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, lee := w.named("Ann", "Lee", "ann@x.com"), w.named("Ann", "Lee", "ann@y.com")
	talk := w.talk(ann, "email", "ann@x.com")
	w.mark(lee.ID, client.Marking{Sensitive: true, Reason: "legal"})
	w.prefer(lee, client.PreferenceEdit{NeverAutoSend: ptr(true), Reason: "asked"})
	for _, c := range []*client.Client{ann, lee} { // both: one has to give way in the merge
		w.optOut(c, client.NewOptOut{Channel: policy.SMS, Reason: c.Email()})
	}
	w.optOut(lee, client.NewOptOut{Channel: policy.Phone})
	if _, err := w.clients.Update(t.Context(), w.member("Max"), lee.ID, client.Edit{Fields: map[string]string{"city": "Toronto"}}); err != nil || !w.get(lee.ID).Sensitive {
		t.Fatalf("an edit of fields: %v, sensitive %v", err, w.get(lee.ID).Sensitive)
	}
	heard := &hearing{}
	w.clients.Outbound = heard

	merged := w.merge(ann, lee)
	p := w.policy(talk)
	if !p.Sensitive.Value || !p.NeverAutoSend.Value || p.Level != policy.Manual || p.Sensitive.Reason != "merge" {
		t.Errorf("merged, the survivor's conversation has %+v", p)
	}
	if got := channels(p.OptOuts); !slices.Equal(got, []policy.Channel{policy.Phone, policy.SMS}) {
		t.Errorf("merged opt-outs %v", got)
	}
	if !slices.Contains(heard.clients, ann.ID) {
		t.Errorf("outbound heard of %v", heard.clients)
	}

	w.undo(merged)
	if p := w.policy(talk); p.Sensitive.Value || p.NeverAutoSend.Value || p.Level != policy.Auto || !slices.Equal(channels(p.OptOuts), []policy.Channel{policy.SMS}) {
		t.Errorf("undone, the survivor's conversation has %+v", p)
	}
	back, err := w.clients.Preferences(t.Context(), w.admin, lee.ID)
	if err != nil || !back.Policy.Sensitive.Value || back.Policy.Sensitive.Reason != "legal" || back.Policy.NeverAutoSend.Reason != "asked" ||
		!slices.Equal(channels(back.Policy.OptOuts), []policy.Channel{policy.Phone, policy.SMS}) {
		t.Errorf("undone, the other client has %+v, %v", back, err)
	}
}

// R46: an opt-out binds everybody who has the address, is noted once, and is
// lifted only with a reason, by the client whose it is.
func TestOptOutBindsTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.named("Ann", "Lee", "ann@x.com"), w.named("Bob", "Ray", "bob@x.com")
	talk := w.talk(bob, "email", "bob@x.com")
	heard := &hearing{}
	w.clients.Outbound = heard
	for range 2 {
		w.optOut(ann, client.NewOptOut{Channel: policy.Email, Address: "BOB@x.com", Reason: "by phone"})
	}
	if !slices.Contains(heard.clients, bob.ID) {
		t.Errorf("outbound heard of %v", heard.clients)
	}
	if p := w.policy(talk); len(p.OptOuts) != 1 || p.OptOuts[0].Address != "bob@x.com" || p.OptOuts[0].By != "Ada" {
		t.Errorf("who has the address is bound by %+v", p.OptOuts)
	}
	found, err := w.clients.OptOuts(t.Context(), w.member("Max"), ann.ID)
	if err != nil || len(found) != 1 || found[0].Reason != "by phone" {
		t.Fatalf("opt-outs %+v, %v", found, err)
	}
	if n := w.count(`SELECT count(*) FROM event WHERE kind = $1 AND payload::text ILIKE '%bob@%'`, event.Preference); n != 0 {
		t.Error("the audit holds the address")
	}
	if _, err := w.clients.LiftOptOut(t.Context(), w.admin, ann.ID, found[0].ID, ""); !isFieldError(err, "reason") {
		t.Errorf("lifted without a reason: %v", err)
	}
	for name, id := range map[string]uuid.UUID{"another client's": found[0].ID, "none": uuid.Must(uuid.NewV7())} {
		if _, err := w.clients.LiftOptOut(t.Context(), w.admin, bob.ID, id, "asked"); !isOptOutMissing(err) {
			t.Errorf("lifted %s: %v", name, err)
		}
	}
	for name, n := range map[string]client.NewOptOut{"channel": {}, "address": {Channel: policy.SMS, Address: "not a number"}} {
		if _, err := w.clients.AddOptOut(t.Context(), w.admin, ann.ID, n); !isFieldError(err, name) {
			t.Errorf("a wrong %s: %v", name, err)
		}
	}
	if _, err := w.clients.LiftOptOut(t.Context(), w.admin, ann.ID, found[0].ID, "asked again"); err != nil {
		t.Fatal(err)
	}
	if p := w.policy(talk); len(p.OptOuts) != 0 {
		t.Errorf("lifted, still bound by %+v", p.OptOuts)
	}
}

// hearing is who is told that policies changed.
type hearing struct {
	clients []client.ID
	effect  client.PolicyEffect
}

func (h *hearing) PolicyChanged(_ context.Context, _ pgx.Tx, _ actor.Actor, s client.PolicyScope) (client.PolicyEffect, error) {
	h.clients = append(h.clients, s.Clients...)
	return h.effect, nil
}

func weekdays() *[]policy.Window {
	return &[]policy.Window{{Days: []policy.Day{"mon", "tue"}, Start: 9 * 60, End: 17 * 60}}
}

func (w *world) policy(id conversation.ID) (p policy.Policy) {
	w.t.Helper()
	w.sql(func(ctx context.Context, tx pgx.Tx) error {
		found, err := conversation.Policies(ctx, tx, []conversation.ID{id})
		p = found[id]
		return err
	})
	return p
}

func (w *world) prefer(c *client.Client, e client.PreferenceEdit) *client.PolicyChange {
	w.t.Helper()
	change, err := w.clients.ChangePreferences(w.t.Context(), w.admin, c.ID, e)
	if err != nil {
		w.t.Fatal(err)
	}
	return change
}

func (w *world) mark(id client.ID, m client.Marking) *client.PolicyChange {
	w.t.Helper()
	change, err := w.clients.MarkSensitive(w.t.Context(), w.admin, id, m)
	if err != nil {
		w.t.Fatal(err)
	}
	return change
}

func (w *world) optOut(c *client.Client, n client.NewOptOut) {
	w.t.Helper()
	if _, err := w.clients.AddOptOut(w.t.Context(), w.admin, c.ID, n); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) events(kind event.Kind, c *client.Client) int {
	w.t.Helper()
	return w.count(`SELECT count(*) FROM event WHERE kind = $1 AND client_id = $2`, kind, c.ID)
}

// channels are those opted out of, sorted.
func channels(found []policy.OptOut) (all []policy.Channel) {
	for _, o := range found {
		all = append(all, o.Channel)
	}
	slices.Sort(all)
	return all
}

func isFieldError(err error, field string) bool {
	wrong, ok := errors.AsType[client.FieldErrors](err)
	return ok && len(wrong) == 1 && wrong[0].Field == field
}

func isOptOutMissing(err error) bool {
	_, ok := errors.AsType[*client.OptOutNotFoundError](err)
	return ok
}
