package simulator

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// observer counts how callers behave towards limits and failures (§12.4): what
// they send while they were told to wait, and what they send again after it
// failed. It sees injected answers too.
type observer struct {
	next http.Handler
	add  func(name string, n int)
	now  func() time.Time

	mu     sync.Mutex
	paused map[string]time.Time // by credential
	failed map[[sha256.Size]byte]bool
}

// The names of what the observer counts.
const (
	countPaused   = "requests during a pause"
	countRepeated = "requests repeated after a failure"
	countFailed   = "requests failed"
)

func (o *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	who := r.Header.Get("Authorization")
	what := sha256.Sum256([]byte(r.Method + " " + r.RequestURI + "\n" + string(body)))
	o.before(who, what)
	seen := &seenAnswer{ResponseWriter: w, status: http.StatusOK}
	defer func() { o.after(who, what, seen) }()
	o.next.ServeHTTP(seen, r)
}

func (o *observer) before(who string, what [sha256.Size]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now().Before(o.paused[who]) {
		o.add(countPaused, 1)
	}
	if o.failed[what] {
		o.add(countRepeated, 1)
		delete(o.failed, what)
	}
}

func (o *observer) after(who string, what [sha256.Size]byte, seen *seenAnswer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seen.status < 300 {
		return
	}
	o.add(countFailed, 1)
	o.failed[what] = true
	if seen.status != http.StatusTooManyRequests && seen.status != 477 {
		return
	}
	if seconds, err := strconv.Atoi(seen.Header().Get("Retry-After")); err == nil {
		o.paused[who] = o.now().Add(time.Duration(seconds) * time.Second)
	} else if strings.Contains(seen.start.String(), `"DAILY"`) {
		o.paused[who] = o.now().Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
}

// seenAnswer remembers the status and the beginning of an answer.
type seenAnswer struct {
	http.ResponseWriter
	status int
	start  bytes.Buffer
}

func (a *seenAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *seenAnswer) Write(p []byte) (int, error) {
	if a.start.Len() < 1000 {
		a.start.Write(p[:min(len(p), 1000)])
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *seenAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
