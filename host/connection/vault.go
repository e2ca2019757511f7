package connection

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Vault seals secrets with AES-256-GCM. The tenant, the row and the field are
// authenticated with each secret, so that a value copied into another row does
// not open there.
type Vault struct{ aead cipher.AEAD }

// keyBytes is the size of an AES-256 key.
const keyBytes = 32

// OpenVault reads the key file, and makes one with a new key when there is none.
// The file must be readable by its owner only.
func OpenVault(path string) (*Vault, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secrets key %s: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("secrets key %s: %w", path, err)
	}
	return &Vault{aead: aead}, nil
}

// Seal encrypts a secret for one place: tenant, row and field.
func (v *Vault) Seal(secret string, place ...string) []byte {
	return v.aead.Seal(nil, nil, []byte(secret), bind(place))
}

// Open decrypts what Seal made for the same place.
func (v *Vault) Open(sealed []byte, place ...string) (string, error) {
	secret, err := v.aead.Open(nil, nil, sealed, bind(place))
	if err != nil {
		return "", fmt.Errorf("a secret does not open: it was sealed with another key or for another place; restore the key file of its database")
	}
	return string(secret), nil
}

func bind(place []string) []byte { return []byte(strings.Join(place, "\x00")) }

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("secrets key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("secrets key %s: others may read it (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("secrets key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("secrets key %s: want %d bytes as %d hex digits", path, keyBytes, 2*keyBytes)
	}
	return key, nil
}

// makeKey writes a whole new file or none: a half-written key would lose every
// secret sealed with it.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, keyBytes)
	rand.Read(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the secrets key: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return nil, fmt.Errorf("make the secrets key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("make the secrets key: %w", err)
	}
	if err := os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
		return readKey(path) // another host was first
	} else if err != nil {
		return nil, fmt.Errorf("make the secrets key: %w", err)
	}
	return key, nil
}
