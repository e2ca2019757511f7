package extract

import "strings"

// owner decides whose value stands at text[start:end], by the words around it.
func (r *run) owner(start, end int, f Field) (Whose, bool) {
	before := r.d.low[max(0, start-60):start]
	if i := strings.LastIndexAny(before, "\n!?"); i >= 0 {
		before = before[i+1:]
	}
	switch {
	case hasWord(before, "my") || hasWord(before, "me"):
		return WhoseSpeaker, true
	case hasWord(before, "their") || hasWord(before, "them") || hasWord(before, "his") || hasWord(before, "her"):
		return WhoseOther, false
	}
	return WhoseUnknown, false
}

func hasWord(text, w string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], w)
		if i < 0 {
			return false
		}
		i += from
		if boundary(text, i, i+len(w)) {
			return true
		}
		from = i + len(w)
	}
}
