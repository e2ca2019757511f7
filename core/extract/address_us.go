package extract

import "strings"

// street is a street that was read: tokens [from,to), without its unit.
type street struct {
	from, to         int
	unitFrom, unitTo int  // the unit, when it stands behind a comma or filler
	typed            bool // ends in a street word
	box, unit        bool
	named            bool // has a name between number and type
	capital          bool // its name is written with capitals, or is a number
}

func (b *block) streetText(s street) string {
	text := b.slice(s.from, s.to)
	if s.unitTo > s.unitFrom {
		text += " " + b.slice(s.unitFrom, s.unitTo)
	}
	text = strings.TrimRight(text, " ,")
	if last := text[strings.LastIndexByte(text, ' ')+1:]; len(last) > 5 {
		text = strings.TrimSuffix(text, ".") // the sentence's, not an abbreviation's
	}
	return text
}

// anchoredAddress reads an address whose parts go from small to large: number,
// street, unit, city, state, postal code (US, Canada, Australia).
func (r *run) anchoredAddress(b *block, i int) (foundAddress, bool) {
	s, ok := r.readStreet(b, i)
	if !ok {
		return foundAddress{}, false
	}
	end := s.to
	place, found := r.readPlace(b, &s)
	a := foundAddress{from: s.from, to: max(end, s.unitTo), detector: "address.street"}
	if found {
		a.City, a.State, a.Zip, a.Country = place.city, place.state, place.zip, place.country
		a.to = max(a.to, place.to)
		a.detector = "address.us"
	}
	a.Street = b.streetText(s)
	switch {
	case s.box && found:
		a.confidence = 0.92
	case s.box:
		a.confidence = 0.7
	case s.typed && found:
		a.confidence = 0.95
	case found && place.state != "" && (place.strong || s.unit) && !goesOn(b, i):
		a.confidence = 0.88
	case found && s.typed:
		a.confidence = 0.9
	case found:
		return a, false
	case countedThings[b.low(i-1)]:
		return a, false
	case s.typed && s.named && (s.capital || r.addressCue(b, i)):
		a.confidence = 0.85
	case s.typed && s.named:
		a.confidence = 0.55
	default:
		return a, false
	}
	return a, true
}

// countedThings have a number of their own behind them.
var countedThings = setOf("gate seat row terminal platform chapter level page version windows season episode line bus route flight table item step rule grade class lane track exit mile order")

// goesOn says whether the number at i continues a name: "Windows 10 Pro".
func goesOn(b *block, i int) bool {
	return i > 0 && b.kind(i-1) == word && !b.newline(i) && b.tokens[i-1].capital == upperFirst && !functionWords[b.low(i-1)]
}

// addressCue says whether the words before token i speak of a place.
func (r *run) addressCue(b *block, i int) bool {
	for k := i - 1; k >= 0 && k >= i-8; k-- {
		switch b.low(k) {
		case "address", "located", "live", "lives", "living", "ship", "deliver", "delivery", "mail", "sent", "send", "at", "home", "house", "moved", "office":
			return true
		}
	}
	return false
}

