package access

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
)

const (
	// A password shorter than 12 characters can be guessed offline; one over 128
	// only costs time to hash.
	minPassword = 12
	maxPassword = 128
	// Each hash holds 64 MiB for as long as it is computed. More at once could
	// take the host's memory, fewer makes people wait for each other.
	maxHashes = 2
)

// defaultCost is the second recommended option of RFC 9106 §4: 64 MiB, 3 passes,
// 4 lanes.
func defaultCost() *argon2id.Params {
	return &argon2id.Params{Memory: 64 * 1024, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}
}

// hasher computes argon2id hashes, a few at a time. Safe for concurrent use.
type hasher struct {
	slots chan struct{}
	cost  *argon2id.Params
	// nobody is a hash that no password has: comparing with it takes as long as
	// with a real one, so that the time of an answer doesn't tell which addresses
	// have an account.
	nobody string
}

func newHasher(cost *argon2id.Params) (*hasher, error) {
	if cost == nil {
		cost = defaultCost()
	}
	// The hash is of the empty password, which is never compared.
	nobody, err := argon2id.CreateHash("", cost)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	return &hasher{slots: make(chan struct{}, maxHashes), cost: cost, nobody: nobody}, nil
}

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	hash, err := argon2id.CreateHash(password, h.cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return hash, nil
}

// matches compares; an empty hash (no password set yet) matches nothing and
// takes as long.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	if hash == "" || password == "" {
		_, err := argon2id.ComparePasswordAndHash("x"+password, h.nobody)
		return false, err
	}
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare a password: %w", err)
	}
	return ok, nil
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for other sign-ins: %w", context.Cause(ctx))
	}
}

func (h *hasher) leave() { <-h.slots }

// checkPassword says what is wrong with a new password, without repeating it.
func checkPassword(password, email string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < minPassword:
		return &InvalidError{Field: "password", Rule: fmt.Sprintf("is shorter than %d characters", minPassword), WayOut: "use a longer one, such as four random words"}
	case n > maxPassword:
		return &InvalidError{Field: "password", Rule: fmt.Sprintf("is longer than %d characters", maxPassword), WayOut: "use a shorter one"}
	case strings.EqualFold(password, email):
		return &InvalidError{Field: "password", Rule: "is the email address", WayOut: "choose one that others can't guess"}
	case strings.Count(password, firstRune(password)) == n:
		return &InvalidError{Field: "password", Rule: "is one character repeated", WayOut: "choose one that others can't guess"}
	}
	return nil
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}
