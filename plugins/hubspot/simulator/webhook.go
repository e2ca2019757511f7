package simulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	base "github.com/clientele-crm/clientele/sdk/simulator"
)

// event is one entry of the event log, as a webhook sends it (§7).
type event map[string]any

// maxEvents is how many undelivered events are kept.
const maxEvents = 10_000

// emit notes what happened to a record, for the subscriptions that want it.
func (s *Simulator) emit(c *call, o object, r record, what string, extra event) {
	n, _ := s.numbers.Get("event")
	s.numbers.Put("event", n+1)
	e := event{
		"appId": number(appID), "eventId": 100 + n, "portalId": r.Portal, "occurredAt": c.now.UnixMilli(),
		"subscriptionType": o.singular + "." + what, "attemptNumber": 0, "objectId": number(r.ID),
		"changeSource": "INTEGRATION", "sourceId": appID,
	}
	switch what {
	case "creation":
		e["changeFlag"] = "NEW"
	case "deletion":
		e["changeFlag"] = "DELETED"
	}
	maps.Copy(e, extra)
	for _, sub := range s.subscriptions.All() {
		if sub.Active && sub.EventType == e["subscriptionType"] && (sub.PropertyName == "" || sub.PropertyName == e["propertyName"]) {
			one := maps.Clone(e)
			one["subscriptionId"] = number(sub.ID)
			s.events = append(s.events, one)
		}
	}
	s.events = s.events[max(0, len(s.events)-maxEvents):]
}

// subscription asks for one kind of event.
type subscription struct {
	ID           string `json:"id"`
	EventType    string `json:"eventType"`
	PropertyName string `json:"propertyName,omitempty"`
	Active       bool   `json:"active"`
	CreatedAt    string `json:"createdAt"`
}

// webhookRoutes are the subscription endpoints; they belong to the app, so that
// no portal's token is asked for.
func (s *Simulator) webhookRoutes(mux *http.ServeMux) {
	for _, root := range []string{"/webhooks/v3", "/webhooks/2026-03", "/app-webhooks/2026-09"} {
		mux.HandleFunc("GET "+root+"/{app}/subscriptions", s.listSubscriptions)
		mux.HandleFunc("POST "+root+"/{app}/subscriptions", s.subscribe)
		mux.HandleFunc("DELETE "+root+"/{app}/subscriptions/{id}", s.unsubscribe)
	}
}

func (s *Simulator) listSubscriptions(w http.ResponseWriter, _ *http.Request) {
	results := []subscription{}
	for _, sub := range s.subscriptions.All() {
		results = append(results, sub)
	}
	base.WriteJSON(w, http.StatusOK, map[string]any{"results": results})
}

func (s *Simulator) subscribe(w http.ResponseWriter, r *http.Request) {
	var sub subscription
	if err := json.NewDecoder(r.Body).Decode(&sub); err != nil || sub.EventType == "" {
		s.send(w, s.fail(http.StatusBadRequest, "VALIDATION_ERROR", "eventType is needed"))
		return
	}
	n, _ := s.numbers.Get("subscription")
	s.numbers.Put("subscription", n+1)
	sub.ID, sub.CreatedAt = strconv.Itoa(8801+n), stamp(s.Clock.Now())
	s.subscriptions.Put(sub.ID, sub)
	base.WriteJSON(w, http.StatusCreated, sub)
}

func (s *Simulator) unsubscribe(w http.ResponseWriter, r *http.Request) {
	s.subscriptions.Delete(r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}

// delivery is what POST webhooks/deliver takes: where to, and how badly.
type delivery struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
	// Attempts is how often a batch is tried; HubSpot tries 10 times over a day.
	Attempts int `json:"attempts"`
	// What can go wrong on the way.
	Shuffle, Duplicate, BadSignature, OldTimestamp bool
}

// adminDeliver sends the events that wait, in batches of up to a hundred, and
// says how many batches arrived. Real time between attempts is left out.
func (s *Simulator) adminDeliver(w http.ResponseWriter, r *http.Request) {
	d := delivery{Attempts: 11}
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil || d.URL == "" {
		base.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": "want {\"url\", \"secret\"}"})
		return
	}
	s.Mu.Lock()
	events := s.events
	s.events = nil
	now := s.Clock.Now()
	s.Mu.Unlock()
	if d.Shuffle {
		slices.Reverse(events)
	}
	if d.Duplicate {
		events = append(events, events...)
	}
	arrived, failed := 0, 0
	for batch := range slices.Chunk(events, 100) {
		if err := d.send(r.Context(), batch, now); err != nil {
			failed++
			continue
		}
		arrived++
	}
	base.WriteJSON(w, http.StatusOK, map[string]int{"events": len(events), "arrived": arrived, "failed": failed})
}

// send posts one batch until it is answered 2xx within five seconds.
func (d delivery) send(ctx context.Context, batch []event, now time.Time) (err error) {
	for attempt := range d.Attempts {
		for _, e := range batch {
			e["attemptNumber"] = attempt
		}
		if err = d.post(ctx, batch, now); err == nil {
			return nil
		}
	}
	return err
}

func (d delivery) post(ctx context.Context, batch []event, now time.Time) error {
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if d.OldTimestamp {
		now = now.Add(-6 * time.Minute)
	}
	at := strconv.FormatInt(now.UnixMilli(), 10)
	signature := Signature(d.Secret, http.MethodPost, d.URL, body, at)
	if d.BadSignature {
		signature = Signature(d.Secret+"x", http.MethodPost, d.URL, body, at)
	}
	old := sha256.Sum256(append([]byte(d.Secret), body...))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-HubSpot-Request-Timestamp", at)
	req.Header.Set("X-HubSpot-Signature-v3", signature)
	req.Header.Set("X-HubSpot-Signature-Version", "v1")
	req.Header.Set("X-HubSpot-Signature", hex.EncodeToString(old[:]))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("webhook answered %d", res.StatusCode)
	}
	return nil
}

// Signature is HubSpot's signature of a webhook request, version 3 (§7.1): the
// HMAC-SHA256 of method, full URL, raw body and timestamp, in base64.
func Signature(secret, method, url string, body []byte, timestamp string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(method + url))
	mac.Write(body)
	mac.Write([]byte(timestamp))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
