package intake

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxBytes is the largest message that is accepted (design.md §11).
const MaxBytes = 25 << 20

// The limits of a message's parts, in bytes. A longer text is kept whole in the
// accepted message, but read and shown up to maxText.
const (
	maxID    = 1000
	maxShort = 1000
	maxText  = 1 << 20
)

// Message is what a pusher sends: a mail gateway, an SMS provider's webhook, a
// chat widget, a call-transcript service, or a file. The format is documented in
// configs/samples.
type Message struct {
	// Tenant, when set, must be the slug of the caller's tenant.
	Tenant  string `json:"tenant,omitempty"`
	Channel string `json:"channel"`
	// ChannelIdentifier is the outside party's address or number, whoever wrote.
	ChannelIdentifier string `json:"channel_identifier,omitempty"`
	Direction         string `json:"direction,omitempty"`
	// ExternalID is the pusher's id of the message; with Source it makes a
	// redelivery recognisable. Without it the content decides.
	ExternalID string `json:"external_id,omitempty"`
	Source     string `json:"source,omitempty"`
	// ConversationExternalID ties messages together where the pusher knows better.
	ConversationExternalID string     `json:"conversation_external_id,omitempty"`
	Time                   *time.Time `json:"time,omitempty"`
	Subject                string     `json:"subject,omitempty"`
	Text                   string     `json:"text,omitempty"`
	// MIME is a whole RFC 5322 mail, base64 in JSON; headers, subject and text
	// come from it.
	MIME         []byte        `json:"mime,omitempty"`
	Participants []Participant `json:"participants,omitempty"`
	Call         *Call         `json:"call,omitempty"`
	Session      *Session      `json:"session,omitempty"`
	// Ended tells that this was the conversation's last message.
	Ended bool `json:"ended,omitempty"`
}

// Participant is somebody on the message: client, agent, from, to or cc.
type Participant struct {
	Role    string `json:"role"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

// Call is the frame of a voice conversation.
type Call struct {
	ID           string     `json:"id"`
	Started      *time.Time `json:"started,omitempty"`
	Ended        *time.Time `json:"ended,omitempty"`
	Status       string     `json:"status,omitempty"`
	RecordingURL string     `json:"recording_url,omitempty"`
	Turns        []Turn     `json:"turns,omitempty"`
}

// Turn is what one side said in a call: role client or agent.
type Turn struct {
	Role string `json:"role"`
	Text string `json:"text"`
}

// Session is the frame of a chat. VerifiedID is an id the tenant's own site
// vouches for; PreChat is what the visitor typed into the form before.
type Session struct {
	ID         string   `json:"id"`
	VisitorID  string   `json:"visitor_id,omitempty"`
	VerifiedID string   `json:"verified_id,omitempty"`
	Page       string   `json:"page,omitempty"`
	PreChat    *PreChat `json:"pre_chat,omitempty"`
}

// PreChat is the form before a chat.
type PreChat struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Problem is one rule that a message breaks.
type Problem struct {
	Field  string `json:"field"`
	Rule   string `json:"rule"`
	WayOut string `json:"way_out"`
}

// InvalidError is a message that is not accepted, with everything that is wrong.
type InvalidError struct{ Problems []Problem }

// Error lists all problems.
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.Field + " " + p.Rule + ": " + p.WayOut
	}
	return strings.Join(parts, "; ")
}

// TooLargeError is a message over MaxBytes.
type TooLargeError struct{ Bytes int64 }

// Error names the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the message has %.1f MB, at most %d MB are accepted: send it without its attachments", float64(e.Bytes)/(1<<20), MaxBytes>>20)
}

var (
	channels     = []string{"email", "sms", "chat", "voice"}
	directions   = []string{"inbound", "outbound"}
	roles        = []string{"client", "agent", "from", "to", "cc"}
	callStatuses = []string{"completed", "missed", "busy", "no_answer", "failed", "voicemail"}
)

// Validate answers all that is wrong with a message, or nil.
func (m *Message) Validate() error {
	var v problems
	if len(m.MIME) > MaxBytes {
		return &TooLargeError{Bytes: int64(len(m.MIME))}
	}
	v.oneOf("channel", m.Channel, channels, true)
	v.oneOf("direction", m.Direction, directions, false)
	v.short("channel_identifier", m.ChannelIdentifier)
	v.short("external_id", m.ExternalID)
	v.short("source", m.Source)
	v.short("conversation_external_id", m.ConversationExternalID)
	v.short("subject", m.Subject)
	if m.Time != nil && (m.Time.Year() < 1970 || m.Time.Year() > 9000) {
		v.add("time", "lies outside 1970 to 9000", "give the time of the message in RFC 3339")
	}
	if len(m.MIME) > 0 && m.Channel != "" && m.Channel != "email" {
		v.add("mime", "belongs to the channel email", "send text on other channels")
	}
	if len(m.Participants) > 1000 {
		v.add("participants", "are more than 1,000", "leave out who only gets a copy")
	}
	for i, p := range m.Participants {
		v.oneOf(fmt.Sprintf("participants[%d].role", i), p.Role, roles, true)
		v.short(fmt.Sprintf("participants[%d].address", i), p.Address)
		v.short(fmt.Sprintf("participants[%d].name", i), p.Name)
	}
	m.validateFrame(&v)
	if len(v) > 0 {
		return &InvalidError{Problems: v}
	}
	return nil
}

func (m *Message) validateFrame(v *problems) {
	switch m.Channel {
	case "voice":
		if m.Call == nil || m.Call.ID == "" {
			v.add("call.id", "is missing", "give each call its id, so that its parts come together")
		}
	case "chat":
		if (m.Session == nil || m.Session.ID == "") && m.ConversationExternalID == "" {
			v.add("session.id", "is missing", "give the chat session's id")
		}
	case "email":
		if len(m.MIME) == 0 && m.ChannelIdentifier == "" && len(m.Participants) == 0 {
			v.add("channel_identifier", "is missing", "give the outside address, participants, or the mail itself in mime")
		}
	}
	if c := m.Call; c != nil {
		v.short("call.id", c.ID)
		v.short("call.recording_url", c.RecordingURL)
		v.oneOf("call.status", c.Status, callStatuses, false)
		if len(c.Turns) > 20000 {
			v.add("call.turns", "are more than 20,000", "send the call in parts with the same call id")
		}
	}
	if s := m.Session; s != nil {
		v.short("session.id", s.ID)
		v.short("session.visitor_id", s.VisitorID)
		v.short("session.verified_id", s.VerifiedID)
		v.short("session.page", s.Page)
		if s.PreChat != nil {
			v.short("session.pre_chat.name", s.PreChat.Name)
			v.short("session.pre_chat.email", s.PreChat.Email)
			v.short("session.pre_chat.phone", s.PreChat.Phone)
		}
	}
}

type problems []Problem

func (v *problems) add(field, rule, wayOut string) {
	*v = append(*v, Problem{Field: field, Rule: rule, WayOut: wayOut})
}

func (v *problems) oneOf(field, value string, allowed []string, required bool) {
	if value == "" && !required {
		return
	}
	if !slices.Contains(allowed, value) {
		rule := fmt.Sprintf("is %q", cut(value, 40))
		if value == "" {
			rule = "is missing"
		}
		v.add(field, rule, "use "+strings.Join(allowed, ", "))
	}
}

func (v *problems) short(field, value string) {
	if len(value) > maxShort {
		v.add(field, fmt.Sprintf("has %d bytes, at most %d are kept", len(value), maxShort), "shorten it")
	}
	if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
		v.add(field, "holds bytes that are no text", "send UTF-8 without NUL")
	}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
