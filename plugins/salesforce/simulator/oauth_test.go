package simulator_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	redirect  = "http://127.0.0.1:9000/cb"
)

type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	InstanceURL  string `json:"instance_url"`
	IssuedAt     string `json:"issued_at"`
	ID           string `json:"id"`
	Signature    string `json:"signature"`
	ExpiresIn    any    `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

func (o *org) grant(values url.Values) tokens {
	o.t.Helper()
	got := o.form("/services/oauth2/token", values)
	var out tokens
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.header.Get("Cache-Control") != "no-store" {
		o.t.Fatalf("token answer %d %s", got.status, got.body)
	}
	if (got.status == http.StatusOK) != (out.Error == "") {
		o.t.Errorf("status %d with %s", got.status, got.body)
	}
	return out
}

func (o *org) authorize(values url.Values) url.Values {
	o.t.Helper()
	got := o.send("GET", "/services/oauth2/authorize?"+values.Encode(), "", "Authorization", "")
	if got.status != http.StatusFound {
		o.t.Fatalf("authorize: %d %s", got.status, got.body)
	}
	back, err := url.Parse(got.header.Get("Location"))
	if err != nil || !strings.HasPrefix(back.String(), redirect) {
		o.t.Fatalf("Location %q", got.header.Get("Location"))
	}
	return back.Query()
}

func ask() url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {"sim-key"}, "redirect_uri": {redirect}, "state": {"s1"}, "scope": {"api refresh_token"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
}

func exchange(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"sim-key"}, "client_secret": {"sim-consumer-secret"},
		"redirect_uri": {redirect}, "code_verifier": {verifier},
	}
}

func refresh(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {"sim-key"}, "client_secret": {"sim-consumer-secret"}}
}

func (o *org) works(token string) bool {
	return o.send("GET", V+"/limits", "", "Authorization", "Bearer "+token).status == http.StatusOK
}

func TestWebServerFlow(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	back := o.authorize(ask())
	if back.Get("state") != "s1" || !strings.HasSuffix(back.Get("code"), "==") {
		t.Fatalf("callback %v", back)
	}
	wrong := exchange(back.Get("code"))
	wrong.Set("code_verifier", "wrong")
	if got := o.grant(wrong); got.Error != "invalid_grant" || got.Description != "invalid code verifier" {
		t.Errorf("a wrong verifier: %+v", got)
	}
	got := o.grant(exchange(back.Get("code")))
	if got.RefreshToken == "" || got.InstanceURL != o.url || got.ExpiresIn != nil || len(got.IssuedAt) != 13 || !strings.HasPrefix(got.AccessToken, "00DSi0000000001!") {
		t.Errorf("token answer: %+v", got)
	}
	if !o.works(got.AccessToken) {
		t.Error("the access token does not work")
	}
	if again := o.grant(exchange(back.Get("code"))); again.Error != "invalid_grant" {
		t.Errorf("a code used twice: %+v", again)
	}
	identity := o.send("GET", strings.TrimPrefix(got.ID, o.url), "", "Authorization", "Bearer "+got.AccessToken)
	if !strings.Contains(identity.body, `"organization_id":"00DSi0000000001MAA"`) {
		t.Errorf("identity: %s", identity.body)
	}
	if got := o.send("GET", "/services/oauth2/userinfo", "", "Authorization", "Bearer nobody"); got.status != 403 || got.body != "Bad_OAuth_Token" {
		t.Errorf("userinfo with a bad token: %d %s", got.status, got.body)
	}
}

func TestRefreshAndRotation(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	first := o.grant(exchange(o.authorize(ask()).Get("code")))
	plain := o.grant(refresh(first.RefreshToken))
	if plain.RefreshToken != "" || !o.works(plain.AccessToken) || !o.works(first.AccessToken) {
		t.Errorf("a plain refresh: %+v", plain)
	}
	o.admin("PATCH", "/settings", `{"rotate_refresh_tokens":true,"instance_url":"https://moved.my.salesforce.com"}`)
	rotated := o.grant(refresh(first.RefreshToken))
	if rotated.RefreshToken == "" || rotated.RefreshToken == first.RefreshToken || rotated.InstanceURL != "https://moved.my.salesforce.com" {
		t.Errorf("a rotating refresh: %+v", rotated)
	}
	if o.works(first.AccessToken) {
		t.Error("rotation left the old session alive")
	}
	if dead := o.grant(refresh(first.RefreshToken)); dead.Error != "invalid_grant" || dead.Description != "expired access/refresh token" {
		t.Errorf("the old refresh token: %+v", dead)
	}
	o.admin("POST", "/clock", `{"advance":"3h"}`)
	if o.works(rotated.AccessToken) {
		t.Error("a session outlived its two hours")
	}
	revoked := o.form("/services/oauth2/revoke", url.Values{"token": {rotated.RefreshToken}})
	if revoked.status != 200 || revoked.body != "" || o.grant(refresh(rotated.RefreshToken)).Error == "" {
		t.Errorf("revoke: %d %s", revoked.status, revoked.body)
	}
	if got := o.form("/services/oauth2/revoke", url.Values{"token": {"nobody's"}}); !strings.HasPrefix(got.body, "error=unsupported_token_type") {
		t.Errorf("revoke of nobody's: %s", got.body)
	}
}

func TestClientCredentialsAndIntrospection(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	values := url.Values{"grant_type": {"client_credentials"}, "client_id": {"sim-key"}, "client_secret": {"sim-consumer-secret"}}
	got := o.grant(values)
	if got.RefreshToken != "" || !o.works(got.AccessToken) {
		t.Errorf("token answer: %+v", got)
	}
	look := url.Values{"token": {got.AccessToken}, "client_id": {"sim-key"}, "client_secret": {"sim-consumer-secret"}}
	if body := o.form("/services/oauth2/introspect", look).body; !strings.Contains(body, `"active":true`) || !strings.Contains(body, `"exp":`) {
		t.Errorf("introspect: %s", body)
	}
	look.Set("token", "nobody's")
	if body := o.form("/services/oauth2/introspect", look).body; body != `{"active":false}` {
		t.Errorf("introspect of nobody's: %s", body)
	}
	for switches, want := range map[string]string{
		`{"shared_login_host":true}`:                        "request not supported on this domain",
		`{"shared_login_host":false,"no_run_as_user":true}`: "no client credentials user enabled",
	} {
		o.admin("PATCH", "/settings", switches)
		if got := o.grant(values); got.Description != want {
			t.Errorf("%s: %+v", switches, got)
		}
	}
	for _, tc := range []struct{ name, value, want string }{
		{"client_secret", "wrong", "invalid_client"}, {"client_id", "wrong", "invalid_client_id"}, {"grant_type", "password", "unsupported_grant_type"},
	} {
		bad := url.Values{"grant_type": {"client_credentials"}, "client_id": {"sim-key"}, "client_secret": {"sim-consumer-secret"}}
		bad.Set(tc.name, tc.value)
		if got := o.grant(bad); got.Error != tc.want {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestJWTBearer(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	o.admin("POST", "/jwt-key", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	sign := func(claims string) url.Values {
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {text + "." + base64.RawURLEncoding.EncodeToString(signature)}}
	}
	claims := func(iss, sub, aud string, in time.Duration) string {
		return fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"exp":%d}`, iss, sub, aud, time.Now().Add(in).Unix())
	}
	const user, login = "admin@example.org", "https://login.salesforce.com"
	if got := o.grant(sign(claims("sim-key", user, login, 2*time.Minute))); got.RefreshToken != "" || !o.works(got.AccessToken) {
		t.Errorf("token answer: %+v", got)
	}
	for claim, want := range map[string]string{
		claims("nobody", user, login, time.Minute):                    "client identifier invalid",
		claims("sim-key", "stranger@example.org", login, time.Minute): "user hasn't approved this consumer",
		claims("sim-key", user, "https://example.org", time.Minute):   "Audience validation failed",
		claims("sim-key", user, login, 10*time.Minute):                "invalid assertion",
		claims("sim-key", user, login, -time.Minute):                  "invalid assertion",
	} {
		if got := o.grant(sign(claim)); got.Description != want {
			t.Errorf("%s: %+v", claim, got)
		}
	}
	forged := sign(claims("sim-key", user, login, time.Minute))
	forged.Set("assertion", forged.Get("assertion")[:len(forged.Get("assertion"))-8]+"AAAAAAAA")
	if got := o.grant(forged); got.Error != "invalid_grant" {
		t.Errorf("a forged signature: %+v", got)
	}
}

