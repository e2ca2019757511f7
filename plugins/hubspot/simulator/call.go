package simulator

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// call is one authorised request.
type call struct {
	*http.Request
	version string
	portal  int64
	scopes  []string // nil: all
	now     time.Time
}

// answer is a status and a body; a nil body means none.
type answer struct {
	status int
	body   any
}

type handler func(*call) answer

// bucket is the limit that a request counts against (§5.1).
type bucket string

const (
	burst       bucket = "burst"
	search      bucket = "search"
	association bucket = "associations"
)

// authorised does what precedes every call: the token, the limits, the content
// type, and the headers of the answer.
func (s *Simulator) authorised(version string, b bucket, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-HubSpot-Correlation-Id", s.nextID())
		c := &call{Request: r, version: version, now: s.Clock.Now()}
		t, refused := s.authenticate(c)
		if refused != nil {
			s.send(w, *refused)
			return
		}
		s.Counters.Add("bucket "+string(b), 1)
		if refused := s.spend(c, t, b, w.Header()); refused != nil {
			s.send(w, *refused)
			return
		}
		if len(r.RequestURI) > 8<<10 {
			s.send(w, s.fail(http.StatusRequestURITooLong, "", "URI Too Long"))
			return
		}
		if r.Method == http.MethodPost || r.Method == http.MethodPatch {
			kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
			upload := kind == "multipart/form-data" && strings.Contains(r.URL.Path, "/imports")
			if kind != "application/json" && !upload {
				s.send(w, s.fail(http.StatusUnsupportedMediaType, "", "Unsupported Media Type"))
				return
			}
		}
		s.send(w, h(c))
	}
}

func (s *Simulator) send(w http.ResponseWriter, a answer) {
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	base.WriteJSON(w, a.status, a.body)
}

// authenticate finds the portal and the scopes of a token.
func (s *Simulator) authenticate(c *call) (token, *answer) {
	raw, ok := strings.CutPrefix(c.Header.Get("Authorization"), "Bearer ")
	if !ok || raw == "" || c.URL.Query().Has("hapikey") {
		a := s.fail(http.StatusUnauthorized, "INVALID_AUTHENTICATION",
			"Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview")
		return token{}, &a
	}
	if s.settings.Uninstalled {
		a := s.fail(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "The app is not installed in this account.")
		return token{}, &a
	}
	t, known := s.tokens.Get(raw)
	switch {
	case known && t.Kind == accessToken && c.now.After(t.Expires), s.settings.ExpireTokens:
		ago := max(int(c.now.Sub(t.Expires).Seconds()), 1)
		if t.Expires.IsZero() {
			ago = 1
		}
		a := s.fail(http.StatusUnauthorized, "EXPIRED_AUTHENTICATION",
			"The OAuth token used to make this call expired "+strconv.Itoa(ago)+" second(s) ago.")
		return token{}, &a
	case known && t.Kind == accessToken:
	case strings.HasPrefix(raw, "pat-") && len(raw) > len("pat-"):
		t = token{Kind: staticToken, Portal: portalOf(raw)}
	default:
		a := s.fail(http.StatusUnauthorized, "INVALID_AUTHENTICATION", "The access token is not valid.")
		return token{}, &a
	}
	c.portal, c.scopes = t.Portal, t.Scopes
	return t, nil
}

