package policy_test

import (
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/policy"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loaded, err := new(policy.Zones).Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func clock(t testing.TB, s string) policy.Clock {
	t.Helper()
	c, err := policy.ParseClock(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func window(t testing.TB, start, end string, days ...policy.Day) policy.Window {
	t.Helper()
	return policy.Window{Days: days, Start: clock(t, start), End: clock(t, end)}
}

func utc(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

var workdays = []policy.Day{"mon", "tue", "wed", "thu", "fri"}

// The window rows of §1.22, and the edges of R52–R54: is it open, and when is it
// next.
func TestGoldenWindows(t *testing.T) {
	t.Parallel()
	work := window(t, "09:00", "17:00", workdays...)
	late := window(t, "22:00", "02:00", "fri")
	for _, test := range []struct {
		name, zone string
		window     policy.Window
		at, next   string // next == at: open
	}{
		{"friday, the last second", "America/New_York", work, "2026-03-06T21:59:59Z", "2026-03-06T21:59:59Z"},
		{"friday, closed; daylight saving begins before monday", "America/New_York", work, "2026-03-06T22:00:00Z", "2026-03-09T13:00:00Z"},
		{"sunday of the autumn change", "America/New_York", work, "2026-11-01T05:30:00Z", "2026-11-02T14:00:00Z"},
		{"start is inside", "America/New_York", work, "2026-03-09T13:00:00Z", "2026-03-09T13:00:00Z"},
		{"overnight: saturday 01:00", "America/New_York", late, "2026-01-10T06:00:00Z", "2026-01-10T06:00:00Z"},
		{"overnight: saturday 02:00", "America/New_York", late, "2026-01-10T07:00:00Z", "2026-01-17T03:00:00Z"},
		{"overnight: friday 01:00", "America/New_York", late, "2026-01-09T06:00:00Z", "2026-01-10T03:00:00Z"},
		{"inside the spring gap: not that day", "America/New_York", window(t, "02:15", "02:45", "sun"), "2026-03-08T05:00:00Z", "2026-03-15T06:15:00Z"},
		{"starts in the spring gap: opens behind it", "America/New_York", window(t, "02:30", "05:00", "sun"), "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z"},
		{"repeated hour, first time", "America/New_York", window(t, "01:15", "01:45", "sun"), "2026-11-01T05:00:00Z", "2026-11-01T05:15:00Z"},
		{"repeated hour, between", "America/New_York", window(t, "01:15", "01:45", "sun"), "2026-11-01T05:45:00Z", "2026-11-01T06:15:00Z"},
		{"repeated hour, afterwards", "America/New_York", window(t, "01:15", "01:45", "sun"), "2026-11-01T06:45:00Z", "2026-11-08T06:15:00Z"},
		{"gap of half an hour", "Australia/Lord_Howe", window(t, "02:00", "02:30", "sun"), "2026-10-03T12:00:00Z", "2026-10-10T15:00:00Z"},
		{"gap at midnight: none that day", "America/Santiago", window(t, "00:00", "00:30", "sun"), "2026-09-06T00:00:00Z", "2026-09-13T03:00:00Z"},
		{"gap at midnight: opens behind it", "America/Santiago", window(t, "00:30", "02:00", "sun"), "2026-09-06T00:00:00Z", "2026-09-06T04:00:00Z"},
		{"a skipped day", "Pacific/Apia", window(t, "09:00", "17:00", "fri"), "2011-12-28T00:00:00Z", "2012-01-05T19:00:00Z"},
		{"24:00 as an end", "UTC", window(t, "23:00", "24:00", "sun"), "2026-11-01T23:59:59Z", "2026-11-01T23:59:59Z"},
		{"all day", "UTC", policy.Window{Days: []policy.Day{"mon"}, AllDay: true}, "2026-11-01T12:00:30Z", "2026-11-02T00:00:00Z"},
	} {
		hours := policy.NewHours([]policy.Window{test.window}, nil, zone(t, test.zone))
		at, want := utc(t, test.at), utc(t, test.next)
		if open := hours.Open(at); open != at.Equal(want) {
			t.Errorf("%s: open %v", test.name, open)
		}
		if got, ever := hours.NextOpen(at); !ever || !got.Equal(want) {
			t.Errorf("%s: next %s %v, want %s", test.name, got.UTC(), ever, want)
		}
	}
}

// "Night of" rows: how long an overnight window lasts when the clocks change.
func TestNightsOfTheChange(t *testing.T) {
	t.Parallel()
	hours := policy.NewHours([]policy.Window{window(t, "22:00", "04:00", "sat")}, nil, zone(t, "America/New_York"))
	for day, want := range map[string]time.Duration{"2026-03-07": 5 * time.Hour, "2026-10-31": 7 * time.Hour, "2026-06-06": 6 * time.Hour} {
		opens, _ := hours.NextOpen(utc(t, day+"T16:00:00Z"))
		closes, ever := hours.NextClosed(opens)
		if got := closes.Sub(opens); got != want || !ever {
			t.Errorf("night of %s: open for %s, want %s", day, got, want)
		}
	}
}

func TestHoursAlwaysAndNever(t *testing.T) {
	t.Parallel()
	now := utc(t, "2026-11-01T05:30:00Z")
	always := policy.NewHours(nil, nil, time.UTC)
	if next, ever := always.NextOpen(now); !always.Open(now) || !ever || !next.Equal(now) {
		t.Error("no windows are not any time (R47)")
	}
	if _, ever := always.NextClosed(now); ever {
		t.Error("what is always open closes")
	}
	evening := []policy.Window{window(t, "20:00", "22:00", "mon")}
	never := policy.NewHours(evening, evening, time.UTC)
	if next, ever := never.NextOpen(now); ever || never.Open(now) {
		t.Errorf("hours that quiet hours cover open at %s", next)
	}
}

// Any subset of days, several windows and their union (R48, R51).
func TestWindowsAddUp(t *testing.T) {
	t.Parallel()
	hours := policy.NewHours([]policy.Window{window(t, "09:00", "12:00", "mon", "wed"), window(t, "11:00", "14:00", "wed"), window(t, "22:00", "06:00", "sun")},
		[]policy.Window{window(t, "05:00", "09:30", "mon", "wed")}, time.UTC)
	for at, open := range map[string]bool{
		"2026-11-02T04:59:00Z": true, "2026-11-02T05:00:00Z": false, "2026-11-02T09:29:00Z": false, "2026-11-02T09:30:00Z": true, "2026-11-02T12:00:00Z": false,
		"2026-11-03T10:00:00Z": false, "2026-11-04T13:59:59Z": true, "2026-11-04T14:00:00Z": false, "2026-11-08T22:00:00Z": true,
	} {
		if got := hours.Open(utc(t, at)); got != open {
			t.Errorf("%s: open %v, want %v", at, got, open)
		}
	}
}

func TestZoneNames(t *testing.T) {
	t.Parallel()
	var zones policy.Zones
	for _, name := range []string{"", "Local", "+02:00", "UTC+2", "localtime", "posixrules", "posix/America/New_York", "right/UTC", "../etc/passwd", "/etc/localtime", "america/new_york", "Mars/Olympus", "Factory"} {
		if _, err := zones.Load(name); err == nil {
			t.Errorf("%q was taken for a time zone", name)
		}
		if name != "" && policy.CheckZone("timezone", name, &zones) == nil {
			t.Errorf("%q may be stored", name)
		}
	}
	for _, name := range []string{"America/New_York", "UTC", "Etc/GMT+5", "Asia/Kolkata", "EST5EDT"} {
		for range 2 { // read, then remembered
			if loaded, err := zones.Load(name); err != nil || loaded.String() != name {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
