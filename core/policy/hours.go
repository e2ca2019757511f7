package policy

import "time"

// Hours are times of the week in a zone: when contact is allowed.
type Hours struct {
	open week
	zone *time.Location
}

// NewHours are the hours inside any of the windows, or all hours if there are
// none (R47), without the quiet ones.
func NewHours(windows, quiet []Window, zone *time.Location) *Hours {
	open, closed := windowsOf(windows), weekOf(quiet)
	return &Hours{open: open.without(&closed), zone: zone}
}

func windowsOf(windows []Window) week {
	if len(windows) == 0 {
		return wholeWeek()
	}
	return weekOf(windows)
}

// Open tells whether t lies within the hours. The instant is brought onto the
// wall clock and compared there, so that daylight saving needs no rule of its
// own (R55).
func (h *Hours) Open(t time.Time) bool { return h.open.has(minuteOfWeek(t.In(h.zone))) }

// NextOpen is the first instant at or after t that lies within the hours; false
// when there is none, because nothing is left of them.
func (h *Hours) NextOpen(t time.Time) (time.Time, bool) { return next(&h.open, t.In(h.zone)) }

// NextClosed is the first instant at or after t outside the hours; false when
// there is none.
func (h *Hours) NextClosed(t time.Time) (time.Time, bool) {
	all := wholeWeek()
	closed := all.without(&h.open)
	return next(&closed, t.In(h.zone))
}

// next looks for the minute on the wall clock, as far as the present offset from
// UTC reaches; where the clocks change it looks again from there. Between two
// changes the wall clock runs evenly, so that no opening is computed from a local
// time that may not exist or exist twice.
func next(minutes *week, local time.Time) (time.Time, bool) {
	if minutes.empty() {
		return time.Time{}, false
	}
	for {
		found := local
		if ahead := minutes.ahead(minuteOfWeek(local)); ahead > 0 {
			sinceMinute := time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
			found = local.Add(time.Duration(ahead)*time.Minute - sinceMinute)
		}
		_, change := local.ZoneBounds()
		if change.IsZero() || found.Before(change) {
			return found, true
		}
		local = change
	}
}

func minuteOfWeek(local time.Time) int {
	monday := (int(local.Weekday()) + 6) % 7
	return monday*minutesADay + local.Hour()*60 + local.Minute()
}
