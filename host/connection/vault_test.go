package connection_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/connection"
)

func TestVault(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys", "secrets.key")
	v, err := connection.OpenVault(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := v.Seal("hunter2", "tenant", "row", "field")
	if strings.Contains(string(sealed), "hunter2") {
		t.Error("the secret stands in clear")
	}
	again, err := connection.OpenVault(path) // the same key
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, "tenant", "row", "field"); err != nil || got != "hunter2" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, place := range [][]string{{"other", "row", "field"}, {"tenant", "other", "field"}, {"tenant", "row", "other"}, {"tenant"}} {
		if _, err := again.Open(sealed, place...); err == nil {
			t.Errorf("it opened in another place: %v", place)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.OpenVault(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a readable key was taken: %v", err)
	}
	for _, text := range []string{"abcd\n", "", strings.Repeat(strings.Repeat("ab", 32)+"\n", 21)} {
		bad := filepath.Join(t.TempDir(), "bad.key")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := connection.OpenVault(bad); err == nil || !strings.Contains(err.Error(), "64 hex digits") {
			t.Errorf("a bad key file was taken: %v", err)
		}
	}
}

// Whatever is changed in a sealed secret, it doesn't open and doesn't crash.
func TestChangedEnvelopesDoNotOpen(t *testing.T) {
	t.Parallel()
	v, err := connection.OpenVault(filepath.Join(t.TempDir(), "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.String().Draw(t, "secret")
		sealed := v.Seal(secret, "tenant", "row")
		if got, err := v.Open(sealed, "tenant", "row"); err != nil || got != secret {
			t.Fatalf("got %q, %v", got, err)
		}
		changed := append([]byte(nil), sealed...)
		if rapid.Bool().Draw(t, "cut") {
			changed = changed[:rapid.IntRange(0, len(changed)-1).Draw(t, "to")]
		} else {
			changed[rapid.IntRange(0, len(changed)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		}
		if got, err := v.Open(changed, "tenant", "row"); err == nil {
			t.Fatalf("a changed envelope opened as %q", got)
		}
	})
}

// Secrets survive a rotation, whatever sealed them, also where it breaks off; a
// host that read the key file before it finds the new key by itself.
func TestRotation(t *testing.T) {
	t.Parallel()
	s, admin, about := fixture(t, time.Now, "http://127.0.0.1:1")
	dir := t.TempDir()
	path := filepath.Join(dir, "secrets.key")
	vault, err := connection.OpenVault(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Vault = vault
	old, err := connection.OpenVault(path)
	if err != nil {
		t.Fatal(err)
	}
	var made []*connection.Connection
	for _, name := range []string{"one", "two", "three"} {
		c, err := s.Create(t.Context(), admin, connection.New{
			Adapter: "test", Name: name, Settings: json.RawMessage(`{"org": "acme"}`), Secrets: map[string]string{connection.AccessToken: "t0ken " + name},
		})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, c)
	}
	// One was sealed before there were envelopes.
	bare := sealBare(t, path, "t0ken three", admin.Tenant.String(), made[2].ID.String(), connection.AccessToken)
	store(t, s, admin, made[2].ID, bare)

	firstKey := vault.KeyID()
	rotator := &connection.Rotator{DB: s.DB, Vault: vault, Tenants: &tenant.Service{DB: s.DB, Now: time.Now}, Columns: connection.SealedColumns()}
	if _, err := rotator.Rotate(t.Context(), admin, true); err == nil {
		t.Error("an admin rotated the host's key")
	}
	operator := actor.ForOperator("Olga")
	done, err := rotator.Rotate(t.Context(), operator, true)
	if err != nil || done.Secrets != 3 || done.Rewrapped != 3 || done.Key == firstKey {
		t.Fatalf("got %+v, %v", done, err)
	}
	// Another host sealed one with its old key meanwhile: the next run takes it.
	store(t, s, admin, made[1].ID, old.Seal("t0ken two", admin.Tenant.String(), made[1].ID.String(), connection.AccessToken))
	if again, err := rotator.Rotate(t.Context(), operator, false); err != nil || again.Secrets != 3 || again.Rewrapped != 1 || again.Key != done.Key {
		t.Errorf("run again: %+v, %v", again, err)
	}
	for _, v := range []*connection.Vault{vault, old} {
		s.Vault = v
		for _, c := range made {
			if open, err := s.Open(t.Context(), admin, c, about); err != nil || open.Token.AccessToken != "t0ken "+c.Name {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
	}
	// The old key seals nothing any more.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 2 {
		t.Fatalf("the key file has %d keys, want 2", len(lines))
	}
	if err := os.WriteFile(path, []byte(lines[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Vault, err = connection.OpenVault(path); err != nil {
		t.Fatal(err)
	}
	for _, c := range made {
		if _, err := s.Open(t.Context(), admin, c, about); err != nil {
			t.Errorf("%s needs the old key: %v", c.Name, err)
		}
	}
	// Without the new one, the error names it.
	if err := os.WriteFile(path, []byte(lines[1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Vault, err = connection.OpenVault(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), admin, made[0], about); err == nil || !strings.Contains(err.Error(), done.Key) {
		t.Errorf("got %v, want an error that names the key %s", err, done.Key)
	}
}

func sealBare(t *testing.T, keyFile, secret string, place ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nil, []byte(secret), []byte(strings.Join(place, "\x00")))
}

func store(t *testing.T, s *connection.Service, a actor.Actor, id connection.ID, sealed []byte) {
	t.Helper()
	err := s.DB.Tenant(t.Context(), a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE connection_secret SET sealed = $2 WHERE connection_id = $1`, id, sealed)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
