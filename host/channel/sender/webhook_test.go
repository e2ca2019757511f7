package sender_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/outbound"
	"github.com/clientele-crm/clientele/host/channel/sender"
	"github.com/clientele-crm/clientele/host/channel/sender/sendertest"
)

func webhookSettings(url string, idempotent bool) sender.Settings {
	return sender.Settings{From: "+14165550199", Webhook: &sender.WebhookSettings{URL: url, Idempotent: idempotent}}
}

func text() outbound.Delivery {
	d := letter()
	d.Channel, d.To, d.Subject, d.Text = "sms", "+14165550100", "", "Your order is ready – 5 €"
	return d
}

func TestWebhookIsSigned(t *testing.T) {
	t.Parallel()
	gateway := sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "hush"})
	w := newWorld(t)
	d := text()
	got := w.sender(t, "sms", webhookSettings(gateway.URL(), false), "hush").Send(t.Context(), d, func() {})
	if got.Outcome != outbound.WasSent || got.ProviderID != "gw-"+d.ID.String() {
		t.Fatalf("%+v", got)
	}
	sent := gateway.Sent()
	if len(sent) != 1 || sent[0].ID != d.ID.String() || sent[0].To != d.To || sent[0].From != "+14165550199" || sent[0].Text != d.Text {
		t.Errorf("%+v", sent)
	}
	if got := w.sender(t, "sms", webhookSettings(gateway.URL(), false), "another").Send(t.Context(), d, func() {}); got.Outcome != outbound.Refused {
		t.Errorf("with a wrong secret: %+v", got)
	}
	if _, refused := gateway.Requests(); refused != 1 {
		t.Errorf("%d requests had a wrong signature, want 1", refused)
	}
}

func TestWebhookOutcomes(t *testing.T) {
	t.Parallel()
	gateway := sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "hush"})
	s := newWorld(t).sender(t, "sms", webhookSettings(gateway.URL(), false), "hush")
	if s.Idempotent() {
		t.Error("the gateway didn't say it was idempotent")
	}
	for status, want := range map[int]outbound.Outcome{
		200: outbound.WasSent, 202: outbound.WasSent, 302: outbound.Refused, 400: outbound.Refused, 404: outbound.Refused,
		408: outbound.Retry, 409: outbound.Unknown, 422: outbound.Refused, 425: outbound.Retry, 429: outbound.Retry,
		500: outbound.Unknown, 502: outbound.Unknown, 503: outbound.Retry, 504: outbound.Unknown,
		sendertest.HangAfter: outbound.Unknown,
	} {
		gateway.Answer(status)
		before, _ := gateway.Requests()
		if got := s.Send(t.Context(), text(), func() {}); got.Outcome != want {
			t.Errorf("%d: %+v, want %s", status, got, want)
		}
		if after, _ := gateway.Requests(); after != before+1 {
			t.Errorf("%d: %d requests for one message", status, after-before)
		}
	}
}

// A repetition of a message with an unknown outcome is passed on once.
func TestIdempotentGatewayPassesOnOnce(t *testing.T) {
	t.Parallel()
	gateway := sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "hush", Idempotent: true})
	s := newWorld(t).sender(t, "sms", webhookSettings(gateway.URL(), true), "hush")
	d := text()
	gateway.Answer(sendertest.HangAfter)
	for i, want := range []outbound.Outcome{outbound.Unknown, outbound.WasSent} {
		if got := s.Send(t.Context(), d, func() {}); got.Outcome != want {
			t.Fatalf("time %d: %+v, want %s", i+1, got, want)
		}
	}
	if n := len(gateway.Sent()); n != 1 || !s.Idempotent() {
		t.Errorf("passed on %d times, want once", n)
	}
}

func TestRetryAfterIsBounded(t *testing.T) {
	t.Parallel()
	value := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", value)
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	s := newWorld(t).sender(t, "sms", webhookSettings(server.URL, false), "hush")
	for v, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, "-5": 0, "x": 0, "999999999": 24 * time.Hour,
		"Wed, 21 Oct 2015 07:28:00 GMT": 0, "Wed, 21 Oct 2150 07:28:00 GMT": 24 * time.Hour,
	} {
		value = v
		if got := s.Send(t.Context(), text(), func() {}); got.Outcome != outbound.Retry || got.After != want {
			t.Errorf("%q: %+v, want %s", v, got, want)
		}
	}
}

// A tenant's settings must not lead into the host's own network.
func TestPrivateNetworksAreClosed(t *testing.T) {
	t.Parallel()
	gateway := sendertest.StartWebhook(t, &sendertest.Webhook{Secret: "hush"})
	mails := sendertest.StartSMTP(t, &sendertest.SMTP{})
	w := newWorld(t)
	closed := sender.New(sender.Options{DB: w.db, Vault: w.vault, Now: time.Now})
	w.set(t, "email", smtpSettings(mails.Port(), "none"), "")
	for _, url := range []string{
		gateway.URL(), strings.Replace(gateway.URL(), "127.0.0.1", "localhost", 1), strings.Replace(gateway.URL(), "127.0.0.1", "[::ffff:127.0.0.1]", 1),
		"http://10.0.0.1:1/", "http://169.254.169.254/latest", "http://100.64.0.1/", "http://[fe80::1]/", "http://[fd00::1]/", "http://0.0.0.0:1/",
	} {
		w.set(t, "sms", webhookSettings(url, false), "hush")
		for channel, d := range map[string]outbound.Delivery{"sms": text(), "email": letter()} {
			s, err := closed.Sender(t.Context(), w.admin.Tenant, channel)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Send(t.Context(), d, func() {}); got.Outcome != outbound.Retry || !strings.Contains(got.Detail, "private_networks") {
				t.Errorf("%s by %s: %+v", url, channel, got)
			}
		}
	}
	if all, _ := gateway.Requests(); all+len(mails.Mails()) != 0 {
		t.Error("a provider in the host's own network was asked")
	}
}
