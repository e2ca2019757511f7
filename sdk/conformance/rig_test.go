package conformance_test

import (
	"net/http"
	"strings"
	"sync"
)

// adminPaths serves a simulator's admin paths where crm-simulator does.
func adminPaths(h http.Handler) http.Handler { return http.StripPrefix("/_sim/example", h) }

// logBuffer is written by a process and read by the suite.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
