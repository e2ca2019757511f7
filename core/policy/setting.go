package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Name is a setting's word in JSON, in the database and in events.
type Name string

// The settings. Autonomy is the tenant's and a conversation's, opt-outs are the
// client's, quiet hours and the reply grace the tenant's alone.
const (
	NameChannels   Name = "preferred_channels"
	NameWindows    Name = "contact_windows"
	NameTimezone   Name = "timezone"
	NameNever      Name = "never_auto_send"
	NameReview     Name = "human_review_required"
	NameSensitive  Name = "sensitive"
	NameAutonomy   Name = "ai_autonomy"
	NameOptOuts    Name = "opt_outs"
	NameQuietHours Name = "quiet_hours"
)

// Words joins names for people to read.
func Words(names []Name) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strings.ReplaceAll(string(name), "_", " ")
	}
	return strings.Join(words, ", ")
}

// Where is where a setting was made.
type Where string

// The places, from the general to the particular.
const (
	BuiltIn      Where = "built in"
	Tenant       Where = "tenant"
	Client       Where = "client"
	Conversation Where = "conversation"
)

// Set is who made a setting, and when. It is zero where nobody wrote it down.
type Set struct {
	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"`
	// Reason is why, where one was asked for.
	Reason string `json:"reason,omitempty"`
}

// Setting is a value in force, with where it comes from.
type Setting[T any] struct {
	Value T     `json:"value"`
	From  Where `json:"from"`
	Set
}

// Own is a value set in one place; nil where nothing is.
type Own[T any] struct {
	Value T `json:"value"`
	Set
}

// Mark is a conversation's own sensitivity (R78, R86). A conversation marked
// sensitive stays so. An exemption from the client's flag holds for that client
// and that marking only: it falls when the conversation gets another client, and
// when the client is marked again, unless it was kept then (R87).
type Mark struct {
	Own[bool]
	// For is the client that an exemption was made for.
	For string `json:"for,omitempty"`
	// Kept is when an exemption was last kept at a marking.
	Kept time.Time `json:"kept,omitzero"`
}

// exempts tells whether the mark is an exemption that has not fallen.
func (m *Mark) exempts(c ClientSettings) bool {
	if m == nil || m.Value || m.For != c.ID {
		return false
	}
	since := m.At
	if m.Kept.After(since) {
		since = m.Kept
	}
	return c.Sensitive == nil || !since.Before(c.Sensitive.At)
}

// InForce is the mark as far as it counts for a client: nil when there is none,
// or an exemption that has fallen.
func (m *Mark) InForce(c ClientSettings) *Own[bool] {
	if m == nil || (!m.Value && !m.exempts(c)) {
		return nil
	}
	return &m.Own
}

// Channel is a way to reach a client.
type Channel string

// The channels. Chat can't be preferred: it ends with its session (R46).
const (
	Email Channel = "email"
	SMS   Channel = "sms"
	Phone Channel = "phone"
	Chat  Channel = "chat"
)

// Label is the channel as people write it at the start of a sentence.
func (c Channel) Label() string {
	switch c {
	case Email:
		return "Email"
	case SMS:
		return "SMS"
	case Phone:
		return "Phone"
	case Chat:
		return "Chat"
	default:
		return string(c)
	}
}

// ChannelOf is the channel of a conversation, whose calls are "voice".
func ChannelOf(conversation string) Channel {
	if conversation == "voice" {
		return Phone
	}
	return Channel(conversation)
}

// Level is how much a person has to do before something automated leaves (R63).
type Level string

// The levels: it goes by itself, a person approves it, a person sends it.
const (
	Auto   Level = "auto"
	Review Level = "review"
	Manual Level = "manual"
)

// Autonomy is what AI may do on its own (R79).
type Autonomy string

// The steps of autonomy: nothing, drafts and suggestions, acts.
const (
	Off     Autonomy = "off"
	Suggest Autonomy = "suggest"
	Acts    Autonomy = "act"
)

// Autonomies lists the steps, the least first.
func Autonomies() []Autonomy { return []Autonomy{Off, Suggest, Acts} }

// OptOut is a client's word that he isn't to be written to or called (R46). It is
// separate from what he prefers.
type OptOut struct {
	Channel Channel `json:"channel"`
	// Address limits it to one address or number, in normal form; "" is all of the
	// channel.
	Address string `json:"address,omitempty"`
	Set
}

// TenantSettings are the tenant's part in a policy.
type TenantSettings struct {
	Timezone string `json:"timezone"`
	// QuietHours are times at which nothing automated leaves, on the client's wall
	// clock, whatever the client's own windows say.
	QuietHours []Window `json:"quiet_hours"`
	// Autonomy is Acts when empty.
	Autonomy Autonomy `json:"ai_autonomy,omitempty"`
	// ReplyGrace is how long after an inbound message a reply by email or SMS may
	// leave outside the client's windows (R58); 0 means never.
	ReplyGrace time.Duration `json:"reply_grace"`
	// Set is who last changed these.
	Set
}

// ClientSettings are a client's part. A nil setting was never made.
type ClientSettings struct {
	// ID names the client; exemptions are made for one.
	ID             string
	Channels       *Own[[]Channel]
	Windows        *Own[[]Window]
	Timezone       *Own[string]
	NeverAutoSend  *Own[bool]
	ReviewRequired *Own[bool]
	Sensitive      *Own[bool]
	OptOuts        []OptOut
}

