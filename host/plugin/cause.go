package plugin

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode"

	"golang.org/x/sys/unix"
)

const longestLine = 300

// cause says how an ended process ended, in words for the operator: exit code or
// signal, the kernel's hand in it, the line that a Go program dies with.
func (p *process) cause() string {
	p.hear()
	how := exitText(p.child.state)
	if killed(p.child.state) && oomKills() > p.oomKills {
		how += " by the kernel, for lack of memory"
	}
	if line := p.words.line(); line != "" {
		how += ": " + line
	}
	return how
}

func exitText(s *os.ProcessState) string {
	status, ok := s.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return "killed by " + unix.SignalName(status.Signal())
	}
	return "exit code " + strconv.Itoa(s.ExitCode())
}

func killed(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// oomKills counts the processes that the kernel has killed for lack of memory
// since boot; 0 where it does not say (proc(5), /proc/vmstat).
func oomKills() int64 {
	content, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(content), "\noom_kill ")
	number, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// words listens to an adapter's error output and remembers the line it dies with:
// the first of a panic, else the last plain one. Log lines are JSON and go to the
// log.
type words struct {
	mu      sync.Mutex
	partial []byte
	panicky string
	last    string
}

// Write is called with lines and parts of lines.
func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := b; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		w.partial = append(w.partial, line[:min(longestLine-len(w.partial), len(line))]...)
		if !ended {
			break
		}
		w.lineLocked(strings.TrimSpace(string(w.partial)))
		w.partial, rest = w.partial[:0], after
	}
	return len(b), nil
}

func (w *words) lineLocked(line string) {
	switch {
	case line == "" || strings.HasPrefix(line, "{"):
	case w.panicky == "" && (strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:")):
		w.panicky = line
	default:
		w.last = line
	}
}

func (w *words) line() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.panicky != "" {
		return redact(w.panicky)
	}
	return redact(w.last)
}

// head remembers the first line of what is written to it.
type head struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (h *head) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = append(h.text, b[:min(longestLine-len(h.text), len(b))]...)
	return len(b), nil
}

func (h *head) line() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	line, _, _ := strings.Cut(string(h.text), "\n")
	return strings.TrimSpace(line)
}

// redact takes from an adapter's stray line what may be a credential or personal:
// nobody can know what a panic's value holds.
func redact(line string) string {
	words := strings.Fields(line)
	for i, word := range words {
		if looksSecret(word) || i > 0 && strings.EqualFold(words[i-1], "Bearer") {
			words[i] = "[hidden]"
		}
	}
	return strings.Join(words, " ")
}

// looksSecret holds for addresses and for long words with digits in them, which
// tokens are, unless they are a file's path.
func looksSecret(word string) bool {
	const shortestToken = 16
	if strings.Contains(word, "@") {
		return true
	}
	return len(word) >= shortestToken && strings.ContainsFunc(word, unicode.IsDigit) &&
		strings.ContainsFunc(word, unicode.IsLetter) && !strings.HasPrefix(word, "/")
}
