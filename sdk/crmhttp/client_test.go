package crmhttp_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

func dialect() crmhttp.Dialect {
	return crmhttp.Dialect{
		Words: func(r crmhttp.Reply) crmhttp.Words {
			return crmhttp.Words{Message: string(r.Body), RequestID: r.Header.Get("Request-Id")}
		},
		Quotas: func(h http.Header) []sdk.Quota {
			left := crmhttp.HeaderInt(h, "Left")
			if left < 0 {
				return nil
			}
			return []sdk.Quota{{Bucket: "day", Limit: -1, Remaining: left, ResetSeconds: -1}}
		},
	}
}

func session(t *testing.T, h http.HandlerFunc) *crmhttp.Session {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return crmhttp.New(dialect(), nil).Start(crmhttp.Account{BaseURL: server.URL, Token: "s3cret-token"})
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func TestJSONRoundTripCountsCallsAndQuotas(t *testing.T) {
	t.Parallel()
	s := session(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret-token" || r.URL.Query().Get("q") != "a b" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Left", "41")
		_, _ = w.Write([]byte(`{"ok":true}`))
	})
	var out struct{ OK bool }
	for range 2 {
		_, failed := s.JSON(t.Context(), crmhttp.Request{
			Method: "POST", Path: "/x", Query: map[string][]string{"q": {"a b"}}, Body: map[string]int{"n": 1}, Bucket: "burst",
		}, &out)
		if failed != nil || !out.OK {
			t.Fatalf("got %+v, %v", out, failed)
		}
	}
	want := sdk.Usage{
		Calls:  []sdk.BucketCalls{{Bucket: "burst", N: 2}},
		Quotas: []sdk.Quota{{Bucket: "day", Limit: -1, Remaining: 41, ResetSeconds: -1}},
	}
	if diff := cmp.Diff(want, s.Usage()); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
}

func TestWhatAMissingAnswerMeans(t *testing.T) {
	t.Parallel()
	lost := func(w http.ResponseWriter, _ *http.Request) { drop(w) }
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"results":[`))
		drop(w)
	}
	broken := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"results":[`)) }
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		writes  bool
		want    sdk.Class
	}{
		"lost write":      {lost, true, sdk.ClassUnknownOutcome},
		"lost read":       {lost, false, sdk.ClassTransient},
		"cut-off write":   {cut, true, sdk.ClassUnknownOutcome},
		"cut-off read":    {cut, false, sdk.ClassTransient},
		"bad JSON, write": {broken, true, sdk.ClassUnknownOutcome},
		"bad JSON, read":  {broken, false, sdk.ClassTransient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out any
			_, failed := session(t, tc.handler).JSON(t.Context(),
				crmhttp.Request{Method: "POST", Path: "/x?email=a@b.example", Body: []byte("{}"), Writes: tc.writes}, &out)
			if failed == nil || failed.Class != tc.want {
				t.Fatalf("got %+v, want %s", failed, tc.want)
			}
			if strings.Contains(failed.Error(), "a@b") {
				t.Errorf("the error shows the query: %v", failed)
			}
		})
	}
}

func TestNothingWasSent(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	_ = listener.Close()
	s := crmhttp.New(dialect(), nil).Start(crmhttp.Account{BaseURL: closed})
	_, failed := s.Do(t.Context(), crmhttp.Request{Method: "POST", Path: "/x", Writes: true})
	if failed == nil || failed.Class != sdk.ClassTransient {
		t.Errorf("a refused connection came out as %+v, want transient: nothing was sent", failed)
	}
	if calls := s.Usage().Calls; len(calls) != 0 {
		t.Errorf("counted %v for a request that never left", calls)
	}
}

func TestADeadlineEndsTheRequest(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := session(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, failed := s.Do(ctx, crmhttp.Request{Method: "PATCH", Path: "/x", Body: []byte("{}"), Writes: true})
	if failed == nil || failed.Class != sdk.ClassUnknownOutcome {
		t.Errorf("got %+v, want unknown_outcome", failed)
	}
}

func TestTheTokenStaysAtTheAccount(t *testing.T) {
	t.Parallel()
	hits := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	t.Cleanup(other.Close)
	s := session(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quote" {
			http.Error(w, "bad header "+r.Header.Get("Authorization"), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, other.URL, http.StatusFound)
	})
	reply, failed := s.Do(t.Context(), crmhttp.Request{Method: "GET", Path: "/x"})
	if reply.Status != http.StatusFound || failed == nil {
		t.Errorf("redirect: %+v, %v; want the 302 itself as an error", reply.Status, failed)
	}
	if _, failed := s.Do(t.Context(), crmhttp.Request{Method: "GET", Path: other.URL + "/next"}); failed == nil {
		t.Error("followed a link to another host")
	}
	if hits != 0 {
		t.Errorf("the other host got %d requests", hits)
	}
	if _, failed := s.Do(t.Context(), crmhttp.Request{Method: "GET", Path: "/quote"}); strings.Contains(failed.Error(), "s3cret") {
		t.Errorf("the error shows the token: %v", failed)
	}
}

func TestAnAnswerThatIsTooLargeIsGivenUp(t *testing.T) {
	t.Parallel()
	chunk := []byte(strings.Repeat("x", 1<<20))
	s := session(t, func(w http.ResponseWriter, _ *http.Request) {
		for range crmhttp.MaxBody>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, failed := s.Do(t.Context(), crmhttp.Request{Method: "GET", Path: "/x"}); failed == nil {
		t.Error("read an answer above the limit")
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://api.hubapi.com":      "https://api.hubapi.com",
		"https://api.hubapi.com/":     "https://api.hubapi.com",
		"http://127.0.0.1:8081":       "http://127.0.0.1:8081",
		"http://[::1]:8081/x":         "http://[::1]:8081/x",
		"http://api.hubapi.com":       "",
		"https://u:p@api.hubapi.com":  "",
		"https://api.hubapi.com?a=b":  "",
		"https://api.hubapi.com#frag": "",
		"api.hubapi.com":              "",
		"ftp://api.hubapi.com":        "",
		"":                            "",
	} {
		got, err := crmhttp.BaseURL(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("BaseURL(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}
