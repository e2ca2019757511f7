package extract_test

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers/v2"

	"github.com/clientele-crm/clientele/core/extract"
)

// prose has neither digits nor an @, the text in which a reader finds nothing
// and must be fast.
var prose = strings.Repeat("The meeting went well and everybody agreed that the garden needs some work before the summer. "+
	"We walked along the river, talked about the old bridge, and came back when it began to rain. "+
	"Nothing in this paragraph asks for an answer; it only goes on, as letters between friends do.\n", 400)

// BenchmarkRun measures a run beside the plain scan of the same bytes and the
// number matcher alone, and fails below the bars of issue 4: 2 MB/s on messages,
// 15 MB/s on prose. Metrics: MB for each second of processor time, and how many
// times slower than each.
func BenchmarkRun(b *testing.B) {
	dialogue := evalTexts(b)
	for _, c := range []struct {
		name, text string
		messages   []extract.Message
		least      float64 // MB per second of processor time
	}{
		{"messages", strings.Join(textsOf(dialogue), "\n"), dialogue, 2},
		{"prose", prose, []extract.Message{{Channel: extract.Chat, Text: prose}}, 15},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := extract.Settings{Region: "US"}
			size := 0
			for _, m := range c.messages {
				size += len(m.Text)
			}
			b.SetBytes(int64(size))
			best := math.Inf(1)
			for b.Loop() {
				best = min(best, timeOf(b, func() {
					for _, m := range c.messages {
						extract.Run(m, s)
					}
				}))
			}
			speed := float64(size) / 1e6 / best
			b.ReportMetric(speed, "MB/cpu_s")
			b.ReportMetric(best/timeOf(b, func() { scan(c.text) }), "x_scan")
			b.ReportMetric(best/timeOf(b, func() { matcherOnly(c.text) }), "x_FindNumbers")
			if speed < c.least {
				b.Errorf("%.1f MB per second of processor time; the bar is %.0f", speed, c.least)
			}
		})
	}
}

// timeOf is the least processor time of some runs, in seconds. Processor time
// and not the clock's, so that a busy machine doesn't change the outcome.
func timeOf(tb testing.TB, f func()) float64 {
	tb.Helper()
	best := math.Inf(1)
	for range 8 {
		best = min(best, once(tb, f))
	}
	return best
}

func once(tb testing.TB, f func()) float64 {
	tb.Helper()
	runtime.GC() // the collector's share starts the same each time
	start := cpuTime(tb)
	f()
	return max(cpuTime(tb)-start, time.Microsecond).Seconds()
}

// cpuTime is the processor time that this process used so far.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatalf("read the processor time: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var sink int

func scan(text string) {
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] == '@' {
			n++
		}
	}
	sink += n
}

func matcherOnly(text string) {
	for range phonenumbers.FindNumbers(text, "US") {
		sink++
	}
}

func textsOf(messages []extract.Message) []string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Text)
	}
	return out
}

// evalTexts are the messages of our evaluation set.
func evalTexts(tb testing.TB) []extract.Message {
	tb.Helper()
	files, err := filepath.Glob("testdata/eval/*.jsonl")
	if err != nil || len(files) == 0 {
		tb.Fatalf("testdata/eval: %v, %d files", err, len(files))
	}
	var out []extract.Message
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var m struct{ Channel, Text string }
			if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
				tb.Fatalf("%s: %v", name, err)
			}
			if m.Text != "" {
				out = append(out, extract.Message{Channel: extract.Channel(m.Channel), Text: m.Text})
			}
		}
		if err := f.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

// BenchmarkHostile runs six hostile inputs in two sizes and fails when twice the
// input takes more than 2.3 times the time. Metric: that ratio.
func BenchmarkHostile(b *testing.B) {
	for _, c := range hostile {
		b.Run(c.name, func(b *testing.B) {
			small, large := math.Inf(1), math.Inf(1)
			for b.Loop() {
				for range 10 { // noise only ever adds, so the least of many counts
					small = min(small, timeHostile(b, c.make(1<<17), c.mail))
					large = min(large, timeHostile(b, c.make(1<<18), c.mail))
				}
			}
			b.ReportMetric(large/small, "x_of_half")
			if large > 2.3*small {
				b.Errorf("twice the input takes %.2f times as long", large/small)
			}
		})
	}
}

func timeHostile(tb testing.TB, text string, mail bool) float64 {
	tb.Helper()
	return once(tb, func() {
		if mail {
			if m, err := extract.ReadMail([]byte(text)); err == nil {
				extract.Run(m.Message(extract.Inbound), extract.Settings{Region: "US"})
			}
			return
		}
		extract.Run(extract.Message{Channel: extract.Email, Headers: map[string]string{"from": "ann@example.com"}, Text: text}, extract.Settings{Region: "US"})
	})
}

var hostile = []struct {
	name string
	mail bool
	make func(n int) string
}{
	{"digits", false, func(n int) string { return strings.Repeat("2127365000 44 ", n/14) }},
	{"dots", false, func(n int) string { return strings.Repeat(".", n) }},
	{"at signs", false, func(n int) string { return strings.Repeat("a@", n/2) }},
	{"quotes", false, func(n int) string { return strings.Repeat("> On Monday Ann wrote:\n", n/23) }},
	{"nested MIME", true, nestedMail},
	{"long lines", false, func(n int) string { return strings.Repeat("I'm at 12 Main St, my name is Ann, ", n/35) }},
}

func nestedMail(n int) string {
	var b strings.Builder
	b.WriteString("From: ann@example.com\r\nSubject: deep\r\nMIME-Version: 1.0\r\n")
	for i := 0; b.Len() < n; i++ {
		b.WriteString("Content-Type: multipart/mixed; boundary=\"b" + strings.Repeat("x", i%7) + "\"\r\n\r\n--b" + strings.Repeat("x", i%7) + "\r\n")
	}
	b.WriteString("Content-Type: text/plain\r\n\r\nhello\r\n")
	return b.String()
}

// BenchmarkLargeMail reads and runs a mail of one megabyte and fails when that
// takes half a second or more.
func BenchmarkLargeMail(b *testing.B) {
	body := strings.Repeat("Please call me at 212-736-5000 or write to ann@example.com about order 12345.\r\n", 1<<20/79)
	raw := []byte("From: Ann Lee <ann@example.com>\r\nTo: shop@own.example\r\nSubject: long\r\n\r\n" + body)
	best := math.Inf(1)
	for b.Loop() {
		best = min(best, timeOf(b, func() {
			m, err := extract.ReadMail(raw)
			if err != nil {
				b.Fatal(err)
			}
			extract.Run(m.Message(extract.Inbound), extract.Settings{Region: "US"})
		}))
	}
	b.ReportMetric(1000*best, "ms/mail")
	if best >= 0.5 {
		b.Errorf("a mail of %d bytes took %.2f s", len(raw), best)
	}
}
