package extract

import "strings"

// place is the city line of an address.
type place struct {
	city, state, zip, country string
	to                        int
	strong                    bool // has a postal code, or a state behind a comma
}

// maxPlaceTokens is how far behind a street its city may end: a building's
// name, another column and two lines lie between at most.
const maxPlaceTokens = 26

// readPlace reads city, state and postal code behind a street. A street
// without a street word is shortened when its last word is the city.
func (r *run) readPlace(b *block, s *street) (place, bool) {
	from := max(s.to, s.unitTo)
	limit := min(len(b.tokens), from+maxPlaceTokens)
	best, bestAt := place{}, -1
	for k := from; k < limit; k++ {
		if b.low(k) == "?" || b.low(k) == "!" || b.low(k) == ";" || b.low(k) == "." && endsAfterDot(b, k) && b.kind(k+1) == word && !r.stateAhead(b, k+1) {
			break
		}
		st, n := r.stateAt(b, k)
		if n == 0 {
			continue
		}
		zip, m := zipAt(b, k+n, st.country)
		strong := zip != "" || b.low(k-1) == "," && b.tokens[k].capital != lowerCase
		if !strong && !plainState(b, k, n) && !(s.typed && k > from && (k+n >= len(b.tokens) && len(b.low(k)) == 2 || len(b.low(k)) > 3 && b.tokens[k].capital == upperFirst)) {
			continue
		}
		cityFrom, cityTo := r.cityBefore(b, s, from, k)
		if s.typed && b.low(cityFrom) == "in" && cityFrom+1 < cityTo {
			cityFrom++ // "22 Acacia Ave in Portland, Oregon"
		}
		if cityFrom >= cityTo || b.kind(cityFrom) == word && functionWords[b.low(cityFrom)] && b.low(cityFrom) != "the" && b.tokens[cityFrom].capital == lowerCase {
			continue
		}
		p := place{city: b.slice(cityFrom, cityTo), state: b.slice(k, k+n), zip: zip, to: k + n + m, strong: strong}
		if bestAt < 0 || p.zip != "" && best.zip == "" {
			best, bestAt = p, k
			best.to = k + n + m
			if bestAt == k && p.zip != "" {
				break
			}
		}
	}
	if bestAt < 0 {
		var ok bool
		if best, ok = r.zipPlace(b, s, from, limit); !ok {
			return place{}, false
		}
	}
	if _, name, n := r.countryAt(b, best.to); n > 0 {
		best.country, best.to = name, best.to+n
	}
	return best, true
}

func (r *run) stateAhead(b *block, k int) bool {
	for j := k; j < k+5; j++ {
		if _, n := r.stateAt(b, j); n > 0 {
			return true
		}
	}
	return false
}

// zipPlace takes a city before a lone ZIP code: "Evanston, 60201".
func (r *run) zipPlace(b *block, s *street, from, limit int) (place, bool) {
	for k := from; k < limit; k++ {
		if b.low(k) == "?" || b.low(k) == "!" {
			break
		}
		zip, m := zipAt(b, k, "US")
		if zip == "" || k == from {
			continue
		}
		cityFrom, cityTo := r.cityBefore(b, s, from, k)
		if cityFrom >= cityTo {
			return place{}, false
		}
		for j := cityFrom; j < cityTo; j++ {
			if functionWords[b.low(j)] {
				return place{}, false
			}
		}
		return place{city: b.slice(cityFrom, cityTo), zip: zip, to: k + m, strong: true}, s.typed
	}
	return place{}, false
}

// cityBefore finds the city between a street and the state at k: behind the
// last comma, else behind street and unit; of a street without a type it is
// the last words.
func (r *run) cityBefore(b *block, s *street, from, k int) (cityFrom, cityTo int) {
	cityTo = k
	for cityTo > from && (b.kind(cityTo-1) == punct) {
		cityTo--
	}
	cityFrom = cityTo
	words := 0
	for cityFrom > from && words < 5 {
		t := b.tokens[cityFrom-1]
		if t.kind == number || t.kind == punct && t.low != "." && t.low != "'" && t.low != "-" || b.newline(cityFrom) && cityFrom < cityTo {
			break
		}
		cityFrom--
		words++
	}
	for cityFrom < cityTo && b.kind(cityFrom) == punct {
		cityFrom++
	}
	if n := startsUnit(b, cityFrom); n > 0 && cityFrom+n < cityTo {
		cityFrom += n
	}
	if cityFrom < cityTo || s.typed || s.box || from != s.to {
		return cityFrom, cityTo
	}
	// "12 Via del Sol Tempe, Arizona"
	cityTo = s.to
	cityFrom = cityTo - 1
	for cityFrom-1 > s.from+1 && r.d.words.cityStarts[b.low(cityFrom-1)] {
		cityFrom--
	}
	if cityFrom <= s.from+1 {
		return cityTo, cityTo
	}
	s.to = cityFrom
	return cityFrom, cityTo
}

