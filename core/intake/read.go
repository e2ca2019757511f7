package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/conversation"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/match"
	"github.com/clientele-crm/clientele/core/tenant"
)

// maxKeys bounds the Message-IDs that may tie a mail to its conversation: the
// last ones of References are the nearest.
const maxKeys = 50

// reading is an accepted message in the one shape that the rest works on.
type reading struct {
	extract extract.Message
	stored  conversation.Message
	place   conversation.Place
	session string // chat session id
	vouched string // id the tenant's own site vouches for
	// unproved: a mail without an authentication result that passed.
	unproved bool
	ended    bool
	notes    []string
}

// read turns the raw message into a reading. An error here is final: the same
// bytes will never read better, unless Clientele itself changes.
func read(raw []byte, accepted uuid.UUID, received time.Time, t tenant.Tenant) (reading, error) {
	var m Message
	if err := json.Unmarshal(raw, &m); err != nil {
		return reading{}, &unreadable{fmt.Errorf("stored message: %w", err)}
	}
	r := reading{ended: m.Ended}
	r.stored = conversation.Message{
		ID: uuid.Must(uuid.NewV7()), Direction: m.Direction, ExternalID: m.ExternalID, Subject: m.Subject,
		SentAt: sentAt(m.Time, received), Detail: detail(m),
	}
	r.extract = extract.Message{
		Channel: extract.Channel(m.Channel), Identifier: m.ChannelIdentifier, Subject: m.Subject, Text: m.Text,
		Headers: headers(m),
	}
	var err error
	switch m.Channel {
	case "email":
		err = r.readMail(m, accepted, received, t)
	case "sms":
		r.readSMS(m, t)
	case "chat":
		r.readChat(m)
	case "voice":
		r.readCall(m, received)
	}
	if err != nil {
		return reading{}, &unreadable{err}
	}
	if r.stored.Direction == "" {
		r.stored.Direction = "inbound"
	}
	r.extract.Direction = extract.Direction(r.stored.Direction)
	r.extract.Text = r.clip(r.extract.Text)
	r.stored.Text = cleanText(r.extract.Text)
	r.stored.Subject = cut(cleanText(r.extract.Subject), maxShort)
	if m.ConversationExternalID != "" {
		r.place.Keys = append(r.place.Keys, "ext:"+m.ConversationExternalID)
		r.place.Gap = 0
	}
	r.place.Channel, r.place.Subject, r.place.SentAt = m.Channel, r.stored.Subject, r.stored.SentAt
	r.place.Idle = t.Settings.Idle(m.Channel)
	return r, nil
}

func (r *reading) readMail(m Message, accepted uuid.UUID, received time.Time, t tenant.Tenant) error {
	r.unproved = true
	if len(m.MIME) == 0 {
		r.place.Keys = []string{"accepted:" + accepted.String()}
		if m.ExternalID != "" {
			r.place.Keys = []string{"mid:" + m.ExternalID}
		}
		return nil
	}
	mail, err := extract.ReadMail(m.MIME)
	if err != nil {
		return fmt.Errorf("mime: %w", err)
	}
	r.notes = append(r.notes, mail.Warnings...)
	r.unproved = !authenticated(mail.Authentication)
	r.extract.Headers = mail.Headers
	r.extract.Subject, r.extract.Text, r.extract.HTML = mail.Subject, mail.Text, mail.HTML
	if r.stored.ExternalID == "" {
		r.stored.ExternalID = mail.MessageID
	}
	if m.Time == nil && !mail.Date.IsZero() {
		r.stored.SentAt = sentAt(&mail.Date, received)
	}
	if r.stored.Direction == "" {
		r.stored.Direction = mailDirection(mail, t.ExtractSettings())
	}
	for _, id := range nearest(append([]string{mail.MessageID, mail.InReplyTo}, reversed(mail.References)...)) {
		r.place.Keys = append(r.place.Keys, "mid:"+id)
	}
	if len(r.place.Keys) == 0 {
		r.place.Keys = []string{"accepted:" + accepted.String()}
	}
	return nil
}

func (r *reading) readSMS(m Message, t tenant.Tenant) {
	for _, p := range m.Participants {
		if p.Role == "agent" {
			r.stored.OurSide = p.Address
		}
	}
	pair := normalNumber(r.stored.OurSide, t.Region) + "|" + normalNumber(m.ChannelIdentifier, t.Region)
	r.place.Keys = []string{"pair:" + pair}
	r.place.Gap = conversation.SMSGap
}

