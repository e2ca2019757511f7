package policy

import "math/bits"

const (
	minutesADay  = 24 * 60
	minutesAWeek = 7 * minutesADay
)

// week is a set of minutes of the week on a wall clock, the first being Monday
// 00:00. Windows become such sets, so that union, intersection and comparison
// need no cases: an overnight window is a run of minutes like any other.
type week [(minutesAWeek + 63) / 64]uint64

// weekOf is the union of windows.
func weekOf(windows []Window) (w week) {
	for _, window := range windows {
		for _, d := range window.Days {
			from := d.index() * minutesADay
			switch {
			case window.AllDay:
				w.add(from, from+minutesADay)
			case window.Start < window.End:
				w.add(from+int(window.Start), from+int(window.End))
			default:
				w.add(from+int(window.Start), from+minutesADay+int(window.End))
			}
		}
	}
	return w
}

// wholeWeek is every minute.
func wholeWeek() (w week) {
	w.add(0, minutesAWeek)
	return w
}

// add takes in the minutes from ≤ m < to, at least one; to may lie in the next week.
func (w *week) add(from, to int) {
	if to > minutesAWeek {
		w.add(0, to-minutesAWeek) // Sunday's night is Monday's morning
		to = minutesAWeek
	}
	first, last := from/64, (to-1)/64
	from64, to64 := ^uint64(0)<<(from%64), ^uint64(0)>>(63-(to-1)%64)
	if first == last {
		w[first] |= from64 & to64
		return
	}
	w[first] |= from64
	for i := first + 1; i < last; i++ {
		w[i] = ^uint64(0)
	}
	w[last] |= to64
}

func (w *week) has(minute int) bool { return w[minute/64]>>(minute%64)&1 == 1 }

// without takes the minutes of o away.
func (w *week) without(o *week) (left week) {
	for i := range w {
		left[i] = w[i] &^ o[i]
	}
	return left
}

func (w *week) empty() bool { return *w == week{} }

// within tells whether every minute of w is one of o.
func (w *week) within(o *week) bool {
	left := w.without(o)
	return left.empty()
}

// ahead is how many minutes after minute the next minute of the set comes, 0 for
// minute itself; the set must not be empty.
func (w *week) ahead(minute int) int {
	word, bit := minute/64, minute%64
	if rest := w[word] >> bit; rest != 0 {
		return bits.TrailingZeros64(rest)
	}
	for i := 1; ; i++ {
		at := (word + i) % len(w)
		if w[at] != 0 {
			next := at*64 + bits.TrailingZeros64(w[at])
			return (next - minute + minutesAWeek) % minutesAWeek
		}
	}
}
