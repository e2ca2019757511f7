package policy

import "time"

// Explanation says what a policy means now.
type Explanation struct {
	Policy Policy `json:"policy"`
	// Open: the hours allow contact now. Closes or Opens is when that changes; zero
	// where it never does.
	Open   bool      `json:"open"`
	Opens  time.Time `json:"opens,omitzero"`
	Closes time.Time `json:"closes,omitzero"`
	// Automation and Person are the channels of a new message by either.
	Automation Choice `json:"automation"`
	Person     Choice `json:"person"`
	// Cases are what would become of one message of each kind.
	Cases []Case `json:"cases"`
}

// Case is a message that somebody might send, and what would become of it.
type Case struct {
	Kind     Kind     `json:"kind"`
	Origin   Origin   `json:"origin"`
	Channel  Channel  `json:"channel"`
	Decision Decision `json:"decision"`
}

// Talk is the conversation that replies would go into; its zero value is none.
type Talk struct {
	Channel Channel
	// Live: it goes on, so that a chat's session still runs.
	Live bool
}

// Explain tells what would become now of each kind of message: of replies on a
// conversation's channel, if there is one, and of new messages on the channel that
// would be chosen for them.
func Explain(p Policy, r Reach, in Talk, now time.Time, zones *Zones) Explanation {
	e := Explanation{Policy: p, Automation: Choose(p, r, Automation), Person: Choose(p, r, Person), Cases: []Case{}}
	if zone, err := zones.Load(p.Timezone.Value); err == nil {
		hours := NewHours(p.Windows.Value, p.QuietHours.Value, zone)
		if e.Open = hours.Open(now); e.Open {
			e.Closes, _ = hours.NextClosed(now)
		} else {
			e.Opens, _ = hours.NextOpen(now)
		}
	}
	add := func(kind Kind, origin Origin, channel Channel, address string) {
		if channel == "" {
			return
		}
		m := Message{Kind: kind, Origin: origin, Channel: channel, Address: address, LiveSession: in.Live}
		e.Cases = append(e.Cases, Case{Kind: kind, Origin: origin, Channel: channel, Decision: Decide(p, m, now, zones)})
	}
	to, _ := address(p, r, in.Channel)
	add(Reply, Automation, in.Channel, to)
	add(Reply, Person, in.Channel, to)
	for _, kind := range []Kind{FollowUp, Reminder, Receipt, Campaign} {
		add(kind, Automation, e.Automation.Channel, e.Automation.Address)
	}
	add(Note, Person, e.Person.Channel, e.Person.Address)
	return e
}
