package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

const (
	idempotencyHeader = "Idempotency-Key"
	// keptFor is how long an answer can be had again.
	keptFor = 24 * time.Hour
	// abandonedAfter is longer than any call runs: a request that has no answer
	// by then died with its host, and the next one may try.
	abandonedAfter = 2 * time.Minute
	sweepEvery     = time.Hour
	maxKey         = 255
)

func idempotencyParam() *huma.Param {
	length := maxKey
	return &huma.Param{
		Name: idempotencyHeader, In: "header", Schema: &huma.Schema{Type: "string", MaxLength: &length},
		Description: "A name of yours for this request. Sent again within a day, with the same body, it is answered from memory and done once.",
	}
}

// idempotency keeps the answers of writes that carry a key.
//
// The answer is stored after the write has committed. A host that dies in
// between leaves a key without an answer; after abandonedAfter the write is done
// again, so a write that can't bear that needs its own identity, as messages
// have.
type idempotency struct {
	db  *db.DB
	now func() time.Time

	mu    sync.Mutex
	swept map[actor.TenantID]time.Time // guarded by mu
}

func newIdempotency(d *db.DB, now func() time.Time) *idempotency {
	return &idempotency{db: d, now: now, swept: map[actor.TenantID]time.Time{}}
}

// answer is a stored answer; Status is 0 while the first request runs.
type answer struct {
	Request   []byte
	Status    int
	Headers   map[string]string
	Body      []byte
	CreatedAt time.Time
}

// once runs a write at most once for its key.
func (s *server) once(w http.ResponseWriter, r *http.Request, route Route, key string, body []byte, next http.Handler) {
	a := actorOf(r.Context())
	if err := keyable(a, route, key); err != nil {
		s.fail(w, r, err)
		return
	}
	request := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s %s\n%s\n%s", a.Kind, a.ID, r.Method, r.URL.RequestURI(), r.Header.Get("If-Match"), body))
	stored, err := s.idempotency.claim(r.Context(), a, key, request[:])
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if stored != nil {
		stored.replay(w, request[:])
		return
	}
	recorded := &recorder{header: w.Header().Clone(), status: http.StatusOK}
	// The answer must be kept even if the caller has hung up meanwhile; and if
	// the handler panics, the key must be free again.
	ctx := context.WithoutCancel(r.Context())
	finished := false
	defer func() {
		if !finished {
			_ = s.idempotency.release(ctx, a, key)
		}
	}()
	next.ServeHTTP(recorded, r)
	if recorded.status >= http.StatusInternalServerError {
		err = s.idempotency.release(ctx, a, key)
	} else {
		err = s.idempotency.keep(ctx, a, key, recorded)
	}
	finished = err == nil
	if err != nil {
		s.Logger.ErrorContext(ctx, "keep the answer of an idempotent request", "error", err)
	}
	recorded.send(w)
}

func keyable(a actor.Actor, route Route, key string) error {
	refuse := func(rule, wayOut string) error {
		p := newProblem(http.StatusUnprocessableEntity, "header."+idempotencyHeader+": "+rule)
		p.Errors = []FieldError{{Field: "header." + idempotencyHeader, Rule: rule, WayOut: wayOut}}
		return p
	}
	switch {
	case len(key) > maxKey:
		return refuse(fmt.Sprintf("is longer than %d bytes", maxKey), "use a UUID")
	case route.secret:
		return refuse("is not offered here, since the answer holds a secret that is not stored", "leave it out")
	case a.Tenant == (actor.TenantID{}):
		return refuse("belongs to a tenant, and an operator has none", "leave it out")
	}
	return nil
}

// claim takes the key for this request and answers nil, or the answer of the
// request that has it.
func (i *idempotency) claim(ctx context.Context, a actor.Actor, key string, request []byte) (*answer, error) {
	now := i.now()
	sweep := i.dueForSweep(a.Tenant, now)
	var stored *answer
	err := i.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		stored = nil
		if sweep {
			if _, err := tx.Exec(ctx, `DELETE FROM idempotency_key WHERE created_at < $1`, now.Add(-keptFor)); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, `INSERT INTO idempotency_key (tenant_id, key, request, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, key) DO UPDATE SET request = excluded.request, status = 0, headers = '{}', body = '', created_at = excluded.created_at
 WHERE idempotency_key.created_at < $5 OR (idempotency_key.status = 0 AND idempotency_key.created_at < $6 AND idempotency_key.request = excluded.request)`,
			a.Tenant, key, request, now, now.Add(-keptFor), now.Add(-abandonedAfter))
		if err != nil || tag.RowsAffected() == 1 {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT request, status, headers, body, created_at FROM idempotency_key WHERE key = $1`, key)
		if err != nil {
			return err
		}
		stored, err = pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[answer])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	return stored, nil
}

func (i *idempotency) keep(ctx context.Context, a actor.Actor, key string, r *recorder) error {
	headers := map[string]string{}
	for _, name := range []string{"Content-Type", "Etag", "Location"} {
		if v := r.header.Get(name); v != "" {
			headers[name] = v
		}
	}
	return i.write(ctx, a, `UPDATE idempotency_key SET status = $2, headers = $3, body = $4 WHERE key = $1`, key, r.status, headers, r.body.Bytes())
}

func (i *idempotency) release(ctx context.Context, a actor.Actor, key string) error {
	return i.write(ctx, a, `DELETE FROM idempotency_key WHERE key = $1 AND status = 0`, key)
}

func (i *idempotency) write(ctx context.Context, a actor.Actor, sql string, args ...any) error {
	err := i.db.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("write an idempotency key: %w", err)
	}
	return nil
}

func (i *idempotency) dueForSweep(t actor.TenantID, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now.Sub(i.swept[t]) < sweepEvery {
		return false
	}
	i.swept[t] = now
	return true
}

// replay answers from memory, unless the key was used for something else.
func (s *answer) replay(w http.ResponseWriter, request []byte) {
	if !bytes.Equal(s.Request, request) {
		p := newProblem(http.StatusUnprocessableEntity, "header."+idempotencyHeader+": was used for another request")
		p.Errors = []FieldError{{Field: "header." + idempotencyHeader, Rule: "was used for another request", WayOut: "use a new key for each request"}}
		p.write(w)
		return
	}
	if s.Status == 0 {
		newProblem(http.StatusConflict, "the first request with this key is still running: ask again").with("Retry-After", "1").write(w)
		return
	}
	for name, value := range s.Headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(s.Status)
	_, _ = w.Write(s.Body)
}

// recorder holds an answer back until it is stored.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

func (r *recorder) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body.Bytes())
}
