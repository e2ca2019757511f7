package policy

import (
	"fmt"
	"time"
)

// Outcome is what becomes of a message.
type Outcome string

// The outcomes, from the mildest to the hardest.
const (
	// Allow: it may leave now.
	Allow Outcome = "allow"
	// Hold: it may leave by itself when the hours open.
	Hold Outcome = "hold"
	// Draft: a named person approves it, then the system sends it.
	Draft Outcome = "draft for review"
	// HumanOnly: a person opens it and presses send; no approval in bulk, no timer,
	// no retry (R63).
	HumanOnly Outcome = "human only"
	// Blocked: it doesn't leave.
	Blocked Outcome = "blocked"
)

func (o Outcome) severity() int {
	switch o {
	case Hold:
		return 1
	case Draft:
		return 2
	case HumanOnly:
		return 3
	case Blocked:
		return 4
	default:
		return 0
	}
}

// Rule names a rule of the policy.
type Rule string

// The rules.
const (
	RuleOptOut         Rule = "opt-out"
	RuleLegalNotice    Rule = "legal notice"
	RuleNeverAutoSend  Rule = "never auto-send"
	RuleReviewRequired Rule = "human review required"
	RuleSensitive      Rule = "sensitive"
	RuleAutonomy       Rule = "ai autonomy"
	RulePhone          Rule = "phone"
	RuleChatSession    Rule = "chat session"
	RuleContactWindow  Rule = "contact window"
	RuleQuietHours     Rule = "quiet hours"
	RuleTimezone       Rule = "time zone"
)

// Spoken is one line of the proof: a rule, what it asks for, and where it was set.
type Spoken struct {
	Rule Rule    `json:"rule"`
	Asks Outcome `json:"asks"`
	// Why in a sentence.
	Why  string `json:"why"`
	From Where  `json:"from"`
	Set
}

// Decision is what becomes of a message, and why.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	// Opens is when the hours next allow contact; zero when they do so now, or when
	// nothing ever will (Stuck). For Hold it is the release time, for a draft what
	// the approver is told, for a person what the warning is about.
	Opens time.Time `json:"opens,omitzero"`
	// Stuck: nothing opens by itself, because the hours leave nothing or the zone is
	// no longer known. A person has to mend the setting (R56).
	Stuck bool `json:"stuck,omitempty"`
	// Warnings are for the person who sends.
	Warnings []string `json:"warnings,omitempty"`
	// Proof lists every rule that spoke, also those that let the message pass.
	Proof []Spoken `json:"proof"`
}

// Decide says what becomes of a message under a policy at an instant. The same
// function decides when a message is accepted and again when it is about to leave
// (R58, R64); it is cheap enough for both.
func Decide(p Policy, m Message, now time.Time, zones *Zones) Decision {
	d := deciding{policy: p, message: m, decision: Decision{Outcome: Allow, Proof: []Spoken{}}}
	d.reach()
	if m.Origin == Person {
		d.warn()
	} else {
		d.control()
	}
	d.hours(now, zones)
	return d.decision
}

// Act says whether somebody may do something other than sending: close, tag,
// book, call (R79). People may; automation only with full autonomy.
func Act(p Policy, by Origin, act string) Decision {
	d := deciding{policy: p, decision: Decision{Outcome: Allow, Proof: []Spoken{}}}
	if by != Person && p.Autonomy.Value != Acts {
		d.say(RuleAutonomy, Blocked, fmt.Sprintf("automation may not %s here: AI autonomy is %q", act, p.Autonomy.Value), p.Autonomy.From, p.Autonomy.Set)
	}
	return d.decision
}

type deciding struct {
	policy   Policy
	message  Message
	decision Decision
}

func (d *deciding) say(r Rule, asks Outcome, why string, from Where, set Set) {
	d.decision.Proof = append(d.decision.Proof, Spoken{Rule: r, Asks: asks, Why: why, From: from, Set: set})
	if asks.severity() > d.decision.Outcome.severity() {
		d.decision.Outcome = asks
	}
}

// reach: what bars a message whoever sends it.
func (d *deciding) reach() {
	m := d.message
	declared := m.Notice.Admin != "" && m.Notice.Reason != ""
	if m.Kind == Notice && !declared {
		d.say(RuleLegalNotice, Blocked, "a legal notice needs an admin and a reason", BuiltIn, Set{})
	}
	if m.Channel == Chat && !m.LiveSession {
		d.say(RuleChatSession, Blocked, "the chat session has ended: use another channel", BuiltIn, Set{})
	}
	out, opted := optedOut(d.policy.OptOuts, m.Channel, m.Address)
	switch {
	case !opted:
	case m.Kind == Notice && declared:
		d.say(RuleLegalNotice, Allow, fmt.Sprintf("the client opted out of %s; %s declared a legal notice: %s", m.Channel, m.Notice.Admin, m.Notice.Reason), Client, out.Set)
	default:
		d.say(RuleOptOut, Blocked, "the client opted out of "+string(m.Channel), Client, out.Set)
	}
}

