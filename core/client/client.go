package client

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID identifies a client; it is also the external key in every CRM (design.md §11).
type ID struct{ uuid.UUID }

// NewID makes a time-ordered id.
func NewID() ID { return ID{uuid.Must(uuid.NewV7())} }

// ParseID reads a client id; the error names the rule.
func ParseID(s string) (ID, error) {
	id, err := uuid.Parse(s)
	if err != nil {
		return ID{}, fmt.Errorf("client id %q: want a UUID such as 0198c0de-0000-7000-8000-000000000000", s)
	}
	return ID{id}, nil
}

// ConversationID identifies a conversation, which is the business of package
// conversation.
type ConversationID struct{ uuid.UUID }

// Kind tells a person from a mailbox that several people share and from a chat
// visitor nobody knows (R9, R11).
type Kind string

// The kinds of client.
const (
	Person        Kind = "person"
	SharedMailbox Kind = "shared_mailbox"
	Anonymous     Kind = "anonymous"
)

// Source says where a value comes from. A higher source replaces a lower one's
// value, never a human's (R130).
type Source string

// The sources, highest first.
const (
	FromHuman      Source = "human"
	FromCRM        Source = "crm"
	FromForm       Source = "form"
	FromChannel    Source = "channel"
	FromExtraction Source = "extraction"
)

// Outranks tells whether a value from s may replace one from t.
func (s Source) Outranks(t Source) bool { return s.rank() > t.rank() }

func (s Source) rank() int {
	switch s {
	case FromHuman:
		return 5
	case FromCRM:
		return 4
	case FromForm:
		return 3
	case FromChannel:
		return 2
	case FromExtraction:
		return 1
	default:
		return 0
	}
}

// IdentifierKind is what an identifier is.
type IdentifierKind string

// The kinds of identifier (R23).
const (
	Email    IdentifierKind = "email"
	Phone    IdentifierKind = "phone"
	Chat     IdentifierKind = "chat"
	External IdentifierKind = "external"
)

// Identifier is one way to recognise a client. Normal is empty when the value
// could not be read; it is then kept and shown, never matched (R28).
type Identifier struct {
	ID        uuid.UUID      `json:"id"`
	ClientID  ID             `json:"-"`
	Kind      IdentifierKind `json:"kind"`
	Value     string         `json:"value"`
	Normal    string         `json:"normal"`
	Extension string         `json:"extension,omitempty"`
	IsPrimary bool           `json:"primary"`
	Source    Source         `json:"source"`
	Verified  bool           `json:"verified"`
	Shared    bool           `json:"shared"`
	Active    bool           `json:"-"`
	MessageID uuid.NullUUID  `json:"-"`
	CreatedAt time.Time      `json:"created_at"`
}

// Review says whether a person has looked at an automatic client (R146).
type Review string

// The review states.
const (
	Unreviewed Review = "unreviewed"
	Confirmed  Review = "confirmed"
)

// Client is a record: what is known of a person or mailbox.
type Client struct {
	ID                  ID
	Revision            int64
	Kind                Kind
	FirstName           string
	LastName            string
	Company             string
	CompanyKey          string
	Street              string
	City                string
	State               string
	Zip                 string
	Country             string
	DateOfBirth         string
	Metadata            string
	PreferredChannels   []string
	ContactWindows      json.RawMessage // a list of rules, [] for none
	Timezone            string
	NeverAutoSend       bool
	HumanReviewRequired bool
	Sensitive           bool
	PolicySet           PolicySet // who set the preferences and the flag
	Tags                []string
	Source              string
	Origin              map[string]any
	Review              Review
	LastContactAt       *time.Time
	CreatedAt           time.Time
	UpdatedAt           time.Time
	DeletedAt           *time.Time
	DeletedReason       string
	MergedInto          uuid.NullUUID
	Identifiers         []Identifier `db:"-"`
	// Conversations counts those that are linked to the client (R5).
	Conversations int `db:"-"`
}

// Primary returns the primary identifier of a kind, or the first, or none.
func (c *Client) Primary(kind IdentifierKind) (Identifier, bool) {
	var first *Identifier
	for i := range c.Identifiers {
		id := &c.Identifiers[i]
		if id.Kind != kind {
			continue
		}
		if id.IsPrimary {
			return *id, true
		}
		if first == nil {
			first = id
		}
	}
	if first == nil {
		return Identifier{}, false
	}
	return *first, true
}

// Email is the primary address as typed, or empty.
func (c *Client) Email() string {
	id, _ := c.Primary(Email)
	return id.Value
}

// Phone is the primary number in E.164 where it could be read, else as typed.
func (c *Client) Phone() string {
	id, ok := c.Primary(Phone)
	if !ok {
		return ""
	}
	if id.Normal == "" {
		return id.Value
	}
	return id.Normal
}

// DisplayName is the name people see; it falls back to company, email, phone
// (R26).
func (c *Client) DisplayName() string {
	for _, s := range []string{join(c.FirstName, c.LastName), c.Company, c.Email(), c.Phone()} {
		if s != "" {
			return s
		}
	}
	return "Unknown (chat)"
}

// CRMLastName is what a CRM that insists on a last name gets; provisional tells
// that it is a stand-in, to be replaced when a name comes (R165).
func (c *Client) CRMLastName() (name string, provisional bool) {
	if c.LastName != "" {
		return c.LastName, false
	}
	local := c.Email()
	for i, r := range local {
		if r == '@' {
			local = local[:i]
			break
		}
	}
	for _, s := range []string{c.FirstName, c.Company, local, c.Phone()} {
		if s != "" {
			return s, true
		}
	}
	return "", false
}

// Deleted tells whether the record is out of list, search, linking and sync.
func (c *Client) Deleted() bool { return c.DeletedAt != nil }

func join(first, last string) string {
	switch {
	case first == "":
		return last
	case last == "":
		return first
	default:
		return first + " " + last
	}
}
