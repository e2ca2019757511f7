package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Fault is a rule: which requests fail, and how. The first rule that fits a
// request is applied. Without Status, Filler, Cut, Preset and Do it only delays.
type Fault struct {
	// Method "" fits every method; Path is a pattern as in path.Match for the
	// whole path, where a last "**" fits any rest; "" fits every path.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Skip lets the first requests that fit pass; Count bounds how many are hit
	// (0: all); Probability hits by chance (0: always).
	Skip        int     `json:"skip,omitempty"`
	Count       int     `json:"count,omitempty"`
	Probability float64 `json:"probability,omitempty"`

	// Delay comes before anything else, as a Go duration ("250ms").
	Delay string `json:"delay,omitempty"`
	// Status, Header and Body are answered instead of the CRM.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// Filler answers with so many blanks, for callers that must not read on.
	Filler int64 `json:"filler,omitempty"`
	// Preset names an answer that the simulator knows by heart, such as its
	// CRM's daily limit.
	Preset string `json:"preset,omitempty"`
	// Cut breaks the connection: "before" the request is handled, "after" it was
	// committed, or "middle" of the answer.
	Cut string `json:"cut,omitempty"`
	// Do names a fault inside the CRM that the simulator applies itself, such as
	// leaving rows out of a batch answer.
	Do string `json:"do,omitempty"`

	// Hits counts the requests it was applied to.
	Hits int `json:"hits"`
	seen int
}

// Reply is a ready answer.
type Reply struct {
	Status int
	Header map[string]string
	Body   string
}

// Faults holds the rules in force. It is safe for concurrent use.
type Faults struct {
	// Presets are the answers a Fault may name; Dos the faults the simulator
	// applies itself. Both are fixed before serving.
	Presets map[string]Reply
	Dos     []string

	mu    sync.Mutex
	rules []*Fault
}

// Add puts a rule in force. It fails on a word it does not know.
func (f *Faults) Add(rule Fault) error {
	if _, err := path.Match(strings.TrimSuffix(rule.Path, "**"), ""); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if _, err := duration(rule.Delay); err != nil {
		return fmt.Errorf("delay: want a duration such as 250ms")
	}
	if !oneOf(rule.Cut, "", "before", "after", "middle") {
		return fmt.Errorf("cut: want before, after or middle")
	}
	if _, ok := f.Presets[rule.Preset]; rule.Preset != "" && !ok {
		return fmt.Errorf("preset: this simulator has none called %q", rule.Preset)
	}
	if rule.Do != "" && !oneOf(rule.Do, f.Dos...) {
		return fmt.Errorf("do: want one of %s", strings.Join(f.Dos, ", "))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rule.Hits, rule.seen = 0, 0
	f.rules = append(f.rules, &rule)
	return nil
}

// Clear removes all rules.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// List is a copy of the rules in force.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, len(f.rules))
	for i, rule := range f.rules {
		out[i] = *rule
	}
	return out
}

// pick finds the rule that applies to a request and uses it up by one.
func (f *Faults) pick(r *http.Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		if !rule.fits(r) {
			continue
		}
		rule.seen++
		if rule.seen <= rule.Skip || rule.Count > 0 && rule.Hits >= rule.Count {
			continue
		}
		if rule.Probability > 0 && rand.Float64() >= rule.Probability {
			continue
		}
		rule.Hits++
		return *rule, true
	}
	return Fault{}, false
}

func (rule *Fault) fits(r *http.Request) bool {
	if rule.Method != "" && rule.Method != r.Method {
		return false
	}
	if rule.Path == "" {
		return true
	}
	if head, open := strings.CutSuffix(rule.Path, "**"); open {
		segments := strings.Count(head, "/")
		parts := strings.SplitAfterN(r.URL.Path, "/", segments+1)
		if len(parts) <= segments {
			return false
		}
		ok, _ := path.Match(head, strings.Join(parts[:segments], ""))
		return ok
	}
	ok, _ := path.Match(rule.Path, r.URL.Path)
	return ok
}

// wrap applies the rules around the CRM's handler.
func (f *Faults) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rule, hit := f.pick(r)
		if !hit {
			next.ServeHTTP(w, r)
			return
		}
		if d, _ := duration(rule.Delay); d > 0 && !sleep(r.Context(), d) {
			return
		}
		answer := Reply{Status: rule.Status, Header: rule.Header, Body: rule.Body}
		if rule.Preset != "" {
			answer = f.Presets[rule.Preset]
		}
		switch {
		case rule.Cut == "before":
			hangUp(w, nil)
		case rule.Cut != "":
			held := &heldAnswer{header: http.Header{}, status: http.StatusOK}
			next.ServeHTTP(held, r)
			if rule.Cut == "middle" {
				hangUp(w, held)
			} else {
				hangUp(w, nil)
			}
		case rule.Filler > 0:
			fill(w, rule.Filler)
		case answer.Status != 0:
			answer.write(w)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), doKey{}, rule.Do)))
		}
	})
}

type doKey struct{}

// Does tells a handler whether the named fault applies to its request.
func Does(r *http.Request, name string) bool {
	do, _ := r.Context().Value(doKey{}).(string)
	return do == name
}

// fill answers with blanks until the caller has had enough.
func fill(w http.ResponseWriter, n int64) {
	w.Header().Set("Content-Type", "application/json")
	blanks := bytes.Repeat([]byte{' '}, 64<<10)
	for n > 0 {
		written, err := w.Write(blanks[:min(n, int64(len(blanks)))])
		if err != nil {
			return
		}
		n -= int64(written)
	}
}

func (a Reply) write(w http.ResponseWriter) {
	contentType := "application/json"
	if a.Body != "" && a.Body[0] == '<' {
		contentType = "text/html"
	}
	w.Header().Set("Content-Type", contentType)
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write([]byte(a.Body))
}

func (f *Faults) serve(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodDelete:
		f.Clear()
	case http.MethodPost:
		var rule Fault
		in := json.NewDecoder(r.Body)
		in.DisallowUnknownFields()
		if err := in.Decode(&rule); err != nil {
			refuse(w, "fault: "+err.Error())
			return
		}
		if err := f.Add(rule); err != nil {
			refuse(w, "fault: "+err.Error())
			return
		}
	}
	WriteJSON(w, http.StatusOK, f.List())
}

func duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	return time.ParseDuration(s)
}

func oneOf(s string, words ...string) bool {
	for _, w := range words {
		if s == w {
			return true
		}
	}
	return false
}

// sleep waits; false means that the caller has gone.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
