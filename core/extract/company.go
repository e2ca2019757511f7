package extract

import (
	"strings"

	"github.com/clientele-crm/clientele/core/match"
	"golang.org/x/net/publicsuffix"
)

// companyWords are the lists of company_words.txt.
type companyWords struct{ legal, kind, role, not map[string]bool }

// findCompanies reads the company a speaker belongs to: from what he says of
// his work, from his signature, from his mail domain. Companies he only
// mentions, bought from or left are not his.
func (r *run) findCompanies() {
	before := len(r.findings)
	for k := range r.d.sentences {
		s := &r.d.sentences[k]
		if s.signature {
			continue
		}
		r.companyPhrases(s)
		r.companyAnswer(s)
	}
	if r.d.message.Channel == Email {
		r.signatureCompany()
		r.domainCompany(before)
	}
}

// companyTriggers are the words at which a phrase about one's company may
// stand.
var companyTriggers = setOf("we we're employee for work works working worked employed job from with at of behalf represent representing run own owner founded called company employer calling firm business organization organisation ceo founder director arbeite bei travaille chez trabajo lavoro werk")

// companyPhrases reads "I work for X", "this is Ann from X", "on behalf of X",
// "I'm the owner of X", "we at X".
func (r *run) companyPhrases(s *sentence) {
	if !s.mayOpen(mayEmploy) {
		return
	}
	for i, t := range s.tokens {
		if t.may&mayEmploy == 0 {
			continue
		}
		at, weight := r.companyFrame(s, i)
		if at <= 0 {
			continue
		}
		r.considerCompany(s, at, weight)
	}
}

// companyFrame gives where a company's name is expected and how sure the
// phrase is; at is 0 for no phrase.
func (r *run) companyFrame(s *sentence, i int) (at int, weight strength) {
	low, next, prev := s.low(i), s.low(i+1), s.low(i-1)
	switch low {
	case "work", "works", "working", "worked", "employed", "arbeite", "travaille", "trabajo", "lavoro", "werk":
		if isWorkPreposition(next) && saysI(s, i) {
			return s.skip(i + 2), certainly
		}
		if next == "as" { // "work as a driver at X"
			for j := i + 2; j < i+8 && j < len(s.tokens); j++ {
				if isWorkPreposition(s.low(j)) && saysI(s, i) {
					return s.skip(j + 1), probably
				}
			}
		}
	case "job":
		if next == "at" && (prev == "new" || prev == "my" || prev == "a") && saysI(s, i) {
			return s.skip(i + 2), probably
		}
	case "called":
		if r.namesOwnBusiness(s, i) {
			return i + 1, probably
		}
	case "we", "we're":
		at := i + 1
		if low == "we" && next == "are" {
			at++
		} else if low == "we" {
			return 0, 0
		}
		return at, openly // only a legal form makes it a name
	case "for":
		if r.followsRole(s, i) {
			return i + 1, probably
		}
	case "from", "with", "at", "of":
		if low != "from" && r.followsRole(s, i) {
			return i + 1, probably
		}
		if r.followsOwnName(s, i) {
			return i + 1, probably
		}
		if prev == "calling" || prev == "writing" || prev == "emailing" || prev == "texting" || prev == "contacting" {
			return i + 1, possibly
		}
		if low == "at" && (prev == "we" || prev == "here" || prev == "us") {
			return i + 1, possibly
		}
	case "behalf":
		if next == "of" {
			return i + 2, probably
		}
	case "employee":
		if next == "of" || next == "at" {
			return i + 2, possibly
		}
	case "represent", "representing", "run", "own", "founded":
		if prev == "i" || prev == "we" || prev == "am" || prev == "i'm" || prev == "we're" {
			return i + 1, possibly
		}
	case "ceo", "founder", "owner", "director", "company", "employer", "firm", "business", "organization", "organisation":
		return r.companyNounFrame(s, i)
	}
	return 0, 0
}