// readStreet reads a street that starts with a house number or post box at i.
func (r *run) readStreet(b *block, i int) (street, bool) {
	if s, ok := readBox(b, i); ok {
		return s, true
	}
	named := gridNumber(b.low(i)) || numberWord(b, i)
	if !named && (b.kind(i) != number || !houseNumber(b, i)) {
		return street{}, false
	}
	s := street{from: i}
	j := i + 1
	if b.kind(j) == number && b.low(j+1) == "/" && b.kind(j+2) == number { // 1234 1/2
		j += 3
	}
	// 105-25, 12/3, 1/2
	for j+1 < len(b.tokens) && (b.low(j) == "-" || b.low(j) == "/") && b.tokens[j].start == b.tokens[j-1].end && b.kind(j+1) == number && b.tokens[j+1].start == b.tokens[j].end {
		j += 2
	}
	if b.low(j) == "," { // "13, Some Street" is another country's way
		return s, false
	}
	nameFrom := j
	typeAt := -1
	weakAt := -1
	words := 0
	for ; j < len(b.tokens) && words < 8; j++ {
		if b.newline(j) || b.breaks(j) && j > nameFrom {
			break
		}
		t := b.tokens[j]
		if t.kind == punct {
			if t.low == "." && b.tokens[j-1].end == t.start || t.low == "'" {
				if t.low == "." && j+1 < len(b.tokens) && endsAfterDot(b, j) {
					break
				}
				continue
			}
			break
		}
		if j > nameFrom && startsUnit(b, j) > 0 {
			break
		}
		if n := r.numberedRoad(b, j); n > j {
			s.typed, s.named, s.capital = true, true, true
			s.to = n
			return r.finishStreet(b, s), true
		}
		words++
		if t.kind == word && j > nameFrom && r.d.words.strongStreet[t.low] && words > 1 && !(weakAt >= 0 && weakAt == j-1 && saintAhead(b, j)) {
			typeAt = j
			break
		}
		if t.kind == word && j > nameFrom && r.d.words.weakStreet[t.low] && words > 1 {
			weakAt = j
			continue
		}
		if weakAt >= 0 && j > weakAt+2 {
			break
		}
		if badInStreet(b, j, nameFrom) {
			break
		}
	}
	if typeAt < 0 && (b.low(nameFrom) == "avenue" || b.low(nameFrom) == "ave") && b.low(nameFrom+1) == "of" {
		typeAt = nameFrom // Avenue of the Americas
	}
	if typeAt < 0 && weakAt >= 0 && !counts(b, nameFrom) {
		typeAt = weakAt
	}
	if typeAt < 0 {
		s.unit = startsUnit(b, j) > 0
		s.to = j
		for s.to > nameFrom && b.kind(s.to-1) == punct {
			s.to--
		}
		s.named = s.to > nameFrom && b.kind(nameFrom) == word && !functionWords[b.low(nameFrom)] && !counts(b, nameFrom) && !badRange(b, nameFrom, s.to)
		if s.unit {
			return r.finishStreet(b, s), s.named
		}
		return s, s.named
	}
	if badRange(b, nameFrom, typeAt) || counts(b, nameFrom) {
		return s, false
	}
	s.typed, s.named = true, typeAt > nameFrom || b.low(typeAt+1) == "of"
	s.to = typeAt + 1
	for s.to < len(b.tokens) && !b.newline(s.to) { // "Street Crt", "Ave."
		switch {
		case b.low(s.to) == "." && b.tokens[s.to].start == b.tokens[s.to-1].end && !endsAfterDot(b, s.to):
			s.to++
			continue
		case b.kind(s.to) == word && r.d.words.strongStreet[b.low(s.to)] && b.tokens[s.to].start-b.tokens[s.to-1].end <= 1 && !saintAhead(b, s.to):
			s.to++
			continue
		}
		break
	}
	if b.low(typeAt) == "avenue" || b.low(typeAt) == "ave" || b.low(typeAt) == "avenida" {
		if b.low(s.to) == "of" && b.low(s.to+1) == "the" && s.to+2 < len(b.tokens) {
			s.to += 3
		}
	}
	s.capital = capitalised(b, nameFrom, typeAt+1)
	return r.finishStreet(b, s), true
}

// endsAfterDot: the dot at j ends a sentence ("… Turk Street. Call me").
func endsAfterDot(b *block, j int) bool {
	before := b.tokens[j-1]
	return before.kind == word && before.end-before.start > 4 && j+1 < len(b.tokens) && b.tokens[j+1].start > b.tokens[j].end
}

func capitalised(b *block, from, to int) bool {
	for k := from; k < to; k++ {
		t := b.tokens[k]
		if t.kind == number || t.kind == word && t.capital != lowerCase {
			return true
		}
	}
	return false
}

// houseNumber: up to six digits, maybe a letter; no time, price, share or
// ordinal.
func houseNumber(b *block, i int) bool {
	t := b.tokens[i]
	digits := 0
	for digits < len(t.low) && isDigit(t.low[digits]) {
		digits++
	}
	if digits == 0 || digits > 6 || len(t.low)-digits > 1 && !strings.ContainsAny(t.low[digits:], "0123456789") {
		return false
	}
	if i > 0 && b.tokens[i-1].end == t.start {
		if b.low(i-1) == "," && i > 1 && b.kind(i-2) == number && b.tokens[i-2].end == b.tokens[i-1].start {
			return false // 2,160
		}
		switch b.low(i - 1) {
		case "$", "£", "€", "#", "/", "-", ":", "+", "@":
			return false
		case ".":
			if i > 1 && b.kind(i-2) == number && b.tokens[i-2].end == b.tokens[i-1].start {
				return false
			}
		}
	}
	if i+1 < len(b.tokens) && b.tokens[i+1].start == t.end {
		switch b.low(i + 1) {
		case "%", ":", "$", "€":
			return false
		case ".":
			return i+2 >= len(b.tokens) || b.kind(i+2) != number
		}
	}
	return true
}

// gridNumber knows house numbers of Wisconsin's and Illinois' grids: N6W23001.
func gridNumber(low string) bool {
	return len(low) >= 4 && len(low) <= 10 && strings.IndexByte("nsew", low[0]) >= 0 && isDigit(low[1]) && isDigit(low[len(low)-1])
}

// numberWord: "One Microsoft Way".
func numberWord(b *block, i int) bool {
	if b.tokens[i].capital != upperFirst || b.kind(i+1) != word || b.tokens[i+1].capital != upperFirst {
		return false
	}
	switch b.low(i) {
	case "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten":
		return true
	}
	return false
}

