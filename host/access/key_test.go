package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
)

func (w *world) key(t *testing.T, a actor.Actor, n access.NewKey) (access.Key, string) {
	t.Helper()
	k, secret, err := w.access.CreateKey(t.Context(), a, n)
	if err != nil {
		t.Fatal(err)
	}
	return k, secret
}

func TestKeyIsAutomation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, secret := w.key(t, w.acme, access.NewKey{Name: " mail-gateway ", Scopes: []actor.Scope{actor.ScopeRead, actor.ScopeWrite}})
	if !strings.HasPrefix(secret, "ck_") || w.count(t, `SELECT count(*) FROM api_key WHERE digest = $1`, []byte(secret)) != 0 {
		t.Errorf("secret %q, or the database holds it", secret)
	}
	a, err := w.authenticate(t, "bearer "+secret)
	if err != nil {
		t.Fatal(err)
	}
	if a.Kind != actor.Automation || a.Tenant != w.acme.Tenant || a.Name != "key mail-gateway" || a.ID != k.ID.String() {
		t.Errorf("actor %+v", a)
	}
	for can, want := range map[actor.Can]bool{
		actor.SeeClients: true, actor.SendMessages: true, actor.EditClients: true,
		actor.ExportClients: false, actor.MergeClients: false, actor.Administer: false, actor.Operate: false,
	} {
		if a.May(can) != want {
			t.Errorf("may %s: %v", can, a.May(can))
		}
	}
}

func TestUnknownCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, header := range []string{"", "Bearer", "Bearer ck_", "Bearer ck_nothing", "Bearer " + strings.Repeat("x", 5000), "Basic YTpi", "ck_nothing"} {
		_, err := w.authenticate(t, header)
		e := wantError[*access.Unauthenticated](t, err)
		if strings.Contains(e.Error(), "nothing") {
			t.Errorf("the error repeats the credential: %s", e)
		}
	}
}

func TestRevokedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, secret := w.key(t, w.acme, access.NewKey{Name: "old", Scopes: []actor.Scope{actor.ScopeRead}})
	for range 2 {
		if err := w.access.RevokeKey(t.Context(), w.acme, k.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.authenticate(t, "Bearer "+secret)
	wantError[*access.Unauthenticated](t, err)
	keys, err := w.access.ListKeys(t.Context(), w.acme)
	if err != nil || len(keys) != 1 || keys[0].RevokedAt == nil {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

func TestKeysStayInTheirTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, secret := w.key(t, w.acme, access.NewKey{Name: "acme's", Scopes: []actor.Scope{actor.ScopeRead}})
	if keys, err := w.access.ListKeys(t.Context(), w.globex); err != nil || len(keys) != 0 {
		t.Errorf("globex sees %d keys, %v", len(keys), err)
	}
	wantError[*access.NotFoundError](t, w.access.RevokeKey(t.Context(), w.globex, k.ID))
	if _, err := w.authenticate(t, "Bearer "+secret); err != nil {
		t.Errorf("the key no longer works: %v", err)
	}
	_, err := access.ParseKeyID("17")
	wantError[*access.NotFoundError](t, err)
	for _, a := range []actor.Actor{
		actor.ForOperator("test"),
		{Kind: actor.Person, Role: actor.Member, Tenant: w.acme.Tenant},
		{Kind: actor.Automation, Scopes: []actor.Scope{actor.ScopeWrite}, Tenant: w.acme.Tenant},
	} {
		_, _, err := w.access.CreateKey(t.Context(), a, access.NewKey{Name: "x", Scopes: []actor.Scope{actor.ScopeAdmin}})
		wantError[*actor.Refusal](t, err)
		_, err = w.access.ListKeys(t.Context(), a)
		wantError[*actor.Refusal](t, err)
		wantError[*actor.Refusal](t, w.access.RevokeKey(t.Context(), a, k.ID))
	}
}

func TestBoundKeyFollowsItsPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser(t)
	b.signIn("ann@acme.com")
	_, secret := w.key(t, b.me(), access.NewKey{Name: "script", Scopes: []actor.Scope{actor.ScopeRead, actor.ScopeWrite}, ForMe: true})
	a, err := w.authenticate(t, "Bearer "+secret)
	if err != nil || a.Kind != actor.Person || a.ID != b.me().ID || a.Name != "ann (key script)" {
		t.Fatalf("actor %+v, %v", a, err)
	}
	if !a.May(actor.EditClients) || a.May(actor.Administer) {
		t.Error("an admin's key with the scopes read and write may not edit, or may administer")
	}

	w.exec(t, `UPDATE app_user SET role = 'viewer' WHERE email = 'ann@acme.com'`)
	a, err = w.authenticate(t, "Bearer "+secret)
	if err != nil || a.May(actor.EditClients) || !a.May(actor.SeeClients) {
		t.Errorf("after the role fell: %+v, %v", a, err)
	}
	w.exec(t, `UPDATE app_user SET disabled_at = now() WHERE email = 'ann@acme.com'`)
	_, err = w.authenticate(t, "Bearer "+secret)
	wantError[*access.Denied](t, err)

	_, _, err = w.access.CreateKey(t.Context(), w.acme, access.NewKey{Name: "x", Scopes: access.Scopes(), ForMe: true})
	wantError[*access.InvalidError](t, err)
}

func TestCreateKeyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	read := []actor.Scope{actor.ScopeRead}
	for field, n := range map[string][]access.NewKey{
		"name":   {{Name: "  ", Scopes: read}, {Name: strings.Repeat("n", 101), Scopes: read}},
		"scopes": {{Name: "x"}, {Name: "x", Scopes: []actor.Scope{"root"}}, {Name: "x", Scopes: append(read, read...)}},
	} {
		for _, n := range n {
			_, _, err := w.access.CreateKey(t.Context(), w.acme, n)
			if e := wantError[*access.InvalidError](t, err); e.Field != field || e.WayOut == "" {
				t.Errorf("%+v: %+v", n, e)
			}
		}
	}
}

func TestLastUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.key(t, w.acme, access.NewKey{Name: "x", Scopes: []actor.Scope{actor.ScopeRead}})
	used := func() time.Time {
		if _, err := w.authenticate(t, "Bearer "+secret); err != nil {
			t.Fatal(err)
		}
		keys, err := w.access.ListKeys(t.Context(), w.acme)
		if err != nil || keys[0].LastUsedAt == nil {
			t.Fatalf("keys %+v, %v", keys, err)
		}
		return *keys[0].LastUsedAt
	}
	first := used()
	w.clock = w.clock.Add(59 * time.Second)
	if again := used(); !again.Equal(first) {
		t.Errorf("written after 59 s: %s", again)
	}
	w.clock = w.clock.Add(time.Second)
	if again := used(); !again.Equal(w.clock) {
		t.Errorf("last use %s, want %s", again, w.clock)
	}
}
