package plugin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

const (
	longestMessage = 4 << 10
	longestValue   = 1 << 10
	logsPerSecond  = 100
	logBurst       = 500
)

func newSink(log *slog.Logger) *sink {
	return &sink{log: log, limit: rate.NewLimiter(logsPerSecond, logBurst)}
}

// logger carries go-plugin's log, and through it the adapter's, into slog.
func (s *sink) logger() hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Trace, Output: io.Discard})
	l.RegisterSink(s)
	return l
}

// printed makes log lines of what an adapter prints while it serves: go-plugin
// takes its standard streams over then.
type printed struct {
	sink *sink
	from string // stdout or stderr

	mu      sync.Mutex
	partial []byte
	cut     bool // the line was longer than is kept
}

// Write is called with lines and parts of lines.
func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for rest := b; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		room := min(longestMessage-len(p.partial), len(line))
		p.partial, p.cut = append(p.partial, line[:room]...), p.cut || room < len(line)
		if !ended {
			break
		}
		if len(p.partial) > 0 {
			p.sink.line(p.from, string(p.partial), p.cut)
		}
		p.partial, p.cut, rest = p.partial[:0], false, after
	}
	return len(b), nil
}

// line logs what an adapter printed: nobody knows what is in it.
func (s *sink) line(from, text string, shortened bool) {
	if !s.log.Enabled(context.Background(), slog.LevelInfo) || !s.limit.Allow() {
		return
	}
	if shortened {
		text += "…"
	}
	s.log.Info(redact(text), "printed_to", from)
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
