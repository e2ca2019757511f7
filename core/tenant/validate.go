package tenant

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/match"
)

// The limits of settings: larger lists slow every message down.
const (
	maxEntries = 5000
	maxEntry   = 200 // bytes
	maxIdle    = 30 * 24 * 60
)

var (
	channels   = []string{"email", "sms", "chat", "voice"}
	domainForm = regexp.MustCompile(`^([\p{L}\p{N}]([\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+\p{L}[\p{L}\p{N}-]*$`)
)

// validate answers everything that is wrong with settings, joined. Each is an
// *InvalidError.
func (s Settings) validate(region string) error {
	var v problems
	for i, c := range s.NoCreation {
		v.channel(fmt.Sprintf("no_creation[%d]", i), c)
	}
	for _, c := range sortedKeys(s.IdleMinutes) {
		v.channel("idle_minutes."+c, c)
		if m := s.IdleMinutes[c]; m < 1 || m > maxIdle {
			v.add("idle_minutes."+c, fmt.Sprintf("%d minutes are less than one or more than 30 days", m), fmt.Sprintf("use 1 to %d", maxIdle))
		}
	}
	v.extraction(s.Extraction, region)
	v.endpoint(s.Endpoint)
	return errors.Join(v...)
}

// problems are *InvalidErrors in the making.
type problems []error

func (v *problems) add(field, rule, wayOut string) {
	*v = append(*v, &InvalidError{Field: field, Rule: rule, WayOut: wayOut})
}

func (v *problems) channel(field, c string) {
	if !slices.Contains(channels, c) {
		v.add(field, fmt.Sprintf("%q is no channel", shown(c)), "use "+strings.Join(channels, ", "))
	}
}

func (v *problems) extraction(x extract.Settings, region string) {
	for i, f := range x.Off {
		v.field(fmt.Sprintf("off[%d]", i), f)
	}
	for _, f := range sortedKeys(x.Accept) {
		v.field("accept."+shown(string(f)), f)
		if t := x.Accept[f]; !(t > 0 && t <= 1) {
			v.add("accept."+shown(string(f)), "is not above 0 and at most 1", "use a confidence such as 0.8")
		}
	}
	if !(x.Suggest >= 0 && x.Suggest <= 1) {
		v.add("suggest", "is not between 0 and 1", "use a confidence such as 0.5")
	}
	v.list("own_domains", x.OwnDomains, domainForm.MatchString, "is no mail domain", "use a domain such as acme.com")
	v.list("own_addresses", x.OwnAddresses, func(s string) bool { _, ok := match.Email(s); return ok }, "is no email address", "use an address such as help@acme.com")
	v.list("own_numbers", x.OwnNumbers, func(s string) bool { _, ok := match.Phone(s, region); return ok }, "is no phone number", "use a number such as +14165550100")
	v.list("agents", x.Agents, hasWord, "is no name", "give the full name, such as Ann Lee")
	v.list("not_names", x.NotNames, hasWord, "is empty", "give a word")
	v.list("names", x.Names, hasWord, "is empty", "give a name")
}

func hasWord(s string) bool { return strings.TrimSpace(match.Fold(s)) != "" }

func (v *problems) field(where string, f extract.Field) {
	if !slices.Contains(extract.Fields(), f) {
		v.add(where, fmt.Sprintf("%q is no field that is extracted", shown(string(f))), "use "+joined(extract.Fields()))
	}
}

func (v *problems) list(field string, values []string, right func(string) bool, rule, wayOut string) {
	if len(values) > maxEntries {
		v.add(field, fmt.Sprintf("has %d entries, at most %d are kept", len(values), maxEntries), "shorten it")
		return
	}
	for i, s := range values {
		if len(s) > maxEntry || strings.ContainsAny(s, "\x00\n") || !right(s) {
			v.add(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q %s", shown(s), rule), wayOut)
		}
	}
}

func (v *problems) endpoint(e *Endpoint) {
	if e == nil {
		return
	}
	u, err := url.Parse(e.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || len(e.URL) > 500:
		v.add("endpoint.url", "is no http or https address", "give the API's base, such as https://api.example.com/v1")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		v.add("endpoint.url", "holds a user, a query or a fragment, which would end in logs", "give the base alone and the key as the endpoint's key")
	}
	if strings.TrimSpace(e.Model) == "" || len(e.Model) > maxEntry {
		v.add("endpoint.model", fmt.Sprintf("is empty or longer than %d bytes", maxEntry), "name the model as the endpoint calls it")
	}
	if e.TimeoutSeconds < 0 || e.TimeoutSeconds > 60 {
		v.add("endpoint.timeout_seconds", "is not between 0 and 60", "use 1 to 60, or 0 for 10 seconds")
	}
	if e.CallsPerDay < 0 || e.CallsPerDay > 1_000_000 {
		v.add("endpoint.calls_per_day", "is not between 0 and 1,000,000", "use 1 to 1,000,000, or 0 for 1,000 calls")
	}
}

// shown keeps a value in an error short.
func shown(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

func joined(fields []extract.Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