// ConversationSettings are what a conversation has of its own; nil inherits (R72).
type ConversationSettings struct {
	Channels       *Own[[]Channel] `json:"preferred_channels,omitempty"`
	Windows        *Own[[]Window]  `json:"contact_windows,omitempty"`
	Timezone       *Own[string]    `json:"timezone,omitempty"`
	NeverAutoSend  *Own[bool]      `json:"never_auto_send,omitempty"`
	ReviewRequired *Own[bool]      `json:"human_review_required,omitempty"`
	Autonomy       *Own[Autonomy]  `json:"ai_autonomy,omitempty"`
	// Sensitive is the tri-state of R78: nil inherits, else sensitive or exempt.
	Sensitive *Mark `json:"sensitive,omitempty"`
}

// In is everything a policy is made of.
type In struct {
	Tenant       TenantSettings
	Client       ClientSettings
	Conversation ConversationSettings
}

// Policy is what is in force for a conversation, or for a new message to a client:
// computed at the moment of use, so that it can't be stale (R71).
type Policy struct {
	Channels       Setting[[]Channel]     `json:"preferred_channels"`
	Windows        Setting[[]Window]      `json:"contact_windows"`
	Timezone       Setting[string]        `json:"timezone"`
	NeverAutoSend  Setting[bool]          `json:"never_auto_send"`
	ReviewRequired Setting[bool]          `json:"human_review_required"`
	Sensitive      Setting[bool]          `json:"sensitive"`
	Autonomy       Setting[Autonomy]      `json:"ai_autonomy"`
	QuietHours     Setting[[]Window]      `json:"quiet_hours"`
	ReplyGrace     Setting[time.Duration] `json:"-"`
	OptOuts        []OptOut               `json:"opt_outs"`
	// Level sums up the controls, raised by sensitivity.
	Level Level `json:"automation_level"`
}

// Combine answers what is in force: the client's value, replaced by the
// conversation's own, raised to the floor of sensitivity (R71–R73, R80).
func Combine(in In) Policy {
	t, c, v := in.Tenant, in.Client, in.Conversation
	p := Policy{
		Channels:       pick(Setting[[]Channel]{From: BuiltIn}, c.Channels, v.Channels),
		Windows:        pick(Setting[[]Window]{From: BuiltIn}, c.Windows, v.Windows),
		Timezone:       pick(Setting[string]{Value: t.Timezone, From: Tenant}, c.Timezone, v.Timezone),
		NeverAutoSend:  pick(Setting[bool]{From: BuiltIn}, c.NeverAutoSend, v.NeverAutoSend),
		ReviewRequired: pick(Setting[bool]{From: BuiltIn}, c.ReviewRequired, v.ReviewRequired),
		Sensitive:      pick(Setting[bool]{From: BuiltIn}, c.Sensitive, v.Sensitive.InForce(c)),
		Autonomy:       pick(Setting[Autonomy]{Value: t.Autonomy, From: Tenant, Set: t.Set}, nil, v.Autonomy),
		QuietHours:     Setting[[]Window]{Value: t.QuietHours, From: Tenant, Set: t.Set},
		ReplyGrace:     Setting[time.Duration]{Value: t.ReplyGrace, From: Tenant, Set: t.Set},
		OptOuts:        append([]OptOut{}, c.OptOuts...), // a list in JSON, if an empty one
	}
	if p.Autonomy.Value == "" {
		p.Autonomy.Value = Acts
	}
	if p.Sensitive.Value && stricter(p.Autonomy.Value, Suggest) < 0 {
		p.Autonomy = Setting[Autonomy]{Value: Suggest, From: p.Sensitive.From, Set: p.Sensitive.Set}
	}
	switch {
	case p.NeverAutoSend.Value:
		p.Level = Manual
	case p.ReviewRequired.Value || p.Sensitive.Value:
		p.Level = Review
	default:
		p.Level = Auto
	}
	return p
}

// pick takes the most particular value there is.
func pick[T any](fallback Setting[T], client, conversation *Own[T]) Setting[T] {
	switch {
	case conversation != nil:
		return Setting[T]{Value: conversation.Value, From: Conversation, Set: conversation.Set}
	case client != nil:
		return Setting[T]{Value: client.Value, From: Client, Set: client.Set}
	default:
		return fallback
	}
}

// stricter is positive when a leaves AI less to do than b, negative when more.
func stricter(a, b Autonomy) int {
	return slices.Index(Autonomies(), b) - slices.Index(Autonomies(), a)
}

// String says a setting's origin in words: "set on the conversation by Ann Lee on
// 2 Nov 2026".
func (s Setting[T]) String() string { return origin(s.From, s.Set) }

func origin(from Where, set Set) string {
	words := "set on the " + string(from)
	if from == BuiltIn {
		words = "the built-in default"
	}
	if set.By != "" {
		words += " by " + set.By
	}
	if !set.At.IsZero() {
		words += fmt.Sprintf(" on %s", set.At.UTC().Format("2 Jan 2006"))
	}
	return words
}
