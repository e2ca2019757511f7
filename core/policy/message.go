package policy

import "time"

// Kind is what a message is for.
type Kind string

// The kinds of message (R45, R63). A note is what a person writes anew.
const (
	Reply    Kind = "reply"
	FollowUp Kind = "follow_up"
	Reminder Kind = "reminder"
	Campaign Kind = "campaign"
	Receipt  Kind = "receipt"
	// Notice is a message the law requires. Only an admin's word makes it one.
	Notice Kind = "legal_notice"
	Note   Kind = "message"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Reply, FollowUp, Reminder, Campaign, Receipt, Notice, Note} }

// Origin is who is at work. It follows the credential, never the request's word.
type Origin string

// The origins: a person at the keyboard; an API key, AI or the host itself.
const (
	Person     Origin = "person"
	Automation Origin = "automation"
)

// Message is one message that wants to leave, as far as the decision needs it.
type Message struct {
	Kind    Kind
	Origin  Origin
	Channel Channel
	// Address is where it goes, in normal form; opt-outs may be limited to one.
	Address string
	// LiveSession: the chat session that a chat message belongs to still runs.
	LiveSession bool
	// InboundAt is when the client's own last message came in the conversation.
	InboundAt time.Time
	// Approved is the review that an automated message has passed, or zero.
	Approved Approval
	// Notice says who declared a legal notice to be one; zero for other kinds.
	Notice Declaration
}

// Approval is a named person's yes to a draft. It counts only for rules that were
// set before it (R64).
type Approval struct {
	By string
	At time.Time
	// Now: the approver sends it outside the client's hours (R58).
	Now bool
}

// Declaration is an admin's word, with a reason, that a message is a legal notice
// (R46).
type Declaration struct{ Admin, Reason string }
