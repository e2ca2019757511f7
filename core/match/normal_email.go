package match

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Limits of RFC 5321 §4.5.3.1: a local part of 64 octets, a whole address of
// 254 (the path limit of 256 less its angle brackets).
const (
	maxLocalPart = 64
	maxEmail     = 254
)

// Email gives the normal form of an address: trimmed, lower-case, its domain
// in A-labels (R27). Dots and +tags stay, so that two addresses which a
// provider may treat alike are a hint for a human and never a match. ok is
// false for text that is no single address with a dotted domain.
func Email(raw string) (normal string, ok bool) {
	s := strings.TrimSpace(norm.NFKC.String(raw))
	if len(s) >= 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
	at := strings.LastIndexByte(s, '@')
	if at <= 0 {
		return "", false
	}
	local := strings.ToLower(s[:at])
	if len(local) > maxLocalPart || !validLocal(local) {
		return "", false
	}
	domain, ok := Domain(s[at+1:])
	if !ok || len(local)+1+len(domain) > maxEmail {
		return "", false
	}
	return local + "@" + domain, true
}

// Domain gives the normal form of a mail domain: lower-case A-labels, without
// a trailing dot. ok is false for a name without a dot, for an address literal
// and for labels that DNS doesn't allow.
func Domain(raw string) (normal string, ok bool) {
	s := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(raw)), ".")
	if !isASCII(s) {
		a, err := idna.Lookup.ToASCII(s)
		if err != nil {
			return "", false
		}
		s = a
	}
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > maxEmail-2 {
		return "", false
	}
	for _, label := range labels {
		if !validLabel(label) {
			return "", false
		}
	}
	last := labels[len(labels)-1]
	if len(last) < 2 || strings.Trim(last, "0123456789") == "" {
		return "", false
	}
	return s, true
}

func validLocal(local string) bool {
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for i := 0; i < len(local); i++ {
		c := local[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 0x80:
		case strings.IndexByte("!#$%&'*+/=?^_`{|}~.-", c) >= 0:
		default:
			return false
		}
	}
	return true
}

func validLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for i := 0; i < len(label); i++ {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// IsRoleAddress says whether an address names a function and not a person
// (info@, sales@). Such an address makes and matches one shared-mailbox
// client and never a person (R9).
func IsRoleAddress(email string) bool {
	local, _, ok := splitEmail(email)
	return ok && listed(roleLocals, baseLocal(local))
}

// IsNoReply says whether nobody reads an address: no-reply, bounce, list and
// machine senders, return paths with the recipient woven in (VERP) and
// relays' one-time addresses. None of them makes a client (R9).
func IsNoReply(email string) bool {
	local, domain, ok := splitEmail(email)
	if !ok {
		return false
	}
	base := baseLocal(local)
	squeezed := strings.NewReplacer("-", "", "_", "", ".", "").Replace(base)
	for _, mark := range noReplyMarks {
		if strings.Contains(squeezed, mark) {
			return true
		}
	}
	if listed(machineLocals, base) || isListLocal(local) {
		return true
	}
	// VERP: bounces+ann=example.com@lists.example.org
	if tag := strings.IndexByte(local, '+'); tag > 0 && strings.ContainsRune(local[tag:], '=') {
		return true
	}
	first, _, _ := strings.Cut(domain, ".")
	return listed(machineHosts, first)
}

// isListLocal knows the working addresses of a mailing list: announce-request,
// dev-owner, list-bounces.
func isListLocal(local string) bool {
	for _, suffix := range []string{"-request", "-owner", "-bounces", "-bounce", "-subscribe", "-unsubscribe", "-confirm"} {
		if strings.HasSuffix(local, suffix) {
			return true
		}
	}
	return strings.HasPrefix(local, "owner-") || strings.HasPrefix(local, "bounce-") || strings.HasPrefix(local, "bounces-")
}

// IsFreeMail says whether anybody can get an address at this domain, so that
// it says nothing about a person's company: free-mail, internet providers,
// relays and throw-away services.
func IsFreeMail(domain string) bool {
	d, ok := Domain(domain)
	if !ok {
		return false
	}
	if listed(freeMail, d) {
		return true
	}
	// Brands that live under many country domains: yahoo.co.uk, hotmail.fr.
	brand, _, _ := strings.Cut(d, ".")
	return listed(freeMailBrands, brand)
}

func splitEmail(email string) (local, domain string, ok bool) {
	normal, ok := Email(email)
	if !ok {
		return "", "", false
	}
	at := strings.LastIndexByte(normal, '@')
	return normal[:at], normal[at+1:], true
}

// baseLocal drops a +tag and trailing digits, as in support+case12 or info2.
func baseLocal(local string) string {
	base, _, _ := strings.Cut(local, "+")
	return strings.TrimRight(base, "0123456789")
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
