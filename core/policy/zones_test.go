package policy_test

import (
	"archive/zip"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/policy"
)

// What nextOpen promises: NextOpen(t) = min{u ≥ t : open(u)} (R55). The reference
// knows no zones' rules: it looks at the wall clock minute by minute.
//
// A run of the tests takes 40 changes of clocks by chance; BenchmarkAllZones (make
// bench) takes every change of every zone from 2020 to 2035.

func TestNextOpenAtChangesOfTheClock(t *testing.T) {
	t.Parallel()
	all := changes(t, zoneNames(t))
	for range 40 {
		c := all[rand.IntN(len(all))]
		rules := someWindows(rand.New(rand.NewPCG(rand.Uint64(), 0)))
		if err := compare(c, rules); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkAllZones(b *testing.B) {
	names := zoneNames(b)
	for b.Loop() {
		all := changes(b, names)
		work := make(chan change)
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for c := range work {
					if err := compare(c, someWindows(rand.New(rand.NewPCG(rand.Uint64(), 0)))); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for _, c := range all {
			work <- c
		}
		close(work)
		wg.Wait()
		b.ReportMetric(float64(len(names)), "zones")
		b.ReportMetric(float64(len(all)), "changes")
	}
}

// change is one moment at which a zone's clocks change.
type change struct {
	zone *time.Location
	at   time.Time
}

// changes are all of them from 2020 to 2035, and one moment of zones without any.
func changes(t testing.TB, names []string) (all []change) {
	t.Helper()
	for _, name := range names {
		z := zone(t, name)
		found := 0
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).In(z)
		for {
			_, end := at.ZoneBounds()
			if end.IsZero() || end.Year() > 2035 {
				break
			}
			at = end
			all = append(all, change{z, at})
			found++
		}
		if found == 0 {
			all = append(all, change{z, at.AddDate(6, 0, 0)})
		}
	}
	return all
}

// compare checks every minute for four hours around a change, and every 37th from
// two days before until nine days after, against the reference.
func compare(c change, rules []policy.Window) error {
	const before, after = 2 * 24 * 60, 9 * 24 * 60
	hours := policy.NewHours(rules, nil, c.zone)
	start := c.at.Add(-before * time.Minute)
	var next time.Time // the reference's, going backwards
	for m := before + after; m >= 0; m-- {
		at := start.Add(time.Duration(m) * time.Minute)
		open := onWallClock(rules, at.In(c.zone))
		if open {
			next = at
		}
		if next.IsZero() || (m%37 != 0 && (m < before-240 || m > before+240)) {
			continue
		}
		if hours.Open(at) != open {
			return fmt.Errorf("%s, %v at %s: open %v, want %v", c.zone, rules, at, !open, open)
		}
		if got, ever := hours.NextOpen(at); !ever || !got.Equal(next) {
			return fmt.Errorf("%s, %v after %s: next %s, want %s", c.zone, rules, at, got, next)
		}
		inMinute := at.Add(-time.Minute + 1001*time.Millisecond)
		want := next
		if onWallClock(rules, inMinute.In(c.zone)) {
			want = inMinute
		}
		if got, _ := hours.NextOpen(inMinute); !got.Equal(want) {
			return fmt.Errorf("%s, %v after %s: next %s, want %s", c.zone, rules, inMinute, got, want)
		}
	}
	return nil
}

// onWallClock is the reference: R53 and R54 as they stand.
func onWallClock(rules []policy.Window, local time.Time) bool {
	names := []policy.Day{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	today, yesterday := names[local.Weekday()], names[(local.Weekday()+6)%7]
	clock := policy.Clock(local.Hour()*60 + local.Minute())
	for _, w := range rules {
		onToday, onYesterday := slices.Contains(w.Days, today), slices.Contains(w.Days, yesterday)
		switch {
		case w.AllDay:
			if onToday {
				return true
			}
		case w.Start < w.End:
			if onToday && w.Start <= clock && clock < w.End {
				return true
			}
		case (onToday && w.Start <= clock) || (onYesterday && clock < w.End):
			return true
		}
	}
	return false
}

// someWindows are one to three rules; their hours crowd the night, when clocks
// change.
func someWindows(r *rand.Rand) (rules []policy.Window) {
	week := []policy.Day{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	for range 1 + r.IntN(3) {
		w := policy.Window{AllDay: r.IntN(12) == 0}
		for _, d := range week {
			if r.IntN(3) == 0 {
				w.Days = append(w.Days, d)
			}
		}
		if len(w.Days) == 0 {
			w.Days = []policy.Day{week[r.IntN(7)]}
		}
		if !w.AllDay {
			w.Start, w.End = policy.Clock(r.IntN(24*60)), policy.Clock(1+r.IntN(24*60))
			if r.IntN(2) == 0 {
				w.Start, w.End = policy.Clock(5*r.IntN(5*12)), policy.Clock(5*(1+r.IntN(5*12)))
			}
			if w.Start == w.End {
				w.End++
			}
		}
		rules = append(rules, w)
	}
	return rules
}

// zoneNames are all that Go's own copy of the database has.
func zoneNames(t testing.TB) (names []string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for _, file := range archive.File {
		if !file.FileInfo().IsDir() && file.Name != "Factory" {
			names = append(names, file.Name)
		}
	}
	if len(names) < 400 {
		t.Fatalf("only %d zones", len(names))
	}
	return names
}
