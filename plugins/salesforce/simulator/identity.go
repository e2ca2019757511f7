package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// bearer checks a signed assertion (salesforce.md §1.6).
func (s *Simulator) bearer(r *http.Request) (ordered, *oauthError) {
	parts := strings.Split(r.PostForm.Get("assertion"), ".")
	var header struct{ Alg string }
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	if len(parts) != 3 || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) || header.Alg != "RS256" {
		return nil, &oauthError{"invalid_grant", "invalid assertion"}
	}
	now := s.Clock.Now()
	until := time.Unix(claims.Exp, 0)
	audiences := []string{"https://login.salesforce.com", "https://test.salesforce.com", s.instanceURL(r)}
	switch {
	case claims.Iss != clientID:
		return nil, &oauthError{"invalid_client_id", "client identifier invalid"}
	case s.jwtKey == nil || !signed(s.jwtKey, parts):
		return nil, &oauthError{"invalid_grant", "invalid assertion"}
	case !slices.Contains(audiences, strings.TrimSuffix(claims.Aud, "/")):
		return nil, &oauthError{"invalid_grant", "Audience validation failed"}
	case claims.Sub != username:
		return nil, &oauthError{"invalid_grant", "user hasn't approved this consumer"}
	case s.settings.UserInactive:
		return nil, &oauthError{"invalid_grant", "inactive user"}
	case until.Before(now) || until.After(now.Add(5*time.Minute)):
		return nil, &oauthError{"invalid_grant", "invalid assertion"}
	}
	return s.issue(r, "api", "", false), nil
}

func decodePart(part string, out any) bool {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
	return err == nil && json.Unmarshal(data, out) == nil
}

func signed(key *rsa.PublicKey, parts []string) bool {
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[2], "="))
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

// readKey reads a PEM block with a certificate or a public key.
func readKey(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("jwt-key: want PEM text")
	}
	var key any
	var err error
	if block.Type == "CERTIFICATE" {
		var cert *x509.Certificate
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = cert.PublicKey
		}
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("jwt-key: %w", err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("jwt-key: want an RSA key")
	}
	return public, nil
}

// introspect tells the state of a token (salesforce.md §1.8).
func (s *Simulator) introspect(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		oauthRefuse(w, r, oauthError{"invalid_request", "the form cannot be read"})
		return
	}
	if e := checkClient(r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), true); e != nil {
		oauthRefuse(w, r, *e)
		return
	}
	token := r.PostForm.Get("token")
	kind := "access_token"
	held, ok := s.sessions.Get(token)
	alive := ok && s.Clock.Now().Before(held.Ends)
	if !ok {
		kind = "refresh_token"
		held, alive = s.refresh.Get(token)
	}
	if !alive {
		answer(w, r, http.StatusOK, map[string]bool{"active": false})
		return
	}
	out := ordered{
		{"active", true}, {"scope", held.Scopes}, {"client_id", clientID}, {"username", username},
		{"sub", s.identity(r, held.User)}, {"token_type", kind},
	}
	if kind == "access_token" {
		issued := held.Ends.Add(-time.Duration(s.settings.SessionSeconds) * time.Second).Unix()
		out = append(out, pair{"exp", held.Ends.Unix()}, pair{"iat", issued}, pair{"nbf", issued})
	}
	answer(w, r, http.StatusOK, out)
}

// revoke ends a token; its errors are form text (salesforce.md §1.8).
func (s *Simulator) revoke(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // a broken form has no token
	token := r.Form.Get("token")
	_, access := s.sessions.Get(token)
	_, refresh := s.refresh.Get(token)
	switch {
	case access:
		s.sessions.Delete(token)
		s.dropCursors(token)
	case refresh:
		s.dropRefresh(token)
	default:
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("error=unsupported_token_type&error_description=this+token+type+is+not+supported"))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// identity is a user's identity URL. A real one is on the login host, which a
// simulator must not send anybody to.
func (s *Simulator) identity(r *http.Request, user string) string {
	return s.instanceURL(r) + "/id/" + longID(orgID) + "/" + longID(user)
}

// userInfo answers userinfo and the identity URL.
func (s *Simulator) userInfo(w http.ResponseWriter, r *http.Request) {
	user, f := s.caller(r)
	switch {
	case r.Header.Get("Authorization") == "":
		plain(w, http.StatusForbidden, "Missing_OAuth_Token")
		return
	case f != nil:
		plain(w, http.StatusForbidden, "Bad_OAuth_Token")
		return
	case r.PathValue("org") != "" && r.PathValue("org") != longID(orgID):
		plain(w, http.StatusForbidden, "Wrong_Org")
		return
	}
	root := s.instanceURL(r)
	rest := root + "/services/data/v{version}/"
	identity := s.identity(r, user)
	answer(w, r, http.StatusOK, ordered{
		{"id", identity}, {"sub", identity}, {"user_id", longID(user)}, {"organization_id", longID(orgID)},
		{"username", username}, {"preferred_username", username}, {"nickname", "admin"}, {"display_name", "Ada Admin"}, {"name", "Ada Admin"},
		{"email", username}, {"email_verified", true}, {"given_name", "Ada"}, {"family_name", "Admin"}, {"zoneinfo", "Europe/Berlin"},
		{"is_salesforce_integration_user", false},
		{"urls", map[string]string{
			"rest": rest, "sobjects": rest + "sobjects/", "query": rest + "query/", "search": rest + "search/",
			"recent": rest + "recent/", "tooling_rest": rest + "tooling/", "enterprise": root + "/services/Soap/c/{version}/" + orgID,
			"metadata": root + "/services/Soap/m/{version}/" + orgID, "partner": root + "/services/Soap/u/{version}/" + orgID,
			"profile": root + "/" + longID(user),
		}},
		{"active", true}, {"user_type", "STANDARD"}, {"language", "en_US"}, {"locale", "de_DE"}, {"utcOffset", 3600000},
		{"updated_at", "2026-01-01T00:00:00Z"},
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
