package match

import "strings"

// Emails and phones. One owner a value is the rule in a tenant (R23), so two
// clients hold the same one only when it is marked as shared, and a typed one
// that somebody has already is the strongest sign there is.
const (
	emailSame      = 20  // m 0.60, u 6e-7
	emailRetyped   = 15  // m 0.05, u 1.5e-6: typing errors of one address
	emailShared    = 6   // m 0.60, u 1/100: the family's or the firm's
	localDistinct  = 10  // m 0.20, u 1/5000: a name of its own at two providers
	localLong      = 8   // m 0.20, u 1/1300
	localNamed     = 4   // m 0.30, u 1/50: made of the name, which is counted already
	localShort     = 2   // peter@ here and peter@ there
	localOneEdit   = 6   // m 0.02, u 1/3200: one letter off at one domain
	emailsApart    = -1  // m 0.45, u 0.98: people have several
	phoneSame      = 13  // m 0.70, u 9e-5: a household's included
	phoneVariant   = 12  // the same line, as numbering plans change
	phoneForeign   = 8   // m 0.01, u 4e-5: the same digits under another country code
	phoneSwapped   = 7   // m 0.01, u 8e-5
	phoneOneDigit  = 5   // m 0.02, u 6e-4
	phoneLastDigit = 3   // m 0.008, u 1e-3: numbers are handed out in blocks
	phoneLine      = 5   // m 0.05, u 1.6e-3: one without extension
	phoneShared    = 4   // m 0.70, u 1/23
	phoneExtension = 1   // other extension of the same line
	phonesApart    = -1  // m 0.45, u 0.98
	mailboxAgainst = -20 // a person is no mailbox (R9)
)

// email is an address taken apart for comparing.
type email struct {
	Held
	local, domain string
	// plain is the local part without +tag and punctuation.
	plain string
	free  bool
}

func newEmail(h Held) email {
	local, domain, _ := strings.Cut(h.Normal, "@")
	return email{Held: h, local: local, domain: domain, plain: plainLocal(local), free: IsFreeMail(domain)}
}

// plainLocal drops what people and providers add to a local part: a +tag, dots,
// hyphens.
func plainLocal(local string) string {
	base, _, _ := strings.Cut(local, "+")
	return localSigns.Replace(base)
}

var localSigns = strings.NewReplacer(".", "", "-", "")

func compareEmails(a, b side) evidence {
	if len(a.emails) == 0 || len(b.emails) == 0 {
		return evidence{}
	}
	names := append(a.name.long(), b.name.long()...)
	return strongest(a.emails, b.emails, func(x, y email) evidence { return emailEvidence(x, y, names) })
}

func emailEvidence(a, b email, names []string) evidence {
	switch {
	case a.Normal == b.Normal && (a.Shared || b.Shared):
		return evidence{bits: emailShared, reason: "same shared email", household: true, phone: true}
	case a.Normal == b.Normal:
		return evidence{bits: emailSame, reason: "same email", identifies: true}
	case a.domain == b.domain && a.plain == b.plain && a.plain != "":
		reason := "same email but for punctuation"
		if strings.Contains(a.local+b.local, "+") {
			reason = "same email but for a +tag"
		}
		return evidence{bits: emailRetyped, reason: reason, identifies: true}
	case a.plain == b.plain && a.plain != "" && typoOf(a, b):
		return evidence{bits: emailRetyped, reason: "same email but for a typo in its domain", identifies: true}
	case a.plain == b.plain && a.plain != "":
		return localEvidence(a, names)
	case a.domain == b.domain && min(len(a.plain), len(b.plain)) >= 6 && oneLetter(a.plain, b.plain):
		return evidence{bits: localOneEdit, reason: "email one letter off"}
	default:
		return evidence{bits: emailsApart, reason: "different email"}
	}
}

// localEvidence weighs the same local part at two domains.
func localEvidence(a email, names []string) evidence {
	e := evidence{reason: "same email name at another provider"}
	switch {
	case len(a.plain) < 4 || IsRoleAddress(a.Normal):
		return evidence{}
	case countDigits(a.plain) >= 2 && len(a.plain) >= 8:
		e.bits = localDistinct
	case madeOf(a.plain, names):
		e.bits = localNamed
	case len(a.plain) >= 8:
		e.bits = localLong
	default:
		e.bits = localShort
	}
	return e
}

// typoOf tells whether one domain is a slip of the other: one edit away, or two
// from a well-known one. Two well-known domains are never typos of each other.
func typoOf(a, b email) bool {
	if a.free && b.free || min(len(a.domain), len(b.domain)) < 6 {
		return false
	}
	n := edits(a.domain, b.domain)
	return n == 1 || n == 2 && a.free != b.free
}

// oneLetter: one edit that is none of a digit; anna1 and anna2 are two people.
func oneLetter(a, b string) bool {
	return edits(a, b) == 1 && digitsOf(a) == digitsOf(b)
}

func madeOf(local string, names []string) bool {
	for _, n := range names {
		if strings.Contains(local, n) {
			return true
		}
	}
	return false
}

// long are the words that are long enough to be recognised inside another.
func (n personName) long() []string {
	var words []string
	for _, w := range append(append([]string{}, n.first...), n.last...) {
		if len(w) >= 3 {
			words = append(words, w)
		}
	}
	return words
}

func comparePhones(a, b side) evidence {
	if len(a.phones) == 0 || len(b.phones) == 0 {
		return evidence{}
	}
	return strongest(a.phones, b.phones, phoneEvidence)
}

func phoneEvidence(a, b Held) evidence {
	e := evidence{household: true, phone: true}
	switch {
	case a.Normal == b.Normal && a.Extension != b.Extension && a.Extension != "" && b.Extension != "":
		e.bits, e.reason = phoneExtension, "same line, different extension"
	case a.Normal == b.Normal && a.Extension != b.Extension:
		e.bits, e.reason = phoneLine, "same line"
	case a.Normal == b.Normal && (a.Shared || b.Shared):
		e.bits, e.reason = phoneShared, "same shared phone"
	case a.Normal == b.Normal:
		e.bits, e.reason, e.identifies = phoneSame, "same phone", true
	case line(a.Normal) == line(b.Normal):
		e.bits, e.reason, e.identifies = phoneVariant, "same phone in another national form", true
	case ending(a.Normal, 9) != "" && ending(a.Normal, 9) == ending(b.Normal, 9):
		e.bits, e.reason = phoneForeign, "same phone digits under another country code"
	case swapped(a.Normal, b.Normal):
		e.bits, e.reason = phoneSwapped, "phone with two digits swapped"
	default:
		return oneDigit(a.Normal, b.Normal)
	}
	return e
}

func oneDigit(a, b string) evidence {
	at, ok := oneReplaced(a, b)
	switch {
	case !ok || at < 4: // another country or area
		return evidence{bits: phonesApart, reason: "different phone"}
	case at == len(a)-1:
		return evidence{bits: phoneLastDigit, reason: "phone with another last digit", household: true, phone: true}
	default:
		return evidence{bits: phoneOneDigit, reason: "phone with one other digit", household: true, phone: true}
	}
}

// line names a telephone line in one way however its numbering plan writes it.
func line(e164 string) string {
	first := e164
	for _, v := range PhoneVariants(e164) {
		first = min(first, v)
	}
	return first
}

// ending gives the last n characters, or "" when there are fewer.
func ending(s string, n int) string {
	if len(s) < n {
		return ""
	}
	return s[len(s)-n:]
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func countDigits(s string) int { return len(digitsOf(s)) }
