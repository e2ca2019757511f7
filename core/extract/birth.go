package extract

import (
	"fmt"
	"strings"
	"time"
)

// months in the languages that birth dates come in.
var months = map[string]int{
	"january": 1, "jan": 1, "januar": 1, "janvier": 1, "enero": 1, "gennaio": 1, "januari": 1, "janeiro": 1,
	"february": 2, "feb": 2, "februar": 2, "février": 2, "fevrier": 2, "febrero": 2, "febbraio": 2, "februari": 2, "fevereiro": 2,
	"march": 3, "mar": 3, "märz": 3, "maerz": 3, "mars": 3, "marzo": 3, "maart": 3, "março": 3,
	"april": 4, "apr": 4, "avril": 4, "abril": 4, "aprile": 4,
	"may": 5, "mai": 5, "mayo": 5, "maggio": 5, "mei": 5, "maio": 5, "maj": 5,
	"june": 6, "jun": 6, "juni": 6, "juin": 6, "junio": 6, "giugno": 6, "junho": 6,
	"july": 7, "jul": 7, "juli": 7, "juillet": 7, "julio": 7, "luglio": 7, "julho": 7,
	"august": 8, "aug": 8, "août": 8, "aout": 8, "agosto": 8, "augustus": 8, "augusti": 8,
	"september": 9, "sep": 9, "sept": 9, "septembre": 9, "septiembre": 9, "settembre": 9, "setembro": 9,
	"october": 10, "oct": 10, "oktober": 10, "octobre": 10, "octubre": 10, "ottobre": 10, "outubro": 10, "okt": 10,
	"november": 11, "nov": 11, "novembre": 11, "noviembre": 11, "novembro": 11,
	"december": 12, "dec": 12, "dezember": 12, "décembre": 12, "decembre": 12, "diciembre": 12, "dicembre": 12, "dezembro": 12, "dez": 12,
}

// birthCues announce a birth date; "my" or nobody may own it.
var birthCues = [...]string{"date of birth", "dob", "d.o.b", "birth date", "birthdate", "birthday is", "birthday's", "i was born", "i'm born", "born on", "my birthday", "geboren am", "geburtsdatum", "geburtstag ist", "née le", "né le", "date de naissance", "nacido el", "nací el", "fecha de nacimiento", "nato il", "nata il", "data di nascita", "geboren op", "geboortedatum", "data de nascimento", "nascido em", "nasci em"}

// birthTriggers are words that every cue has one of.
var birthTriggers = setOf("birth dob d birthdate birthday birthday's born geboren geburtsdatum geburtstag née né naissance nacido nací nacimiento nato nata nascita geboortedatum nascimento nascido nasci")

// otherBirths own a birth date that is not the speaker's.
var otherBirths = [...]string{"son", "daughter", "wife", "husband", "mother", "father", "mom", "dad", "his", "her", "their", "child", "baby", "kid", "brother", "sister", "company", "founded", "friend", "boyfriend", "girlfriend", "your", "grandmother", "grandfather", "twins"}

// cueReach is how far, in bytes, a date may stand behind its cue.
const cueReach = 40

// findBirthDates reads a date of birth that is stated as one, or that answers
// our question for it.
func (r *run) findBirthDates() {
	for k := range r.d.sentences {
		s := &r.d.sentences[k]
		if !s.mayOpen(mayBeBirth) && s.question == "" {
			continue
		}
		text := r.d.low[s.start:s.end]
		at, cue := birthCue(text)
		answers := s.question != "" && len(s.tokens) <= 12 && asksBirth(s.question)
		if cue == "" && !answers {
			continue
		}
		for i, t := range s.tokens {
			if cue != "" && (t.start < s.start+at || t.start > s.start+at+len(cue)+cueReach) && !answers {
				continue
			}
			d, n := r.dateAt(s, i)
			if n == 0 {
				continue
			}
			r.addBirth(s, i, n, d, text)
			break
		}
	}
}

func birthCue(text string) (int, string) {
	for _, cue := range birthCues {
		if at := strings.Index(text, cue); at >= 0 && boundary(text, at, at+len(cue)) {
			return at, cue
		}
	}
	return 0, ""
}

func asksBirth(question string) bool {
	_, cue := birthCue(question)
	return cue != "" || strings.Contains(question, "born") || strings.Contains(question, "birthday")
}

// spokenDate is a date with what is uncertain about it.
type spokenDate struct {
	year, month, day int  // year 0: not said
	swappable        bool // day and month may be the other way round
}

