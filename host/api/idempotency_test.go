package api_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/api"
)

func keyed(w *world, key, body string) call {
	return call{method: "POST", path: "/v1/clients", credential: w.acme.secret, body: body, header: map[string]string{"Idempotency-Key": key}}
}

func (w *world) countClients(t *testing.T) (n int) {
	t.Helper()
	err := w.db.Tenant(t.Context(), w.acme.system, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM client`).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"fields":{"first_name":"Lea"}}`
	before := w.countClients(t)
	first := w.do(t, keyed(w, "k1", body)).want(201)
	again := w.do(t, keyed(w, "k1", body)).want(201)
	if again.Body.String() != first.Body.String() || again.Header().Get("ETag") != first.Header().Get("ETag") || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer differs: %s %v", again.Body, again.Header())
	}
	if n := w.countClients(t) - before; n != 1 {
		t.Errorf("%d clients made", n)
	}
	if p := w.do(t, keyed(w, "k1", `{"fields":{"first_name":"Leo"}}`)).want(422).problem(); p.Errors[0].Field != "header.Idempotency-Key" {
		t.Errorf("another body: %+v", p)
	}
	other := keyed(w, "k1", body)
	other.credential = w.globex.secret
	if got := w.do(t, other).want(201); got.Header().Get("Idempotency-Replayed") != "" || got.Body.String() == first.Body.String() {
		t.Error("another tenant got our answer")
	}
	_, second := w.key(t, w.acme.system, actor.ScopeWrite)
	mine := keyed(w, "k1", body)
	mine.credential = second
	w.do(t, mine).want(422).problem()
}

func TestRefusedRequestIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(t, keyed(w, "k", `{}`)).want(422)
	if got := w.do(t, keyed(w, "k", `{}`)).want(422); got.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("a refusal was not remembered")
	}
}

func TestParallelRequestsWithOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.countClients(t)
	codes := make([]int, 8)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = w.do(t, keyed(w, "k", `{"fields":{"first_name":"Lea"}}`)).Code })
	}
	wg.Wait()
	made := 0
	for _, code := range codes {
		if code == 201 {
			made++
		} else if code != 409 {
			t.Errorf("status %d", code)
		}
	}
	if n := w.countClients(t) - before; n != 1 || made < 1 {
		t.Errorf("%d clients made, statuses %v", n, codes)
	}
}

func TestKeyOfADeadHostIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := time.Now()
	s := w.services
	s.Now = func() time.Time { return now }
	w.handler = api.New(s)
	const body = `{"fields":{"first_name":"Lea"}}`
	w.do(t, keyed(w, "k", body)).want(201)
	err := w.db.Tenant(t.Context(), w.acme.system, func(ctx context.Context, tx pgx.Tx) error { // as if the host had died before it could keep the answer
		_, err := tx.Exec(ctx, `UPDATE idempotency_key SET status = 0, body = ''`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.do(t, keyed(w, "k", body)).want(409); got.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	now = now.Add(3 * time.Minute)
	w.do(t, keyed(w, "k", body)).want(201)
	now = now.Add(25 * time.Hour)
	if got := w.do(t, keyed(w, "k", `{"fields":{"first_name":"Leo"}}`)).want(201); got.Header().Get("Idempotency-Replayed") != "" {
		t.Error("a key is remembered after a day")
	}
}

func TestIdempotencyKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := make([]byte, 256)
	for i := range long {
		long[i] = 'k'
	}
	w.do(t, keyed(w, string(long), `{}`)).want(422).problem()
	secret := keyed(w, "k", `{"name":"x","scopes":["read"]}`)
	secret.path = "/v1/keys"
	w.do(t, secret).want(422).problem()
}
