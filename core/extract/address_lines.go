package extract

import "strings"

// Bounds of an address written in lines.
const (
	maxAddressLines = 9
	maxAddressLine  = 70
)

// addressLines reads a block whose lines are an address: name, street, city
// with postal code, country. Lines with an @, a link or a phone are passed
// over, as signatures have them.
func (r *run) addressLines(b *block) (foundAddress, bool) {
	lines := b.shortLines()
	if len(lines) < 2 || len(lines) > maxAddressLines {
		return foundAddress{}, false
	}
	a := foundAddress{detector: "address.lines"}
	// The country stands alone on one of the last lines.
	countryAt := -1
	code := ""
	for k := len(lines) - 1; k >= max(1, len(lines)-2); k-- {
		if c, name, n := r.countryAt(b, lines[k].from); n > 0 && lines[k].from+n >= lines[k].to {
			a.Country, code, countryAt = name, c, k
			break
		}
	}
	streetAt, postAt := -1, -1
	best := 0
	for k, l := range lines {
		if k == countryAt {
			continue
		}
		zip, zipFrom, zipTo := r.postcodeIn(b, l)
		isPost := zip != "" && k > 0 && (streetAt >= 0 || !r.hasStreetWord(b, l))
		if isPost {
			if postAt < 0 {
				postAt = k
				a.Zip = zip
				a.City = r.cityOfLine(b, l, zipFrom, zipTo)
				if c, ok := r.d.words.countries[strings.ToLower(a.City)]; ok && a.Country == "" && k > 1 {
					a.Country, code, a.City = a.City, c, "" // "Cyprus 1010"
				}
			}
			continue
		}
		digits, streetWord := r.looksLikeStreet(b, l)
		score := 0
		if digits {
			score++
		}
		if streetWord {
			score += 2
		}
		if score > best && (postAt < 0 || streetAt < 0) {
			best, streetAt = score, k
		}
	}
	if streetAt < 0 || best == 2 && postAt < 0 || postAt < 0 && countryAt < 0 {
		return a, false
	}
	if a.City == "" {
		a.City = r.cityLine(b, lines, streetAt, postAt, countryAt)
	}
	if a.City == "" && cityStates[code] {
		a.City = a.Country
	}
	if a.City == "" {
		return a, false
	}
	l := lines[streetAt]
	a.Street = b.slice(l.from, l.to)
	if n := streetAt + 1; n < len(lines) && n != postAt && n != countryAt && startsUnit(b, lines[n].from) == lines[n].to-lines[n].from {
		a.Street += " " + b.slice(lines[n].from, lines[n].to)
	}
	a.from, a.to = l.from, lines[max(streetAt, postAt, countryAt)].to
	switch {
	case postAt >= 0 && countryAt >= 0, postAt >= 0 && best >= 2:
		a.confidence = 0.9
	case countryAt >= 0 && best >= 3:
		a.confidence = 0.85
	case countryAt >= 0 || postAt >= 0 && b.tokens[l.from].capital != lowerCase:
		a.confidence = 0.8
	default:
		a.confidence = 0.6
	}
	return a, true
}

// cityStates are countries whose name is their city's.
var cityStates = setOf("GI MC SG VA SM HK MO LU")

// shortLines gives the block's lines that can be part of an address; none when
// one of them is a sentence.
func (b *block) shortLines() []part {
	var out []part
	from := 0
	for k := 1; k <= len(b.tokens); k++ {
		if k < len(b.tokens) && !b.newline(k) {
			continue
		}
		text := b.d.text[b.tokens[from].start:b.tokens[k-1].end]
		switch {
		case strings.ContainsAny(text, "@?!") || strings.Contains(text, "://") || strings.Contains(text, "www."), len(onlyDigits(text)) > 8:
		case len(text) > maxAddressLine, k-from > 14, sentenceLike(b, from, k):
			if !b.signature {
				return nil
			}
		default:
			out = append(out, part{from, k})
		}
		from = k
	}
	return out
}

func sentenceLike(b *block, from, to int) bool {
	for k := from; k < to; k++ {
		switch b.low(k) {
		case "is", "are", "was", "i", "you", "please", "have", "will", "can", "we", "my", "your":
			if b.tokens[k].capital == lowerCase || b.low(k) == "i" || k == from {
				return true
			}
		}
	}
	return false
}

// postcodeIn finds a postal code at the start or the end of a line.
func (r *run) postcodeIn(b *block, l part) (zip string, from, to int) {
	if z, n := postcodeAt(b, l.from); n > 0 && (l.from+n >= l.to || b.kind(l.from+n) == word || b.low(l.from+n) == "-" || b.low(l.from+n) == ",") && !(r.d.words.streetAfter[b.low(l.to-1)] || r.d.words.streetBefore[b.low(l.from+n)]) {
		return z, l.from, l.from + n
	}
	for n := 1; n <= 4; n++ {
		k := l.to - n
		if k <= l.from {
			break
		}
		if z, m := postcodeAt(b, k); m == n && len(z) >= 4 {
			return z, k, l.to
		}
	}
	return "", 0, 0
}

// cityOfLine is what a line has besides its postal code.
func (r *run) cityOfLine(b *block, l part, zipFrom, zipTo int) string {
	p := part{l.from, zipFrom}
	if zipFrom == l.from {
		p = part{zipTo, l.to}
	}
	for p.from < p.to && b.kind(p.from) == punct {
		p.from++
	}
	for k := p.from; k < p.to; k++ { // up to a comma, a province code, CEDEX
		t := b.tokens[k]
		if t.low == "," || t.low == "(" || t.low == "cedex" || k > p.from && t.capital == allUpper && len(t.low) <= 3 && (b.tokens[p.from].capital == upperFirst) {
			p.to = k
			break
		}
	}
	for p.to > p.from && (b.kind(p.to-1) == punct || districtNumber(b, p)) {
		p.to--
	}
	if p.to > p.from && b.kind(p.from) == number {
		return ""
	}
	return b.slice(p.from, p.to)
}

// districtNumber: "Dublin 1", "Praha 10".
func districtNumber(b *block, l part) bool {
	switch b.low(l.from) {
	case "district", "ward", "zone", "quận", "level", "unit", "floor", "flat", "suite", "box":
		return false
	}
	return l.to-l.from == 2 && b.kind(l.from) == word && b.kind(l.from+1) == number && len(b.low(l.from+1)) <= 2
}

// cityLine takes a line of its own for the city: the one before a lone postal
// code, else the first behind the street.
func (r *run) cityLine(b *block, lines []part, streetAt, postAt, countryAt int) string {
	for k := streetAt + 1; k < len(lines); k++ {
		if k == postAt || k == countryAt || startsUnit(b, lines[k].from) == lines[k].to-lines[k].from {
			continue
		}
		if digits, _ := r.looksLikeStreet(b, lines[k]); digits && !districtNumber(b, lines[k]) {
			continue
		}
		if k+1 < len(lines) && postAt > k+1 && k+1 != countryAt && postAt == len(lines)-1 && countryAt < 0 {
			// street, district, city, code: the city is next to the code
			continue
		}
		if last := b.low(lines[k].to - 1); county[last] || strings.HasSuffix(last, "shire") {
			continue
		}
		return r.cityOfLine(b, part{lines[k].from, lines[k].to}, lines[k].to, lines[k].to)
	}
	return ""
}
