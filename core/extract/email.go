package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clientele-crm/clientele/core/match"
	"golang.org/x/net/publicsuffix"
)

// findEmails reads addresses written with an @. Spoken and disguised ones are
// findWrittenOut's.
func (r *run) findEmails() {
	for _, span := range r.d.spans {
		text := r.d.text[span.start:span.end]
		for from := 0; ; {
			at := strings.IndexByte(text[from:], '@')
			if at < 0 {
				break
			}
			at += from
			from = at + 1
			start, end := emailAround(text, at)
			if start < 0 {
				continue
			}
			from = max(from, end)
			r.addEmail(span.start+start, span.start+end, text[start:end], "email.address", 0.99, span.line)
		}
	}
}

// maxEmailRun is more than any local part or domain may have (RFC 5321).
const maxEmailRun = 256

// emailAround finds the address around text[at] == '@'; start is -1 when what
// stands there can't be one.
func emailAround(text string, at int) (start, end int) {
	start = at
	for start > 0 && at-start < maxEmailRun && isLocalByte(text[start-1]) {
		start--
	}
	end = at + 1
	for end < len(text) && end-at < maxEmailRun && isDomainByte(text[end]) {
		end++
	}
	// Dashes and quotation marks beyond ASCII are the sentence's too.
	if i := strings.LastIndexFunc(text[start:at], isMark); i >= 0 {
		_, n := utf8.DecodeRuneInString(text[start+i:])
		start += i + n
	}
	if i := strings.IndexFunc(text[at+1:end], isMark); i >= 0 {
		end = at + 1 + i
	}
	for end > at+1 && text[end-1] == '.' {
		end--
	}
	if text[end-1] == '-' {
		return -1, 0
	}
	if text[start] == '.' && start+1 < at && text[start+1] != '.' {
		return -1, 0
	}
	// Quotes, dots and dashes at the front belong to the sentence.
	for start < at && strings.IndexByte(".'-_*=`~/|&?!#$%^{}", text[start]) >= 0 {
		start++
	}
	if i := strings.LastIndexAny(text[start:at], "=/?|'"); i >= 0 && start+i+1 < at { // a query, a path, a quotation
		if c := text[start+i]; c != '\'' || start > 0 && text[start-1] == '\'' {
			if c == '/' && start >= 1 && strings.Contains(text[max(0, start-8):start+i+1], ":/") {
				return -1, 0 // user info of a URL
			}
			start += i + 1
		}
	}
	if start >= at || end <= at+1 || text[at-1] == '/' || strings.IndexFunc(text[start:at], isWordRune) < 0 {
		return -1, 0
	}
	if start > 0 {
		switch before := text[start-1]; {
		case before == '@', before == ':' && start >= 2 && text[start-2] == '/', before == '/' && start >= 2 && text[start-2] == '/':
			return -1, 0
		case before == ':' && strings.Contains(text[max(0, start-40):start], "//"):
			return -1, 0
		case before == ')' || before == ']' || before == '>' || before == '}' || before == '"':
			return -1, 0
		}
	}
	if end < len(text) {
		switch next := text[end]; {
		case next == '@', next == '+' && end+1 < len(text) && isDomainByte(text[end+1]):
			return -1, 0
		case next == ':' && end+1 < len(text) && (isDigit(text[end+1]) || isLetterByte(text[end+1]) || text[end+1] == '/'):
			return -1, 0 // host:port, git@host:repository
		case next == '_':
			return -1, 0
		}
	}
	return start, end
}

// isMark knows punctuation and signs beyond ASCII.
func isMark(r rune) bool {
	return r >= utf8.RuneSelf && r != utf8.RuneError && (unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsSpace(r))
}

func isLocalByte(c byte) bool {
	return isLetterByte(c) || isDigit(c) || c >= 0x80 || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) >= 0
}

func isDomainByte(c byte) bool {
	return isLetterByte(c) || isDigit(c) || c >= 0x80 || c == '.' || c == '-'
}

// fileEndings are top-level look-alikes that mark a file (image001.png@01D…).
var fileEndings = setOf("png jpg jpeg gif bmp svg pdf doc docx xls xlsx ppt pptx txt html htm js css php exe zip tar gz local localdomain internal lan invalid localhost test")

// addEmail judges a candidate and records it.
func (r *run) addEmail(start, end int, raw, detector string, confidence float64, line int) {
	normal, ok := match.Email(raw)
	f := Finding{Field: FieldEmail, Value: raw, Normal: normal, Detector: detector, Confidence: confidence, Span: Span{start, end}}
	reason := ""
	switch {
	case !ok:
		reason = "not a valid address"
	case !knownSuffix(normal):
		reason = "its domain ends in no known top-level domain"
	case r.d.isOwnAddress(normal):
		reason = "the tenant's own address"
	case match.IsNoReply(normal):
		reason = "nobody reads that address"
	}
	f.Whose, f.Stated = r.owner(start, end, FieldEmail)
	if r.senderEmail != "" && normal == r.senderEmail {
		f.Whose, f.Stated = WhoseSpeaker, true
	}
	r.add(f, line, reason)
}

// knownSuffix refuses ends that no registry gives out, among them file names.
// Test domains (example) are let through: they are valid in form, and people
// try the product with them.
func knownSuffix(normal string) bool {
	dot := strings.LastIndexByte(normal, '.')
	tld := normal[dot+1:]
	if fileEndings[tld] {
		return false
	}
	return listedTLD(normal) || tld == "example" || isNewTLD(tld)
}

// listedTLD says whether the end of an address is on the public suffix list.
func listedTLD(normal string) bool {
	suffix, icann := publicsuffix.PublicSuffix(normal[strings.LastIndexByte(normal, '@')+1:])
	return icann || strings.IndexByte(suffix, '.') >= 0
}

// isNewTLD lets unknown all-letter endings of three to six letters through:
// the compiled list of top-level domains is older than some of them.
func isNewTLD(tld string) bool {
	if len(tld) < 3 || len(tld) > 6 {
		return false
	}
	for i := 0; i < len(tld); i++ {
		if !isLetterByte(tld[i]) {
			return false
		}
	}
	return true
}
