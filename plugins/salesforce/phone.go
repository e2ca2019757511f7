package main

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers/v2"
)

// phoneForms are the ways in which a number in E.164 may stand in a phone field.
// Salesforce keeps phone numbers as they were typed and compares them as text
// (salesforce.md §4.1), so a lookup has to name the usual ones. Forms without a
// country code are added for numbers that share the region's alone: elsewhere they
// would be somebody else's.
func phoneForms(e164, region string) []string {
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return []string{e164}
	}
	international := phonenumbers.Format(number, phonenumbers.INTERNATIONAL)
	forms := []string{e164, strings.TrimPrefix(e164, "+"), international}
	national := phonenumbers.Format(number, phonenumbers.NATIONAL)
	if number.GetCountryCode() == 1 {
		forms = append(forms, "+1 "+national, "1-"+dashed(national))
	}
	if int(number.GetCountryCode()) == phonenumbers.GetCountryCodeForRegion(region) {
		forms = append(forms, national, digits(national), dashed(national), strings.ReplaceAll(dashed(national), "-", "."))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// dashed writes "(415) 555-0123" as "415-555-0123".
func dashed(s string) string {
	return strings.NewReplacer(") ", "-", "(", "", ")", "", " ", "-").Replace(s)
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
