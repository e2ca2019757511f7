package simulator

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The names of the org (doc.go).
const (
	clientID     = "sim-key"
	clientSecret = "sim-consumer-secret"
	username     = "admin@example.org"
	orgID        = "00DSi0000000001"
	adminUser    = "005Si0000000001"
	// StaticToken is an access token that never ends.
	StaticToken = "00DSi0000000001!sim-static-token"
)

// session is what an access or refresh token stands for.
type session struct {
	User   string    `json:"user"`
	Scopes string    `json:"scopes"`
	Ends   time.Time `json:"ends"`
	// Refresh is the refresh token an access token came with.
	Refresh string `json:"refresh,omitempty"`
}

// grant is an authorization code waiting to be exchanged.
type grant struct {
	RedirectURI string    `json:"redirect_uri"`
	Scopes      string    `json:"scopes"`
	Challenge   string    `json:"challenge"`
	Ends        time.Time `json:"ends"`
}

// authorize answers the browser's part of the web server flow (salesforce.md
// §1.2).
func (s *Simulator) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case s.settings.AppBlocked:
		page(w, http.StatusBadRequest, "OAUTH_APP_BLOCKED", "An administrator must install or approve this app.")
		return
	case q.Get("client_id") != clientID:
		page(w, http.StatusBadRequest, "invalid_client_id", "client identifier invalid")
		return
	case err != nil || back.Host == "":
		page(w, http.StatusBadRequest, "redirect_uri_mismatch", "redirect_uri must match configuration")
		return
	}
	answerWith := func(v url.Values) {
		if state := q.Get("state"); state != "" {
			v.Set("state", state)
		}
		back.RawQuery = v.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound)
	}
	switch {
	case q.Get("response_type") != "code":
		answerWith(url.Values{"error": {"unsupported_response_type"}, "error_description": {"response type not supported"}})
	case q.Get("code_challenge_method") != "" && q.Get("code_challenge_method") != "S256": // jsforce leaves it out
		answerWith(url.Values{"error": {"invalid_request"}, "error_description": {"invalid code challenge method"}})
	case q.Get("decision") == "deny":
		answerWith(url.Values{"error": {"access_denied"}, "error_description": {"end-user denied authorization"}})
	case s.settings.Consent && q.Get("decision") != "allow":
		consent(w, r)
	default:
		code := "aPrx" + randomToken() + "=="
		scopes := q.Get("scope")
		if scopes == "" {
			scopes = "api refresh_token"
		}
		s.codes.Put(code, grant{
			RedirectURI: q.Get("redirect_uri"), Scopes: scopes, Challenge: q.Get("code_challenge"),
			Ends: s.Clock.Now().Add(10 * time.Minute),
		})
		answerWith(url.Values{"code": {code}})
	}
}

func page(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html><title>Salesforce</title><h1>%s</h1><p>%s</p>", html.EscapeString(code), html.EscapeString(text))
}

// consent asks as Salesforce does before an app is allowed.
func consent(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	link := func(decision string) string {
		q := r.URL.Query()
		q.Set("decision", decision)
		return html.EscapeString(r.URL.Path + "?" + q.Encode())
	}
	fmt.Fprintf(w, `<!doctype html><title>Allow Access?</title><h1>Allow Access?</h1><p>The app is asking to manage your data.</p>`+
		`<p><a href="%s">Deny</a> <a href="%s">Allow</a></p>`, link("deny"), link("allow"))
}

// oauthError is the form of the token endpoint's errors (salesforce.md §1.7).
type oauthError struct{ code, description string }

func (s *Simulator) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := r.ParseForm(); err != nil {
		oauthRefuse(w, r, oauthError{"invalid_request", "the form cannot be read"})
		return
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		id, secret = user, pass
	}
	var made ordered
	var e *oauthError
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		made, e = s.exchange(r, id, secret)
	case "refresh_token":
		made, e = s.renew(r, id, secret)
	case "client_credentials":
		made, e = s.clientCredentials(r, id, secret)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		made, e = s.bearer(r)
	default:
		e = &oauthError{"unsupported_grant_type", "grant type not supported"}
	}
	if e != nil {
		oauthRefuse(w, r, *e)
		return
	}
	s.Counters.Add("tokens issued", 1)
	answer(w, r, http.StatusOK, made)
}

func oauthRefuse(w http.ResponseWriter, r *http.Request, e oauthError) {
	answer(w, r, http.StatusBadRequest, ordered{{"error", e.code}, {"error_description", e.description}})
}

// checkClient checks the app; a public client sends no secret.
func checkClient(id, secret string, secretNeeded bool) *oauthError {
	if id != clientID {
		return &oauthError{"invalid_client_id", "client identifier invalid"}
	}
	if secret != clientSecret && (secret != "" || secretNeeded) {
		return &oauthError{"invalid_client", "invalid client credentials"}
	}
	return nil
}

