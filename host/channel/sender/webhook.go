package sender

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/clientele-crm/clientele/core/outbound"
)

const (
	// webhookDeadline bounds one request, the answer included.
	webhookDeadline = 30 * time.Second
	// maxAnswer is how much of a gateway's answer is read.
	maxAnswer = 64 << 10
	// longestWait is the longest that a gateway's Retry-After is obeyed.
	longestWait = 24 * time.Hour
)

// webhook sends each message as one signed POST (the scheme of Standard
// Webhooks: HMAC-SHA256 over id, timestamp and body), so that a gateway can tell
// it from a forged or replayed one.
type webhook struct {
	settings Settings
	secret   string
	client   *http.Client
	now      func() time.Time
}

var _ outbound.Sender = (*webhook)(nil)

// webhookBody is what a gateway gets.
type webhookBody struct {
	ID           string    `json:"id"`
	Channel      string    `json:"channel"`
	From         string    `json:"from"`
	To           string    `json:"to"`
	Subject      string    `json:"subject,omitempty"`
	Text         string    `json:"text"`
	Conversation string    `json:"conversation,omitempty"`
	At           time.Time `json:"at"`
}

// Idempotent implements outbound.Sender.
func (w *webhook) Idempotent() bool { return w.settings.Webhook.Idempotent }

// From implements outbound.Sender.
func (w *webhook) From() string { return w.settings.From }

// Send implements outbound.Sender.
func (w *webhook) Send(ctx context.Context, d outbound.Delivery, begun func()) outbound.Result {
	body, err := json.Marshal(webhookBody{
		ID: d.ID.String(), Channel: d.Channel, From: w.settings.From, To: d.To, Subject: d.Subject, Text: d.Text,
		Conversation: d.Conversation, At: d.At.UTC(),
	})
	if err != nil {
		return outbound.Result{Outcome: outbound.Refused, Detail: "the message can't be written as JSON"}
	}
	ctx, cancel := context.WithTimeout(ctx, webhookDeadline)
	defer cancel()
	var left atomic.Bool // the request may be on the wire
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { left.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.settings.Webhook.URL, bytes.NewReader(body))
	if err != nil {
		return outbound.Result{Outcome: outbound.Refused, Detail: "the gateway's address is none"}
	}
	w.sign(r, d.ID.String(), body)
	begun()
	answer, err := w.client.Do(r)
	if err != nil && left.Load() {
		return outbound.Result{Outcome: outbound.Unknown, Detail: "the gateway did not answer: " + reason(err)}
	}
	if err != nil {
		return outbound.Result{Outcome: outbound.Retry, Detail: "the gateway can't be reached: " + reason(err)}
	}
	defer answer.Body.Close()
	return w.read(answer)
}

// sign adds the headers by which the gateway knows sender, message and time. The
// idempotency key goes only to gateways that honour it: net/http repeats requests
// that bear one by itself.
func (w *webhook) sign(r *http.Request, id string, body []byte) {
	at := strconv.FormatInt(w.now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(w.secret))
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(body)
	// A connection that is reused may be closed by the gateway just then, which
	// leaves the outcome open: only where that does no harm.
	r.Close = !w.Idempotent()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "clientele")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	if w.Idempotent() {
		r.Header.Set("Idempotency-Key", id)
	}
}

// read turns an answer into an outcome. 408, 425, 429 and 503 say that the request
// was not worked on (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4, RFC 9110
// §15.6.4); after any other 5xx it may have been. 409 is how gateways say that the
// key's first request is still at work.
func (w *webhook) read(answer *http.Response) outbound.Result {
	said := fmt.Sprintf("the gateway answered %d", answer.StatusCode)
	switch code := answer.StatusCode; {
	case code < 300:
		var taken struct {
			ID string `json:"id"`
		}
		// The answer's body is a courtesy: without an id the message is sent all the same.
		if text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)); err == nil {
			_ = json.Unmarshal(text, &taken)
		}
		return outbound.Result{Outcome: outbound.WasSent, ProviderID: clip(taken.ID)}
	case code == 408 || code == 425 || code == 429 || code == 503:
		return outbound.Result{Outcome: outbound.Retry, Detail: said, After: w.retryAfter(answer.Header.Get("Retry-After"))}
	case code == 409 || code >= 500:
		return outbound.Result{Outcome: outbound.Unknown, Detail: said}
	default:
		return outbound.Result{Outcome: outbound.Refused, Detail: said}
	}
}

// retryAfter reads seconds or a date (RFC 9110 §10.2.3).
func (w *webhook) retryAfter(value string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(w.now())
	}
	return max(0, min(wait, longestWait))
}