// dateAt reads a date from token i and gives how many tokens it takes.
func (r *run) dateAt(s *sentence, i int) (spokenDate, int) {
	t := s.tokens[i]
	// 1980-02-03, 03/02/1980, 3.2.80
	if t.kind == number && allDigits(t.low) {
		if sep := s.low(i + 1); (sep == "/" || sep == "-" || sep == ".") && i+4 < len(s.tokens) && s.low(i+3) == sep && allDigits(s.low(i+2)) && allDigits(s.low(i+4)) {
			return r.numericDate(t.low, s.low(i+2), s.low(i+4), sep), 5
		}
		// 3 February 1980, 3rd of Feb
		day := ordinal(t.low)
		j := i + 1
		for s.low(j) == "of" || s.low(j) == "." || s.low(j) == "de" {
			j++
		}
		if m := months[s.low(j)]; m > 0 && day > 0 {
			y, n := yearAt(s, j+1)
			return spokenDate{year: y, month: m, day: day}, j + 1 + n - i
		}
	}
	if t.kind == number {
		if day := ordinal(t.low); day > 0 {
			j := i + 1
			for s.low(j) == "of" {
				j++
			}
			if m := months[s.low(j)]; m > 0 {
				y, n := yearAt(s, j+1)
				return spokenDate{year: y, month: m, day: day}, j + 1 + n - i
			}
		}
	}
	if m := months[t.low]; m > 0 && t.kind == word {
		j := i + 1
		for s.low(j) == "." || s.low(j) == "the" {
			j++
		}
		if day := ordinal(s.low(j)); day > 0 {
			y, n := yearAt(s, j+1)
			return spokenDate{year: y, month: m, day: day}, j + 1 + n - i
		}
	}
	return spokenDate{}, 0
}

// ordinal reads 1 to 31 with or without its ending.
func ordinal(low string) int {
	low = strings.TrimRight(low, "stndrh")
	if len(low) == 0 || len(low) > 2 || !allDigits(low) {
		return 0
	}
	n := int(low[0] - '0')
	if len(low) == 2 {
		n = n*10 + int(low[1]-'0')
	}
	if n > 31 {
		return 0
	}
	return n
}

func yearAt(s *sentence, j int) (year, tokens int) {
	n := 0
	for s.low(j) == "," || s.low(j) == "." || s.low(j) == "of" || s.low(j) == "de" {
		j++
		n++
	}
	if y := s.low(j); len(y) == 4 && allDigits(y) {
		return number4(y), n + 1
	}
	return 0, 0
}

func number4(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// monthFirst are the countries that write the month before the day.
var monthFirst = setOf("US PH FM MH PW")

func (r *run) numericDate(a, b, c, sep string) spokenDate {
	x, y, z := number4(a), number4(b), number4(c)
	if len(a) == 4 {
		return spokenDate{year: x, month: y, day: z}
	}
	if len(c) == 2 {
		z += 1900 // a birth date of this century is told by its four digits
		if number4(c) < 20 {
			z += 100
		}
	} else if len(c) != 4 {
		return spokenDate{}
	}
	d := spokenDate{year: z, month: y, day: x}
	if monthFirst[strings.ToUpper(r.d.settings.Region)] && sep != "." {
		d.month, d.day = x, y
	}
	if d.month > 12 && d.day <= 12 {
		d.month, d.day = d.day, d.month
		return d
	}
	d.swappable = d.month <= 12 && d.day <= 12 && d.month != d.day && r.d.settings.Region == ""
	return d
}

func (r *run) addBirth(s *sentence, i, n int, d spokenDate, text string) {
	from, to := s.tokens[i].start, s.tokens[i+n-1].end
	f := Finding{Field: FieldBirthDate, Value: r.d.text[from:to], Detector: "birth.date", Confidence: 0.93, Span: Span{from, to}, Whose: WhoseSpeaker, Stated: true}
	reason := ""
	switch {
	case d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31:
		reason = "no date of the calendar"
	case d.year == 0:
		f.Normal = fmt.Sprintf("--%02d-%02d", d.month, d.day)
	case d.year < 1890 || d.year > 2100:
		reason = "nobody alive was born that year"
	default:
		day := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
		if day.Day() != d.day {
			reason = "no date of the calendar"
		}
		f.Normal = day.Format(time.DateOnly)
	}
	if d.swappable {
		f.Confidence = 0.6
	}
	for _, other := range otherBirths {
		if hasWord(text[:from-s.start], other) {
			f.Whose, f.Stated, f.Confidence = WhoseOther, false, 0.5
			reason = "another's birth date"
		}
	}
	r.add(f, s.line, reason)
}
