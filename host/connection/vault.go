package connection

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
)

// Vault seals secrets in envelopes: each secret with AES-256-GCM under a data key
// of its own, which is wrapped by a key from the key file. The tenant, the row and
// the field are authenticated with each secret, so that a value copied into
// another row does not open there. Because only the wrapping changes with a new
// key, a rotation touches no secret. Safe for concurrent use.
type Vault struct {
	path string

	mu   sync.RWMutex
	keys []masterKey // the first seals, all of them open
}

// masterKey is one key of the key file.
type masterKey struct {
	id   [keyIDBytes]byte
	aead cipher.AEAD
}

// An envelope is the mark, the id of the key that wraps, the wrapped data key, and
// the secret under the data key.
const (
	keyBytes     = 32 // AES-256
	keyIDBytes   = 8
	gcmOverhead  = 12 + 16 // nonce and tag
	wrappedBytes = keyBytes + gcmOverhead
	headerBytes  = len(envelopeMark) + keyIDBytes + wrappedBytes
	envelopeMark = "\x00cv1"
)

// OpenVault reads the key file, and makes one with a new key when there is none.
// The file must be readable by its owner only; it holds one key a line, the first
// of which seals.
func OpenVault(path string) (*Vault, error) {
	v := &Vault{path: path}
	return v, v.reload(true)
}

// Seal encrypts a secret for one place: tenant, row and field.
func (v *Vault) Seal(secret string, place ...string) []byte {
	dataKey := make([]byte, keyBytes)
	rand.Read(dataKey)
	return append(v.wrap(dataKey), sealer(dataKey).Seal(nil, nil, []byte(secret), bind(place))...)
}

// Open decrypts what Seal made for the same place.
func (v *Vault) Open(sealed []byte, place ...string) (string, error) {
	if !isEnvelope(sealed) {
		return v.openBare(sealed, place)
	}
	dataKey, err := v.unwrap(sealed)
	if err != nil {
		return "", err
	}
	secret, err := sealer(dataKey).Open(nil, nil, sealed[headerBytes:], bind(place))
	if err != nil {
		return "", errUnopened
	}
	return string(secret), nil
}

// Rewrap answers the same secret under the key that seals now, or nil when it is
// already.
func (v *Vault) Rewrap(sealed []byte, place ...string) ([]byte, error) {
	if !isEnvelope(sealed) {
		secret, err := v.openBare(sealed, place)
		if err != nil {
			return nil, err
		}
		return v.Seal(secret, place...), nil
	}
	current := v.current()
	if bytes.Equal(keyIDOf(sealed), current.id[:]) {
		return nil, nil
	}
	dataKey, err := v.unwrap(sealed)
	if err != nil {
		return nil, err
	}
	return append(v.wrap(dataKey), sealed[headerBytes:]...), nil
}

// KeyID names the key that seals now, for people: it tells nothing of the key.
func (v *Vault) KeyID() string {
	id := v.current().id
	return hex.EncodeToString(id[:])
}

var errUnopened = fmt.Errorf("a secret does not open: it was sealed for another place, or changed in the database")

// openBare opens what was sealed before there were envelopes: by the key itself.
func (v *Vault) openBare(sealed []byte, place []string) (string, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, k := range v.keys {
		if secret, err := k.aead.Open(nil, nil, sealed, bind(place)); err == nil {
			return string(secret), nil
		}
	}
	return "", fmt.Errorf("a secret does not open: it was sealed with another key or for another place; restore the key file of its database")
}

func (v *Vault) wrap(dataKey []byte) []byte {
	current := v.current()
	out := append([]byte(envelopeMark), current.id[:]...)
	return current.aead.Seal(out, nil, dataKey, nil)
}

// unwrap answers an envelope's data key. A key that isn't known may have come into
// the file since it was read.
func (v *Vault) unwrap(sealed []byte) ([]byte, error) {
	key, ok := v.key(keyIDOf(sealed))
	if !ok {
		if err := v.reload(false); err != nil {
			return nil, err
		}
		if key, ok = v.key(keyIDOf(sealed)); !ok {
			return nil, fmt.Errorf("a secret was sealed with the key %x, which %s does not hold: add that key's line to the file", keyIDOf(sealed), v.path)
		}
	}
	dataKey, err := key.aead.Open(nil, nil, sealed[headerBytes-wrappedBytes:headerBytes], nil)
	if err != nil {
		return nil, errUnopened
	}
	return dataKey, nil
}

func (v *Vault) current() masterKey {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keys[0]
}

func (v *Vault) key(id []byte) (masterKey, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, k := range v.keys {
		if bytes.Equal(k.id[:], id) {
			return k, true
		}
	}
	return masterKey{}, false
}

func isEnvelope(sealed []byte) bool {
	return len(sealed) >= headerBytes && bytes.HasPrefix(sealed, []byte(envelopeMark))
}

func keyIDOf(sealed []byte) []byte {
	return sealed[len(envelopeMark) : len(envelopeMark)+keyIDBytes]
}

func newMasterKey(key []byte) masterKey {
	sum := sha256.Sum256(append([]byte("clientele key id\x00"), key...))
	return masterKey{id: [keyIDBytes]byte(sum[:keyIDBytes]), aead: sealer(key)}
}

// sealer is AES-256-GCM under a key. It can fail only for a key of another length.
func sealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return aead
		}
	}
	panic("aes-256-gcm: " + err.Error())
}

func bind(place []string) []byte { return []byte(strings.Join(place, "\x00")) }
