package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxWindows is the most windows one list takes.
const MaxWindows = 50

// Window is a time of the week, on the wall clock of whoever it is for. Start is
// inside, End is not. A window whose Start is later than its End reaches into the
// next day and belongs to the day it starts on (R53, R54).
type Window struct {
	Days  []Day `json:"days" minItems:"1" maxItems:"7" doc:"mon, tue, wed, thu, fri, sat, sun: the days the window starts on"`
	Start Clock `json:"start,omitzero" doc:"the first minute inside, such as 09:00"`
	End   Clock `json:"end,omitzero" doc:"the first minute outside, such as 17:00 or 24:00; earlier than start: on the next day"`
	// AllDay takes the place of Start and End.
	AllDay bool `json:"all_day,omitempty" doc:"the whole day, instead of start and end"`
}

// Day is a day of the week as it is written: mon to sun.
type Day string

// days in the order of the week, Monday first.
var days = [...]Day{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// index is 0 for Monday, -1 for no day.
func (d Day) index() int { return slices.Index(days[:], d) }

// Clock is a time of day in minutes since midnight, 0 to 1440 (24:00).
type Clock int

const endOfDay Clock = 24 * 60

var clockForm = regexp.MustCompile(`^([01][0-9]|2[0-4]):([0-5][0-9])$`)

// ParseClock reads "09:00"; 24:00 is the end of the day.
func ParseClock(s string) (Clock, error) {
	parts := clockForm.FindStringSubmatch(s)
	if parts == nil {
		return 0, clockError(s)
	}
	hour, _ := strconv.Atoi(parts[1]) // two digits each
	minute, _ := strconv.Atoi(parts[2])
	c := Clock(hour*60 + minute)
	if c > endOfDay {
		return 0, clockError(s)
	}
	return c, nil
}

func clockError(s string) error {
	return fmt.Errorf("time of day %.10q: write hours and minutes such as 09:00, at most 24:00", s)
}

// String writes what ParseClock reads.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// MarshalText writes the clock as String does.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what ParseClock reads.
func (c *Clock) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClock(string(text))
	return err
}

// MarshalJSON writes either the hours or all_day.
func (w Window) MarshalJSON() ([]byte, error) {
	if w.AllDay {
		return json.Marshal(map[string]any{"days": w.Days, "all_day": true})
	}
	return json.Marshal(map[string]any{"days": w.Days, "start": w.Start, "end": w.End})
}

// String says the window in words: "mon, tue 09:00–17:00".
func (w Window) String() string {
	names := make([]string, len(w.Days))
	for i, d := range w.Days {
		names[i] = string(d)
	}
	hours := "all day"
	if !w.AllDay {
		hours = w.Start.String() + "–" + w.End.String()
	}
	return strings.Join(names, ", ") + " " + hours
}
