package access

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// mostKeys bounds a limiter's memory. An attacker who fills it makes it forget
// others' attempts, which the limit by address keeps slow.
const mostKeys = 10_000

// limiter allows each key a burst of attempts and then one per interval. It
// lives in one process: with several hosts the limit holds for each. Safe for
// concurrent use.
type limiter struct {
	every time.Duration
	burst int

	mu   sync.Mutex
	seen map[string]*rate.Limiter // guarded by mu
}

func newLimiter(every time.Duration, burst int) *limiter {
	return &limiter{every: every, burst: burst, seen: map[string]*rate.Limiter{}}
}

// take uses one attempt of key, or answers how long to wait for the next.
func (l *limiter) take(key string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, known := l.seen[key]
	if !known {
		if len(l.seen) >= mostKeys {
			l.forgetLocked(now)
		}
		bucket = rate.NewLimiter(rate.Every(l.every), l.burst)
		l.seen[key] = bucket
	}
	reservation := bucket.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// forgive gives key its whole burst back, after a success.
func (l *limiter) forgive(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, key)
}

// forgetLocked drops the keys that are as good as new, and if none is, a
// quarter of all.
func (l *limiter) forgetLocked(now time.Time) {
	for key, bucket := range l.seen {
		if bucket.TokensAt(now) >= float64(l.burst) {
			delete(l.seen, key)
		}
	}
	for key := range l.seen {
		if len(l.seen) <= mostKeys*3/4 {
			return
		}
		delete(l.seen, key)
	}
}
