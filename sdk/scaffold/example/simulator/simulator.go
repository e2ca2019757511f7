// Package simulator pretends to be Example CRM, so that the adapter can be built
// and tried without an account. Make it as strict and as odd as the real one: what
// it lets pass, the real one will refuse in front of a customer.
//
// The CRM's API, which adapter/api.go speaks:
//
//	GET  /account               who the token belongs to
//	GET  /{object}/fields       what a record has
//	POST /{object}/batch        create or update up to 100 rows, an answer for each
//	POST /{object}/lookup       rows by external_key, id, email or phone
//	POST /{object}/delete       remove rows by id
//	GET  /{object}/changes      ?cursor=&limit=: what changed since, in order
//
// Objects are people and notes. State, faults, counters and the clock come from
// package sdk/simulator.
package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// Token is the one that the CRM accepts.
const Token = "example-access-token"

const (
	maxBatch   = 100
	dailyCalls = 100_000
	// doShort leaves the last row out of a batch's answer.
	doShort = "short_answer"
)

// Simulator is Example CRM.
type Simulator struct {
	*base.Base
	handler http.Handler

	// The rest is guarded by Base.Mu.
	records *base.Table[record]
	calls   int
	newest  int // sequence number of the last change
}

var _ base.Simulator = (*Simulator)(nil)

// New opens the CRM with its state in dir; "" keeps it in memory.
func New(dir string) (base.Simulator, error) {
	store, err := base.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &Simulator{Base: &base.Base{Store: store, Settings: &struct{}{}}}
	if s.records, err = base.OpenTable[record](store, "records"); err != nil {
		return nil, err
	}
	for _, r := range s.records.All() {
		s.newest = max(s.newest, r.Seq)
	}
	s.Held = s.held
	s.Merge = s.merge
	s.Faults.Presets = presets()
	s.Faults.Dos = []string{doShort}
	s.Subject = base.Subject{
		Settings: json.RawMessage(`{"base_url": "{base_url}"}`), AccessToken: Token,
		Faults: map[string]base.Fault{base.FaultQuota: {Preset: "daily"}, base.FaultLock: {Preset: "locked"}, base.FaultShort: {Do: doShort}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", s.in(s.account))
	mux.HandleFunc("GET /{object}/fields", s.in(s.fields))
	mux.HandleFunc("POST /{object}/batch", s.in(s.batch))
	mux.HandleFunc("POST /{object}/lookup", s.in(s.lookup))
	mux.HandleFunc("POST /{object}/delete", s.in(s.remove))
	mux.HandleFunc("GET /{object}/changes", s.in(s.changes))
	s.handler = s.Serve(mux)
	return s, nil
}

// ServeHTTP is the CRM's port.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Admin answers the admin paths.
func (s *Simulator) Admin() http.Handler { return s.AdminMux(nil) }

// problem is how the CRM says no, for a request or for a row.
type problem struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	// Into is the surviving record where this one was merged away.
	Into string `json:"into,omitempty"`
}

func refuse(status int, code, format string, args ...any) *problem {
	return &problem{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// presets are answers that a fault may name.
func presets() map[string]base.Reply {
	return map[string]base.Reply{
		"daily":  {Status: http.StatusTooManyRequests, Body: `{"code":"DAILY_LIMIT","message":"The calls of today are used up."}`},
		"locked": {Status: http.StatusLocked, Body: `{"code":"LOCKED","message":"Somebody else is changing these records."}`},
	}
}

// in wraps a request: who calls, how many calls are left.
func (s *Simulator) in(handle func(*http.Request) (int, any, *problem)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.calls++
		w.Header().Set("X-Request-Id", "req-"+strconv.Itoa(s.calls))
		w.Header().Set("X-Daily-Limit", strconv.Itoa(dailyCalls))
		w.Header().Set("X-Daily-Remaining", strconv.Itoa(dailyCalls-s.calls))
		object := r.PathValue("object")
		var status int
		var body any
		var refused *problem
		switch {
		case strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") != Token:
			refused = refuse(http.StatusUnauthorized, "BAD_TOKEN", "The access token is not valid.")
		case object != "" && schema()[object] == nil:
			refused = refuse(http.StatusNotFound, "NO_SUCH_OBJECT", "There is no object %s.", object)
		default:
			status, body, refused = handle(r)
		}
		if refused != nil {
			status, body = refused.Status, refused
		}
		base.WriteJSON(w, status, body)
	}
}

func (s *Simulator) account(*http.Request) (int, any, *problem) {
	return http.StatusOK, map[string]string{"account": "Example Ltd", "user": "integration@example.com", "version": "1"}, nil
}

func (s *Simulator) fields(r *http.Request) (int, any, *problem) {
	return http.StatusOK, map[string]any{"fields": schema()[r.PathValue("object")]}, nil
}

// held counts the live records, and those that share their key with another.
func (s *Simulator) held(c *base.Counts) {
	seen := map[string]bool{}
	for _, r := range s.records.All() {
		if !r.live() {
			continue
		}
		c.Held[r.Object]++
		if at := r.Object + " " + r.Key; r.Key != "" && seen[at] {
			c.Duplicates[r.Object]++
		} else {
			seen[at] = true
		}
	}
}

func decode(r *http.Request, into any) *problem {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "BAD_REQUEST", "The body is not the JSON expected: %v", err)
	}
	return nil
}
