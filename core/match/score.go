package match

import (
	"math"
	"slices"
	"strings"
)

// Profile is what two clients are compared by when the question is whether they
// are one person twice (R193). Every part may be empty.
type Profile struct {
	First, Last string
	Company     string
	Street      string
	City        string
	Zip         string
	// BirthDate is 1980-05-17, or --05-17 without a year (R35).
	BirthDate string
	// Mailbox: a shared mailbox and not a person (R9).
	Mailbox bool
	// Held are emails, phones and external ids in normal form.
	Held []Held
}

// Band sorts scores into what becomes of a pair.
type Band string

// Strong pairs are shown as duplicates, possible ones are for a person to
// judge, low ones are not shown.
const (
	Strong   Band = "strong"
	Possible Band = "possible"
	Low      Band = "low"
)

// Scored is how much speaks for two profiles being one person.
type Scored struct {
	// Bits is the sum of log2(m/u) over all comparisons, to a tenth: m is how often
	// the observation is made of one person's two records, u how often of two
	// people's (Fellegi and Sunter 1969; research/clients.md §2.2).
	Bits float64
	Band Band
	// Reasons say it in words, what identifies first: "same phone", "similar name",
	// "different zip".
	Reasons []string
}

// String is the sentence people read.
func (s Scored) String() string { return strings.Join(s.Reasons, ", ") }

// The bands. A tenant of a million clients has one right partner among a million
// for a record, so 20 bits make the odds even; blocking (see [Keys]) has spent
// part of them before a pair is scored. The two numbers were set on the labelled
// pairs of testdata/duplicates.jsonl that are not held out.
const (
	strongBits   = 18
	possibleBits = 10
)

// What a household or an employer has in common says little about which of its
// members somebody is. These facts (surname, phone, address, company) count in
// full only beside an agreeing first name.
const (
	unknownFirstShare = 0.5  // surname, address and company, when no first names meet
	otherPersonShare  = 0.25 // all four, beside another first name, birth date or id
)

// evidence is the outcome of one comparison; the zero value says nothing.
type evidence struct {
	bits   float64
	reason string
	// household: a family or firm has it in common.
	household bool
	// phone: household evidence that still counts in full without first names.
	phone bool
	// identifies: enough to be sure with, beside a name.
	identifies bool
	// otherPerson: it speaks for two people.
	otherPerson bool
}

// Score compares two clients. It is symmetric, depends on nothing but its
// arguments, and never falls when both sides gain the same fact (a company's
// records that become persons' aside: the company is no longer the name).
//
// A pair is strong only when something that identifies agrees (email, phone,
// birth date, id, street; phone and street not beside another last name) and
// nothing says that there are two people. Names alone, however rare, are possible
// at most.
func Score(a, b Profile) Scored {
	if a.Mailbox != b.Mailbox {
		return Scored{Bits: mailboxAgainst, Band: Low, Reasons: []string{"a shared mailbox beside a person"}}
	}
	x, y := newSide(a), newSide(b)
	name := compareNames(x, y)
	all := []evidence{
		compareIDs(x, y), compareEmails(x, y), comparePhones(x, y), compareBirth(x, y),
		name.first, name.last, compareCompanies(x, y), compareAddresses(x, y),
	}
	share := household{agree: name.firstAgrees || x.nameless() && y.nameless()}
	share.otherPerson = slices.ContainsFunc(all, func(e evidence) bool { return e.otherPerson })

	var s Scored
	identified := false
	for _, e := range all {
		s.Bits += e.bits * share.of(e)
		identified = identified || e.identifies && (!e.household || name.last.bits >= 0)
		if e.reason != "" {
			s.Reasons = append(s.Reasons, e.reason)
		}
	}
	s.Bits = math.Round(s.Bits*10) / 10
	switch {
	case s.Bits >= strongBits && identified && !share.otherPerson:
		s.Band = Strong
	case s.Bits >= possibleBits:
		s.Band = Possible
	default:
		s.Band = Low
	}
	return s
}

type household struct{ agree, otherPerson bool }

// of is the part of an evidence's weight that counts.
func (h household) of(e evidence) float64 {
	switch {
	case !e.household || e.bits <= 0:
		return 1
	case h.otherPerson:
		return otherPersonShare
	case h.agree || e.phone:
		return 1
	default:
		return unknownFirstShare
	}
}

// side is a profile made ready for comparing.
type side struct {
	Profile
	name    personName
	company string
	emails  []email
	phones  []Held
	ids     []Held
	zip     string
	street  []string
}

func newSide(p Profile) side {
	s := side{
		Profile: p, name: personName{comparedWords(p.First), comparedWords(p.Last)},
		company: loose(CompanyKey(p.Company)), zip: zipKey(p.Zip), street: streetWords(p.Street),
	}
	for _, h := range p.Held {
		switch {
		case h.Normal == "":
		case h.Kind == KindEmail:
			s.emails = append(s.emails, newEmail(h))
		case h.Kind == KindPhone:
			s.phones = append(s.phones, h)
		case h.Kind == KindExternal && h.Proved:
			s.ids = append(s.ids, h)
		}
	}
	return s
}

// nameless sides are known by their company or by nothing: there is no first
// name that could tell members of a household apart.
func (s side) nameless() bool { return s.name.empty() && s.company != "" }

// strongest is the evidence with the most bits over all pairs of two lists, or
// none when one of them is empty.
func strongest[T any](as, bs []T, compare func(a, b T) evidence) evidence {
	var best evidence
	found := false
	for _, a := range as {
		for _, b := range bs {
			if e := compare(a, b); !found || e.bits > best.bits || e.bits == best.bits && e.reason < best.reason {
				best, found = e, true
			}
		}
	}
	return best
}
