package match

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Identifier is a way to recognise somebody, in normal form.
type Identifier struct {
	Kind      string `json:"kind"`
	Normal    string `json:"normal"`
	Extension string `json:"extension,omitempty"`
}

// The kinds of identifier.
const (
	KindEmail    = "email"
	KindPhone    = "phone"
	KindChat     = "chat"
	KindExternal = "external"
)

// Held is an identifier that a candidate has.
type Held struct {
	Identifier
	// Shared: several people use it, so it never decides alone (R132).
	Shared bool `json:"shared"`
	// Proved by a channel, a form, a CRM or a person; otherwise it was only read
	// in somebody's text (R133).
	Proved bool `json:"proved"`
}

// Candidate is a client that holds one of the identifiers of a message.
type Candidate struct {
	ID      uuid.UUID `json:"id"`
	Mailbox bool      `json:"mailbox"` // a shared-mailbox client (R9)
	// Anonymous: a chat visitor whom nothing but sessions identifies (R11), whatever
	// he called himself.
	Anonymous   bool      `json:"anonymous"`
	First       string    `json:"-"`
	Last        string    `json:"-"`
	Sensitive   bool      `json:"sensitive"`
	LastContact time.Time `json:"last_contact"`
	// Deleted is empty, "mistake" or "spam" (R134).
	Deleted string `json:"deleted,omitempty"`
	Held    []Held `json:"held"`
}

// Facts are what a message says about who wrote it.
type Facts struct {
	Channel string
	// Own are the channel's own identifiers, strongest first: an email's address,
	// an SMS's or a call's number, a chat's session, then verified id (R131).
	Own []Identifier
	// Stated are identifiers the speaker gave as his own, in a form, a signature
	// or in words, strongest first (R133).
	Stated []Identifier
	// First and Last are the speaker's name as far as it is known.
	First, Last string
	// RoleAddress: the sender is info@, sales@ or the like (R9).
	RoleAddress bool
	// Unproved: the address may be forged (no authentication result).
	Unproved bool
	// MayCreate is the tenant's switch for this channel (R192).
	MayCreate bool
	// Suppressed: an own identifier belongs to a client deleted as spam (R134).
	Suppressed bool
	At         time.Time
}

// Action is what becomes of the conversation.
type Action string

// The actions.
const (
	Link   Action = "link"
	Create Action = "create"
	None   Action = "none"
)

// Rule names the rule that decided; it is stored and shown (R199).
type Rule string

// The rules, in the order in which they are tried.
const (
	RuleSuppressed    Rule = "suppressed"
	RuleSharedMailbox Rule = "shared mailbox"
	RuleOwn           Rule = "own identifier"
	RuleSharedName    Rule = "shared identifier, name agrees"
	RuleSharedRecent  Rule = "shared identifier, last contacted"
	RuleRecycled      Rule = "recycled number"
	RuleStated        Rule = "stated identifier"
	RuleNew           Rule = "nobody matches"
	RuleCreationOff   Rule = "creation is off"
	RuleNoIdentifier  Rule = "no identifier"
	RuleDeletedOnly   Rule = "only a deleted client has it"
)

// Decision is what matching decided, with its proof.
type Decision struct {
	Action Action    `json:"action"`
	Client uuid.UUID `json:"client"`
	// Certain links need no review; uncertain ones wait in a list (R132, R133).
	Certain bool   `json:"certain"`
	Rule    Rule   `json:"rule"`
	Reason  string `json:"reason"`
	By      *Identifier
	// Mailbox: the client to create is a shared mailbox.
	Mailbox bool `json:"mailbox"`
	// Doubt: the client had the identifier only from somebody's text, so the
	// conversation it was read in becomes uncertain (order must not matter).
	Doubt bool `json:"doubt"`
	// Reclaim: clients that hold an own identifier only from text under another
	// name; they lose it to the client that proved it.
	Reclaim []uuid.UUID `json:"reclaim,omitempty"`
	// Absorb: anonymous visitors of this session, who turn out to be the client.
	Absorb []uuid.UUID `json:"absorb,omitempty"`
	// Merge, Restore and LinkTo are suggestions for a person.
	Merge   []uuid.UUID `json:"merge,omitempty"`
	Restore []uuid.UUID `json:"restore,omitempty"`
	LinkTo  []uuid.UUID `json:"link_to,omitempty"`
}

// recycledAfter is how long a number is silent before a new name on it asks
// instead of linking (research/clients.md §2.3).
const recycledAfter = 18 * 30 * 24 * time.Hour

