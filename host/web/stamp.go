package web

import (
	"strconv"
	"time"
)

// stamp is a time as people and machines read it. The zero stamp is "never".
type stamp struct{ Machine, Day, Clock, Ago string }

// Set tells whether there is a time.
func (s stamp) Set() bool { return s.Machine != "" }

// stamp writes a time in the viewer's zone.
func (v *visit) stamp(at *time.Time) stamp {
	if at == nil || at.IsZero() {
		return stamp{}
	}
	local := at.In(v.zone)
	return stamp{
		Machine: at.UTC().Format(time.RFC3339), Day: local.Format("2 Jan 2006"), Clock: local.Format("15:04"), Ago: ago(v.now.Sub(*at), local, v.now.In(v.zone)),
	}
}

// ago is a short distance in words, for lists; after a week the day says more.
func ago(d time.Duration, at, now time.Time) string {
	switch {
	case d < -time.Minute:
		return at.Format("2 Jan 2006")
	case d < time.Minute:
		return text("ago.now")
	case d < time.Hour:
		return count("ago.minutes", int(d.Minutes()))
	case d < 24*time.Hour:
		return count("ago.hours", int(d.Hours()))
	case d < 7*24*time.Hour:
		return count("ago.days", int(d.Hours()/24))
	case at.Year() == now.Year():
		return at.Format("2 Jan")
	default:
		return at.Format("2 Jan 2006")
	}
}

// number writes a count with its thousands apart: 10,000.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
