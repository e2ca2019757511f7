package extract

import (
	"embed"
	"slices"
	"strings"
	"sync"

	"github.com/clientele-crm/clientele/core/match"
)

// listFiles are our own compilations from general knowledge: words separated
// by blanks (phrases one a line where the file says so), '#' starts a comment.
//
//go:embed lists/*.txt
var listFiles embed.FS

// wordLists is everything the detectors look up. It is read once, at first
// use, and never changes.
type wordLists struct {
	given, surnames, common map[string]bool
	quoteVerbs              []string
	headerLabels            map[string]string
	closers                 map[string]bool
	strongStreet            map[string]bool // street types that end a name at once
	weakStreet              map[string]bool
	streetBefore            map[string]bool
	streetAfter             map[string]bool
	streetEndings           []string
	states                  map[string]state  // by code and by name
	countries               map[string]string // name to ISO code
	countryStarts           map[string]bool   // first words of them
	cityStarts              map[string]bool
	company                 companyWords
}

// state is a state or province.
type state struct{ country, code string }

var lists = sync.OnceValue(func() *wordLists {
	l := &wordLists{
		given:        wordSet("given_names"),
		surnames:     wordSet("surnames"),
		common:       wordSet("not_names"),
		headerLabels: make(map[string]string),
		closers:      phraseSet("closers"),
		states:       make(map[string]state),
		countries:    make(map[string]string), countryStarts: make(map[string]bool),
		cityStarts: wordSet("city_starts"),
	}
	for _, phrase := range phrases("quote_verbs") {
		for verb := range strings.SplitSeq(phrase, "|") {
			l.quoteVerbs = append(l.quoteVerbs, strings.TrimSpace(verb))
		}
	}
	for _, phrase := range phrases("header_labels") {
		kind, labels, _ := strings.Cut(phrase, ":")
		for _, label := range strings.Fields(strings.ReplaceAll(labels, ":", "")) {
			l.headerLabels[label] = kind
		}
	}
	types := labelled("us_street_types")
	l.strongStreet, l.weakStreet = types["strong"], types["weak"]
	types = labelled("street_words")
	l.streetBefore, l.streetAfter = types["before"], types["after"]
	for ending := range types["ending"] {
		l.streetEndings = append(l.streetEndings, ending)
	}
	slices.Sort(l.streetEndings)
	types = labelled("company_words")
	l.company = companyWords{legal: types["legal"], kind: types["kind"], role: types["role"], not: types["not"]}
	for _, phrase := range phrases("states") {
		f := strings.Fields(phrase)
		s := state{country: f[0], code: strings.ToUpper(f[1])}
		for name := range strings.SplitSeq(f[2], "|") {
			l.states[strings.ReplaceAll(name, "_", " ")] = s
		}
		if _, taken := l.states[f[1]]; !taken {
			l.states[f[1]] = s
		}
	}
	for _, phrase := range phrases("countries") {
		code, names, _ := strings.Cut(phrase, " ")
		for name := range strings.SplitSeq(names, "|") {
			l.countries[name] = code
			first, _, _ := strings.Cut(strings.NewReplacer(".", " ", ",", " ").Replace(name), " ")
			l.countryStarts[first] = true
		}
	}
	return l
})

// labelled reads a list of lines "label: words".
func labelled(name string) map[string]map[string]bool {
	out := make(map[string]map[string]bool)
	for _, phrase := range phrases(name) {
		label, rest, _ := strings.Cut(phrase, ":")
		if out[label] == nil {
			out[label] = make(map[string]bool)
		}
		for _, w := range strings.Fields(rest) {
			out[label][w] = true
		}
	}
	return out
}

// phrases gives the lines of a list.
func phrases(name string) []string {
	data, err := listFiles.ReadFile("lists/" + name + ".txt")
	if err != nil {
		panic("extract: list " + name + " is not embedded") // a build mistake, not a state
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func phraseSet(name string) map[string]bool {
	set := make(map[string]bool)
	for _, p := range phrases(name) {
		set[p] = true
	}
	return set
}

func wordSet(name string) map[string]bool {
	set := make(map[string]bool)
	for _, p := range phrases(name) {
		for _, w := range strings.Fields(p) {
			set[w] = true
		}
	}
	return set
}

// lexicon answers questions about a word, a tenant's own words first.
type lexicon struct {
	*wordLists
	names, notNames map[string]bool // folded
	familyFirst     bool            // the tenant's country writes the family name first
}

func lexiconFor(s *Settings) *lexicon {
	x := &lexicon{wordLists: lists()}
	switch strings.ToUpper(s.Region) {
	case "HU", "CN", "TW", "HK", "JP", "KR", "VN":
		x.familyFirst = true
	}
	if len(s.Names) > 0 {
		x.names = foldedWords(s.Names)
	}
	if len(s.NotNames) > 0 {
		x.notNames = foldedWords(s.NotNames)
	}
	return x
}

func foldedWords(values []string) map[string]bool {
	set := make(map[string]bool)
	for _, v := range values {
		for _, w := range strings.Fields(match.Fold(v)) {
			set[w] = true
		}
	}
	return set
}

// isGiven and isSurname look a word up without its accents; a double name
// (Ann-Marie) is known when its first half is.
func (x *lexicon) isGiven(low string) bool   { return x.inNames(x.given, low) }
func (x *lexicon) isSurname(low string) bool { return x.inNames(x.surnames, low) }

func (x *lexicon) inNames(set map[string]bool, low string) bool {
	if set[low] {
		return true
	}
	f := foldWord(low)
	if set[f] || x.names[f] {
		return true
	}
	if half, _, ok := strings.Cut(f, "-"); ok && len(half) > 1 {
		return set[half]
	}
	return false
}

// taught says whether the tenant taught a word as a name or as no name.
func (x *lexicon) taught(low string) (name, notName bool) {
	if x.names == nil && x.notNames == nil {
		return false, false
	}
	f := foldWord(low)
	return x.names[f], x.notNames[f]
}

// isCommon says whether a word is an ordinary one: on the list, or of a shape
// that names don't have (R118, R120).
func (x *lexicon) isCommon(low string) bool {
	if x.common[low] {
		return true
	}
	if apostrophe := strings.IndexByte(low, '\''); apostrophe > 0 {
		switch low[apostrophe+1:] {
		case "s", "re", "ve", "ll", "m", "d", "t":
			return true
		}
	}
	return false
}

// hasOrdinaryEnding knows the endings of participles, adverbs and nouns.
func hasOrdinaryEnding(low string) bool {
	if len(low) < 5 {
		return false
	}
	for _, end := range [...]string{"ing", "ed", "ly", "tion", "sion", "ness", "ment", "able", "ible", "ful", "less", "ous", "ive", "ical", "ity", "ism", "ist", "ship", "ward", "wards", "wise", "ized", "ised"} {
		if strings.HasSuffix(low, end) {
			return true
		}
	}
	return false
}

func foldWord(low string) string {
	for i := 0; i < len(low); i++ {
		if low[i] >= 0x80 {
			return match.Fold(low)
		}
	}
	return low
}
