package connection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/clientele-crm/clientele/sdk"
)

// AccessToken is the secret that authorises a static_token connection; ClientID
// and ClientSecret are those of an application that signs in.
const (
	AccessToken  = "access_token"
	ClientID     = "client_id"
	ClientSecret = "client_secret"
)

// tokenTimeout bounds one call of a token endpoint; tokenMargin is how long
// before its end a token is no longer used, so that none ends during a call.
const (
	tokenTimeout = 20 * time.Second
	tokenMargin  = time.Minute
)

// tokens keeps the access tokens of client_credentials connections in memory:
// they can be had again at any time, so nothing is lost with them. Safe for
// concurrent use; one caller at a time asks for a connection's token.
type tokens struct {
	mu  sync.Mutex
	all map[ID]*cached
}

type cached struct {
	mu    sync.Mutex
	token *oauth2.Token
	made  string // what it was made with: new settings or secrets need a new one
}

// get answers a valid token, made by the client-credentials grant (RFC 6749 §4.4)
// of the method that the adapter describes.
func (t *tokens) get(ctx context.Context, id ID, m sdk.AuthMethod, settings map[string]any, clientID, secret string, now time.Time) (sdk.Token, error) {
	endpoint, err := fill(m.TokenURL, settings)
	if err != nil {
		return sdk.Token{}, err
	}
	if err := pinned(endpoint, m.TokenHosts, settings); err != nil {
		return sdk.Token{}, err
	}
	c := t.of(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	made := strings.Join([]string{endpoint, clientID, secret}, "\x00")
	if c.token == nil || c.made != made || (!c.token.Expiry.IsZero() && c.token.Expiry.Before(now.Add(tokenMargin))) {
		scopes := make([]string, len(m.Scopes))
		for i, s := range m.Scopes {
			if scopes[i], err = fill(s, settings); err != nil {
				return sdk.Token{}, err
			}
		}
		grant := clientcredentials.Config{ClientID: clientID, ClientSecret: secret, TokenURL: endpoint, Scopes: scopes, AuthStyle: oauth2.AuthStyleInParams}
		ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: tokenTimeout}), tokenTimeout)
		defer cancel()
		if c.token, err = grant.Token(ctx); err != nil {
			c.token = nil
			return sdk.Token{}, tokenError(err)
		}
		c.made = made
	}
	out := sdk.Token{AccessToken: c.token.AccessToken, Extras: map[string]string{}}
	for _, name := range m.KeepExtras {
		if v, ok := c.token.Extra(name).(string); ok {
			out.Extras[name] = v
		}
	}
	return out, nil
}

// Forget drops a connection's cached token: the CRM refused it.
func (s *Service) Forget(id ID) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	delete(s.tokens.all, id)
}

func (t *tokens) of(id ID) *cached {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[ID]*cached{}
	}
	if t.all[id] == nil {
		t.all[id] = &cached{}
	}
	return t.all[id]
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
		if !ok || value == "" {
			return "", &InvalidError{Field: "settings." + name, Rule: "is missing, and the token endpoint needs it", WayOut: "fill it in"}
		}
		out = out[:start] + strings.TrimSuffix(value, "/") + out[start+end+1:]
	}
}

// pinned refuses to send a secret anywhere but to the hosts that the adapter
// names, or to the address the admin has set (design.md §4).
func pinned(endpoint string, hosts []string, settings map[string]any) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return &InvalidError{Field: "settings", Rule: "give no token endpoint", WayOut: "check the addresses"}
	}
	if base, ok := settings["base_url"].(string); ok && len(hosts) > 0 {
		if b, err := url.Parse(base); err == nil {
			hosts = append(slices.Clone(hosts), b.Host)
		}
	}
	for _, h := range hosts {
		if u.Host == h || u.Hostname() == h || (strings.HasPrefix(h, "*.") && strings.HasSuffix(u.Hostname(), h[1:])) {
			return nil
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	return &InvalidError{Field: "settings", Rule: "lead the token request to " + u.Host + ", which the adapter does not name", WayOut: "use the CRM's own sign-in address"}
}

// tokenError keeps the provider's words and leaves out what was sent.
func tokenError(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return fmt.Errorf("the token endpoint refused (%d %s): %s", status, refused.ErrorCode, refused.ErrorDescription)
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("the token endpoint can't be reached")
	}
	return errors.New("the token endpoint gave no usable answer")
}