// Decide links a message to a client, asks for a new one, or neither
// (requirements §1.14). It is pure: candidates are all clients, deleted ones
// too, that hold any identifier of the facts or a variant of it.
func Decide(f Facts, candidates []Candidate) Decision {
	d := decider{facts: f}
	for _, c := range candidates {
		if c.Deleted == "" {
			d.live = append(d.live, c)
		} else {
			d.deleted = append(d.deleted, c)
		}
	}
	slices.SortFunc(d.live, mostRecentFirst)
	decision := d.decide()
	d.suggest(&decision)
	return decision
}

type decider struct {
	facts         Facts
	live, deleted []Candidate
	reclaim       []uuid.UUID
	linkTo        []uuid.UUID
	visitors      []uuid.UUID // anonymous holders of own identifiers
}

func (d *decider) decide() Decision {
	f := d.facts
	if f.Suppressed {
		return Decision{Action: None, Rule: RuleSuppressed, Reason: "the sender's identifier belongs to a client deleted as spam or invalid"}
	}
	if f.RoleAddress {
		return d.decideMailbox()
	}
	for i := range f.Own {
		if decision, ok := d.byOwn(&f.Own[i]); ok {
			decision.Absorb = d.visitors
			return decision
		}
	}
	for i := range f.Stated {
		if decision, ok := d.byStated(&f.Stated[i]); ok {
			decision.Absorb = d.visitors
			return decision
		}
	}
	if len(d.visitors) > 0 {
		return Decision{Action: Link, Client: d.visitors[0], Certain: true, Rule: RuleOwn, By: &f.Own[0],
			Reason: "the chat session is this visitor's"}
	}
	return d.decideNew()
}

func (d *decider) decideMailbox() Decision {
	for i := range d.facts.Own {
		id := &d.facts.Own[i]
		for _, c := range d.holders(*id, true) {
			agrees := NamesAgree(d.facts.First, d.facts.Last, c.First, c.Last) == Agree
			if c.Mailbox || agrees {
				return Decision{Action: Link, Client: c.ID, Certain: true, Rule: RuleSharedMailbox, By: id,
					Reason: "the address is a shared mailbox, and this is its client"}
			}
		}
	}
	if !d.facts.MayCreate {
		return Decision{Action: None, Rule: RuleCreationOff, Reason: "creating clients from this channel is switched off"}
	}
	if len(d.facts.Own) == 0 {
		return Decision{Action: None, Rule: RuleNoIdentifier, Reason: "the sender has no usable identifier"}
	}
	return Decision{Action: Create, Mailbox: true, Certain: true, Rule: RuleSharedMailbox, By: &d.facts.Own[0],
		Reason: "the address is a shared mailbox that nobody has yet"}
}

func (d *decider) byOwn(id *Identifier) (Decision, bool) {
	holders := d.holders(*id, true)
	if len(holders) > 1 {
		return d.amongSeveral(id, holders, true), true
	}
	if len(holders) == 0 {
		return Decision{}, false
	}
	c := holders[0]
	if c.Anonymous {
		d.visitors = append(d.visitors, c.ID)
		return Decision{}, false
	}
	held := c.held(*id)
	conflict := d.names(c) == Conflict
	if !held.Proved && conflict {
		d.reclaim = append(d.reclaim, c.ID)
		return Decision{}, false
	}
	silent := !c.LastContact.IsZero() && d.facts.At.Sub(c.LastContact) > recycledAfter
	if id.Kind == KindPhone && conflict && silent {
		d.linkTo = append(d.linkTo, c.ID)
		return Decision{Action: None, Rule: RuleRecycled, By: id,
			Reason: "the number was silent for more than 18 months and now shows another name"}, true
	}
	decision := Decision{Action: Link, Client: c.ID, Certain: true, Rule: RuleOwn, By: id, Doubt: !held.Proved,
		Reason: "the channel's own " + id.Kind + " is this client's"}
	if c.Sensitive && d.facts.Unproved {
		decision.Certain = false
		decision.Reason += "; the client is sensitive and the sender was not authenticated"
	}
	return decision, true
}

func (d *decider) byStated(id *Identifier) (Decision, bool) {
	var open []Candidate
	for _, c := range d.holders(*id, false) {
		if c.Sensitive || d.names(c) == Conflict {
			d.linkTo = append(d.linkTo, c.ID)
			continue
		}
		open = append(open, c)
	}
	if len(open) > 1 {
		return d.amongSeveral(id, open, false), true
	}
	if len(open) == 0 {
		return Decision{}, false
	}
	return Decision{Action: Link, Client: open[0].ID, Rule: RuleStated, By: id,
		Reason: "the speaker gave this client's " + id.Kind + " as his own"}, true
}