// namesOwnBusiness: "I run a small bakery called", "our shop is called".
func (r *run) namesOwnBusiness(s *sentence, i int) bool {
	for k := i - 1; k >= 0 && k >= i-8; k-- {
		switch s.low(k) {
		case "run", "own", "founded", "started", "manage", "have":
			if !saysI(s, k) {
				return false
			}
			for j := k + 1; j < i; j++ {
				if businessNouns[s.low(j)] {
					return true
				}
			}
			return false
		case "our", "my":
			return businessNouns[s.low(k+1)]
		}
	}
	return false
}

var businessNouns = setOf("agency bakery bar boutique brand brewery business cafe café clinic club company consultancy farm firm garage gallery gym hotel kitchen lab nursery organization organisation practice pub restaurant salon shop store startup start-up studio workshop")

// followsRole: "I'm a nurse at", "I am the owner of".
func (r *run) followsRole(s *sentence, i int) bool {
	prev := s.low(i - 1)
	if !r.d.words.company.role[prev] && !(r.d.words.isCommon(prev) && strings.HasSuffix(prev, "er") || prev == "nurse") {
		return false
	}
	for k := i - 2; k >= 0 && k >= i-6; k-- {
		switch s.low(k) {
		case "a", "an", "the":
			before := s.low(k - 1)
			return before == "am" || before == "i'm" || before == "im" || before == "as" && saysI(s, k)
		}
	}
	return false
}

func isWorkPreposition(low string) bool {
	switch low {
	case "for", "at", "by", "bei", "für", "chez", "pour", "en", "para", "presso", "per", "voor":
		return true
	}
	return false
}

// companyNounFrame reads "my company is X", "Company: X", "I'm the CEO of X".
func (r *run) companyNounFrame(s *sentence, i int) (int, strength) {
	next, prev := s.low(i+1), s.low(i-1)
	switch s.low(i) {
	case "ceo", "founder", "owner", "director":
		if next != "of" && next != "at" && next != "for" {
			return 0, 0
		}
		for k := i - 1; k >= 0 && k >= i-5; k-- {
			if low := s.low(k); low == "i'm" || low == "im" || low == "am" {
				return i + 2, probably
			}
		}
		return 0, 0
	}
	at := i + 1
	if next == "name" {
		at++
	}
	mine := prev == "my" || prev == "our" || i == 0 && s.low(at) == ":"
	if !mine {
		return 0, 0
	}
	copula := false
	for s.low(at) == "is" || s.low(at) == ":" || s.low(at) == "," || s.low(at) == "called" || s.low(at) == "named" || s.low(at) == "'s" {
		copula = true
		at++
	}
	if copula {
		return at, certainly
	}
	return at, possibly
}

// saysI: the subject of the verb at i is the speaker.
func saysI(s *sentence, i int) bool {
	for k := i - 1; k >= 0 && k >= i-5; k-- {
		switch s.low(k) {
		case "i", "i'm", "im", "we", "we're", "ich", "wir", "je", "nous", "yo", "ik", "wij":
			return true
		case "he", "she", "they", "who", "husband", "wife", "son", "daughter", "friend", "brother", "sister", "you", "he's", "she's", ",", "and":
			return s.low(k) == "and" && k > 0 && saysI(s, k)
		}
	}
	return i == 0
}

// followsOwnName: a name the speaker gave for his own ends right before i.
func (r *run) followsOwnName(s *sentence, i int) bool {
	for _, f := range r.findings {
		if f.Field == FieldName && f.Verdict != Rejected && f.Span.End > 0 && f.Span.End <= s.tokens[i].start && s.tokens[i].start-f.Span.End <= 2 && f.Span.Start >= s.start {
			return true
		}
	}
	prev := s.low(i - 1)
	return prev == "here" && i >= 2 && s.tokens[i-2].capital != lowerCase && r.d.words.isGiven(s.low(i-2))
}

