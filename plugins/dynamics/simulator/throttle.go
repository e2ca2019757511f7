package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// window is the sliding window of the limits (§7.1).
const window = 300 * time.Second

// spending is what the application user of an environment has used.
type spending struct {
	requests []time.Time
	charges  []charge
	refused  int
}

type charge struct {
	at     time.Time
	millis int
}

func (s *spending) forget(before time.Time) {
	for len(s.requests) > 0 && !s.requests[0].After(before) {
		s.requests = s.requests[1:]
	}
	for len(s.charges) > 0 && !s.charges[0].at.After(before) {
		s.charges = s.charges[1:]
	}
}

func (s *spending) millis() int {
	n := 0
	for _, c := range s.charges {
		n += c.millis
	}
	return n
}

// throttle is S16: it counts a request, sets the headers, and refuses what is
// over a limit. The delay grows while a client keeps pushing.
func (s *Simulator) throttle(h http.Header, env string) *failure {
	now := s.Clock.Now()
	spent := s.spent[env]
	if spent == nil {
		spent = &spending{}
		s.spent[env] = spent
	}
	spent.forget(now.Add(-window))
	wait := func(first time.Time) int {
		spent.refused++
		return int(first.Add(window).Sub(now).Seconds()) + spent.refused
	}
	var refused *failure
	switch {
	case s.running.Load() >= int64(s.settings.ConcurrencyLimit):
		refused = fail(http.StatusTooManyRequests, "0x80072326", "Number of concurrent requests exceeded the limit of %d.", s.settings.ConcurrencyLimit)
		refused.RetryAfter = wait(now.Add(-window))
	case len(spent.requests) >= s.settings.RequestLimit:
		refused = fail(http.StatusTooManyRequests, "0x80072322", "Number of requests exceeded the limit of %d over time window of 300 seconds.", s.settings.RequestLimit)
		refused.RetryAfter = wait(spent.requests[0])
	case spent.millis() >= s.settings.ExecutionMillis:
		refused = fail(http.StatusTooManyRequests, "0x80072321",
			"Combined execution time of incoming requests exceeded limit of %d milliseconds over time window of 300 seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.", s.settings.ExecutionMillis)
		refused.RetryAfter = wait(spent.charges[0].at)
	}
	if refused != nil {
		s.Counters.Add("limit "+refused.Code, 1)
		return refused
	}
	spent.refused = 0
	spent.requests = append(spent.requests, now)
	h.Set("x-ms-ratelimit-burst-remaining-xrm-requests", strconv.Itoa(s.settings.RequestLimit-len(spent.requests)))
	h.Set("x-ms-ratelimit-time-remaining-xrm-requests", strconv.Itoa(max(s.settings.ExecutionMillis-spent.millis(), 0)))
	h.Set("x-ms-dop-hint", "4")
	return nil
}

// charge adds the execution time of rows without sleeping, and counts them
// against the daily entitlement (§7.2).
func (s *Simulator) charge(env string, rows int) {
	if rows <= 0 {
		return
	}
	s.Counters.Add("operations", rows)
	if spent := s.spent[env]; spent != nil {
		spent.charges = append(spent.charges, charge{s.Clock.Now(), rows * s.settings.RowCostMillis})
	}
}

func (c *call) charge(rows int) { c.sim.charge(c.env.name, rows) }
