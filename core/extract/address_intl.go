package extract

import (
	"slices"
	"strings"
)

// part is a run of tokens between commas, line ends and sentence marks.
type part struct{ from, to int }

// internationalAddresses reads addresses around postal codes and country
// names: "Bahnhofstrasse 21, 8001 Zürich, Switzerland", "14 Abbey Road,
// London NW8 9AY".
func (r *run) internationalAddresses(b *block) []foundAddress {
	var out []foundAddress
	for k := 0; k < len(b.tokens); k++ {
		if zip, n := postcodeAt(b, k); n > 0 {
			if a, ok := r.aroundPostcode(b, k, n, zip); ok {
				out = append(out, a)
				k += n - 1
				continue
			}
		}
		if k > 0 && (b.low(k-1) == "," || b.newline(k)) {
			if _, name, n := r.countryAt(b, k); n > 0 {
				if a, ok := r.beforeCountry(b, k, n, name); ok {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// postcodeAt reads a postal code of any country's shape at k.
func postcodeAt(b *block, k int) (string, int) {
	low := b.low(k)
	glued := func(i int) bool { return i < len(b.tokens) && b.tokens[i].start == b.tokens[i-1].end }
	digitsAt := func(i, n int) bool { return i < len(b.tokens) && len(b.low(i)) == n && allDigits(b.low(i)) }
	if k > 0 && b.tokens[k-1].end == b.tokens[k].start && strings.Contains("$£€#+/.:", b.low(k-1)) && b.low(k-1) != "" {
		return "", 0
	}
	text := func(n int) string { return b.d.text[b.tokens[k].start:b.tokens[k+n-1].end] }
	if b.kind(k) == word {
		// CH-8001, SE-114 55
		if len(low) <= 2 && b.tokens[k].capital == allUpper && b.low(k+1) == "-" && glued(k+1) && b.kind(k+2) == number && glued(k+2) && len(b.low(k+2)) >= 3 && allDigits(b.low(k+2)) {
			if digitsAt(k+2, 3) && digitsAt(k+3, 2) {
				return text(4), 4
			}
			if len(b.low(k+2)) >= 4 {
				return text(3), 3
			}
			return "", 0
		}
		if b.tokens[k].capital != allUpper && b.tokens[k].capital != lowerCase && len(low) > 1 {
			return "", 0
		}
		switch {
		case outward(low) && inward(b.low(k+1)) && !b.newline(k+1):
			return strings.ToUpper(text(2)), 2
		case len(low) >= 5 && len(low) <= 7 && outward(low[:len(low)-3]) && inward(low[len(low)-3:]):
			return strings.ToUpper(low[:len(low)-3] + " " + low[len(low)-3:]), 1
		case len(low) == 8 && isLetterByte(low[0]) && allDigits(low[1:5]) && !strings.ContainsAny(low[5:], "0123456789"): // Argentina
			return strings.ToUpper(low), 1
		case len(low) == 3 && canadian(low+b.low(k+1)) && !b.newline(k+1):
			return strings.ToUpper(text(2)), 2
		case eircode(low, b.low(k+1)) && !b.newline(k+1):
			return strings.ToUpper(text(2)), 2
		}
		return "", 0
	}
	if b.kind(k) != number || !allDigits(low) {
		return "", 0
	}
	dash := b.low(k+1) == "-" && glued(k+1) && glued(k+2)
	switch n := len(low); {
	case n == 2 && dash && digitsAt(k+2, 3), n == 4 && dash && digitsAt(k+2, 3), n == 5 && dash && digitsAt(k+2, 3), n == 3 && dash && digitsAt(k+2, 4):
		return text(3), 3
	case n == 3 && digitsAt(k+1, 2) && !b.newline(k+1) && b.tokens[k+1].start == b.tokens[k].end+1:
		return text(2), 2
	case n == 4 && b.kind(k+1) == word && len(b.low(k+1)) == 2 && b.tokens[k+1].capital == allUpper && !b.newline(k+1) && b.kind(k+2) == word:
		return text(2), 2
	case n >= 4 && n <= 6:
		return low, 1
	}
	return "", 0
}

// outward and inward are the halves of a British postcode.
func outward(s string) bool {
	if len(s) < 2 || len(s) > 4 || !isLetterByte(s[0]) {
		return false
	}
	i := 1
	if isLetterByte(s[1]) {
		i = 2
	}
	if i >= len(s) || !isDigit(s[i]) {
		return false
	}
	return len(s) == i+1 || len(s) == i+2
}

func inward(s string) bool {
	return len(s) == 3 && isDigit(s[0]) && isLetterByte(s[1]) && isLetterByte(s[2])
}

// eircode knows Irish routing keys and identifiers: D02 AF30.
func eircode(a, b string) bool {
	return len(a) == 3 && len(b) == 4 && isLetterByte(a[0]) && isDigit(a[1]) && (isDigit(a[2]) || a[2] == 'w') && strings.ContainsAny(b, "0123456789") && isLetterByte(b[0])
}

// stops says whether a part of an address ends before token k.
func (b *block) stops(k int) bool {
	if k < 0 || k >= len(b.tokens) {
		return true
	}
	switch b.low(k) {
	case ",", ":", ";", "?", "!", "|", "\"", "(":
		return true
	case ".":
		if k == 0 || k+1 >= len(b.tokens) || b.tokens[k+1].start == b.tokens[k].end {
			return false
		}
		before := b.tokens[k-1]
		return len(before.low) > 4 || before.capital == lowerCase && b.tokens[k+1].capital == upperFirst && !abbreviations[before.low] && len(before.low) > 1
	}
	return false
}

// partBefore gives the part that ends right before token k.
func (b *block) partBefore(k int) part {
	for k > 0 && (b.low(k-1) == "," || b.low(k-1) == "-" && b.newline(k)) {
		k--
	}
	p := part{k, k}
	for p.from > 0 && !b.stops(p.from-1) && !(b.newline(p.from) && p.from < k) && k-p.from < 14 {
		p.from--
	}
	return p
}

// cityAfter gives the words of the city behind a postal code.
func (r *run) cityAfter(b *block, k int) part {
	if b.low(k) == "-" && !b.newline(k+1) { // 01001-Some City
		k++
	}
	p := part{k, k}
	for p.to < len(b.tokens) && p.to-k < 5 && !b.newline(p.to) {
		t := b.tokens[p.to]
		if t.kind == punct && (t.low == "-" || t.low == "'" || t.low == "/") && p.to > k && b.tokens[p.to-1].end == t.start {
			p.to++
			continue
		}
		if t.kind != word || functionWords[t.low] && t.capital == lowerCase || t.capital == lowerCase && p.to > k && !cityParticles[t.low] && r.capitalsMatter(b, k) {
			break
		}
		if len(t.low) == 2 && t.capital == allUpper && p.to > k { // "Como CO", "Paris CEDEX"
			break
		}
		if t.low == "cedex" {
			break
		}
		p.to++
	}
	return p
}

var cityParticles = setOf("am an der de la le les du des sur sous en bei im ob auf da do dos das di del della nad pri u upon on the of and el los las")

// capitalsMatter: the city's first word has a capital.
func (r *run) capitalsMatter(b *block, k int) bool {
	return k < len(b.tokens) && b.tokens[k].capital == upperFirst
}

func (r *run) aroundPostcode(b *block, k, n int, zip string) (foundAddress, bool) {
	a := foundAddress{detector: "address.international"}
	a.Zip = zip
	city := part{}
	distinct := strings.ContainsAny(zip, "- ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	// A plain number is a postal code only where a part of the address starts
	// or ends.
	opens := k == 0 || b.newline(k) || b.low(k-1) == ","
	if before := b.partBefore(k); !opens && b.tokens[k].kind == number && len(zip) == 5 {
		digits, streetWord := r.looksLikeStreet(b, before)
		opens = digits && streetWord
	}
	if after := r.cityAfter(b, k+n); after.to > after.from && !b.newline(k+n) && b.low(k+n) != "," && (opens || distinct) {
		city = after
	}
	at := k
	_, _, countryNext := r.countryAt(b, k+n)
	if city.to == city.from || countryNext > 0 && city.from == k+n && b.newline(k+n) {
		if !distinct && !(b.newline(k+n) || b.stops(k+n)) {
			return a, false
		}
		city = r.cityBeforeCode(b, &at, distinct)
	}
	if _, ok := r.d.words.countries[strings.ToLower(b.slice(city.from, city.to))]; ok && city.to <= k { // "Cyprus 1010"
		a.Country = b.slice(city.from, city.to)
		city = b.partBefore(city.from)
		for city.to > city.from && provinceWords[b.low(city.to-1)] {
			city = b.partBefore(city.from)
		}
		at = city.from
	}
	if city.to <= city.from || !cityLike(b, city) {
		return a, false
	}
	name := city
	if dublinDistrict(b, city, city.to-1) {
		name.to-- // the routing key says it again
	}
	a.City = b.slice(name.from, name.to)
	streetPart, sure, ok := r.streetBefore(b, min(at, city.from, k))
	if !ok || !plausibleStreet(b, streetPart) {
		return a, false
	}
	streetPart = withUnit(b, streetPart)
	a.from, a.to = streetPart.from, max(k+n, city.to)
	a.Street = b.slice(streetPart.from, streetPart.to)
	country := a.Country != "" || r.countryBehind(b, &a)
	switch {
	case sure && (country || distinct || b.tokens[city.from].capital != lowerCase):
		a.confidence = 0.9
	case country && streetPart.to-streetPart.from <= 8:
		a.confidence = 0.85
	case distinct && b.tokens[city.from].capital != lowerCase:
		a.confidence = 0.6
	default:
		return a, false
	}
	return a, true
}

// countryBehind reads the country after an address, maybe over one more part
// (a region).
func (r *run) countryBehind(b *block, a *foundAddress) bool {
	k := a.to
	for hop := 0; hop < 3; hop++ {
		if _, name, n := r.countryAt(b, k); n > 0 {
			a.Country, a.to = name, k+n
			return true
		}
		if b.low(k) != "," && !b.newline(k) && !(b.kind(k) == word && b.tokens[k].capital == allUpper && len(b.low(k)) == 2) {
			return false
		}
		if b.kind(k) == punct {
			k++
		}
		start := k
		for k < len(b.tokens) && !b.stops(k) && !(b.newline(k) && k > start) && k-start < 4 {
			k++
		}
		if k >= len(b.tokens) {
			return false
		}
	}
	return false
}

// cityBeforeCode takes the city in front of a postal code: "London NW8 9AY",
// "London, NW8 9AY". at moves to where the street must end.
func (r *run) cityBeforeCode(b *block, at *int, distinct bool) part {
	p := b.partBefore(*at)
	for range 2 {
		if p.to > p.from && (county[b.low(p.to-1)] || strings.HasSuffix(b.low(p.to-1), "shire")) && p.to-p.from <= 2 {
			p = b.partBefore(p.from)
			continue
		}
		break
	}
	// A state's code or name before an Australian code isn't the city.
	if p.to-1 > p.from {
		if st, ok := r.d.words.states[b.low(p.to-1)]; ok && st.country == "AU" {
			p.to--
		}
	}
	if p.to-p.from >= 3 && b.low(p.to-2) == "-" && b.tokens[p.to-1].capital == allUpper && len(b.low(p.to-1)) == 2 {
		p.to -= 2 // "São Paulo - SP"
	}
	for j := p.to - 1; j >= p.from; j-- { // no comma between street and city
		if dublinDistrict(b, p, j) {
			continue
		}
		if b.kind(j) == number && !distinct {
			return part{}
		}
		if b.kind(j) == number || r.d.words.streetAfter[b.low(j)] && j < p.to-1 {
			p.from = j + 1
			break
		}
	}
	*at = p.from
	return p
}

var provinceWords = setOf("province region oblast county governorate prefecture district department state raion krai canton provincia voivodeship municipality")

var county = setOf("kent surrey essex sussex norfolk suffolk devon cornwall dorset somerset cumbria durham merseyside middlesex rutland avon humberside clwyd dyfed gwent gwynedd powys fife highland tayside midlothian antrim armagh down tyrone fermanagh londonderry midlands yorkshire")

func cityLike(b *block, p part) bool {
	if p.to-p.from > 6 {
		return false
	}
	for k := p.from; k < p.to; k++ {
		if b.kind(k) == number && !dublinDistrict(b, p, k) {
			return false
		}
	}
	first := b.low(p.from)
	if startsUnit(b, p.from) > 0 || months[first] != 0 {
		return false
	}
	counted := measure[first] && p.from > 0 && b.kind(p.from-1) == number // "2 bath", not the city of Bath
	return b.kind(p.from) == word && !functionWords[first] && !counted
}

// dublinDistrict: the number of "Dublin 2" is no house number.
func dublinDistrict(b *block, p part, k int) bool {
	return k == p.to-1 && k > p.from && b.low(k-1) == "dublin" && len(b.low(k)) <= 2
}

// withUnit takes a unit that stands before the street: "Flat 2, 16 High Street".
func withUnit(b *block, street part) part {
	before := b.partBefore(street.from)
	for k := max(before.from, before.to-3); k < before.to && b.kind(street.from) == number; k++ {
		if startsUnit(b, k) == before.to-k {
			return part{k, street.to}
		}
	}
	return street
}

// streetBefore finds the street in the parts before token k. sure means that
// it has a street word.
func (r *run) streetBefore(b *block, k int) (p part, sure, ok bool) {
	for range 3 {
		p = b.partBefore(k)
		if p.to <= p.from {
			return p, false, false
		}
		digits, streetWord := r.looksLikeStreet(b, p)
		if digits && p.to-p.from <= 2 && b.kind(p.from) == number && !streetWord { // "Calle Mayor, 5"
			before := b.partBefore(p.from)
			if before.to > before.from {
				_, w := r.looksLikeStreet(b, before)
				return part{r.trimLead(b, before).from, p.to}, w, true
			}
			return p, false, false
		}
		if digits {
			t := r.trimLead(b, p)
			return t, streetWord || r.hasStreetWord(b, t), true
		}
		if before := b.partBefore(p.from); streetWord || before.to-before.from == 1 && b.kind(before.from) == number {
			if before.to-before.from == 1 && b.kind(before.from) == number { // "13, Some Street"
				return part{before.from, p.to}, streetWord, true
			}
			t := r.trimLead(b, p)
			return t, true, true
		}
		k = p.from
	}
	return p, false, false
}

func (r *run) looksLikeStreet(b *block, p part) (digits, streetWord bool) {
	for k := p.from; k < p.to; k++ {
		if b.kind(k) == number || b.kind(k) == word && isDigit(b.low(k)[len(b.low(k))-1]) {
			digits = true
		}
	}
	return digits, r.hasStreetWord(b, p)
}

func (r *run) hasStreetWord(b *block, p part) bool {
	for k := p.from; k < p.to; k++ {
		if b.kind(k) != word {
			continue
		}
		low := b.low(k)
		w := r.d.words
		if w.streetBefore[low] && k+1 < p.to || w.streetAfter[low] && k > p.from || w.streetBefore[low+"."] && b.low(k+1) == "." {
			return true
		}
		for _, e := range w.streetEndings {
			if len(low) > len(e)+2 && strings.HasSuffix(low, e) {
				return true
			}
		}
	}
	return false
}

// plausibleStreet refuses parts that run like a sentence.
func plausibleStreet(b *block, p part) bool {
	for k := p.from; k < p.to; k++ {
		t := b.tokens[k]
		if t.kind == word && t.capital == lowerCase && functionWords[t.low] && !particles[t.low] && !cityParticles[t.low] || b.low(k) == "." && b.stops(k) {
			return false
		}
		if k > p.from && t.kind == word && t.capital == lowerCase && measure[t.low] && b.kind(k-1) == number {
			return false
		}
	}
	return p.to > p.from
}

// trimLead drops the words of a sentence before a street: "it is 17 Rue …",
// "sent to Rua … 10".
func (r *run) trimLead(b *block, p part) part {
	first, last := -1, -1
	for k := p.from; k < p.to; k++ {
		if b.kind(k) == number {
			if first < 0 {
				first = k
			}
			last = k
		}
	}
	if first < 0 {
		first, last = p.to-1, p.to-1
	}
	// A street word in front of the number starts the street.
	for k := p.from; k < first; k++ {
		if r.d.words.streetBefore[b.low(k)] && b.tokens[k].capital != lowerCase {
			return part{k, p.to}
		}
	}
	if last < p.to-2 && first > p.from || last == first && first < p.to-1 && b.kind(p.to-1) == word && len(b.low(p.to-1)) > 1 {
		if first == p.from || !nameRunsInto(b, p.from, first) {
			return part{first, p.to}
		}
	}
	start := last
	for start > p.from {
		t := b.tokens[start-1]
		if t.kind == word && t.capital == lowerCase && !cityParticles[t.low] && !particles[t.low] && !r.d.words.streetBefore[t.low] && !r.d.words.streetAfter[t.low] {
			break
		}
		start--
	}
	for start < last && b.tokens[start].capital == lowerCase && cityParticles[b.low(start)] && !r.d.words.streetBefore[b.low(start)] {
		start++
	}
	return part{start, p.to}
}

// nameRunsInto says whether a capitalised word stands right before the number.
func nameRunsInto(b *block, from, number int) bool {
	return number > from && b.kind(number-1) == word && b.tokens[number-1].capital == upperFirst && !functionWords[b.low(number-1)]
}

// beforeCountry reads "Street 1, City, Country" without a postal code.
func (r *run) beforeCountry(b *block, k, n int, name string) (foundAddress, bool) {
	a := foundAddress{detector: "address.international"}
	city := b.partBefore(k)
	if city.to <= city.from || !cityLike(b, city) || city.to-city.from > 4 || b.tokens[city.from].capital == lowerCase {
		return a, false
	}
	streetPart, sure, ok := r.streetBefore(b, city.from)
	if !ok || !sure || !plausibleStreet(b, streetPart) {
		return a, false
	}
	a.from, a.to = streetPart.from, k+n
	a.Street, a.City, a.Country = b.slice(streetPart.from, streetPart.to), b.slice(city.from, city.to), name
	a.confidence = 0.85
	return a, true
}

// addressesIn reads a block with every reader and keeps the fullest reading of
// each stretch.
func (r *run) addressesIn(b *block) []foundAddress {
	var all []foundAddress
	for i := 0; i < len(b.tokens) && len(all) < 50; i++ {
		if startsAddress(b, i) {
			if a, ok := r.anchoredAddress(b, i); ok {
				all = append(all, a)
				i = max(i, a.to-1)
			}
		}
	}
	all = append(all, r.internationalAddresses(b)...)
	if a, ok := r.addressLines(b); ok {
		all = append(all, a)
	}
	slices.SortStableFunc(all, func(x, y foundAddress) int { return y.weight() - x.weight() })
	var kept []foundAddress
	for _, a := range all {
		if len(kept) < 20 && !slices.ContainsFunc(kept, func(k foundAddress) bool { return a.from < k.to && k.from < a.to }) {
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, func(x, y foundAddress) int { return x.from - y.from })
	return kept
}

// weight ranks readings of one stretch: parts first, then confidence.
func (a foundAddress) weight() int {
	w := int(a.confidence * 10)
	for _, p := range [...]string{a.City, a.Zip, a.State} {
		if p != "" {
			w += 10
		}
	}
	if a.Country != "" {
		w += 4
	}
	return w
}
