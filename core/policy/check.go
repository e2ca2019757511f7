package policy

import (
	"fmt"
	"slices"
)

// Problem is a setting that can't be stored.
type Problem struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (p *Problem) Error() string { return p.Field + " " + p.Rule + ": " + p.WayOut }

// CheckChannels refuses what can't be preferred (R41–R44, R46).
func CheckChannels(field string, channels []Channel) *Problem {
	for i, c := range channels {
		switch {
		case c == Chat:
			return &Problem{field, "can't hold chat, which ends with its session", "choose among email, sms and phone"}
		case c != Email && c != SMS && c != Phone:
			return &Problem{field, fmt.Sprintf("hold %.20q, which is no channel", c), "choose among email, sms and phone"}
		case slices.Contains(channels[:i], c):
			return &Problem{field, "name " + string(c) + " twice", "name each channel once, the most preferred first"}
		}
	}
	return nil
}

// CheckWindows refuses windows that can't be meant (R48, R49, R53).
func CheckWindows(field string, windows []Window) *Problem {
	if len(windows) > MaxWindows {
		return &Problem{field, fmt.Sprintf("are %d, at most %d are kept", len(windows), MaxWindows), "join some"}
	}
	for _, w := range windows {
		if wrong := w.check(field); wrong != nil {
			return wrong
		}
	}
	return nil
}

func (w Window) check(field string) *Problem {
	if len(w.Days) == 0 {
		return &Problem{field, "hold a window without a day", "name at least one of mon to sun"}
	}
	for i, d := range w.Days {
		if d.index() < 0 {
			return &Problem{field, fmt.Sprintf("hold %.20q, which is no day", d), "write mon, tue, wed, thu, fri, sat or sun"}
		}
		if slices.Contains(w.Days[:i], d) {
			return &Problem{field, "name " + string(d) + " twice in one window", "name each day once"}
		}
	}
	inDay := func(c Clock) bool { return c >= 0 && c <= endOfDay }
	switch {
	case w.AllDay && (w.Start != 0 || w.End != 0):
		return &Problem{field, "hold a window that lasts all day and has hours", "leave out either"}
	case w.AllDay:
		return nil
	case !inDay(w.Start) || !inDay(w.End) || w.Start == endOfDay:
		return &Problem{field, "hold a time outside the day", "start between 00:00 and 23:59 and end by 24:00"}
	case w.Start == w.End:
		return &Problem{field, "hold a window that starts when it ends", "set all_day for a whole day, else another end"}
	}
	return nil
}

// CheckQuietHours is CheckWindows, and refuses what leaves no time at all.
func CheckQuietHours(field string, quiet []Window) *Problem {
	if wrong := CheckWindows(field, quiet); wrong != nil {
		return wrong
	}
	if weekOf(quiet) == wholeWeek() {
		return &Problem{field, "cover the whole week, so that nothing would ever leave", "leave some hours"}
	}
	return nil
}

// CheckZone refuses what is no IANA zone (R56).
func CheckZone(field, name string, zones *Zones) *Problem {
	if _, err := zones.Load(name); err != nil {
		return &Problem{field, fmt.Sprintf("%.70q is no time zone", name), "use an IANA name such as America/New_York"}
	}
	return nil
}

// CheckAutonomy refuses what is no step of autonomy.
func CheckAutonomy(field string, a Autonomy) *Problem {
	if !slices.Contains(Autonomies(), a) {
		return &Problem{field, fmt.Sprintf("%.20q is no step of autonomy", a), "choose off, suggest or act"}
	}
	return nil
}
