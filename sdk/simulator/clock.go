package simulator

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Clock is the simulator's time: the machine's, moved by an offset. It is safe
// for concurrent use.
type Clock struct {
	mu     sync.Mutex
	offset time.Duration
}

// Now is the simulator's time in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset).UTC()
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

func (c *Clock) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		var to struct {
			Now     time.Time `json:"now"`
			Advance string    `json:"advance"`
		}
		if err := json.NewDecoder(r.Body).Decode(&to); err != nil {
			refuse(w, "clock: "+err.Error())
			return
		}
		if to.Advance != "" {
			d, err := time.ParseDuration(to.Advance)
			if err != nil {
				refuse(w, "clock: advance: want a duration such as 90s")
				return
			}
			c.Advance(d)
		}
		if !to.Now.IsZero() {
			c.Advance(to.Now.Sub(c.Now()))
		}
	}
	WriteJSON(w, http.StatusOK, map[string]time.Time{"now": c.Now()})
}
