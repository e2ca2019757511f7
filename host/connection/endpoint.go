package connection

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/clientele-crm/clientele/sdk"
)

// tokenTimeout bounds one call of a token endpoint.
const tokenTimeout = 20 * time.Second

// method is the adapter's way of signing in that the connection uses.
func (c *Connection) method(about sdk.Description) (sdk.AuthMethod, error) {
	for _, m := range about.Auth {
		if m.Kind == c.Auth {
			return m, nil
		}
	}
	return sdk.AuthMethod{}, &InvalidError{Field: "auth", Rule: fmt.Sprintf("%q is no way in which %s signs in", c.Auth, about.Name), WayOut: "choose another for the connection"}
}

// endpoint is where and how a connection gets its tokens: the adapter's words with
// the connection's settings in them.
type endpoint struct {
	oauth2.Endpoint
	scopes []string
	host   string
}

func (c *Connection) endpoint(about sdk.Description) (endpoint, error) {
	m, err := c.method(about)
	if err != nil {
		return endpoint{}, err
	}
	settings := map[string]any{}
	if err := json.Unmarshal(withDefaults(about.SettingsSchema, c.Settings), &settings); err != nil {
		return endpoint{}, fmt.Errorf("settings of connection %s: %w", c.Name, err)
	}
	e := endpoint{scopes: make([]string, len(m.Scopes))}
	e.AuthStyle = oauth2.AuthStyleInParams
	for i, s := range m.Scopes {
		if e.scopes[i], err = fill(s, settings); err != nil {
			return endpoint{}, err
		}
	}
	if e.AuthURL, err = fill(m.AuthorizeURL, settings); err != nil {
		return endpoint{}, err
	}
	if e.TokenURL, err = fill(m.TokenURL, settings); err != nil {
		return endpoint{}, err
	}
	e.host, err = pinned(e.TokenURL, m.TokenHosts, settings)
	if err == nil && c.tokenHost != "" && e.host != c.tokenHost {
		err = &InvalidError{
			Field: "settings", Rule: fmt.Sprintf("send this connection's secrets to %s, and the adapter now names %s", c.tokenHost, e.host),
			WayOut: "if that is right, save the connection's settings again",
		}
	}
	return e, err
}

// fill puts settings into the {placeholders} of an endpoint or a scope.
func fill(template string, settings map[string]any) (string, error) {
	out := template
	for {
		start := strings.IndexByte(out, '{')
		if start < 0 {
			return out, nil
		}
		end := strings.IndexByte(out[start:], '}')
		if end < 0 {
			return out, nil
		}
		name := out[start+1 : start+end]
		value, ok := settings[name].(string)
		if !ok || value == "" || strings.ContainsAny(value, "{}") {
			return "", &InvalidError{Field: "settings." + name, Rule: "is missing, and signing in needs it", WayOut: "fill it in"}
		}
		out = out[:start] + strings.TrimSuffix(value, "/") + out[start+end+1:]
	}
}

// pinned answers the host that secrets are sent to. It refuses every one but those
// that the adapter names and the address that the admin has set (design.md §4),
// and to send a secret in clear over a network.
func pinned(endpoint string, hosts []string, settings map[string]any) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", &InvalidError{Field: "settings", Rule: "give no token endpoint", WayOut: "check the addresses"}
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return "", &InvalidError{Field: "settings", Rule: "lead the token request to " + u.Host + " without TLS", WayOut: "use an address that begins with https://"}
	}
	if base, ok := settings["base_url"].(string); ok && len(hosts) > 0 {
		if b, err := url.Parse(base); err == nil {
			hosts = append(slices.Clone(hosts), b.Host)
		}
	}
	for _, h := range hosts {
		if u.Host == h || u.Hostname() == h || (strings.HasPrefix(h, "*.") && strings.HasSuffix(u.Hostname(), h[1:])) {
			return u.Host, nil
		}
	}
	if len(hosts) == 0 {
		return u.Host, nil
	}
	return "", &InvalidError{Field: "settings", Rule: "lead the token request to " + u.Host + ", which the adapter does not name", WayOut: "use the CRM's own sign-in address"}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// tokenClient calls token endpoints. It follows no redirect: the secret is for the
// one host.
func tokenClient() *http.Client {
	return &http.Client{
		Timeout:       tokenTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refusal is a token endpoint's "no", in the provider's words.
type refusal struct {
	status      int
	code, words string
}

// Error keeps the provider's words and leaves out what was sent.
func (r *refusal) Error() string {
	said := fmt.Sprintf("the token endpoint refused (%d %s)", r.status, r.code)
	if r.words != "" {
		said += ": " + r.words
	}
	return said
}

// final tells whether a person has to act: the provider used one of the words that
// the adapter names for that. A provider in trouble never means it.
func (r *refusal) final(m sdk.AuthMethod) bool {
	if r.status >= http.StatusInternalServerError || r.status == http.StatusTooManyRequests || r.status == http.StatusRequestTimeout {
		return false
	}
	return slices.ContainsFunc(m.ReauthErrors, func(word string) bool {
		word = strings.ToLower(word)
		return strings.EqualFold(r.code, word) || strings.Contains(strings.ToLower(r.words), word)
	})
}

// maxWords bounds what is kept of a provider's explanation, in bytes.
const maxWords = 300

// tokenError makes a *refusal of a token endpoint's answer; everything else is a
// failure that may pass. HubSpot's errors have members of their own (hubspot.md
// §1.5).
func tokenError(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || refused.Response == nil {
		if _, ok := errors.AsType[*url.Error](err); ok {
			return errors.New("the token endpoint can't be reached")
		}
		return errors.New("the token endpoint gave no usable answer")
	}
	r := &refusal{status: refused.Response.StatusCode, code: refused.ErrorCode, words: refused.ErrorDescription}
	var own struct{ Status, Message string }
	if r.code == "" && json.Unmarshal(refused.Body, &own) == nil {
		r.code, r.words = own.Status, own.Message
	}
	r.words, _, _ = strings.Cut(r.words, "\r\n")
	r.code, r.words = r.code[:min(len(r.code), maxWords)], r.words[:min(len(r.words), maxWords)]
	return r
}