func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	o := newOrg(t, "plain")
	o.admin("PATCH", "/settings", `{"consent":true}`)
	page := o.send("GET", "/services/oauth2/authorize?"+ask().Encode(), "", "Authorization", "")
	if page.status != 200 || !strings.Contains(page.body, "Allow Access?") {
		t.Errorf("consent: %d %s", page.status, page.body)
	}
	denied := ask()
	denied.Set("decision", "deny")
	if back := o.authorize(denied); back.Get("error") != "access_denied" || back.Get("error_description") != "end-user denied authorization" || back.Get("state") != "s1" {
		t.Errorf("denied: %v", back)
	}
	unknown := ask()
	unknown.Set("client_id", "<script>")
	if got := o.send("GET", "/services/oauth2/authorize?"+unknown.Encode(), "", "Authorization", ""); got.status != 400 || strings.Contains(got.body, "<script>") {
		t.Errorf("an unknown app: %d %s", got.status, got.body)
	}
	o.admin("PATCH", "/settings", `{"app_blocked":true}`)
	if got := o.send("GET", "/services/oauth2/authorize?"+ask().Encode(), "", "Authorization", ""); got.status != 400 || !strings.Contains(got.body, "OAUTH_APP_BLOCKED") {
		t.Errorf("a blocked app: %d %s", got.status, got.body)
	}
}
