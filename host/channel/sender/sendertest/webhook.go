package sendertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Sent is one message that the gateway passed on.
type Sent struct {
	ID, Channel, From, To, Subject, Text, Conversation string
	// Began is when the request that brought it arrived.
	Began time.Time `json:"-"`
}

// Webhook is a gateway that checks signatures and passes everything on, unless
// told otherwise.
type Webhook struct {
	// Secret signs the requests.
	Secret string
	// Idempotent passes a message with a known Idempotency-Key on only once.
	Idempotent bool
	// Delay is how long it takes to answer once it has a message.
	Delay time.Duration

	server   *httptest.Server
	mu       sync.Mutex
	sent     []Sent
	known    map[string]bool
	refused  int
	replies  []int
	requests int
}

// HangAfter as a status means: pass the message on, then break the connection.
const HangAfter = -1

// StartWebhook starts a gateway that ends with the test.
func StartWebhook(tb testing.TB, w *Webhook) *Webhook {
	tb.Helper()
	w.known = map[string]bool{}
	w.server = httptest.NewServer(w)
	tb.Cleanup(w.server.Close)
	return w
}

// URL is where it takes messages.
func (w *Webhook) URL() string { return w.server.URL + "/messages" }

// Answer makes the next requests get these statuses. What gets an error status
// is not passed on.
func (w *Webhook) Answer(statuses ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replies = append(w.replies, statuses...)
}

// Sent are the messages that it passed on.
func (w *Webhook) Sent() []Sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Sent(nil), w.sent...)
}

// Requests counts all that came in, Refused those with a wrong signature.
func (w *Webhook) Requests() (all, refused int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests, w.refused
}

// ServeHTTP takes a message.
func (w *Webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	began := time.Now()
	body, err := io.ReadAll(r.Body)
	defer time.Sleep(w.Delay)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	if err != nil || !w.genuine(r, body) {
		w.refused++
		out.WriteHeader(http.StatusUnauthorized)
		return
	}
	status := http.StatusAccepted
	if len(w.replies) > 0 {
		status, w.replies = w.replies[0], w.replies[1:]
	}
	if status < 300 {
		w.passOn(r, body, began)
	}
	if status == HangAfter {
		panic(http.ErrAbortHandler)
	}
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(map[string]string{"id": "gw-" + r.Header.Get("Webhook-Id")})
}

func (w *Webhook) passOn(r *http.Request, body []byte, began time.Time) {
	key := r.Header.Get("Idempotency-Key")
	if w.Idempotent && w.known[key] {
		return
	}
	w.known[key] = true
	s := Sent{Began: began}
	if json.Unmarshal(body, &s) == nil {
		w.sent = append(w.sent, s)
	}
}

// genuine checks the signature the way a gateway should.
func (w *Webhook) genuine(r *http.Request, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(w.Secret))
	mac.Write([]byte(r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "."))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(r.Header.Get("Webhook-Signature")))
}