func (s *Simulator) exchange(r *http.Request, id, secret string) (ordered, *oauthError) {
	if e := checkClient(id, secret, false); e != nil {
		return nil, e
	}
	code := r.PostForm.Get("code")
	g, ok := s.codes.Get(code)
	switch {
	case !ok:
		return nil, &oauthError{"invalid_grant", "invalid authorization code"}
	case !s.Clock.Now().Before(g.Ends):
		return nil, &oauthError{"invalid_grant", "expired authorization code"}
	case g.RedirectURI != r.PostForm.Get("redirect_uri"):
		return nil, &oauthError{"redirect_uri_mismatch", "redirect_uri must match configuration"}
	}
	if verifier := r.PostForm.Get("code_verifier"); g.Challenge != "" {
		sum := sha256.Sum256([]byte(verifier))
		if verifier == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != g.Challenge {
			return nil, &oauthError{"invalid_grant", "invalid code verifier"}
		}
	}
	s.codes.Delete(code) // a code works once
	refresh := ""
	if words := strings.Fields(g.Scopes); slices.Contains(words, "refresh_token") || slices.Contains(words, "offline_access") {
		refresh = "5Aep" + randomToken()
		s.refresh.Put(refresh, session{User: adminUser, Scopes: g.Scopes})
	}
	return s.issue(r, g.Scopes, refresh, true), nil
}

// renew answers a refresh. With rotation the old refresh token and the sessions
// made with it end at once (salesforce.md §1.4).
func (s *Simulator) renew(r *http.Request, id, secret string) (ordered, *oauthError) {
	if e := checkClient(id, secret, false); e != nil {
		return nil, e
	}
	old := r.PostForm.Get("refresh_token")
	held, ok := s.refresh.Get(old)
	if !ok {
		return nil, &oauthError{"invalid_grant", "expired access/refresh token"}
	}
	if s.settings.UserInactive {
		return nil, &oauthError{"invalid_grant", "inactive user"}
	}
	if !s.settings.RotateRefreshTokens {
		return s.issue(r, held.Scopes, old, false), nil
	}
	s.dropRefresh(old)
	fresh := "5Aep" + randomToken()
	s.refresh.Put(fresh, held)
	return s.issue(r, held.Scopes, fresh, true), nil
}

// dropRefresh revokes a refresh token and the sessions made with it.
func (s *Simulator) dropRefresh(refresh string) {
	s.refresh.Delete(refresh)
	for token, made := range s.sessions.All() {
		if made.Refresh == refresh {
			s.sessions.Delete(token)
			s.dropCursors(token)
		}
	}
}

func (s *Simulator) clientCredentials(r *http.Request, id, secret string) (ordered, *oauthError) {
	if e := checkClient(id, secret, true); e != nil {
		return nil, e
	}
	switch {
	case s.settings.SharedLoginHost:
		return nil, &oauthError{"invalid_grant", "request not supported on this domain"}
	case s.settings.NoRunAsUser:
		return nil, &oauthError{"invalid_grant", "no client credentials user enabled"}
	case s.settings.UserInactive:
		return nil, &oauthError{"invalid_grant", "inactive user"}
	}
	return s.issue(r, "api", "", false), nil
}

// issue makes an access token and the answer that carries it. There is no
// expires_in, and issued_at is text (salesforce.md §1.3).
func (s *Simulator) issue(r *http.Request, scopes, refresh string, tellRefresh bool) ordered {
	now := s.Clock.Now()
	access := orgID + "!" + randomToken()
	s.sessions.Put(access, session{
		User: adminUser, Scopes: scopes, Refresh: refresh,
		Ends: now.Add(time.Duration(s.settings.SessionSeconds) * time.Second),
	})
	identity := s.identity(r, adminUser)
	issued := strconv.FormatInt(now.UnixMilli(), 10)
	out := ordered{{"access_token", access}}
	if tellRefresh && refresh != "" {
		out = append(out, pair{"refresh_token", refresh})
	}
	return append(out,
		pair{"signature", signature(identity, issued)}, pair{"scope", scopes}, pair{"instance_url", s.instanceURL(r)},
		pair{"id", identity}, pair{"token_type", "Bearer"}, pair{"issued_at", issued})
}

// signature is how the receiver checks id and issued_at (salesforce.md §1.3).
func signature(identity, issued string) string {
	mac := hmac.New(sha256.New, []byte(clientSecret))
	mac.Write([]byte(identity + issued))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// instanceURL is where the org is reached: the address that was called, unless
// it is set otherwise.
func (s *Simulator) instanceURL(r *http.Request) string {
	if s.settings.InstanceURL != "" {
		return s.settings.InstanceURL
	}
	return "http://" + r.Host
}

func randomToken() string {
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // crypto/rand does not fail
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
