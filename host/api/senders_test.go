package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/host/channel/sender"
)

// sender lets the house send on a channel to a gateway that nobody runs.
func (w *world) sender(t *testing.T, h house, channel string) {
	t.Helper()
	secret := "hush"
	_, err := w.services.Senders.Set(t.Context(), h.system, channel, sender.Settings{
		From: "acme", Webhook: &sender.WebhookSettings{URL: "http://127.0.0.1:1/" + channel},
	}, &secret)
	if err != nil {
		t.Fatal(err)
	}
}

func TestSenders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	put := func(channel string, body map[string]any) reply {
		return w.do(t, call{method: "PUT", path: "/v1/senders/" + channel, credential: w.acme.secret, body: body})
	}
	put("email", map[string]any{"from": "support@acme.example", "smtp": map[string]any{"host": "smtp.example.com", "username": "acme"}, "secret": "hush"}).want(200)
	var listed struct{ Senders []sender.Configured }
	got := w.do(t, call{method: "GET", path: "/v1/senders", credential: w.acme.secret}).want(200)
	if strings.Contains(got.Body.String(), "hush") {
		t.Fatal("the answer holds the secret")
	}
	got.json(&listed)
	if len(listed.Senders) != 1 || listed.Senders[0].SMTP.Port != 587 || listed.Senders[0].SMTP.TLS != "starttls" || !listed.Senders[0].HasSecret {
		t.Errorf("senders %+v", listed.Senders)
	}
	// The secret stays with its provider and goes to no other.
	put("email", map[string]any{"from": "hello@acme.example", "smtp": map[string]any{"host": "smtp.example.com", "username": "acme"}}).want(200)
	if p := put("email", map[string]any{"from": "hello@acme.example", "smtp": map[string]any{"host": "evil.example.com", "username": "acme"}}).want(422).problem(); p.Errors[0].Field != "secret" {
		t.Errorf("problem %+v", p)
	}
	for _, bad := range []struct {
		channel, field string
		body           map[string]any
	}{
		{"email", "from", map[string]any{"from": "support@acme.example\r\nBcc: x@y.example", "smtp": map[string]any{"host": "smtp.example.com"}}},
		{"email", "smtp", map[string]any{"from": "support@acme.example"}},
		{"email", "smtp.port", map[string]any{"from": "support@acme.example", "smtp": map[string]any{"host": "smtp.example.com", "port": 70000}}},
		{"email", "smtp.host", map[string]any{"from": "support@acme.example", "smtp": map[string]any{"host": "smtp.example.com/x"}}},
		{"sms", "smtp", map[string]any{"from": "+14165550199", "smtp": map[string]any{"host": "smtp.example.com"}}},
		{"sms", "from", map[string]any{"from": "+1416", "webhook": map[string]any{"url": "https://gateway.example.com"}, "secret": "x"}},
		{"sms", "webhook.url", map[string]any{"from": "+14165550199", "webhook": map[string]any{"url": "ftp://gateway.example.com"}, "secret": "x"}},
		{"sms", "secret", map[string]any{"from": "+14165550199", "webhook": map[string]any{"url": "https://gateway.example.com"}}},
		{"voice", "path.channel", map[string]any{"from": "x", "webhook": map[string]any{"url": "https://gateway.example.com"}, "secret": "x"}},
	} {
		if p := put(bad.channel, bad.body).want(422).problem(); len(p.Errors) != 1 || p.Errors[0].Field != bad.field || p.Errors[0].WayOut == "" {
			t.Errorf("%v: %+v", bad.body, p)
		}
	}
	w.do(t, call{method: "DELETE", path: "/v1/senders/email", credential: w.acme.secret}).want(http.StatusNoContent)
	w.do(t, call{method: "DELETE", path: "/v1/senders/email", credential: w.acme.secret}).want(http.StatusNotFound)
}
