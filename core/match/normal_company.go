package match

import (
	"strings"
	"unicode"
)

// CompanyKey gives the key under which companies are one: case, accents,
// punctuation, a leading "the" and legal forms are dropped ("The ACME Corp."
// and "acme" are one). A name made of nothing else keeps its words. Empty for
// a name without letters or digits.
func CompanyKey(name string) string {
	folded := companySigns.Replace(Fold(name))
	words := strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	kept := words
	if len(kept) > 1 && kept[0] == "the" {
		kept = kept[1:]
	}
	for len(kept) > 1 && listed(legalWords, kept[len(kept)-1]) {
		kept = kept[:len(kept)-1]
	}
	for len(kept) > 1 && kept[len(kept)-1] == "and" { // "Meyer & Co"
		kept = kept[:len(kept)-1]
	}
	return strings.Join(kept, " ")
}

var companySigns = strings.NewReplacer("'", "", "’", "", "&", " and ", "+", " and ", ".", "")
