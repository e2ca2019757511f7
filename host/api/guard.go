package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
)

// The limits of one request. A body is given a minute to arrive: less would cut
// off a 25 MB mail on a slow line, more would let idle senders hold memory.
const (
	bodyLimit    = 1 << 20
	bodyDeadline = time.Minute
	callDeadline = 15 * time.Second
)

type contextKey int

const actorKey contextKey = iota

// actorOf is who the guard let in.
func actorOf(ctx context.Context) actor.Actor {
	a, _ := ctx.Value(actorKey).(actor.Actor)
	return a
}

// guard stands before every route of the table: who is it, may they do this,
// is the body within its limit, has this request been answered before. The
// handler then runs under a deadline.
func (s *server) guard(route Route, next http.Handler) http.Handler {
	return s.metrics.observe(route, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := s.Authenticate(r)
		if err == nil {
			err = route.Admit(a)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		body, err := readBody(w, r, route)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		ctx, cancel := context.WithTimeoutCause(r.Context(), route.callDeadline(), context.DeadlineExceeded)
		defer cancel()
		r = r.WithContext(context.WithValue(ctx, actorKey, a))
		if key := r.Header.Get(idempotencyHeader); key != "" && r.Method != http.MethodGet {
			s.once(w, r, route, key, body, next)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// fail answers an error outside huma.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.problem(r.Context(), err).write(w)
}

// problem makes an error fit for the caller. One of ours is logged under an id,
// and the caller gets the id only.
func (s *server) problem(ctx context.Context, err error) *Problem {
	if p := ProblemOf(err); p != nil {
		return p
	}
	id := uuid.NewString()
	if !errors.Is(err, context.Canceled) {
		s.Logger.ErrorContext(ctx, "request failed", "request", id, "error", err)
	}
	p := newProblem(http.StatusInternalServerError, "something went wrong on our side: the log knows more under the instance's id")
	p.Instance = "urn:uuid:" + id
	return p
}

// recovered turns a panic into an answer, and logs where it came from.
func (s *server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				s.Logger.LogAttrs(r.Context(), slog.LevelError, "panic in a handler", slog.String("stack", string(debug.Stack())))
				s.fail(w, r, fmt.Errorf("panic in %s", r.Pattern))
			}
		}()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// readBody reads the whole body within the route's limit, which a 413 names.
func readBody(w http.ResponseWriter, r *http.Request, route Route) ([]byte, error) {
	limit := route.limit(mediaType(r))
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge(limit)
	}
	// A recorder in a test has no deadline to set; a connection has.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if ProblemOf(err) == nil {
			return nil, newProblem(http.StatusBadRequest, "the body broke off: send it again")
		}
		return nil, err
	}
	return body, nil
}

func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}
