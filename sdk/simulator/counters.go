package simulator

import (
	"net/http"
	"sync"
)

// Counters counts what callers did. It is safe for concurrent use.
type Counters struct {
	mu        sync.Mutex
	endpoints map[string]map[int]int
	named     map[string]int
	created   map[string]int
}

// Endpoint counts a request by the pattern it was routed to and its status.
func (c *Counters) Endpoint(pattern string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endpoints == nil {
		c.endpoints = map[string]map[int]int{}
	}
	if c.endpoints[pattern] == nil {
		c.endpoints[pattern] = map[int]int{}
	}
	c.endpoints[pattern][status]++
}

// Add counts under a name of the simulator's own, such as a bucket.
func (c *Counters) Add(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.named == nil {
		c.named = map[string]int{}
	}
	c.named[name] += n
}

// Made counts a new record of a kind.
func (c *Counters) Made(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.created == nil {
		c.created = map[string]int{}
	}
	c.created[kind]++
}

// Reset starts all counts again.
func (c *Counters) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints, c.named, c.created = nil, nil, nil
}

// Counts is what GET counters answers.
type Counts struct {
	// Calls is the number of requests to the CRM's port; Endpoints has them by
	// route and status. Requests cut off by a fault count with status 0 when
	// they never reached the CRM.
	Calls     int                    `json:"calls"`
	Endpoints map[string]map[int]int `json:"endpoints"`
	// Counts are the simulator's own counts, such as calls by bucket.
	Counts map[string]int `json:"counts"`
	// Held is what the CRM holds now, by kind.
	Held map[string]int `json:"held"`
	// Created is how many records were made since the last reset, by kind.
	Created map[string]int `json:"created"`
	// Duplicates is how many records share their external key with another live
	// one, by kind.
	Duplicates map[string]int `json:"duplicates"`
}

func (c *Counters) snapshot() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Counts{
		Endpoints: map[string]map[int]int{}, Counts: map[string]int{}, Held: map[string]int{}, Created: map[string]int{},
		Duplicates: map[string]int{},
	}
	for pattern, byStatus := range c.endpoints {
		out.Endpoints[pattern] = map[int]int{}
		for status, n := range byStatus {
			out.Endpoints[pattern][status] = n
			out.Calls += n
		}
	}
	for name, n := range c.named {
		out.Counts[name] = n
	}
	for kind, n := range c.created {
		out.Created[kind] = n
	}
	return out
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
