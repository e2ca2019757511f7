package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sync"
)

// Simulator is one pretended CRM: a handler for the CRM's own port and one for
// its admin paths, which are relative to /_sim/{crm}/.
type Simulator interface {
	http.Handler
	Admin() http.Handler
	// Close ends the state's journal; no request may be in flight.
	Close() error
}

// MaxBody bounds a request to a simulator, in bytes.
const MaxBody = 32 << 20

// Base is what every simulator embeds.
type Base struct {
	Store    *Store
	Faults   Faults
	Counters Counters
	Clock    Clock

	// Mu guards Store, Settings and whatever else the simulator keeps. Its
	// handlers hold it for the whole of a request.
	Mu sync.Mutex
	// Settings points to the simulator's switches, a struct of JSON fields.
	Settings any
	// Held fills in Counts.Held and Counts.Duplicates; it is called with Mu held.
	Held func(*Counts)
	// Subject is what the conformance suite needs to know.
	Subject Subject
	// Merge makes one record of two, as a person in the CRM would; nil where the
	// CRM can't. It is called with Mu held and its changes are committed.
	Merge func(object, into, from string) error
}

// Serve wraps the CRM's routes: bodies are bounded, requests counted by route,
// faults applied. One request is handled at a time and what it put into the
// store is committed before it is answered.
func (b *Base) Serve(routes *http.ServeMux) http.Handler {
	handle := b.Faults.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.handle(routes, r).send(w)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
		if err != nil {
			return // the caller went away or sends without end
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, pattern := routes.Handler(r)
		if pattern == "" {
			pattern = "unknown path"
		}
		counted := &statusWriter{ResponseWriter: w}
		defer func() { b.Counters.Endpoint(pattern, counted.status) }()
		handle.ServeHTTP(counted, r)
	})
}

func (b *Base) handle(routes *http.ServeMux, r *http.Request) *heldAnswer {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	defer b.Store.Rollback() // nothing is left to take back unless the handler panicked
	held := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	routes.ServeHTTP(held, r)
	if err := b.Store.Commit(); err != nil {
		held = &heldAnswer{header: http.Header{}, status: http.StatusInternalServerError}
		held.body.WriteString(err.Error())
	}
	return held
}

// AdminMux answers the admin paths that every simulator has; extra adds the
// simulator's own by pattern.
func (b *Base) AdminMux(extra map[string]http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, b.Counts())
	})
	mux.HandleFunc("DELETE /counters", func(w http.ResponseWriter, _ *http.Request) {
		b.Counters.Reset()
		WriteJSON(w, http.StatusOK, b.Counts())
	})
	mux.HandleFunc("/faults", b.Faults.serve)
	mux.HandleFunc("/clock", b.Clock.serve)
	mux.HandleFunc("/settings", b.serveSettings)
	mux.HandleFunc("GET /subject", b.serveSubject)
	mux.HandleFunc("POST /subject/merge", b.serveMerge)
	for pattern, h := range extra {
		mux.HandleFunc(pattern, h)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		mux.ServeHTTP(w, r)
	})
}

// Counts is what the admin path counters answers.
func (b *Base) Counts() Counts {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	c := b.Counters.snapshot()
	if b.Held != nil {
		b.Held(&c)
	}
	return c
}

// Close ends the journal.
func (b *Base) Close() error { return b.Store.Close() }

func (b *Base) serveSettings(w http.ResponseWriter, r *http.Request) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	if r.Method == http.MethodPatch {
		if err := patch(b.Settings, r.Body); err != nil {
			refuse(w, "settings: "+err.Error())
			return
		}
	}
	WriteJSON(w, http.StatusOK, b.Settings)
}

// patch decodes into a copy first, so that a half-wrong body changes nothing.
func patch(settings any, body io.Reader) error {
	target := reflect.ValueOf(settings).Elem()
	next := reflect.New(target.Type())
	next.Elem().Set(target)
	in := json.NewDecoder(body)
	in.DisallowUnknownFields()
	if err := in.Decode(next.Interface()); err != nil {
		return fmt.Errorf("want a JSON object of this simulator's switches: %w", err)
	}
	target.Set(next.Elem())
	return nil
}

// WriteJSON answers with a value.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, message string) {
	WriteJSON(w, http.StatusBadRequest, map[string]string{"error": message})
}
