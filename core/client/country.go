package client

import (
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/clientele-crm/clientele/core/match"
)

// CountryName is the English name of an ISO 3166 code; other text stays as it is
// (R34).
func CountryName(country string) string {
	region, err := language.ParseRegion(country)
	if err != nil || len(country) != 2 {
		return country
	}
	return display.English.Regions().Name(region)
}

// countryCode is the two-letter code of a country's code of two or three letters
// or its English name.
func countryCode(text string) (string, bool) {
	if len(text) == 2 || len(text) == 3 {
		region, err := language.ParseRegion(strings.ToUpper(text))
		if err == nil && region.Canonicalize().IsCountry() {
			return region.Canonicalize().String(), true
		}
	}
	code, ok := codesByName()[match.Fold(text)]
	return code, ok
}

// codesByName is made once: it is asked for every address.
var codesByName = sync.OnceValue(func() map[string]string {
	codes := map[string]string{}
	names := display.English.Regions()
	for first := 'A'; first <= 'Z'; first++ {
		for second := 'A'; second <= 'Z'; second++ {
			code := string(first) + string(second)
			region, err := language.ParseRegion(code)
			if err == nil && region.IsCountry() && region.Canonicalize() == region && region.String() == code {
				codes[match.Fold(names.Name(region))] = code
			}
		}
	}
	return codes
})
