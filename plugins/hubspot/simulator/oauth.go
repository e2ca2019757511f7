package simulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// token is a credential or a step on the way to one.
type token struct {
	Kind        string
	Portal      int64
	Scopes      []string
	Expires     time.Time // access tokens and codes
	RedirectURI string    // codes
	Challenge   string    // codes with PKCE
	Used        bool      // codes
	Refresh     string    // access tokens: what made them
	Client      string
}

// The kinds of token.
const (
	staticToken  = "static"
	accessToken  = "access"
	refreshToken = "refresh"
	codeToken    = "code"
)

// authorize is HubSpot's consent page without the page: it goes back at once
// with a code.
func (s *Simulator) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Host == "" || q.Get("client_id") == "" {
		http.Error(w, "client_id and redirect_uri are needed", http.StatusBadRequest)
		return
	}
	code := "sim-code-" + s.serial()
	s.tokens.Put(code, token{
		Kind: codeToken, Portal: DefaultPortal, Scopes: append([]string{"oauth"}, strings.Fields(q.Get("scope"))...),
		Expires: s.Clock.Now().Add(time.Minute), RedirectURI: q.Get("redirect_uri"), Challenge: q.Get("code_challenge"),
		Client: q.Get("client_id"),
	})
	answer := back.Query()
	answer.Set("code", code)
	if state := q.Get("state"); state != "" {
		answer.Set("state", state)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// serial makes parts of tokens; they are no secrets here.
func (s *Simulator) serial() string {
	n, _ := s.numbers.Get("token")
	s.numbers.Put("token", n+1)
	return strconv.FormatInt(int64(0x7f31+n*0x9e37), 16)
}

// tokenEndpoint takes the form from the body; v1 also from the query (§1.3).
func (s *Simulator) tokenEndpoint(version string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-HubSpot-Correlation-Id", s.nextID())
		if err := r.ParseForm(); err != nil {
			s.sendWord(w, "BAD_REQUEST", "the form cannot be read")
			return
		}
		form := r.PostForm
		if version == "v1" {
			form = r.Form
		}
		var t token
		var word, message string
		switch form.Get("grant_type") {
		case "authorization_code":
			t, word, message = s.redeem(form)
		case "refresh_token":
			t, word, message = s.refresh(form)
		default:
			word, message = "BAD_GRANT_TYPE", "missing or unknown grant_type"
		}
		if word == "" && (form.Get("client_id") == "" || form.Get("client_secret") == "") {
			word, message = "BAD_CLIENT_ID", "missing or unknown client id"
		}
		if word != "" {
			s.sendWord(w, word, message)
			return
		}
		base.WriteJSON(w, http.StatusOK, s.issue(t, version))
	}
}

// sendWord is an error of the token endpoint, which is not OAuth's (§1.5).
func (s *Simulator) sendWord(w http.ResponseWriter, word, message string) {
	base.WriteJSON(w, http.StatusBadRequest, map[string]string{
		"status": word, "message": message, "correlationId": s.lastID(),
	})
}

func (s *Simulator) redeem(form url.Values) (t token, word, message string) {
	code := form.Get("code")
	t, ok := s.tokens.Get(code)
	switch {
	case !ok || t.Kind != codeToken || t.Used:
		return t, "BAD_AUTH_CODE", "missing or unknown auth code"
	case s.Clock.Now().After(t.Expires):
		return t, "EXPIRED_AUTH_CODE", "the auth code has expired"
	case t.RedirectURI != form.Get("redirect_uri"):
		return t, "MISMATCH_REDIRECT_URI_AUTH_CODE", "redirect URI does not match initial auth code URI"
	case t.Challenge != "" && t.Challenge != challenge(form.Get("code_verifier")):
		return t, "BAD_AUTH_CODE", "the code verifier does not fit"
	}
	t.Used = true
	s.tokens.Put(code, t)
	return t, "", ""
}

func (s *Simulator) refresh(form url.Values) (t token, word, message string) {
	t, ok := s.tokens.Get(form.Get("refresh_token"))
	if !ok || t.Kind != refreshToken || s.settings.Uninstalled {
		return t, "BAD_REFRESH_TOKEN", "missing or invalid refresh token"
	}
	t.Refresh = form.Get("refresh_token")
	if s.settings.RotateRefreshTokens {
		s.tokens.Delete(t.Refresh)
		t.Refresh = ""
	}
	return t, "", ""
}

// issue makes an access token and, unless there is one, a refresh token.
func (s *Simulator) issue(t token, version string) map[string]any {
	if t.Refresh == "" {
		t.Refresh = "sim-rt-" + s.serial()
		s.tokens.Put(t.Refresh, token{Kind: refreshToken, Portal: t.Portal, Scopes: t.Scopes, Client: t.Client})
	}
	access := "sim-at-" + s.serial()
	life := time.Duration(s.settings.TokenSeconds) * time.Second
	s.tokens.Put(access, token{
		Kind: accessToken, Portal: t.Portal, Scopes: t.Scopes, Expires: s.Clock.Now().Add(life), Refresh: t.Refresh,
		Client: t.Client,
	})
	body := map[string]any{
		"access_token": access, "refresh_token": t.Refresh, "expires_in": s.settings.TokenSeconds, "token_type": "bearer",
	}
	if version != "v1" {
		body["token_use"], body["hub_id"], body["user_id"], body["scopes"] = "access_token", t.Portal, 90017, t.Scopes
	}
	return body
}

func (s *Simulator) introspect(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.sendWord(w, "BAD_REQUEST", "the form cannot be read")
		return
	}
	raw := r.PostForm.Get("token")
	t, ok := s.tokens.Get(raw)
	if !ok || t.Kind == accessToken && s.Clock.Now().After(t.Expires) {
		base.WriteJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	body := map[string]any{
		"active": true, "token": raw, "token_type": "bearer", "token_use": t.Kind + "_token", "client_id": t.Client,
		"app_id": number(appID), "hub_id": t.Portal, "hub_domain": "sim.example", "user": "admin@sim.example", "user_id": 90017,
		"scopes": t.Scopes, "is_private_distribution": true,
	}
	if t.Kind == accessToken {
		body["expires_in"] = int(t.Expires.Sub(s.Clock.Now()).Seconds())
	}
	base.WriteJSON(w, http.StatusOK, body)
}

func (s *Simulator) revoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.sendWord(w, "BAD_REQUEST", "the form cannot be read")
		return
	}
	s.drop(r.PostForm.Get("token"))
	w.WriteHeader(http.StatusNoContent)
}