// amongSeveral picks from clients that share an identifier: whose name agrees,
// else who was contacted last; never a third record (R132).
func (d *decider) amongSeveral(id *Identifier, holders []Candidate, proved bool) Decision {
	var agreeing []Candidate
	for _, c := range holders {
		if d.names(c) == Agree {
			agreeing = append(agreeing, c)
		}
	}
	if len(agreeing) == 1 {
		return Decision{Action: Link, Client: agreeing[0].ID, Certain: proved, Rule: RuleSharedName, By: id,
			Reason: "several clients share this " + id.Kind + ", and one has the speaker's name"}
	}
	if len(agreeing) > 1 {
		holders = agreeing
	}
	return Decision{Action: Link, Client: holders[0].ID, Rule: RuleSharedRecent, By: id,
		Reason: "several clients share this " + id.Kind + "; this one was contacted last"}
}

func (d *decider) decideNew() Decision {
	f := d.facts
	// Only a call with a withheld number and a chat make a client from what was
	// said; elsewhere a sender without identifier is a machine (R8, R10, R144).
	usable := len(f.Own) > 0 || (len(f.Stated) > 0 && (f.Channel == "voice" || f.Channel == "chat"))
	switch {
	case !usable:
		return Decision{Action: None, Rule: RuleNoIdentifier, Reason: "the sender has no usable identifier"}
	case !f.MayCreate:
		return Decision{Action: None, Rule: RuleCreationOff, Reason: "creating clients from this channel is switched off"}
	case len(f.Own) == 0 && d.onlyDeleted(f.Stated):
		return Decision{Action: None, Rule: RuleDeletedOnly, Reason: "what was said names a deleted client only"}
	}
	decision := Decision{Action: Create, Certain: true, Rule: RuleNew, Reason: "no client has an identifier of this sender"}
	if len(f.Own) > 0 {
		decision.By = &f.Own[0]
	} else {
		decision.By = &f.Stated[0]
	}
	return decision
}

// suggest adds what a person should look at: other clients that the message's
// identifiers belong to, and deleted ones.
func (d *decider) suggest(decision *Decision) {
	add := func(to *[]uuid.UUID, id uuid.UUID) {
		if id != decision.Client && !slices.Contains(*to, id) && !slices.Contains(decision.Absorb, id) {
			*to = append(*to, id)
		}
	}
	decision.Reclaim = d.reclaim
	for _, id := range d.linkTo {
		add(&decision.LinkTo, id)
	}
	if decision.Action == None {
		return
	}
	for _, id := range d.reclaim {
		add(&decision.Merge, id)
	}
	for _, id := range append(slices.Clone(d.facts.Own), d.facts.Stated...) {
		for _, c := range d.holders(id, false) {
			if !c.held(id).Shared {
				add(&decision.Merge, c.ID)
			}
		}
	}
	for _, c := range d.deleted {
		if c.Deleted != "mistake" {
			continue
		}
		for _, id := range d.facts.Own {
			if c.holds(id) {
				add(&decision.Restore, c.ID)
			}
		}
	}
}

func (d *decider) onlyDeleted(ids []Identifier) bool {
	for _, id := range ids {
		for _, c := range d.deleted {
			if c.holds(id) {
				return true
			}
		}
	}
	return false
}

// holders are the live clients that have the identifier, last contacted first.
// Shared mailboxes count only for a channel's own address, never for a person's
// stated one.
func (d *decider) holders(id Identifier, own bool) []Candidate {
	var found []Candidate
	for _, c := range d.live {
		if c.holds(id) && (own || !c.Mailbox) {
			found = append(found, c)
		}
	}
	return found
}

func (d *decider) names(c Candidate) Agreement {
	return NamesAgree(d.facts.First, d.facts.Last, c.First, c.Last)
}

func (c Candidate) holds(id Identifier) bool {
	return slices.ContainsFunc(c.Held, func(h Held) bool { return h.same(id) })
}

func (c Candidate) held(id Identifier) Held {
	i := slices.IndexFunc(c.Held, func(h Held) bool { return h.same(id) })
	if i < 0 {
		return Held{}
	}
	return c.Held[i]
}

// same compares in normal form; a phone also by its national variants, since a
// Brazilian mobile number exists with and without its ninth digit.
func (h Held) same(id Identifier) bool {
	if h.Kind != id.Kind || h.Extension != id.Extension {
		return false
	}
	return h.Normal == id.Normal || (id.Kind == KindPhone && slices.Contains(PhoneVariants(id.Normal), h.Normal))
}

func mostRecentFirst(a, b Candidate) int {
	if c := b.LastContact.Compare(a.LastContact); c != 0 {
		return c
	}
	return slices.Compare(a.ID[:], b.ID[:])
}
