package extract

// Channel is the way a message came.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
	Chat  Channel = "chat"
	Voice Channel = "voice"
)

// Direction says who sent a message; the zero value counts as Inbound.
type Direction string

// Directions as the tenant sees them.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// Role says which side speaks in a turn.
type Role string

// Everyone who isn't the client is an agent: people, bots and menus of the
// tenant.
const (
	RoleClient Role = "client"
	RoleAgent  Role = "agent"
)

// Turn is one utterance of a chat or a call.
type Turn struct {
	Role Role   `json:"role"`
	Text string `json:"text"`
}

// PreChat is what a visitor typed into the form before a chat.
type PreChat struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Message is one message of a conversation as extraction sees it.
type Message struct {
	Channel   Channel
	Direction Direction
	// Identifier is what the channel itself says of the outside party
	// (channel_identifier): the address of an email, the number of an SMS or a
	// call. Empty when the channel says nothing.
	Identifier string
	// Headers are a mail's header fields, decoded, keys in lower case.
	Headers map[string]string
	Subject string
	Text    string
	// HTML is read only when Text is empty.
	HTML string
	// Turns hold a dialogue with its roles; when present Text isn't read.
	Turns []Turn
	// Context is what our side asked right before this message.
	Context string
	PreChat PreChat
}

// Settings are a tenant's (R192); the zero value is the default for each.
type Settings struct {
	// Region is the ISO 3166 country assumed for national phone numbers and
	// addresses; empty: only international numbers are read.
	Region string `json:"region,omitempty"`
	// OwnDomains, OwnAddresses and OwnNumbers are the tenant's: never a client's.
	OwnDomains   []string `json:"own_domains,omitempty"`
	OwnAddresses []string `json:"own_addresses,omitempty"`
	OwnNumbers   []string `json:"own_numbers,omitempty"`
	// Agents are the full names of the tenant's people.
	Agents []string `json:"agents,omitempty"`
	// NotNames are words taught as false positives (R148); Names are taught as
	// names and win over every list.
	NotNames []string `json:"not_names,omitempty"`
	Names    []string `json:"names,omitempty"`
	// Off lists the fields that are not extracted.
	Off []Field `json:"off,omitempty"`
	// Accept is the least confidence, in (0,1], at which a field's finding is
	// accepted; a field that isn't listed has DefaultAccept. Too low writes
	// wrong data, too high leaves the work to people.
	Accept map[Field]float64 `json:"accept,omitempty"`
	// Suggest is the least confidence at which a finding is suggested; 0 means
	// DefaultSuggest.
	Suggest float64 `json:"suggest,omitempty"`
}

// Thresholds that hold when a tenant sets none.
const (
	DefaultAccept  = 0.8
	DefaultSuggest = 0.5
)

func (s Settings) accept(f Field) float64 {
	if v, ok := s.Accept[f]; ok {
		return v
	}
	return DefaultAccept
}

func (s Settings) suggest() float64 {
	if s.Suggest > 0 {
		return s.Suggest
	}
	return DefaultSuggest
}

func (s Settings) off(f Field) bool {
	for _, o := range s.Off {
		if o == f {
			return true
		}
	}
	return false
}
