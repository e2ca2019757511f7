package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// Settings come back as they are in force, and the endpoint's key never does.
func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.do(t, call{method: "PATCH", path: "/v1/settings", credential: w.acme.secret, body: map[string]any{
		"region": "ca", "accept": map[string]float64{"name": 0.9}, "agents": []string{"Bo Reed"},
		"endpoint": map[string]any{"url": "https://ai.example/v1", "model": "small"},
	}})
	if got.Code != http.StatusOK {
		t.Fatalf("change: %d %s", got.Code, got.Body.String())
	}
	if put := w.do(t, call{method: "PUT", path: "/v1/settings/endpoint-key", credential: w.acme.secret, body: map[string]any{"key": "sk-hush"}}); put.Code != http.StatusNoContent {
		t.Fatalf("store the key: %d %s", put.Code, put.Body.String())
	}
	got = w.do(t, call{method: "GET", path: "/v1/settings", credential: w.acme.secret})
	for _, want := range []string{`"region":"CA"`, `"name":0.9`, `"phone":0.8`, `"agents":["Bo Reed"]`, `"timeout_seconds":10`, `"calls_per_day":1000`, `"key_set":true`, `"suggest":0.5`} {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s is missing in %s", want, got.Body.String())
		}
	}
	if strings.Contains(got.Body.String(), "sk-hush") || strings.Contains(w.log.String(), "sk-hush") {
		t.Error("the key can be read back")
	}
	bad := w.do(t, call{method: "PATCH", path: "/v1/settings", credential: w.acme.secret, body: map[string]any{"region": "XQ", "no_creation": []string{"fax"}}})
	if bad.Code != http.StatusUnprocessableEntity || !strings.Contains(bad.Body.String(), "no_creation[0]") || !strings.Contains(bad.Body.String(), `"region"`) {
		t.Errorf("wrong settings: %d %s", bad.Code, bad.Body.String())
	}
	if empty := w.do(t, call{method: "PUT", path: "/v1/settings/endpoint-key", credential: w.acme.secret, body: map[string]any{"key": "two words"}}); empty.Code != http.StatusUnprocessableEntity || strings.Contains(empty.Body.String(), "two words") {
		t.Errorf("a wrong key: %d %s", empty.Code, empty.Body.String())
	}
	gone := w.do(t, call{method: "PATCH", path: "/v1/settings", credential: w.acme.secret, body: map[string]any{"endpoint": map[string]any{"url": "", "model": ""}}})
	if gone.Code != http.StatusOK || strings.Contains(gone.Body.String(), "endpoint") {
		t.Errorf("without an endpoint: %d %s", gone.Code, gone.Body.String())
	}
}
