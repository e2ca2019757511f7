package sender_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/db/dbtest"
	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/connection"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// world is a tenant that can send.
type world struct {
	db      *db.DB
	vault   *connection.Vault
	service *sender.Service
	admin   actor.Actor
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.New(t)
	vault, err := connection.OpenVault(filepath.Join(t.TempDir(), "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: d, vault: vault, service: sender.New(sender.Options{DB: d, Vault: vault, Now: time.Now, Private: true})}
	t.Cleanup(w.service.Close)
	w.admin = w.tenant(t, "acme")
	return w
}

func (w *world) tenant(t *testing.T, slug string) actor.Actor {
	t.Helper()
	tenants := &tenant.Service{DB: w.db, Now: time.Now}
	own, err := tenants.Create(t.Context(), actor.ForOperator("test"), tenant.New{Slug: slug, Name: slug, Region: "US", Timezone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	return actor.Actor{Tenant: own.ID, Kind: actor.Person, Role: actor.Admin, ID: "1", Name: "Ada"}
}

func (w *world) set(t *testing.T, channel string, settings sender.Settings, secret string) {
	t.Helper()
	if _, err := w.service.Set(t.Context(), w.admin, channel, settings, &secret); err != nil {
		t.Fatal(err)
	}
}

func (w *world) sender(t *testing.T, channel string, settings sender.Settings, secret string) outbound.Sender {
	t.Helper()
	w.set(t, channel, settings, secret)
	s, err := w.service.Sender(t.Context(), w.admin.Tenant, channel)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSendersBelongToTheirTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, "sms", webhookSettings("https://gateway.example.com/", true), "hush")
	other := w.tenant(t, "globex")
	if _, err := w.service.Sender(t.Context(), other.Tenant, "sms"); !isNoSender(err) {
		t.Errorf("another tenant's sender: %v", err)
	}
	if all, err := w.service.List(t.Context(), other); err != nil || len(all) != 0 {
		t.Errorf("another tenant lists %+v, %v", all, err)
	}
	member := w.admin
	member.Role = actor.Member
	secret := "x"
	if _, err := w.service.Set(t.Context(), member, "sms", webhookSettings("https://gateway.example.com/", true), &secret); !isRefusal(err) {
		t.Errorf("a member sets a sender: %v", err)
	}
	if err := w.service.Remove(t.Context(), w.admin, "sms"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Sender(t.Context(), w.admin.Tenant, "sms"); !isNoSender(err) {
		t.Errorf("after its removal: %v", err)
	}
}

func isNoSender(err error) bool {
	_, ok := errors.AsType[*outbound.NoSenderError](err)
	return ok
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*actor.Refusal](err)
	return ok
}
