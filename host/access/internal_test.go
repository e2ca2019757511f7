package access

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	l := newLimiter(10*time.Second, 3)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 {
		if _, ok := l.take("ann", now); !ok {
			t.Fatalf("attempt %d refused", i+1)
		}
	}
	for range 3 { // a refused attempt costs nothing
		if wait, ok := l.take("ann", now); ok || wait != 10*time.Second {
			t.Fatalf("fourth attempt: wait %s, ok %v", wait, ok)
		}
	}
	if _, ok := l.take("bob", now); !ok {
		t.Error("another key was refused")
	}
	if _, ok := l.take("ann", now.Add(10*time.Second)); !ok {
		t.Error("refused after the wait")
	}
	l.forgive("ann")
	if _, ok := l.take("ann", now.Add(10*time.Second)); !ok {
		t.Error("refused after a success")
	}
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(time.Hour, 1)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 * mostKeys {
		l.take(fmt.Sprint(i), now)
	}
	if len(l.seen) > mostKeys {
		t.Errorf("%d keys kept, at most %d may be", len(l.seen), mostKeys)
	}
}

func TestHashesAreBounded(t *testing.T) {
	t.Parallel()
	h := &hasher{slots: make(chan struct{}, 1), cost: defaultCost()}
	if err := h.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { _, err = h.hash(ctx, "four random words here") })
	cancel()
	wg.Wait()
	if err == nil {
		t.Error("a second hash was computed while the only slot was taken")
	}
	h.leave()
	if _, err := h.hash(t.Context(), "four random words here"); err != nil {
		t.Errorf("with a free slot: %v", err)
	}
}

func TestDefaultCost(t *testing.T) {
	t.Parallel()
	h, err := newHasher(nil)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := h.hash(t.Context(), "four random words here")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=65536,t=3,p=4$"; !strings.HasPrefix(hash, want) || !strings.HasPrefix(h.nobody, want) {
		t.Errorf("hash %.40s…, want %s…", hash, want)
	}
	for password, want := range map[string]bool{"four random words here": true, "four random words there": false, "": false} {
		if ok, err := h.matches(t.Context(), password, hash); err != nil || ok != want {
			t.Errorf("%q matches: %v, %v", password, ok, err)
		}
	}
}