// formerly says whether the sentence speaks of a company the speaker left, or
// wants to join.
func formerly(s *sentence, at int) bool {
	from := 0
	for k := range at {
		if s.low(k) == "but" || s.low(k) == "now" || s.low(k) == ";" {
			from = k
		}
	}
	for k := from; k < len(s.tokens); k++ {
		if k > at && s.low(k) == "but" && s.low(k+1) == "now" {
			return false
		}
		switch s.low(k) {
		case "used", "formerly", "previously", "ex", "former", "quit", "unemployed", "laid", "fired", "resigned", "worked", "longer", "retired":
			if s.low(k) == "used" && s.low(k+1) != "to" {
				continue
			}
			return true
		case "want", "wanted", "would", "like", "hope", "apply", "applying", "applied", "hoping", "wish", "love", "dream", "if", "don't", "didn't", "not":
			if k < at {
				return true
			}
		}
	}
	return false
}

func (r *run) considerCompany(s *sentence, at int, weight strength) {
	name, from, to, ok := r.readCompany(s, at)
	if !ok {
		return
	}
	f := Finding{Field: FieldCompany, Value: name, Normal: match.CompanyKey(name), Detector: "company.phrase", Span: Span{from, to}, Whose: WhoseSpeaker, Stated: true}
	legal := r.endsLegal(name)
	lower := name == strings.ToLower(name)
	reason := ""
	switch {
	case formerly(s, at):
		reason = "a company of the past or of a wish"
	case r.isPlace(name) && !legal:
		reason = "a place"
	}
	switch weight {
	case certainly:
		f.Confidence = 0.9
	case probably:
		f.Confidence = 0.85
	default:
		f.Confidence = 0.7
		if r.kindWord(name) || strings.Contains(name, " & ") || strings.Contains(name, ", ") {
			f.Confidence = 0.85
		}
	}
	if weight == openly && !legal {
		return
	}
	if legal {
		f.Confidence = 0.93
	}
	if lower && weight == certainly && !strings.Contains(name, " ") && len(name) > 3 && s.casing == casingLower {
		f.Confidence = 0.82
	} else if lower || s.casing == casingTitle && weight != certainly {
		f.Confidence = min(f.Confidence, 0.6)
	}
	r.add(f, s.line, reason)
}

// maxCompanyWords bounds a company's name.
const maxCompanyWords = 7

