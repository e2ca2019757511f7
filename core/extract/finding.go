package extract

// Field is the client field that a finding is for.
type Field string

// The fields that extraction fills.
const (
	FieldEmail     Field = "email"
	FieldPhone     Field = "phone"
	FieldName      Field = "name"
	FieldCompany   Field = "company"
	FieldAddress   Field = "address"
	FieldBirthDate Field = "birth_date"
)

// Fields lists the fields in the order in which findings come.
func Fields() []Field {
	return []Field{FieldEmail, FieldPhone, FieldName, FieldCompany, FieldAddress, FieldBirthDate}
}

// Verdict is the outcome for a candidate: accepted ones may be written,
// suggested ones wait for a human, rejected ones are kept for the log (R125).
type Verdict string

// The verdicts.
const (
	Accepted  Verdict = "accepted"
	Suggested Verdict = "suggested"
	Rejected  Verdict = "rejected"
)

// Whose says whom a value belongs to.
type Whose string

// A value is the speaker's own, somebody else's, or the text doesn't say.
const (
	WhoseSpeaker Whose = "speaker"
	WhoseOther   Whose = "other"
	WhoseUnknown Whose = "unknown"
)

// Origin says where in the message a finding was read.
type Origin string

// The origins, by the strength of what they say.
const (
	OriginChannel   Origin = "channel"   // the channel's own identifier
	OriginHeader    Origin = "header"    // a mail's header
	OriginPreChat   Origin = "pre_chat"  // the form before a chat
	OriginSignature Origin = "signature" // the signature block
	OriginText      Origin = "text"      // the speaker's words
)

// Span is a range of bytes in Text(message): Text[Start:End]. Both are zero for
// a finding that stands elsewhere (header, channel, form).
type Span struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Address is a postal address in parts; a part that wasn't said is empty.
type Address struct {
	Street  string `json:"street,omitempty"`
	City    string `json:"city,omitempty"`
	State   string `json:"state,omitempty"`
	Zip     string `json:"zip,omitempty"`
	Country string `json:"country,omitempty"`
}

// Finding is one candidate and what became of it. Its JSON form is stored with
// the run and shown to people; names and meanings are stable.
type Finding struct {
	Field Field `json:"field"`
	// Value is as written; Normal is the form in which values are compared:
	// match.Email, E.164, match.CompanyKey, "First Last", a date as 2006-01-02
	// or, without its year, as --01-02.
	Value  string `json:"value"`
	Normal string `json:"normal,omitempty"`
	// First and Last are set for names, Extension for phones, Address for
	// addresses.
	First     string   `json:"first,omitempty"`
	Last      string   `json:"last,omitempty"`
	Extension string   `json:"extension,omitempty"`
	Address   *Address `json:"address,omitempty"`

	Origin     Origin  `json:"origin"`
	Span       Span    `json:"span"`
	Sentence   string  `json:"sentence,omitempty"`
	Detector   string  `json:"detector"`
	Confidence float64 `json:"confidence"`
	Verdict    Verdict `json:"verdict"`
	// Reason says in words why the verdict is not "accepted".
	Reason string `json:"reason,omitempty"`
	Whose  Whose  `json:"whose"`
	// Stated is true when the speaker gives the value as his own ("my email
	// is …", his signature, a pre-chat form): only such an identifier may link
	// a conversation (R133).
	Stated bool `json:"stated,omitempty"`
}

// NoSender says why a message has no outside participant to make a client of.
type NoSender string

// The reasons.
const (
	NoSenderUnknown   NoSender = "unknown"    // no usable address or number
	NoSenderNoReply   NoSender = "no_reply"   // nobody reads that address
	NoSenderList      NoSender = "list"       // list or bulk mail
	NoSenderAutomatic NoSender = "automatic"  // auto-reply, bounce, report
	NoSenderOwn       NoSender = "own"        // only the tenant's own people
	NoSenderWithheld  NoSender = "withheld"   // caller id withheld
	NoSenderShortCode NoSender = "short_code" // short code or alphanumeric sender
)

// Sender is the outside participant by the rules R9 and R10: the one whose
// client record a message makes or fills.
type Sender struct {
	Email     string `json:"email,omitempty"` // normal form
	Phone     string `json:"phone,omitempty"` // E.164
	Extension string `json:"extension,omitempty"`
	// First and Last are what the header shows; the best name of the whole
	// message is among the findings.
	First string `json:"first,omitempty"`
	Last  string `json:"last,omitempty"`
	// Role marks a shared mailbox (info@, sales@).
	Role bool `json:"role,omitempty"`
	// Relayed means that Reply-To stood in for a relay's From; Forwarded that
	// one of our agents forwarded the client's mail.
	Relayed   bool `json:"relayed,omitempty"`
	Forwarded bool `json:"forwarded,omitempty"`
	// Others are further outside recipients of an outbound mail: suggestions.
	Others []string `json:"others,omitempty"`
	// None is the reason when Email and Phone are empty.
	None NoSender `json:"none,omitempty"`
}

// Result is what a run found.
type Result struct {
	Sender Sender `json:"sender"`
	// Findings are ordered by field, then by position; rejected candidates
	// are among them.
	Findings []Finding `json:"findings"`
	// OwnWords is the speaker's text without quotes, forwards, signature,
	// disclaimer, mail-client lines and our own side's turns.
	OwnWords string `json:"own_words"`
}

// Accepted lists the accepted findings of a field that aren't another
// person's: what may be written to the client.
func (r Result) Accepted(f Field) []Finding {
	var out []Finding
	for _, x := range r.Findings {
		if x.Field == f && x.Verdict == Accepted && x.Whose != WhoseOther {
			out = append(out, x)
		}
	}
	return out
}
