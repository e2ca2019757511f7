package match

import (
	"slices"
	"strings"
	"unicode"
)

// Ids, birth dates, companies, addresses.
const (
	idSame        = 20   // the tenant's own number for a person
	idAgainst     = -8   // m 0.004, u 1: another number of the same kind
	birthSame     = 10   // m 0.80, u 1/1300: relatives and guesses included; by chance alone u is 1/18000
	birthYearless = 7    // m 0.80, u 1/160: day and month
	birthDefault  = 1    // 1 January is what forms and clerks fill in
	birthNear     = 2    // m 0.02, u 1/200: one digit, or day and month swapped
	birthAgainst  = -10  // m 0.001, u 1
	companySame   = 3    // m 0.40, u 1/20: among those who share a key
	companyAlone  = 9    // m 0.90, u 1/570: the only name there is
	companyDomain = 2    // the same employer's mail domain
	companyApart  = -0.5 // people change jobs
	streetSame    = 8    // m 0.50, u 1/500
	streetMoved   = 4    // the same street, another zip
	zipSame       = 3    // m 0.60, u 1/13: among those who share a key
	citySame      = 1    // m 0.70, u 1/3
	zipAgainst    = -2   // m 0.25, u 0.98: people move
)

func compareIDs(a, b side) evidence {
	if len(a.ids) == 0 || len(b.ids) == 0 {
		return evidence{}
	}
	return strongest(a.ids, b.ids, func(x, y Held) evidence {
		kindX, _, _ := strings.Cut(x.Normal, ":")
		kindY, _, _ := strings.Cut(y.Normal, ":")
		switch {
		case x.Normal == y.Normal:
			return evidence{bits: idSame, reason: "same external id", identifies: true}
		case kindX != kindY && kindX != x.Normal && kindY != y.Normal:
			return evidence{} // ids of two systems say nothing
		default:
			return evidence{bits: idAgainst, reason: "different external id", otherPerson: true}
		}
	})
}

func compareBirth(a, b side) evidence {
	x, y := a.BirthDate, b.BirthDate
	if len(x) < 7 || len(y) < 7 {
		return evidence{}
	}
	yearX, dayX := x[:len(x)-6], x[len(x)-5:]
	yearY, dayY := y[:len(y)-6], y[len(y)-5:]
	yearless := yearX == "-" || yearY == "-"
	_, oneOff := oneReplaced(x, y)
	switch {
	case dayX == dayY && dayX == "01-01" && (yearless || yearX == yearY):
		return evidence{bits: birthDefault, reason: "same birth date"}
	case yearless && dayX == dayY:
		return evidence{bits: birthYearless, reason: "same birthday", identifies: true}
	case x == y:
		return evidence{bits: birthSame, reason: "same birth date", identifies: true}
	case !yearless && (oneOff || yearX == yearY && dayX[:2] == dayY[3:] && dayX[3:] == dayY[:2]):
		return evidence{bits: birthNear, reason: "similar birth date"}
	default:
		return evidence{bits: birthAgainst, reason: "different birth date", otherPerson: true}
	}
}

func compareCompanies(a, b side) evidence {
	same := a.company != "" && a.company == b.company
	switch {
	case a.nameless() && b.nameless() && same:
		return evidence{bits: companyAlone, reason: "same company"}
	case a.nameless() && a.company == b.asCompany(), b.nameless() && b.company == a.asCompany():
		return evidence{bits: companyAlone, reason: "a company under a person's name"}
	case same:
		return evidence{bits: companySame, reason: "same company", household: true}
	case sameEmployer(a.emails, b.emails):
		return evidence{bits: companyDomain, reason: "same company's email", household: true}
	case a.company != "" && b.company != "":
		return evidence{bits: companyApart, reason: "different company"}
	}
	return evidence{}
}

// asCompany reads a person's name as the company's name it sometimes is.
func (s side) asCompany() string {
	if s.name.empty() {
		return ""
	}
	return loose(CompanyKey(s.First + " " + s.Last))
}

// sameEmployer: two addresses at one domain that not everybody can have.
func sameEmployer(as, bs []email) bool {
	for _, a := range as {
		for _, b := range bs {
			if a.Normal != b.Normal && a.domain == b.domain && !a.free {
				return true
			}
		}
	}
	return false
}

func compareAddresses(a, b side) evidence {
	e := evidence{household: true}
	sameStreet := len(a.street) > 0 && len(b.street) > 0 && streetsAgree(a.street, b.street)
	zips := a.zip != "" && b.zip != ""
	switch {
	case sameStreet && zips && a.zip == b.zip, sameStreet && !zips:
		e.bits, e.reason, e.identifies = streetSame, "same street", true
	case sameStreet:
		e.bits, e.reason = streetMoved, "same street, different zip"
	case zips && a.zip == b.zip:
		e.bits, e.reason = zipSame, "same zip"
	case zips:
		e.bits, e.reason = zipAgainst, "different zip"
	case a.City != "" && loose(Fold(a.City)) == loose(Fold(b.City)):
		e.bits, e.reason = citySame, "same city"
	}
	return e
}

// zipKey is a postal code for comparing: letters and digits only, and without the
// four digits that the US adds to five.
func zipKey(zip string) string {
	if at := strings.IndexByte(zip, '-'); at == 5 && len(zip) == 10 && len(digitsOf(zip)) == 9 {
		zip = zip[:5]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, zip)
}

// streetWords are the words of a street line in one order and spelling, house
// numbers first.
func streetWords(street string) []string {
	words := strings.FieldsFunc(Fold(street), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		w = loose(w)
		if base, ok := strings.CutSuffix(w, "strasse"); ok {
			w = base + "str"
		}
		words[i] = streetShort(w)
	}
	slices.Sort(words)
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}

// streetShort is the short form of a word that is written both ways, and "" for
// one that is often left out.
func streetShort(word string) string {
	switch word {
	case "street", "saint":
		return "st"
	case "road":
		return "rd"
	case "avenue", "avenida", "av":
		return "ave"
	case "lane":
		return "ln"
	case "drive":
		return "dr"
	case "place", "plaza", "platz":
		return "pl"
	case "boulevard":
		return "blvd"
	case "court":
		return "ct"
	case "calle":
		return "c"
	case "rua":
		return "r"
	case "ulica":
		return "ul"
	case "apartment", "flat", "unit", "suite":
		return "apt"
	case "the", "de", "la", "du", "des", "da", "do", "no":
		return ""
	}
	return word
}

// streetsAgree wants the same numbers and nearly the same words.
func streetsAgree(a, b []string) bool {
	numbersA, wordsA := numbersApart(a)
	numbersB, wordsB := numbersApart(b)
	return slices.Equal(numbersA, numbersB) && len(numbersA) > 0 && alike(wordsA, wordsB) > nearlySame
}

func numbersApart(words []string) (numbers []string, text string) {
	var rest []string
	for _, w := range words {
		if strings.ContainsAny(w, "0123456789") {
			numbers = append(numbers, w)
		} else {
			rest = append(rest, w)
		}
	}
	return numbers, strings.Join(rest, " ")
}
