package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/demo"
)

// The samples make the clients and links that configs/samples/expected.json
// writes down: by kind, by channel, and one person on all four channels (R24).
func TestSamplesMakeWhatIsExpected(t *testing.T) {
	t.Parallel()
	s := newStack(t, "hubspot")
	if _, err := (&demo.Demo{Host: s.host, Simulators: s.sims}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(rootDir, "configs/samples/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Facts map[string]int `json:"facts"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Facts) != len(facts) {
		t.Fatalf("%d facts are written down, %d are counted", len(want.Facts), len(facts))
	}
	own, err := s.host.Tenants.BySlug(t.Context(), demo.Slug)
	if err != nil {
		t.Fatal(err)
	}
	err = s.host.DB.Tenant(t.Context(), actor.ForSystem(own.ID, "test"), func(ctx context.Context, tx pgx.Tx) error {
		for name, sql := range facts {
			var got int
			if err := tx.QueryRow(ctx, sql).Scan(&got); err != nil {
				return err
			}
			if got != want.Facts[name] {
				t.Errorf("%s: got %d, want %d", name, got, want.Facts[name])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// facts are what the expectation is about.
var facts = map[string]string{
	"messages":         `SELECT count(*) FROM message`,
	"people":           `SELECT count(*) FROM client WHERE deleted_at IS NULL AND kind = 'person'`,
	"shared_mailboxes": `SELECT count(*) FROM client WHERE deleted_at IS NULL AND kind = 'shared_mailbox'`,
	"visitors":         `SELECT count(*) FROM client WHERE deleted_at IS NULL AND kind = 'anonymous'`,
	"links_email":      `SELECT count(*) FROM conversation WHERE client_id IS NOT NULL AND channel = 'email'`,
	"links_sms":        `SELECT count(*) FROM conversation WHERE client_id IS NOT NULL AND channel = 'sms'`,
	"links_chat":       `SELECT count(*) FROM conversation WHERE client_id IS NOT NULL AND channel = 'chat'`,
	"links_voice":      `SELECT count(*) FROM conversation WHERE client_id IS NOT NULL AND channel = 'voice'`,
	"unlinked":         `SELECT count(*) FROM conversation WHERE client_id IS NULL`,
	"on_four_channels": `SELECT count(*) FROM (SELECT client_id FROM conversation WHERE client_id IS NOT NULL
  GROUP BY client_id HAVING count(DISTINCT channel) = 4) four`,
}