// measure words after a number count things and name no street.
var measure = setOf("minute minutes min mins hour hours hr hrs day days week weeks month months year years mile miles km kilometers meter meters feet foot ft block blocks lane lanes bedroom bedrooms bed beds bath bathroom star stars story stories car cars people persons person guests adults kids children dollars dollar bucks euros pounds percent times time way ways of in to and or the a for from at on by is was am pm o'clock th st nd rd tickets ticket nights night rooms room options results items x more other different")

// badInStreet says whether the word at j can't be in a street's name.
func badInStreet(b *block, j, from int) bool {
	low := b.low(j)
	if !functionWords[low] || len(low) == 1 {
		return false
	}
	switch low {
	case "de", "la", "of", "the", "will", "may", "out", "an", "down", "over", "near", "north", "off":
		return j == from && low != "de" && low != "la" && low != "over"
	}
	return true
}

// counts says whether the word at k counts things: "20 minutes".
func counts(b *block, k int) bool {
	return measure[b.low(k)] && !(b.low(k) == "times" && k < len(b.tokens) && b.tokens[k].capital == upperFirst)
}

func badRange(b *block, from, to int) bool {
	for k := from; k < to; k++ {
		if b.kind(k) == word && badInStreet(b, k, from) {
			return true
		}
	}
	return false
}

// numberedRoad reads "State Road 7", "US 401 Hwy", "County Road Y", "Highway
// 82 East", "Avenue C" from j; it gives the token after it, or j.
func (r *run) numberedRoad(b *block, j int) int {
	k := j
	for direction(b.low(k)) {
		k++
		if b.low(k) == "." {
			k++
		}
	}
	switch {
	case b.low(k) == "u" && (b.low(k+1) == "s" || b.low(k+1) == "." && b.low(k+2) == "s"):
		for b.low(k) == "u" || b.low(k) == "s" || b.low(k) == "." {
			k++
		}
	case b.low(k) == "us" || b.low(k) == "state" || b.low(k) == "county" || b.low(k) == "old" || b.low(k) == "farm" || b.low(k) == "ranch":
		k++
	}
	modified := k > j
	switch b.low(k) {
	case "highway", "hwy", "hgwy", "route", "rte", "rt", "road", "rd", "interstate", "cr", "sr", "fm", "rr", "avenue", "ave", "loop":
		plain := b.low(k) == "highway" || b.low(k) == "hwy" || b.low(k) == "hgwy" || b.low(k) == "route" || b.low(k) == "rte" || b.low(k) == "rt" || b.low(k) == "cr" || b.low(k) == "sr" || b.low(k) == "fm" || b.low(k) == "interstate"
		id := k + 1
		if b.low(id) == "#" {
			id++
		}
		isNumber := b.kind(id) == number && !b.newline(id)
		isLetter := b.kind(id) == word && len(b.low(id)) == 1 && !b.newline(id) && !direction(b.low(id))
		if isNumber && (plain || modified || b.low(k) == "loop") || isLetter && (modified || b.low(k) == "avenue" || b.low(k) == "ave" || plain) {
			return b.afterDirection(id + 1)
		}
	default:
		// "US 401 Hwy S"
		if modified && b.kind(k) == number {
			switch b.low(k + 1) {
			case "highway", "hwy", "hgwy", "route", "rte":
				return b.afterDirection(k + 2)
			}
		}
	}
	return j
}

// finishStreet takes the direction and the unit behind a street.
func (r *run) finishStreet(b *block, s street) street {
	s.to = b.afterDirection(s.to)
	k := s.to
	// "Hill Road, N.W. Atlanta": a quadrant behind a comma.
	if b.low(k) == "," && quadrant(b, k+1) > 0 && !b.newline(k+1) {
		s.unitFrom, s.unitTo = k+1, k+1+quadrant(b, k+1)
		return s
	}
	if b.low(k) == "," || b.low(k) == "-" {
		k++
	}
	if n := startsUnit(b, k); n > 0 && b.low(k) != "no" {
		if k == s.to {
			s.to = k + n
		} else {
			s.unitFrom, s.unitTo = k, k+n
		}
		// a second unit: "Bldg 2, Ste 300"
		m := max(s.to, s.unitTo)
		if b.low(m) == "," {
			m++
		}
		if n := startsUnit(b, m); n > 0 && !b.newline(m) {
			if s.unitTo == 0 {
				s.unitFrom = m
			}
			s.unitTo = m + n
		}
	}
	return s
}

func direction(low string) bool {
	switch low {
	case "n", "s", "e", "w", "ne", "nw", "se", "sw", "north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest":
		return true
	}
	return false
}