// readCompany reads a company's name from token i: capitalised words joined by
// "of", "and", "&", and a legal form.
func (r *run) readCompany(s *sentence, i int) (name string, from, to int, ok bool) {
	switch s.low(i) {
	case "the", "der", "dem", "den":
		i++
	}
	strict := s.casing != casingLower
	start, end, words := i, i, 0
	for j := i; j < len(s.tokens) && words < maxCompanyWords; j++ {
		t := s.tokens[j]
		if j > i && gap(r.d.text, s.tokens[j-1], t) {
			break
		}
		switch {
		case t.kind == punct:
			next := s.low(j + 1)
			glued := j > i && s.tokens[j-1].end == t.start
			legalNext := r.d.words.company.legal[next]
			switch {
			case t.low == "," && strict && words > 0 && partnersFollow(s, j): // "Mitchell, Nelson and Lee"
				continue
			case t.low == "." && glued && abbreviations[s.low(j-1)] && len(s.low(j-1)) <= 3 && j+1 < len(s.tokens) && s.tokens[j+1].capital == upperFirst:
				continue
			case (t.low == "," || t.low == ".") && legalNext:
				continue
			case t.low == "&" || t.low == "+":
				continue
			case t.low == "/" && glued && j+1 < len(s.tokens) && s.tokens[j+1].kind == number:
				continue
			case (t.low == "." || t.low == "-" || t.low == "'" || t.low == "/") && glued && j+1 < len(s.tokens) && s.tokens[j+1].start == t.end && s.tokens[j+1].kind == word:
				continue
			case t.low == "." && glued && len(s.low(j-1)) <= 4 && (r.d.words.company.legal[s.low(j-1)] || len(s.low(j-1)) == 1):
				end = j + 1
				continue
			}
		case t.kind == number:
			if words == 0 && !startsNumberedName(s, j) {
				return "", 0, 0, false
			}
			words++
			end = j + 1
			continue
		case strict && t.capital == lowerCase && innerUpper(r.d.text[t.start:t.end]): // eBay
			words++
			end = j + 1
			continue
		case strict && t.capital == lowerCase:
			if words > 0 && (t.low == "of" || t.low == "and" || t.low == "for" || t.low == "de" || t.low == "the" || t.low == "und" || t.low == "et" || t.low == "y" || t.low == "e" || t.low == "du" || t.low == "del") && j+1 < len(s.tokens) && s.tokens[j+1].kind == word && s.tokens[j+1].capital != lowerCase && !functionWords[s.low(j+1)] && r.joins(s, j) {
				continue
			}
			if r.d.words.company.legal[t.low] && words > 0 && !functionWords[t.low] {
				words++
				end = j + 1
			}
		case functionWords[t.low] && !(len(t.low) == 1 && s.low(j+1) == "." && strict) && !(strict && words > 0 && (t.low == "us" || t.low == "one" || t.low == "all")) && !(t.low == "us" && strict && t.capital != lowerCase):
		default:
			words++
			end = j + 1
			continue
		}
		break
	}
	if words == 0 {
		return "", 0, 0, false
	}
	from, to = s.tokens[start].start, s.tokens[end-1].end
	name = r.d.text[from:to]
	first := s.low(start)
	if words == 1 {
		single := s.tokens[start]
		if len(name) < 2 || r.d.words.company.not[first] || months[first] != 0 {
			return "", 0, 0, false
		}
		if single.capital != allUpper && r.d.words.isCommon(first) && !brands[first] {
			return "", 0, 0, false
		}
	}
	if !strict && (r.d.words.company.not[first] || r.d.words.isCommon(first) && !brands[first] || words > 4) {
		return "", 0, 0, false
	}
	return name, from, to, true
}

// partnersFollow: a comma at j and the words behind it go on as "B and C".
func partnersFollow(s *sentence, j int) bool {
	for k := j + 1; k < len(s.tokens) && k <= j+5; k++ {
		switch t := s.tokens[k]; {
		case t.low == "and" || t.low == "&":
			return k > j+1 && k+1 < len(s.tokens) && s.tokens[k+1].capital == upperFirst
		case t.low == ",":
		case t.kind != word || t.capital != upperFirst || functionWords[t.low]:
			return false
		}
	}
	return false
}

// startsNumberedName: "3M", "7-Eleven", "24/7 Services".
func startsNumberedName(s *sentence, j int) bool {
	t := s.tokens[j]
	if !allDigits(t.low) {
		return true
	}
	for k := j + 1; k < len(s.tokens) && k <= j+3; k++ {
		if s.tokens[k].capital == upperFirst || s.tokens[k].capital == allUpper {
			return true
		}
		if s.tokens[k].start > s.tokens[k-1].end {
			break
		}
	}
	return false
}

func innerUpper(w string) bool { return strings.ToLower(w[1:]) != w[1:] }

// brands are companies whose names are also on the list of ordinary words.
var brands = setOf("adobe airbnb amazon amex apple asus audi bmw cisco comcast costco dell ebay expedia facebook fedex ford google hbo honda hp hulu ibm ikea instagram lenovo linkedin mastercard microsoft netflix nike nissan nokia nvidia oracle paypal pinterest reddit roku samsung shell skype slack snapchat sony spotify steam target tesla toyota twitter uber ups verizon visa vodafone volkswagen volvo walmart xerox yahoo yelp youtube zoom")