// stateAt reads a state or province at k and how many tokens it takes.
func (r *run) stateAt(b *block, k int) (state, int) {
	if b.kind(k) != word {
		return state{}, 0
	}
	low := b.low(k)
	for n := 3; n >= 2; n-- {
		if k+n > len(b.tokens) {
			continue
		}
		joined := low
		for j := 1; j < n; j++ {
			if b.kind(k+j) != word || b.newline(k+j) {
				joined = ""
				break
			}
			joined += " " + b.low(k+j)
		}
		if st, ok := r.d.words.states[joined]; ok && joined != "" {
			return st, n
		}
	}
	// N.Y., D.C.
	if len(low) == 1 && b.low(k+1) == "." && len(b.low(k+2)) == 1 && b.kind(k+2) == word {
		if st, ok := r.d.words.states[low+b.low(k+2)]; ok {
			n := 3
			if b.low(k+3) == "." {
				n = 4
			}
			return st, n
		}
	}
	if st, ok := r.d.words.states[low]; ok {
		if len(low) == 2 && b.tokens[k].capital == upperFirst {
			return state{}, 0 // "In", "Or", "Me" at a sentence's start
		}
		return st, 1
	}
	return state{}, 0
}

// plainState says whether a state without postal code and comma may be one:
// a code in capitals or a name, at the end or before a mark or a country.
func plainState(b *block, k, n int) bool {
	if len(b.low(k)) <= 3 && b.tokens[k].capital != allUpper {
		return false
	}
	next := k + n
	return next >= len(b.tokens) || b.kind(next) == punct || b.newline(next) || b.low(next) == "usa" || b.low(next) == "us" || b.low(next) == "united"
}

// zipAt reads a postal code at k, maybe behind a comma.
func zipAt(b *block, k int, country string) (string, int) {
	skip := 0
	if b.low(k) == "," || b.low(k) == "." {
		skip = 1
		k++
	}
	t := b.low(k)
	switch {
	case country == "CA":
		if len(t) == 6 && canadian(t) {
			return strings.ToUpper(t), skip + 1
		}
		if len(t) == 3 && len(b.low(k+1)) == 3 && canadian(t+b.low(k+1)) {
			return strings.ToUpper(t + " " + b.low(k+1)), skip + 2
		}
		if len(t) == 3 && b.low(k+1) == "-" && canadian(t+b.low(k+2)) {
			return strings.ToUpper(t + " " + b.low(k+2)), skip + 3
		}
	case country == "AU":
		if len(t) == 4 && allDigits(t) {
			return t, skip + 1
		}
	case len(t) == 5 && allDigits(t):
		if b.low(k+1) == "-" && len(b.low(k+2)) == 4 && allDigits(b.low(k+2)) && b.tokens[k+1].start == b.tokens[k].end {
			return t + "-" + b.low(k+2), skip + 3
		}
		return t, skip + 1
	case len(t) == 9 && allDigits(t):
		return t[:5] + "-" + t[5:], skip + 1
	}
	return "", 0
}

// canadian knows the form A1A1A1.
func canadian(s string) bool {
	if len(s) != 6 {
		return false
	}
	for i := 0; i < 6; i++ {
		if i%2 == 0 && !isLetterByte(s[i]) || i%2 == 1 && !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// countryAt reads a country's name at k, maybe behind commas or a line end.
func (r *run) countryAt(b *block, k int) (code, name string, tokens int) {
	start := k
	for b.low(k) == "," || b.low(k) == "." || b.low(k) == "-" {
		k++
	}
	if k >= len(b.tokens) || !r.d.words.countryStarts[b.low(k)] {
		return "", "", 0
	}
	for n := 5; n >= 1; n-- {
		if k+n > len(b.tokens) || b.kind(k) != word {
			continue
		}
		ok := true
		for j := 1; j < n; j++ {
			if b.newline(k + j) {
				ok = false
			}
		}
		if !ok {
			continue
		}
		value := b.d.text[b.tokens[k].start:b.tokens[k+n-1].end]
		low := strings.ToLower(strings.Trim(value, ". "))
		if code, found := r.d.words.countries[low]; found {
			if len(low) <= 3 && (b.tokens[k].capital != allUpper && low != "usa" || low == "us" && b.tokens[k].capital == lowerCase) {
				continue
			}
			return code, value, k + n - start
		}
	}
	return "", "", 0
}
