package simulator

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// token is an access token, a refresh token or an authorization code.
type token struct {
	Kind        string    `json:"kind"`
	Environment string    `json:"env"` // "" is the discovery service
	Expires     time.Time `json:"expires"`
	Person      bool      `json:"person"`
	Scope       string    `json:"scope"`
	Redirect    string    `json:"redirect,omitempty"`
	Challenge   string    `json:"challenge,omitempty"`
	Plain       bool      `json:"plain,omitempty"`
	Used        bool      `json:"used,omitempty"`
}

const (
	accessToken  = "access"
	refreshToken = "refresh"
	codeToken    = "code"
)

// discovery is the resource of the global discovery service (§1.6).
const discovery = "discovery"

// oauthFailure writes the error JSON of the token endpoint (§1.2).
func (s *Simulator) oauthFailure(w http.ResponseWriter, status int, word string, number int, text string) {
	now := s.Clock.Now()
	trace := uuid.NewSHA1(uuid.NameSpaceURL, []byte(fmt.Sprint(number, now))).String()
	at := now.Format("2006-01-02 15:04:05Z")
	base.WriteJSON(w, status, map[string]any{
		"error":             word,
		"error_description": fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", number, text, trace, trace, at),
		"error_codes":       []int{number}, "timestamp": at, "trace_id": trace, "correlation_id": trace,
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", number),
	})
}

// serveToken is S1.
func (s *Simulator) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store, no-cache")
	if err := r.ParseForm(); err != nil {
		s.oauthFailure(w, 400, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
		return
	}
	tenant, form := r.PathValue("tenant"), r.PostForm
	grant := form.Get("grant_type")
	client, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		client, secret = user, password
	}
	switch {
	case tenant == "common" && grant == "client_credentials":
		s.oauthFailure(w, 400, "invalid_request", 9001023, "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.")
	case tenant != s.settings.TenantID && tenant != "organizations" && tenant != "common":
		s.oauthFailure(w, 400, "invalid_request", 90002, "Tenant '"+tenant+"' not found.")
	case client != s.settings.ClientID:
		s.oauthFailure(w, 400, "unauthorized_client", 700016, "Application with identifier '"+client+"' was not found in the directory.")
	case secret == "" && form.Get("client_assertion") == "":
		s.oauthFailure(w, s.settings.InvalidClientStatus, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case secret != s.settings.ClientSecret:
		s.oauthFailure(w, s.settings.InvalidClientStatus, "invalid_client", 7000215, "Invalid client secret provided.")
	case s.settings.SecretOver:
		s.oauthFailure(w, s.settings.InvalidClientStatus, "invalid_client", 7000222, "The provided client secret keys are expired.")
	case s.settings.ConsentGone:
		s.oauthFailure(w, 400, "invalid_grant", 65001, "The user or administrator has not consented to use the application.")
	default:
		s.grant(w, r, grant, form)
	}
}

func (s *Simulator) grant(w http.ResponseWriter, r *http.Request, grant string, form url.Values) {
	switch grant {
	case "client_credentials":
		env, ok := s.scope(w, r, form.Get("scope"), true)
		if ok {
			s.issue(w, token{Kind: accessToken, Environment: env, Scope: form.Get("scope")}, false)
		}
	case "authorization_code":
		s.redeem(w, form)
	case "refresh_token":
		t, ok := s.tokens.Get(refreshToken + " " + form.Get("refresh_token"))
		if !ok || s.settings.RefuseRefreshTokens {
			s.oauthFailure(w, 400, "invalid_grant", 700082, "The refresh token has expired due to inactivity.")
			return
		}
		s.issue(w, token{Kind: accessToken, Environment: t.Environment, Scope: t.Scope, Person: true}, true)
	default:
		s.oauthFailure(w, 400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+grant+"'.")
	}
}