func (r *reading) readChat(m Message) {
	if m.Session == nil {
		return
	}
	r.session, r.vouched = m.Session.ID, m.Session.VerifiedID
	if r.session != "" {
		r.place.Keys = []string{"session:" + r.session}
	}
	if p := m.Session.PreChat; p != nil {
		r.extract.PreChat = extract.PreChat{Name: p.Name, Email: p.Email, Phone: p.Phone}
	}
}

func (r *reading) readCall(m Message, received time.Time) {
	r.place.Keys = []string{"call:" + m.Call.ID}
	r.ended = true // a call that is reported has been hung up (design.md §11)
	if m.Time == nil && m.Call.Started != nil {
		r.stored.SentAt = sentAt(m.Call.Started, received)
	}
	var lines []string
	for _, turn := range m.Call.Turns {
		role := extract.RoleClient
		if turn.Role != "client" {
			role = extract.RoleAgent
		}
		r.extract.Turns = append(r.extract.Turns, extract.Turn{Role: role, Text: turn.Text})
		lines = append(lines, string(role)+": "+turn.Text)
	}
	if m.Text == "" {
		r.extract.Text = strings.Join(lines, "\n")
	}
}

// clip keeps what is read and shown within bounds; the accepted message keeps
// all of it.
func (r *reading) clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	r.notes = append(r.notes, fmt.Sprintf("the text has %d bytes; the first %d were read", len(text), maxText))
	return cut(text, maxText)
}

// headers gives a mail that came in parts the header fields that extraction
// reads from a whole one.
func headers(m Message) map[string]string {
	if m.Channel != "email" || len(m.MIME) > 0 {
		return nil
	}
	fields := map[string][]string{}
	for _, p := range m.Participants {
		role := p.Role
		if role == "client" || role == "agent" {
			role = "from"
			if (p.Role == "client") != (m.Direction != "outbound") {
				role = "to"
			}
		}
		fields[role] = append(fields[role], mailbox(p.Name, p.Address))
	}
	outside := "from"
	if m.Direction == "outbound" {
		outside = "to"
	}
	if len(fields[outside]) == 0 && m.ChannelIdentifier != "" {
		fields[outside] = []string{m.ChannelIdentifier}
	}
	joined := map[string]string{"subject": m.Subject}
	for name, values := range fields {
		joined[name] = strings.Join(values, ", ")
	}
	return joined
}

func mailbox(name, address string) string {
	if name == "" {
		return address
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <` + address + `>`
}

// mailDirection reads who wrote from the tenant's own domains and addresses. A
// mail between our own people stays inbound: an agent may have forwarded a
// client's (R9).
func mailDirection(mail extract.Mail, s extract.Settings) string {
	if len(mail.From) == 0 || !s.IsOwn(mail.From[0].Email) {
		return "inbound"
	}
	for _, to := range append(mail.To, mail.Cc...) {
		if !s.IsOwn(to.Email) {
			return "outbound"
		}
	}
	return "inbound"
}

// authenticated reads the receiving server's verdict (RFC 8601): a pass of DMARC,
// or of DKIM or SPF where it says nothing of DMARC.
func authenticated(results string) bool {
	results = strings.ToLower(results)
	if strings.Contains(results, "dmarc=") {
		return strings.Contains(results, "dmarc=pass")
	}
	return strings.Contains(results, "dkim=pass") || strings.Contains(results, "spf=pass")
}

func detail(m Message) map[string]any {
	d := map[string]any{}
	if len(m.Participants) > 0 {
		d["participants"] = m.Participants
	}
	if m.Call != nil {
		frame := *m.Call
		frame.Turns = nil
		d["call"] = frame
	}
	if m.Session != nil {
		d["session"] = *m.Session
	}
	return d
}

// sentAt is the message's own time, unless it is missing or lies in the future,
// where a wrong clock wrote it.
func sentAt(claimed *time.Time, received time.Time) time.Time {
	if claimed == nil || claimed.IsZero() || claimed.Year() < 1970 || claimed.After(received.Add(24*time.Hour)) {
		return received
	}
	return *claimed
}

func normalNumber(raw, region string) string {
	if n, ok := match.Phone(raw, region); ok {
		return n.E164
	}
	return strings.ToLower(strings.TrimSpace(raw))
}

func nearest(ids []string) []string {
	var kept []string
	for _, id := range ids {
		if id != "" && len(id) <= maxID && len(kept) < maxKeys {
			kept = append(kept, cleanText(id))
		}
	}
	return kept
}

func reversed(ids []string) []string {
	out := make([]string, 0, len(ids))
	for i := len(ids) - 1; i >= 0; i-- {
		out = append(out, ids[i])
	}
	return out
}

// cleanText makes text that PostgreSQL stores: valid UTF-8 without NUL.
func cleanText(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ReplaceAll(s, "\x00", "")
}