// quadrant gives the length of "NW", "N.W.", "N W" at k, 0 for none.
func quadrant(b *block, k int) int {
	switch b.low(k) {
	case "ne", "nw", "se", "sw", "northeast", "northwest", "southeast", "southwest":
		if b.low(k+1) == "." {
			return 2
		}
		return 1
	case "n", "s":
		n := 1
		if b.low(k+n) == "." {
			n++
		}
		if b.low(k+n) == "e" || b.low(k+n) == "w" {
			n++
			if b.low(k+n) == "." {
				n++
			}
			return n
		}
	}
	return 0
}

// afterDirection steps over a direction behind a street's type, unless it
// begins the city ("Rd W. Palm Beach").
func (b *block) afterDirection(k int) int {
	if k >= len(b.tokens) || b.newline(k) {
		return k
	}
	if n := quadrant(b, k); n > 0 {
		return k + n
	}
	if !direction(b.low(k)) {
		return k
	}
	next := k + 1
	if b.low(next) == "." {
		next++
	}
	if directionCities[b.low(next)] {
		return k
	}
	return next
}

// directionCities are second words of cities like West Palm Beach.
var directionCities = setOf("palm hollywood haven hartford covina sacramento memphis bend orange brunswick moline lansing hampton providence paterson charleston myrtle platte hills monroe chester jordan fargo seneca babylon islip miami vegas hanover point lake valley plains bay brook bridgewater windsor berlin greenwich kingstown adams andover attleboro reading tonawanda ridgeville olmsted royalton canton richland augusta pasadena ogden salt elgin")

// saintAhead: "St" at k begins a city (St. Louis) and ends no street.
func saintAhead(b *block, k int) bool {
	if b.low(k) != "st" {
		return false
	}
	n := k + 1
	if b.low(n) == "." {
		n++
	}
	switch b.low(n) {
	case "louis", "paul", "petersburg", "augustine", "george", "charles", "cloud", "joseph", "albans", "johns", "john", "helena", "clair", "peters", "marys", "mary", "michaels", "simons", "francis", "martinville", "ignace", "pete", "bonaventure", "thomas", "croix", "anthony", "catharines", "catherines":
		return true
	}
	return false
}

// startsUnit gives the length of a unit at k ("Apt 4B", "# 12", "37th Floor"),
// 0 for none.
func startsUnit(b *block, k int) int {
	if k >= len(b.tokens) {
		return 0
	}
	switch b.low(k) {
	case "apt", "apartment", "ste", "suite", "unit", "rm", "room", "bldg", "building", "pmb", "lot", "spc", "space", "trlr", "dept", "department", "fl", "floor", "flat", "no", "#", "box":
		n := 1
		for b.low(k+n) == "." || b.low(k+n) == "#" || b.low(k+n) == ":" {
			n++
		}
		m := unitID(b, k+n)
		if m == 0 {
			return 0
		}
		return n + m
	}
	// 37th Floor, 2nd Fl
	if b.kind(k) == number && (b.low(k+1) == "floor" || b.low(k+1) == "fl") {
		return 2
	}
	return 0
}

// unitID reads "4B", "12-3B", "C312", "D".
func unitID(b *block, k int) int {
	if k >= len(b.tokens) || b.newline(k) {
		return 0
	}
	t := b.tokens[k]
	ok := t.kind == number || t.kind == word && (t.end-t.start == 1 || t.end-t.start <= 6 && strings.ContainsAny(t.low, "0123456789"))
	if !ok {
		return 0
	}
	n := 1
	for b.low(k+n) == "-" && k+n+1 < len(b.tokens) && b.tokens[k+n].start == b.tokens[k+n-1].end && b.tokens[k+n+1].start == b.tokens[k+n].end {
		n += 2
	}
	return n
}

// readBox reads "PO Box 12", "P.O. Box 12", "RR 2 Box 15", "Route Box # 15".
func readBox(b *block, i int) (street, bool) {
	k := i
	switch b.low(k) {
	case "p", "po":
		for b.low(k) == "p" || b.low(k) == "o" || b.low(k) == "po" || b.low(k) == "." {
			k++
		}
	case "rural", "route", "rr", "hc":
		for k < i+5 && b.low(k) != "box" {
			k++
		}
	case "box", "pob", "postbox":
		if b.low(i) == "box" && i > 0 && !b.newline(i) {
			return street{}, false
		}
	default:
		return street{}, false
	}
	if b.low(k) == "box" || b.low(k) == "pob" || b.low(k) == "postbox" {
		k++
	} else {
		return street{}, false
	}
	for b.low(k) == "#" || b.low(k) == "." || b.low(k) == "no" {
		k++
	}
	if b.kind(k) != number {
		return street{}, false
	}
	s := street{from: i, to: k + 1, box: true, typed: true, named: true, capital: true}
	return s, true
}
