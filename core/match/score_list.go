package match

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// How common names are, our own compilation: each line starts with the bits that
// an agreement on one of its names is worth, log2 of one in how many people of
// the countries where it is at home have it.
var (
	//go:embed lists/given_bits.txt
	givenText string
	//go:embed lists/family_bits.txt
	familyText string

	commonGiven  = sync.OnceValue(func() map[string]float64 { return weighted(givenText) })
	commonFamily = sync.OnceValue(func() map[string]float64 { return weighted(familyText) })
)

// weighted reads lines of a number and names; a name keeps its lowest number, and
// a line without a number is no line. Names are kept as they are compared.
func weighted(text string) map[string]float64 {
	bits := make(map[string]float64)
	eachLine(text, func(line string) {
		head, names, _ := strings.Cut(line, " ")
		n, err := strconv.ParseFloat(head, 64)
		if err != nil {
			return
		}
		for _, w := range strings.Fields(names) {
			w = loose(Fold(w))
			if known, ok := bits[w]; !ok || n < known {
				bits[w] = n
			}
		}
	})
	return bits
}
