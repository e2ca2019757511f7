package match

import (
	"strings"

	"github.com/nyaruka/phonenumbers/v2"
)

// Number is a phone number taken apart: the line in E.164 ("+14165550100")
// and, kept apart from it, an extension ("12", "" when there is none).
type Number struct {
	E164      string `json:"e164"`
	Extension string `json:"extension,omitempty"`
}

// maxPhone is longer than any number written with its country code,
// punctuation and extension.
const maxPhone = 64

// Phone reads one number as typed; region (ISO 3166, "CA") is the country
// assumed when it carries no country code. ok is false for anything that is no
// valid number of its numbering plan: such text is kept but never matched (R28).
func Phone(raw, region string) (n Number, ok bool) {
	raw = strings.TrimSpace(raw)
	if len(raw) >= 4 && strings.EqualFold(raw[:4], "tel:") {
		raw = raw[4:]
	}
	if raw == "" || len(raw) > maxPhone {
		return Number{}, false
	}
	parsed, err := phonenumbers.Parse(raw, strings.ToUpper(region))
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return Number{}, false
	}
	return Number{
		E164:      phonenumbers.Format(parsed, phonenumbers.E164),
		Extension: parsed.GetExtension(),
	}, true
}

// PhoneVariants lists the E.164 forms under which one line may be stored,
// itself first: Brazil's ninth digit for mobiles (added 2012 to 2016),
// Argentina's 9 and Mexico's 1 after the country code, which callers use and
// numbering plans drop.
func PhoneVariants(e164 string) []string {
	variants := []string{e164}
	switch {
	case strings.HasPrefix(e164, "+55") && len(e164) == 13 && e164[5] >= '6':
		variants = append(variants, e164[:5]+"9"+e164[5:])
	case strings.HasPrefix(e164, "+55") && len(e164) == 14 && e164[5] == '9':
		variants = append(variants, e164[:5]+e164[6:])
	case strings.HasPrefix(e164, "+549") && len(e164) == 14:
		variants = append(variants, "+54"+e164[4:])
	case strings.HasPrefix(e164, "+54") && len(e164) == 13:
		variants = append(variants, "+549"+e164[3:])
	case strings.HasPrefix(e164, "+521") && len(e164) == 14:
		variants = append(variants, "+52"+e164[4:])
	case strings.HasPrefix(e164, "+52") && len(e164) == 13:
		variants = append(variants, "+521"+e164[3:])
	}
	return variants
}

// IsShortCode says whether a channel's sender can't be a person's number: a
// short code, an alphanumeric sender ("ACMEBANK"), a withheld caller id or an
// empty one. None of them is ever an identifier (R10).
func IsShortCode(raw string) bool {
	digits := 0
	for _, r := range raw {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case strings.ContainsRune("+-.() /\u00a0", r):
		default:
			return true // letters: an alphanumeric sender, "withheld", "anonymous"
		}
	}
	return digits < 7
}
