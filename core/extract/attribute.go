package extract

import "strings"

// Cues that say whose a value is. The one nearest to the value decides.
var (
	selfCues  = setOf("my me mine i'm im i we our us mein meine mich mir unser notre mon ma moi mi mio mia meu minha mijn")
	otherCues = setOf("his her hers him them their theirs he she they your yours sein seine ihr ihre leur son sa su suo sua zijn haar")
	kinWords  = setOf("wife husband son daughter mother father mom mum dad brother sister boss assistant colleague coworker friend neighbor neighbour partner girlfriend boyfriend uncle aunt cousin nephew niece lawyer accountant secretary roommate landlord doctor spouse fiance fiancee parents kids grandmother grandfather nurse caregiver frau mann sohn tochter mutter vater kollege kollegin chef femme mari fils fille collègue esposa esposo hijo hija compañero moglie marito figlio figlia vrouw man zoon dochter collega")
	reachOut  = setOf("call text email e-mail contact reach phone write ring message ask mail dial")
)

// ownerReach is how far back, in bytes, a cue may stand.
const ownerReach = 70

// owner decides whose value stands at text[start:end], by the words in front of
// it in its sentence, by our question, and by the signature.
func (r *run) owner(start, end int, f Field) (Whose, bool) {
	if i := r.d.lineAt(start); i >= 0 {
		if r.d.lines[i].kind == signature {
			return WhoseSpeaker, true
		}
		if q := r.d.lines[i].question; q != "" && asksFor(q, f) {
			return WhoseSpeaker, true
		}
	}
	if r.d.message.Channel == Email && r.d.underAnothersName(start) {
		return WhoseOther, false
	}
	from := max(0, start-ownerReach)
	if i := strings.LastIndexAny(r.d.low[from:start], "\n!?;"); i >= 0 {
		from += i + 1
	}
	tokens := tokenize(r.d.text, r.d.low, from, start, nil)
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		if t.kind == punct && t.low == "." && i+1 < len(tokens) && tokens[i+1].start > t.end && tokens[i+1].capital != lowerCase && i > 0 && len(tokens[i-1].low) > 3 {
			break // the sentence before
		}
		if t.kind != word {
			continue
		}
		low := strings.TrimSuffix(t.low, "'s")
		switch {
		case kinWords[low]:
			return WhoseOther, false
		case otherCues[low]:
			return WhoseOther, false
		case reachOut[low] && i+1 < len(tokens) && tokens[i+1].capital == upperFirst && r.d.words.isGiven(tokens[i+1].low) && !functionWords[tokens[i+1].low]:
			return WhoseOther, false // "call Ann at"
		case selfCues[low]:
			return WhoseSpeaker, true
		case r.d.message.Channel == Email && i > 0 && r.d.fullName(tokens[i-1:i+1]) && !agreesWithSender(r.d.sender, person{words: tokens[i-1 : i+1]}):
			return WhoseOther, false // "our counsel, Frank Dell, at"
		case r.d.message.Channel == Email && t.capital == upperFirst && r.d.words.isGiven(low) && !r.d.words.isCommon(low) && !agreesWithSender(r.d.sender, person{words: tokens[i : i+1]}):
			return WhoseOther, false // "Bob Roe can confirm at"
		}
	}
	return WhoseUnknown, false
}

// fullName knows a given name with another capitalised word behind it.
func (d *document) fullName(pair []token) bool {
	a, b := pair[0], pair[1]
	return a.kind == word && a.capital == upperFirst && b.capital == upperFirst && b.start == a.end+1 && !functionWords[a.low] && !functionWords[b.low] &&
		d.words.isGiven(a.low) && !d.words.isCommon(b.low)
}

// maxCard bounds a block of contact lines, in lines.
const maxCard = 6

// underAnothersName: the value stands in a block of short lines that begins with
// a name which is not the sender's, as in a list of contacts.
func (d *document) underAnothersName(at int) bool {
	i := d.lineAt(at)
	top := i
	for top > 0 && i-top < maxCard && d.lines[top-1].kind == own && !d.blank(top-1) && d.lines[top-1].end-d.lines[top-1].start <= maxAddressLine {
		top--
	}
	if i < 0 || top == i || top > 0 && d.lines[top-1].kind == own && !d.blank(top-1) {
		return false
	}
	l := d.lines[top]
	p, ok := readLoneName(d.words, d.text[l.start:l.end])
	return ok && p.given && p.first != "" && p.last != "" && d.sender.First+d.sender.Last != "" && !agreesWithSender(d.sender, p)
}

// isKin says whether a person close to the speaker owns the value: such a
// value is a suggestion at most (R133).
func (r *run) isKin(start int) bool {
	from := max(0, start-ownerReach)
	for _, t := range tokenize(r.d.text, r.d.low, from, start, nil) {
		if t.kind == word && kinWords[strings.TrimSuffix(t.low, "'s")] {
			return true
		}
	}
	return false
}

// lineAt is the index of the line that holds a byte, -1 for none.
func (d *document) lineAt(at int) int {
	lo, hi := 0, len(d.lines)
	for lo < hi {
		mid := (lo + hi) / 2
		if d.lines[mid].end < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(d.lines) && d.lines[lo].start <= at {
		return lo
	}
	return -1
}

// asksFor says whether our side asked for a field.
func asksFor(question string, f Field) bool {
	var cues []string
	switch f {
	case FieldEmail:
		cues = []string{"email", "e-mail", "mail address", "correo", "courriel"}
	case FieldPhone:
		cues = []string{"phone", "number", "call you", "reach you", "cell", "mobile", "telefon", "teléfono"}
	case FieldAddress:
		cues = []string{"address", "adresse", "dirección", "indirizzo", "ship", "where do you live"}
	}
	for _, c := range cues {
		if strings.Contains(question, c) {
			return true
		}
	}
	return false
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