// warn: what a person should know. People send; only an opt-out keeps them from
// it.
func (d *deciding) warn() {
	if s := d.policy.Sensitive; s.Value {
		d.say(RuleSensitive, Allow, "the conversation is sensitive", s.From, s.Set)
		d.decision.Warnings = append(d.decision.Warnings, "the conversation is sensitive")
	}
}

// control: what automation needs a person for.
func (d *deciding) control() {
	p, m := d.policy, d.message
	if m.Channel == Phone {
		d.say(RulePhone, HumanOnly, "a call is a person's task, never made by automation", BuiltIn, Set{})
	}
	if s := p.NeverAutoSend; s.Value {
		d.say(RuleNeverAutoSend, HumanOnly, "nothing is sent to this client automatically", s.From, s.Set)
	}
	if s := p.ReviewRequired; s.Value {
		d.review(RuleReviewRequired, "every automated message is reviewed by a person", s.From, s.Set)
	}
	if s := p.Sensitive; s.Value {
		d.review(RuleSensitive, "a sensitive conversation: every automated message is reviewed by a person", s.From, s.Set)
	}
	if s := p.Autonomy; m.Kind == Reply && s.Value == Suggest {
		d.review(RuleAutonomy, "AI may suggest replies, not send them", s.From, s.Set)
	} else if m.Kind == Reply && s.Value == Off {
		d.say(RuleAutonomy, Blocked, "AI may not write replies here", s.From, s.Set)
	}
}

// review asks for a draft unless a person approved the message after the rule was
// set.
func (d *deciding) review(r Rule, why string, from Where, set Set) {
	if a := d.message.Approved; a.By != "" && !a.At.Before(set.At) {
		d.say(r, Allow, why+"; approved by "+a.By, from, set)
		return
	}
	d.say(r, Draft, why, from, set)
}

// hours: when it may leave. Outside them automation waits, and a person is told
// (R58).
func (d *deciding) hours(now time.Time, zones *Zones) {
	p, m := d.policy, d.message
	if m.Channel == Chat || (len(p.Windows.Value) == 0 && len(p.QuietHours.Value) == 0) {
		return
	}
	zone, err := zones.Load(p.Timezone.Value)
	if err != nil {
		d.closed(RuleTimezone, err.Error(), p.Timezone.From, p.Timezone.Set)
		d.decision.Stuck = true
		return
	}
	open, quiet := windowsOf(p.Windows.Value), weekOf(p.QuietHours.Value)
	minute := minuteOfWeek(now.In(zone))
	outside, silent := !open.has(minute), quiet.has(minute)
	if outside && d.grace(now) {
		why := fmt.Sprintf("outside the contact window, but within %s of the client's own message", p.ReplyGrace.Value)
		d.say(RuleContactWindow, Allow, why, p.ReplyGrace.From, p.ReplyGrace.Set)
		open, outside = wholeWeek(), false
	}
	if !outside && !silent {
		return
	}
	until := "and nothing is left of the contact windows"
	hours := Hours{open: open.without(&quiet), zone: zone}
	if opens, ever := hours.NextOpen(now); ever {
		d.decision.Opens = opens
		until = "until " + opens.In(zone).Format("Mon 2 Jan 15:04") + " " + zone.String()
	} else {
		d.decision.Stuck = true
	}
	if outside {
		d.closed(RuleContactWindow, "outside the contact window "+until, p.Windows.From, p.Windows.Set)
	}
	if silent {
		d.closed(RuleQuietHours, "within the quiet hours "+until, p.QuietHours.From, p.QuietHours.Set)
	}
}

// closed: a rule about time speaks. A person may send anyway, and so may the one
// who approved.
func (d *deciding) closed(r Rule, why string, from Where, set Set) {
	a := d.message.Approved
	switch {
	case d.message.Origin == Person:
		d.say(r, Allow, why, from, set)
		d.decision.Warnings = append(d.decision.Warnings, why)
	case a.By != "" && a.Now:
		d.say(r, Allow, why+"; "+a.By+" sends it now", from, set)
	default:
		d.say(r, Hold, why, from, set)
	}
}

// grace: the tenant lets replies follow an inbound message outside the windows.
func (d *deciding) grace(now time.Time) bool {
	m, within := d.message, d.policy.ReplyGrace.Value
	return m.Kind == Reply && (m.Channel == Email || m.Channel == SMS) && within > 0 &&
		!m.InboundAt.IsZero() && !now.Before(m.InboundAt) && now.Sub(m.InboundAt) <= within
}

// optedOut finds the opt-out that covers an address.
func optedOut(all []OptOut, channel Channel, address string) (OptOut, bool) {
	for _, o := range all {
		if o.Channel == channel && (o.Address == "" || o.Address == address) {
			return o, true
		}
	}
	return OptOut{}, false
}
