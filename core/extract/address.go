package extract

import "strings"

// block is a run of the speaker's lines without a blank line between, cut into
// tokens: an address may go over its lines.
type block struct {
	d         *document
	tokens    []token
	line      int
	signature bool
}

// maxBlockTokens bounds a block; an address is shorter by far.
const maxBlockTokens = 4000

// findAddresses reads postal addresses: by their anchors (house number and
// street word, state and postal code) in sentences, by their lines in blocks.
func (r *run) findAddresses() {
	for _, b := range r.d.addressBlocks() {
		found := r.addressesIn(b)
		for _, a := range found {
			r.addAddress(b, a)
		}
	}
}

// addressBlocks collects the blocks that hold a digit.
func (d *document) addressBlocks() []*block {
	var out []*block
	for i := 0; i < len(d.spans); {
		j, digits := i, false
		for j < len(d.spans) && (j == i || d.spans[j].line == d.spans[j-1].line+1 && d.lines[d.spans[j].line].kind == d.lines[d.spans[j-1].line].kind && !d.blank(d.spans[j-1].line)) {
			digits = digits || strings.ContainsAny(d.text[d.spans[j].start:d.spans[j].end], "0123456789")
			j++
		}
		if digits {
			b := &block{d: d, line: d.spans[i].line, signature: d.lines[d.spans[i].line].kind == signature}
			size := d.spans[j-1].end - d.spans[i].start
			b.tokens = make([]token, 0, min(size/4+4, maxBlockTokens))
			for _, s := range d.spans[i:j] {
				b.tokens = tokenize(d.text, d.low, s.start, s.end, b.tokens)
				if len(b.tokens) > maxBlockTokens {
					out = append(out, b)
					b = &block{d: d, line: s.line, signature: b.signature}
				}
			}
			out = append(out, b)
		}
		i = j
	}
	return out
}

func (b *block) low(i int) string {
	if i < 0 || i >= len(b.tokens) {
		return ""
	}
	return b.tokens[i].low
}

// breaks says whether a line or a column ends before token i.
func (b *block) breaks(i int) bool {
	if i <= 0 || i >= len(b.tokens) {
		return true
	}
	between := b.d.text[b.tokens[i-1].end:b.tokens[i].start]
	return strings.ContainsAny(between, "\n\t") || len(between) > 4
}

// newline says whether a line ends before token i.
func (b *block) newline(i int) bool {
	return i <= 0 || i >= len(b.tokens) || strings.Contains(b.d.text[b.tokens[i-1].end:b.tokens[i].start], "\n")
}

func (b *block) kind(i int) tokenKind {
	if i < 0 || i >= len(b.tokens) {
		return punct
	}
	return b.tokens[i].kind
}

// slice is the text of tokens [i,j).
func (b *block) slice(i, j int) string {
	if i >= j {
		return ""
	}
	s := b.d.text[b.tokens[i].start:b.tokens[j-1].end]
	if strings.ContainsAny(s, "\n\t") {
		s = strings.Join(strings.Fields(s), " ")
	}
	return s
}

// foundAddress is an address with the tokens it covers.
type foundAddress struct {
	Address
	from, to   int
	confidence float64
	detector   string
}

// startsAddress: a house number or a post box; a street word or a postal code
// is reached from there.
func startsAddress(b *block, i int) bool {
	t := b.tokens[i]
	if t.kind == number || gridNumber(t.low) || numberWord(b, i) {
		return true
	}
	switch t.low {
	case "po", "p", "pob", "box", "route", "rr", "rural", "postbox", "hc":
		return true
	}
	return false
}

func (r *run) addAddress(b *block, a foundAddress) {
	span := Span{b.tokens[a.from].start, b.tokens[a.to-1].end}
	parts := a.Address
	f := Finding{Field: FieldAddress, Value: strings.Join(strings.Fields(b.d.text[span.Start:span.End]), " "), Normal: addressKey(parts), Address: &parts,
		Detector: a.detector, Confidence: a.confidence, Span: span}
	f.Whose, f.Stated = r.owner(span.Start, span.End, FieldAddress)
	if b.signature {
		f.Origin = OriginSignature
		f.Whose, f.Stated = WhoseSpeaker, true
	}
	r.add(f, b.line, "")
}

// addressKey is the form in which addresses are compared.
func addressKey(a Address) string {
	return strings.ToLower(strings.Join([]string{strings.Join(strings.Fields(a.Street), " "), a.City, a.State, a.Zip, a.Country}, "|"))
}
