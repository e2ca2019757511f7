package match

import "strings"

// loose drops what transcription adds: Müller is Muller and Mueller.
func loose(folded string) string {
	for _, vowel := range []string{"a", "o", "u"} {
		folded = strings.ReplaceAll(folded, vowel+"e", vowel)
	}
	return folded
}

// alike is the Jaro–Winkler similarity of two words, 0 to 1 (Winkler 1990, with
// his prefix scale of 0.1 over at most four letters). It doesn't depend on the
// order of its arguments.
func alike(a, b string) float64 {
	if a > b {
		a, b = b, a
	}
	x, y := []rune(a), []rune(b)
	jaro := jaroOf(x, y)
	prefix := 0
	for prefix < min(len(x), len(y), 4) && x[prefix] == y[prefix] {
		prefix++
	}
	return jaro + float64(prefix)*0.1*(1-jaro)
}

func jaroOf(x, y []rune) float64 {
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	window := max(max(len(x), len(y))/2-1, 0)
	takenX, takenY := make([]bool, len(x)), make([]bool, len(y))
	common := 0
	for i := range x {
		for j := max(0, i-window); j < min(len(y), i+window+1); j++ {
			if !takenY[j] && x[i] == y[j] {
				takenX[i], takenY[j] = true, true
				common++
				break
			}
		}
	}
	if common == 0 {
		return 0
	}
	outOfOrder, j := 0, 0
	for i := range x {
		if !takenX[i] {
			continue
		}
		for !takenY[j] {
			j++
		}
		if x[i] != y[j] {
			outOfOrder++
		}
		j++
	}
	m := float64(common)
	return (m/float64(len(x)) + m/float64(len(y)) + (m-float64(outOfOrder/2))/m) / 3
}

// edits counts insertions, deletions, replacements and swaps of neighbours that
// turn one word into the other (optimal string alignment).
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// swapped tells whether two words differ by one swap of neighbours.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	i := firstDifference(a, b)
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// oneReplaced gives the place where two words of one length differ, if it is the
// only one.
func oneReplaced(a, b string) (at int, ok bool) {
	if len(a) != len(b) {
		return 0, false
	}
	i := firstDifference(a, b)
	return i, i < len(a) && a[i+1:] == b[i+1:]
}

func firstDifference(a, b string) int {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return i
}