// joins: "and" inside a name, not between two things: what follows it ends the
// name or goes on with capitals.
func (r *run) joins(s *sentence, j int) bool {
	if s.low(j) != "and" && s.low(j) != "for" && s.low(j) != "the" {
		return true
	}
	after := j + 2
	for after < len(s.tokens) && s.tokens[after].kind == word && s.tokens[after].capital != lowerCase {
		after++
	}
	if after >= len(s.tokens) || s.tokens[after].kind == punct {
		return true
	}
	switch s.low(after) {
	case "as", "in", "since", "for", "at", "on", "but", "from":
		return true
	}
	return false
}

func (r *run) endsLegal(name string) bool {
	fields := strings.Fields(strings.ToLower(strings.ReplaceAll(name, ",", " ")))
	return len(fields) > 1 && (r.d.words.company.legal[fields[len(fields)-1]] || r.d.words.company.legal[strings.Trim(fields[len(fields)-1], ".")])
}

func (r *run) kindWord(name string) bool {
	fields := strings.Fields(strings.ToLower(name))
	return len(fields) > 1 && r.d.words.company.kind[strings.Trim(fields[len(fields)-1], ".,")]
}

// isPlace knows countries, states and the cities among the ordinary words.
func (r *run) isPlace(name string) bool {
	low := strings.ToLower(name)
	if _, ok := r.d.words.countries[low]; ok {
		return true
	}
	if _, ok := r.d.words.states[low]; ok && len(low) > 3 {
		return true
	}
	fields := strings.Fields(low)
	return len(fields) > 0 && len(fields) <= 2 && r.d.words.cityStarts[fields[0]] && !r.kindWord(name) && (fields[0] == "san" || fields[0] == "new" || fields[0] == "los" || fields[0] == "las" || fields[0] == "fort" || fields[0] == "st" || fields[0] == "saint" || fields[0] == "santa" || fields[0] == "el")
}

// companyAnswer takes a short answer to our question for the company.
func (r *run) companyAnswer(s *sentence) {
	if s.question == "" || len(s.tokens) > 10 {
		return
	}
	if !strings.Contains(s.question, "company") && !strings.Contains(s.question, "employer") && !strings.Contains(s.question, "organi") && !strings.Contains(s.question, "where do you work") && !strings.Contains(s.question, "who do you work") {
		return
	}
	from := 0
	for from < len(s.tokens) && opensAnswer(s.tokens[from]) {
		from++
	}
	if name, start, end, ok := r.readCompany(s, from); ok {
		f := Finding{Field: FieldCompany, Value: name, Normal: match.CompanyKey(name), Detector: "company.answer", Confidence: 0.9, Span: Span{start, end}, Whose: WhoseSpeaker, Stated: true}
		if name == strings.ToLower(name) {
			f.Confidence = 0.6
		}
		r.add(f, s.line, "")
	}
}

// domainCompany suggests the company that a mail domain names, unless a better
// source already did.
func (r *run) domainCompany(before int) {
	label := r.domainLabel()
	if label == "" {
		return
	}
	for _, f := range r.findings[before:] {
		if f.Field == FieldCompany && f.Verdict == Accepted {
			return
		}
	}
	name := properCase(label)
	r.add(Finding{Field: FieldCompany, Value: name, Normal: match.CompanyKey(name), Origin: OriginHeader, Detector: "company.domain", Confidence: 0.6, Whose: WhoseSpeaker}, -1, "")
}

// domainLabel is the part of the sender's domain that names its owner; empty
// for free-mail.
func (r *run) domainLabel() string {
	_, domain, ok := strings.Cut(r.d.sender.Email, "@")
	if !ok || match.IsFreeMail(domain) {
		return ""
	}
	registered, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	label, _, _ := strings.Cut(registered, ".")
	if strings.HasPrefix(label, "xn--") {
		return ""
	}
	return label
}
