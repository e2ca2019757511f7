package main

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// maxBodyBytes keeps a body below HubSpot's 65,536 characters (§4) even when
// every character is escaped as HTML.
const maxBodyBytes = 12_000

// activityProperties fills an activity object's own properties.
func activityProperties(object string, a sdk.Activity) (map[string]string, *sdk.Error) {
	at := a.StartedAt
	if at == "" {
		at = a.EndedAt
	}
	start, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return nil, invalid("started_at", "want a time in RFC 3339; HubSpot places the activity by it")
	}
	p := map[string]string{keyField: a.ExternalKey, "hs_timestamp": start.UTC().Format("2006-01-02T15:04:05.000Z")}
	switch object {
	case emails:
		emailProperties(p, a)
	case communications:
		p["hs_communication_channel_type"], p["hs_communication_logged_from"] = "SMS", "CRM"
		p["hs_communication_body"] = rich(a)
	case notes:
		p["hs_note_body"] = rich(a)
	case calls:
		callProperties(p, a, start)
	default:
		return nil, invalid("channel", fmt.Sprintf("channel %q has no activity in HubSpot; set it in the connection's channels", a.Channel))
	}
	return p, nil
}

func emailProperties(p map[string]string, a sdk.Activity) {
	p["hs_email_direction"] = "INCOMING_EMAIL"
	if a.Direction == "outbound" {
		p["hs_email_direction"], p["hs_email_status"] = "EMAIL", "SENT"
	}
	p["hs_email_subject"] = a.Subject
	p["hs_email_text"] = cutBody(a.Body)
	if a.Link != "" {
		p["hs_email_text"] += "\n\n" + a.Link
	}
	if a.From == "" && a.To == "" {
		return
	}
	// A JSON document inside a string; the addresses shown come from it (§4.1).
	type address struct {
		Email string `json:"email"`
	}
	headers := struct {
		From *address  `json:"from,omitempty"`
		To   []address `json:"to"`
	}{To: []address{}}
	if a.From != "" {
		headers.From = &address{a.From}
	}
	if a.To != "" {
		headers.To = append(headers.To, address{a.To})
	}
	if data, err := json.Marshal(headers); err == nil {
		p["hs_email_headers"] = string(data)
	}
}

func callProperties(p map[string]string, a sdk.Activity, start time.Time) {
	p["hs_call_title"], p["hs_call_body"] = a.Subject, rich(sdk.Activity{Body: a.Body, Link: a.Link})
	p["hs_call_direction"] = "INBOUND"
	if a.Direction == "outbound" {
		p["hs_call_direction"] = "OUTBOUND"
	}
	p["hs_call_status"] = map[string]string{"missed": "NO_ANSWER", "busy": "BUSY"}[a.CallStatus]
	if p["hs_call_status"] == "" {
		p["hs_call_status"] = "COMPLETED"
	}
	if end, err := time.Parse(time.RFC3339, a.EndedAt); err == nil && end.After(start) {
		p["hs_call_duration"] = strconv.FormatInt(end.Sub(start).Milliseconds(), 10)
	}
	if a.From != "" {
		p["hs_call_from_number"] = a.From
	}
	if a.To != "" {
		p["hs_call_to_number"] = a.To
	}
}

// rich is subject, body and link as the HTML that HubSpot shows. What people
// wrote is escaped; a link that is no web address is left out.
func rich(a sdk.Activity) string {
	var b strings.Builder
	if a.Subject != "" {
		b.WriteString("<p><strong>" + html.EscapeString(a.Subject) + "</strong></p>")
	}
	b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(cutBody(a.Body)), "\n", "<br>") + "</p>")
	if u, err := url.Parse(a.Link); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		b.WriteString(`<p><a href="` + html.EscapeString(a.Link) + `">Open the conversation</a></p>`)
	}
	return b.String()
}

// cutBody shortens a text that HubSpot would refuse and says so in it.
func cutBody(body string) string {
	if len(body) <= maxBodyBytes {
		return body
	}
	return crmhttp.Cut(body, maxBodyBytes) + " (shortened)"
}

func invalid(field, message string) *sdk.Error {
	return &sdk.Error{Class: sdk.ClassValidation, Retry: sdk.RetryNever, Field: field, Message: message}
}
