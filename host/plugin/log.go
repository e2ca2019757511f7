package plugin

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

const (
	longestMessage = 4 << 10
	longestValue   = 1 << 10
	logsPerSecond  = 100
	logBurst       = 500
)

// newLogger carries go-plugin's log, and through it the adapter's, into slog.
func newLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	l.RegisterSink(&sink{log: log, limit: rate.NewLimiter(logsPerSecond, logBurst)})
	return l
}

// sink writes records of hclog to slog. A chatty adapter loses lines, never the
// host its disk.
type sink struct {
	log   *slog.Logger
	limit *rate.Limiter
}

// Accept implements hclog.SinkAdapter. Records without a name are go-plugin's own
// chatter; the adapter's come with its name.
func (s *sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	if name != "" {
		to = slogLevel(level)
	}
	if !s.log.Enabled(context.Background(), to) || !s.limit.Allow() {
		return
	}
	if len(args) == 0 {
		msg = redact(msg) // a stray line, perhaps of a panic; log records carry a time
	}
	attrs := make([]any, 0, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		attrs = append(attrs, slog.String(fmt.Sprint(args[i]), cut(fmt.Sprint(args[i+1]), longestValue)))
	}
	s.log.Log(context.Background(), to, cut(msg, longestMessage), attrs...)
}

func slogLevel(l hclog.Level) slog.Level {
	switch l {
	case hclog.Error:
		return slog.LevelError
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Info:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
