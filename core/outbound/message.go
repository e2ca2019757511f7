package outbound

import (
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/policy"
)

// ID identifies an outbound message; once sent, it is the id of the message in
// the conversation too.
type ID struct{ uuid.UUID }

// State says what became of a message.
type State string

// The states.
const (
	// Draft: only a person can open and send it (R61, R63).
	Draft State = "draft"
	// Awaiting: a named person's approval lets it go (R62).
	Awaiting State = "awaiting approval"
	// Held: it goes by itself at its time, or, without one, when a person mends
	// what holds it (R58).
	Held State = "held"
	// Queued: it goes now, or at the next try.
	Queued State = "queued"
	// Sending: the provider is being asked.
	Sending State = "sending"
	Sent    State = "sent"
	// Failed: it did not leave, and won't by itself.
	Failed State = "failed"
	// MaybeSent: nobody knows, and it is not repeated by itself (design.md §11).
	MaybeSent State = "maybe sent"
	Cancelled State = "cancelled"
	// Superseded: a person answered before it left (R59).
	Superseded State = "superseded"
	// Blocked: the policy lets it go in no way.
	Blocked State = "blocked"
	// Call: somebody has to ring the client up (R45). Called: it was done.
	Call   State = "call task"
	Called State = "called"
)

// waiting are the states in which nothing of a message has left and something
// still may.
func (s State) waiting() bool {
	switch s {
	case Draft, Awaiting, Held, Queued, Call:
		return true
	default:
		return false
	}
}

// Message is one message that somebody wanted to send, and what became of it.
type Message struct {
	ID ID `json:"id"`
	// ClientID is the conversation's client, or who a new message is for.
	ClientID       uuid.NullUUID   `json:"client_id"`
	ConversationID uuid.NullUUID   `json:"conversation_id"`
	Kind           policy.Kind     `json:"kind"`
	Channel        policy.Channel  `json:"channel"`
	Origin         policy.Origin   `json:"origin"`
	AuthorID       string          `json:"-"`
	AuthorName     string          `json:"author"`
	Address        string          `json:"to"`
	AddressNormal  string          `json:"-"`
	Subject        string          `json:"subject,omitempty"`
	Text           string          `json:"text"`
	State          State           `json:"state"`
	Reason         string          `json:"reason,omitempty" doc:"Why it is in this state"`
	Decision       policy.Decision `json:"decision" doc:"What the policy said last, with its proof"`
	DueAt          *time.Time      `json:"-"`
	NotBefore      *time.Time      `json:"not_before,omitempty" doc:"The time that was asked for"`
	AskReview      string          `json:"-"`
	ApprovedBy     string          `json:"approved_by,omitempty"`
	ApprovedAt     *time.Time      `json:"approved_at,omitempty"`
	ApprovedNow    bool            `json:"approved_now,omitempty" doc:"A person sends it outside the client's hours"`
	NoticeBy       string          `json:"notice_by,omitempty" doc:"Who declared it a legal notice"`
	NoticeReason   string          `json:"notice_reason,omitempty"`
	Attempts       int             `json:"attempts"`
	Host           string          `json:"-"`
	OurSide        string          `json:"from,omitempty"`
	StartedAt      *time.Time      `json:"started_at,omitempty" doc:"When the last attempt began"`
	ExternalID     string          `json:"external_id,omitempty"`
	ProviderID     string          `json:"provider_id,omitempty"`
	Detail         string          `json:"detail,omitempty" doc:"What the provider said last"`
	SentAt         *time.Time      `json:"sent_at,omitempty"`
	CreatedAt      time.Time       `json:"created_at"`
	UpdatedAt      time.Time       `json:"updated_at"`
	Revision       int64           `json:"revision"`

	// GoesAt is when it goes by itself, or would go once approved; nil when it
	// doesn't.
	GoesAt *time.Time `json:"goes_at,omitempty" db:"-" doc:"When it goes by itself, or would go if you approved it now"`

	// Of the conversation, at the moment of reading.
	InboundAt *time.Time `json:"-"`
	Live      bool       `json:"-"`
}

