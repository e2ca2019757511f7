package simulator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// innerKey marks a part of a composite request: its caller is known and it is
// not counted.
type innerKey struct{}

// api wraps an endpoint below /services/data/{version}: the version must be on
// offer, the session alive and the allowance not used up (salesforce.md §11.1).
func (s *Simulator) api(handle func(w http.ResponseWriter, r *request)) http.HandlerFunc {
	return func(w http.ResponseWriter, plain *http.Request) {
		r := &request{Request: plain, version: plain.PathValue("version")}
		if inner, ok := plain.Context().Value(innerKey{}).(*request); ok {
			r.user, r.token = inner.user, inner.token
		} else if f := s.admit(w, r); f != nil {
			refuse(w, plain, f)
			return
		}
		if !s.offers(r.version) {
			refuse(w, plain, notFound())
			return
		}
		if form := plain.Header.Get("Content-Type"); strings.HasPrefix(form, "application/x-www-form-urlencoded") || strings.HasPrefix(form, "multipart/") {
			refuse(w, plain, fail(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "unsupported media type"))
			return
		}
		body, err := readBody(plain)
		if err != nil {
			refuse(w, plain, bad("JSON_PARSER_ERROR", "the body cannot be unpacked"))
			return
		}
		r.body = body
		handle(w, r)
	}
}

// admit checks the caller and counts the call. Rejected sessions count nothing.
func (s *Simulator) admit(w http.ResponseWriter, r *request) *failure {
	s.commonHeaders(w)
	user, f := s.caller(r.Request)
	if f != nil {
		return f
	}
	r.user, r.token = user, bearerToken(r.Request)
	if s.usage >= s.settings.DailyLimit {
		s.limitHeader(w)
		return fail(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
	}
	s.count(1)
	s.limitHeader(w)
	return nil
}

// count adds API calls to the org's usage.
func (s *Simulator) count(n int) {
	s.usage += n
	s.Counters.Add("bucket api_requests", n)
}

func (s *Simulator) commonHeaders(w http.ResponseWriter) {
	s.requests++
	var id [8]byte
	_, _ = rand.Read(id[:])
	h := w.Header()
	h.Set("X-Request-Id", hex.EncodeToString(id[:])+strconv.Itoa(s.requests))
	h.Set("Cache-Control", "no-cache,must-revalidate,max-age=0,no-store,private")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Date", s.Clock.Now().Format(http.TimeFormat))
}

func (s *Simulator) limitHeader(w http.ResponseWriter) {
	switch s.settings.LimitInfo {
	case "absent":
	case "garbled":
		w.Header().Set("Sforce-Limit-Info", "api-usage=many/of-them")
	case "app":
		w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d; per-app-api-usage=%d/%d(appName=sim)", s.usage, s.settings.DailyLimit, s.usage, s.settings.DailyLimit/2))
	default:
		w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", s.usage, s.settings.DailyLimit))
	}
}

// caller is the user behind the Authorization header.
func (s *Simulator) caller(r *http.Request) (string, *failure) {
	expired := fail(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
	header := r.Header.Get("Authorization")
	scheme, token, found := strings.Cut(header, " ")
	switch {
	case header == "":
		return "", expired
	case !found || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "OAuth"):
		return "", fail(http.StatusUnauthorized, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
	case s.settings.UserInactive:
		return "", expired
	case token == StaticToken:
		return adminUser, nil
	}
	alive, ok := s.sessions.Get(token)
	if !ok || !s.Clock.Now().Before(alive.Ends) {
		return "", expired
	}
	return alive.User, nil
}

// bearerToken is the access token of a request.
func bearerToken(r *http.Request) string {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return token
}

// oldestVersion is the first version that is not retired.
const oldestVersion = 31

func (s *Simulator) offers(version string) bool {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(version, "v"), ".0"))
	return err == nil && version == fmt.Sprintf("v%d.0", n) && n >= oldestVersion && n <= s.settings.NewestVersion
}

// inner runs a part of a composite request through the same routes and returns
// its answer. What it wrote stays pending in the store.
func (s *Simulator) inner(outer *request, method, url string, header http.Header, body []byte) *recorded {
	ctx := context.WithValue(outer.Context(), innerKey{}, outer)
	answer := &recorded{header: http.Header{}, status: http.StatusOK}
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(string(body)))
	if err != nil {
		answer.status = http.StatusBadRequest
		_, _ = answer.Write([]byte(`[{"message":"The request URL is malformed","errorCode":"MALFORMED_QUERY"}]`))
		return answer
	}
	r.RequestURI = url
	for k, v := range header {
		r.Header[k] = v
	}
	s.mux.ServeHTTP(answer, r)
	return answer
}

// recorded keeps an answer instead of sending it.
type recorded struct {
	header http.Header
	status int
	body   []byte
}

func (a *recorded) Header() http.Header         { return a.header }
func (a *recorded) WriteHeader(status int)      { a.status = status }
func (a *recorded) Write(p []byte) (int, error) { a.body = append(a.body, p...); return len(p), nil }

// stamp is a time as Salesforce writes it: seconds, with zero milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") + ".000+0000" }

// now is the org's clock as it is written into records.
func (s *Simulator) now() string { return stamp(s.Clock.Now()) }
