package connection

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxKeys bounds a key file: more are forgotten ones.
const maxKeys = 20

// AddKey puts a new key before those of the key file; it seals from now on. What
// is there stays readable by the keys below it, and Rotate rewraps it. Copy the
// file to every host of the database before rotating.
func (v *Vault) AddKey() error {
	keys, err := readKeys(v.path)
	if err != nil {
		return err
	}
	if len(keys) == maxKeys {
		return fmt.Errorf("secrets key %s holds %d keys already: rotate, and take the lines out that seal nothing any more", v.path, maxKeys)
	}
	if err := writeKeys(v.path, append([][]byte{newKey()}, keys...), os.Rename); err != nil {
		return err
	}
	return v.reload(false)
}

// reload reads the key file again; create makes a missing one.
func (v *Vault) reload(create bool) error {
	keys, err := readKeys(v.path)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(v.path), 0o700); err == nil {
			err = writeKeys(v.path, [][]byte{newKey()}, os.Link)
		}
		if err == nil || errors.Is(err, fs.ErrExist) { // another host was first
			keys, err = readKeys(v.path)
		}
	}
	if err != nil {
		return err
	}
	masters := make([]masterKey, len(keys))
	for i, k := range keys {
		masters[i] = newMasterKey(k)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys = masters
	return nil
}

func readKeys(path string) ([][]byte, error) {
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
	var keys [][]byte
	for _, line := range strings.Fields(string(text)) {
		key, err := hex.DecodeString(line)
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("secrets key %s: want %d bytes as %d hex digits on each line", path, keyBytes, 2*keyBytes)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("secrets key %s: want 1 to %d keys, one a line, of %d hex digits", path, maxKeys, 2*keyBytes)
	}
	return keys, nil
}

// writeKeys writes a whole new file or none: a half-written key would lose every
// secret sealed with it. Put brings the finished file to its place.
func writeKeys(path string, keys [][]byte, put func(from, to string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return fmt.Errorf("write the secrets key: %w", err)
	}
	defer os.Remove(tmp.Name())
	for _, k := range keys {
		_, e := tmp.WriteString(hex.EncodeToString(k) + "\n")
		err = errors.Join(err, e)
	}
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = put(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the secrets key %s: %w", path, err)
	}
	return nil
}

func newKey() []byte {
	key := make([]byte, keyBytes)
	rand.Read(key)
	return key
}