// facts are what policy needs to know of a message.
func (m *Message) facts() policy.Message {
	f := policy.Message{
		Kind: m.Kind, Origin: m.Origin, Channel: m.Channel, Address: m.AddressNormal, LiveSession: m.Live,
		Notice: policy.Declaration{Admin: m.NoticeBy, Reason: m.NoticeReason},
	}
	if m.InboundAt != nil {
		f.InboundAt = *m.InboundAt
	}
	if m.ApprovedAt != nil {
		f.Approved = policy.Approval{By: m.ApprovedBy, At: *m.ApprovedAt, Now: m.ApprovedNow}
	}
	return f
}

// ruleChannel is what the choice of the channel has to say beside the policy.
const ruleChannel policy.Rule = "channel"

// decide asks the policy about a message at an instant.
func (m *Message) decide(p policy.Policy, at time.Time, zones *policy.Zones) policy.Decision {
	d := policy.Decide(p, m.facts(), at, zones)
	if m.AskReview != "" && m.Origin == policy.Automation && m.ApprovedBy == "" {
		d.Proof = append(d.Proof, policy.Spoken{Rule: ruleChannel, Asks: policy.Draft, Why: m.AskReview, From: policy.Client})
		if d.Outcome == policy.Allow || d.Outcome == policy.Hold {
			d.Outcome = policy.Draft
		}
	}
	return d
}

// settle puts a message into the state that the policy asks for: now, or at the
// time that was asked for.
func (m *Message) settle(p policy.Policy, now time.Time, zones *policy.Zones) {
	at := now
	if m.NotBefore != nil && m.NotBefore.After(now) {
		at = *m.NotBefore
	}
	m.become(m.decide(p, at, zones), at, at.After(now))
}

func (m *Message) become(d policy.Decision, at time.Time, later bool) {
	m.Decision, m.Reason, m.DueAt = d, why(d), nil
	opens := at
	if !d.Opens.IsZero() && m.Origin == policy.Automation {
		opens = d.Opens
	}
	switch {
	case d.Outcome == policy.Blocked:
		m.State = Blocked
	case m.Channel == policy.Phone:
		m.State, m.DueAt = Call, &opens
	case d.Outcome == policy.HumanOnly:
		m.State = Draft
	case d.Outcome == policy.Draft:
		m.State = Awaiting
	case d.Outcome == policy.Hold && d.Stuck:
		m.State = Held
	case d.Outcome == policy.Hold:
		m.State, m.DueAt = Held, &opens
	case later:
		m.State, m.DueAt, m.Reason = Held, &at, "scheduled by "+m.AuthorName
	default:
		m.State, m.DueAt = Queued, &at
	}
}

// why is the sentence of the rule that decided.
func why(d policy.Decision) string {
	if d.Outcome == policy.Allow {
		return ""
	}
	for _, s := range d.Proof {
		if s.Asks == d.Outcome {
			return s.Why
		}
	}
	return string(d.Outcome)
}

// NotFoundError is a message that isn't there for this tenant.
type NotFoundError struct{ ID ID }

// Error names the message.
func (e *NotFoundError) Error() string {
	return "outbound message " + e.ID.String() + " does not exist"
}

// StateError is something that a message's state doesn't allow.
type StateError struct{ Rule, WayOut string }

// Error names the rule and the way out.
func (e *StateError) Error() string { return e.Rule + ": " + e.WayOut }

// InvalidError is a message that can't be accepted.
type InvalidError struct{ Field, Rule, WayOut string }

// Error names the field, the rule and the way out.
func (e *InvalidError) Error() string { return e.Field + ": " + e.Rule + ": " + e.WayOut }

// HoursError is a person's message outside the client's hours, who must say
// whether it goes now or then (R58).
type HoursError struct {
	Warnings []string
	// Opens is when the hours allow contact; zero when nothing opens by itself.
	Opens time.Time
}

// Error says what to choose from.
func (e *HoursError) Error() string {
	said := "now is outside the client's hours"
	if len(e.Warnings) > 0 {
		said = e.Warnings[len(e.Warnings)-1]
	}
	if e.Opens.IsZero() {
		return said + `: send it anyway with "when": "now"`
	}
	return said + `: send it anyway with "when": "now", or then with "when": "opening"`
}
