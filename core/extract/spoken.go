package extract

// digitWord gives the digits of a spoken number below a hundred.
func digitWord(low string) (string, bool) {
	d, ok := digitWords[low]
	return d, ok
}

var digitWords = map[string]string{
	"zero": "0", "oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "niner": "9",
	"ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19",
	"twenty": "20", "thirty": "30", "forty": "40", "fourty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90",
}

// natoLetters is the spelling alphabet (ICAO Annex 10), with the older British
// words and usual misspellings of transcripts.
var natoLetters = map[string]string{
	"alpha": "a", "alfa": "a", "bravo": "b", "charlie": "c", "delta": "d", "echo": "e", "foxtrot": "f", "golf": "g", "hotel": "h", "india": "i", "juliet": "j", "juliett": "j", "kilo": "k", "lima": "l", "mike": "m", "november": "n", "oscar": "o", "papa": "p", "quebec": "q", "romeo": "r", "sierra": "s", "tango": "t", "uniform": "u", "victor": "v", "whiskey": "w", "whisky": "w", "xray": "x", "x-ray": "x", "yankee": "y", "zulu": "z",
}

// spellingWords are further words people spell with ("b as in boy").
var spellingWords = map[string]string{
	"apple": "a", "adam": "a", "able": "a", "boy": "b", "baker": "b", "bob": "b", "cat": "c", "dog": "d", "david": "d", "easy": "e", "edward": "e", "elephant": "e", "fox": "f", "frank": "f", "freddie": "f", "george": "g", "girl": "g", "harry": "h", "henry": "h", "igloo": "i", "ice": "i", "ida": "i", "item": "i", "isaac": "i", "jack": "j", "john": "j", "jig": "j", "king": "k", "kite": "k", "larry": "l", "lincoln": "l", "love": "l", "lucy": "l", "mary": "m", "mother": "m", "nancy": "n", "nan": "n", "nora": "n", "ocean": "o", "orange": "o", "peter": "p", "paul": "p", "queen": "q", "robert": "r", "roger": "r", "sam": "s", "sugar": "s", "susan": "s", "tom": "t", "tommy": "t", "tare": "t", "uncle": "u", "union": "u", "umbrella": "u", "vic": "v", "violet": "v", "william": "w", "water": "w", "yellow": "y", "young": "y", "yoke": "y", "zebra": "z", "zoo": "z",
}

func natoLetter(low string) (string, bool) {
	l, ok := natoLetters[low]
	return l, ok
}

func isNato(low string) bool { return natoLetters[low] != "" }