// redeem turns a code into tokens; a code is good once and for 10 minutes.
func (s *Simulator) redeem(w http.ResponseWriter, form url.Values) {
	key := codeToken + " " + form.Get("code")
	t, ok := s.tokens.Get(key)
	switch {
	case !ok || s.Clock.Now().After(t.Expires):
		s.oauthFailure(w, 400, "invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
		return
	case t.Used:
		s.oauthFailure(w, 400, "invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
		return
	case t.Redirect != form.Get("redirect_uri"):
		s.oauthFailure(w, 400, "invalid_grant", 500112, "The reply address does not match the reply address provided when requesting Authorization code.")
		return
	}
	proof := form.Get("code_verifier")
	if !t.Plain {
		sum := sha256.Sum256([]byte(proof))
		proof = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if t.Challenge != "" && proof != t.Challenge {
		s.oauthFailure(w, 400, "invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
		return
	}
	t.Used = true
	s.tokens.Put(key, t)
	s.issue(w, token{Kind: accessToken, Environment: t.Environment, Scope: t.Scope, Person: true}, slices.Contains(strings.Fields(t.Scope), "offline_access"))
}

// issue answers tokens.
func (s *Simulator) issue(w http.ResponseWriter, t token, refresh bool) {
	life := s.settings.TokenSeconds
	t.Expires = s.Clock.Now().Add(time.Duration(life) * time.Second)
	value := "sim." + strings.ReplaceAll(uuid.NewString(), "-", "")
	s.tokens.Put(accessToken+" "+value, t)
	body := map[string]any{"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": value}
	if t.Person {
		body["scope"] = t.Scope
	}
	if refresh {
		again := "0.sim." + uuid.NewString()
		s.tokens.Put(refreshToken+" "+again, token{Kind: refreshToken, Environment: t.Environment, Scope: t.Scope})
		body["refresh_token"] = again
	}
	base.WriteJSON(w, http.StatusOK, body)
}

// scope finds the environment that a token is asked for.
func (s *Simulator) scope(w http.ResponseWriter, r *http.Request, scope string, app bool) (string, bool) {
	env, resources := "", map[string]bool{}
	for _, word := range strings.Fields(scope) {
		resource, permission := cutLast(word)
		if resource == "" {
			continue // openid, offline_access
		}
		if permission != ".default" && (app || permission != "user_impersonation") {
			s.oauthFailure(w, 400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.")
			return "", false
		}
		resources[resource] = true
		var found bool
		if env, found = s.environmentOf(r.Host, resource); !found {
			s.oauthFailure(w, 400, "invalid_resource", 500011, "The resource principal named "+resource+" was not found in the tenant.")
			return "", false
		}
	}
	if len(resources) != 1 {
		s.oauthFailure(w, 400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.")
		return "", false
	}
	return env, true
}

func cutLast(word string) (string, string) {
	i := strings.LastIndexByte(word, '/')
	if i < 0 {
		return "", word
	}
	return strings.TrimSuffix(word[:i], "/"), word[i+1:]
}

// environmentOf reads an environment's name out of its URL.
func (s *Simulator) environmentOf(host, resource string) (string, bool) {
	u, err := url.Parse(resource)
	if err != nil || u.Host != host {
		return "", false
	}
	name := strings.Trim(u.Path, "/")
	if name == "" {
		return environmentNames()[0], true
	}
	if name == discovery {
		return discovery, true
	}
	_, ok := s.environments[name]
	return name, ok
}

// serveAuthorize is S2: consent is given at once.
func (s *Simulator) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || q.Get("client_id") != s.settings.ClientID || q.Get("response_type") != "code" {
		s.oauthFailure(w, 400, "invalid_request", 900144, "The request must contain client_id, response_type=code and redirect_uri.")
		return
	}
	out := back.Query()
	out.Set("state", q.Get("state"))
	if s.settings.ConsentGone {
		out.Set("error", "access_denied")
		out.Set("error_description", "AADSTS65004: User declined to consent to access the app.")
	} else {
		env, ok := s.scope(w, r, q.Get("scope"), false)
		if !ok {
			return
		}
		code := "sim-code-" + uuid.NewString()
		s.tokens.Put(codeToken+" "+code, token{
			Kind: codeToken, Environment: env, Expires: s.Clock.Now().Add(10 * time.Minute), Scope: q.Get("scope"), Person: true,
			Redirect: q.Get("redirect_uri"), Challenge: q.Get("code_challenge"), Plain: q.Get("code_challenge_method") == "plain",
		})
		out.Set("code", code)
	}
	back.RawQuery = out.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// bearer finds what a request's token is good for. A token that starts with
// static- is the application user's in every environment.
func (s *Simulator) bearer(r *http.Request) (token, bool) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || s.settings.ExpireTokens {
		return token{}, false
	}
	if strings.HasPrefix(raw, "static-") {
		return token{Kind: accessToken, Environment: "*"}, true
	}
	t, known := s.tokens.Get(accessToken + " " + raw)
	return t, known && s.Clock.Now().Before(t.Expires)
}

// unauthorized is §1.4: no body, but the way to the tenant.
func (s *Simulator) unauthorized(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer authorization_uri=http://%s/%s/oauth2/authorize, resource_id=http://%s/", r.Host, s.settings.TenantID, r.Host))
	w.WriteHeader(http.StatusUnauthorized)
}

// serveDiscovery is S3.
func (s *Simulator) serveDiscovery(w http.ResponseWriter, r *http.Request) {
	t, ok := s.bearer(r)
	if !ok {
		s.unauthorized(w, r)
		return
	}
	instances := []any{}
	for _, name := range environmentNames() {
		if !t.Person {
			break
		}
		e, url := s.environments[name], "http://"+r.Host+"/"+name
		instances = append(instances, map[string]any{
			"Id": e.organization(), "UniqueName": name, "UrlName": name, "FriendlyName": "Simulated " + name, "State": 0, "Version": "9.2.25021.00163",
			"Url": url, "ApiUrl": url, "LastUpdated": stamp(s.Clock.Now()), "Region": "EMEA", "OrganizationType": 0, "TenantId": s.settings.TenantID,
		})
	}
	base.WriteJSON(w, http.StatusOK, map[string]any{
		"@odata.context": "http://" + r.Host + "/api/discovery/v2.0/$metadata#Instances", "value": instances,
	})
}