// portalOf reads the portal number out of pat-{region}-{portal}-{anything}.
func portalOf(raw string) int64 {
	parts := strings.SplitN(raw, "-", 4)
	if len(parts) == 4 {
		if n, err := strconv.ParseInt(parts[2], 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return DefaultPortal
}

// need checks that the token has one of the scopes (§1.6).
func (s *Simulator) need(c *call, scopes ...string) *answer {
	for _, scope := range scopes {
		if !slices.Contains(s.settings.WithdrawnScopes, scope) && (c.scopes == nil || slices.Contains(c.scopes, scope)) {
			return nil
		}
	}
	a := answer{http.StatusForbidden, failure{
		Status: "error", Category: "MISSING_SCOPES", CorrelationID: s.lastID(),
		Message: "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.",
		Errors: []detail{{
			Message: "One or more of the following scopes are required.",
			Context: map[string][]string{"requiredGranularScopes": scopes},
		}},
		Links: map[string]string{"scopes": "https://developers.hubspot.com/scopes"},
	}}
	return &a
}

// usage is what a portal has used up.
type usage struct {
	recent   []time.Time // requests of the last 10 s
	searches []time.Time // searches of the last second
	day      string
	today    int
}

// spend counts a request against the portal's limits and sets the headers of
// §5.2: none on searches, no daily ones for OAuth.
func (s *Simulator) spend(c *call, t token, b bucket, h http.Header) *answer {
	u := s.limits[c.portal]
	if u == nil {
		u = &usage{}
		s.limits[c.portal] = u
	}
	local := c.now
	if zone, err := time.LoadLocation(s.settings.TimeZone); err == nil {
		local = c.now.In(zone)
	}
	if day := local.Format(time.DateOnly); day != u.day {
		u.day, u.today = day, 0
	}
	if b == search {
		u.searches = since(u.searches, c.now.Add(-time.Second))
		if len(u.searches) >= s.settings.SearchLimit {
			return s.tooMany("You have reached your secondly limit.", "SECONDLY", "publicapi:crm:search:secondly:")
		}
		u.searches = append(u.searches, c.now)
		return nil
	}
	limit := s.settings.BurstLimit
	if t.Kind == accessToken {
		limit = s.settings.OAuthBurstLimit
	}
	u.recent = since(u.recent, c.now.Add(-10*time.Second))
	over := len(u.recent) >= limit
	if !over {
		u.recent = append(u.recent, c.now)
	}
	if b == burst {
		h.Set("X-HubSpot-RateLimit-Max", strconv.Itoa(limit))
		h.Set("X-HubSpot-RateLimit-Remaining", strconv.Itoa(limit-len(u.recent)))
		h.Set("X-HubSpot-RateLimit-Interval-Milliseconds", "10000")
	}
	if over {
		return s.tooMany("You have reached your ten_secondly_rolling limit.", "TEN_SECONDLY_ROLLING",
			"publicapi:app-calls-ten-secondly:"+strconv.FormatInt(c.portal, 10))
	}
	overDay := u.today >= s.settings.DailyLimit
	if !overDay {
		u.today++
	}
	if b == burst && t.Kind == staticToken {
		h.Set("X-HubSpot-RateLimit-Daily", strconv.Itoa(s.settings.DailyLimit))
		h.Set("X-HubSpot-RateLimit-Daily-Remaining", strconv.Itoa(max(s.settings.DailyLimit-u.today, 0)))
	}
	if overDay {
		return s.tooMany("You have reached your daily limit.", "DAILY", "publicapi:private-app-api-calls-daily")
	}
	return nil
}

func (s *Simulator) tooMany(message, policy, group string) *answer {
	s.Counters.Add("limit "+policy, 1)
	return &answer{http.StatusTooManyRequests, failure{
		Status: "error", Message: message, ErrorType: "RATE_LIMIT", CorrelationID: s.lastID(),
		PolicyName: policy, GroupName: group,
	}}
}

// since drops the times at or before from; they are in order.
func since(times []time.Time, from time.Time) []time.Time {
	i, _ := slices.BinarySearchFunc(times, from, time.Time.Compare)
	for i < len(times) && times[i].Equal(from) {
		i++
	}
	return times[i:]
}

// decode reads a JSON body; unknown members are ignored, as HubSpot does.
func (s *Simulator) decode(c *call, out any) *answer {
	if err := json.NewDecoder(c.Body).Decode(out); err != nil {
		a := s.fail(http.StatusBadRequest, "", "Invalid input JSON on line 1, column 1: Cannot deserialize value: "+err.Error())
		return &a
	}
	return nil
}

// nextID makes the correlation id of a request; lastID is that of this one.
func (s *Simulator) nextID() string {
	n, _ := s.numbers.Get("correlation")
	s.numbers.Put("correlation", n+1)
	return s.lastID()
}

func (s *Simulator) lastID() string {
	n, _ := s.numbers.Get("correlation")
	return "sim-" + strconv.Itoa(n)
}
