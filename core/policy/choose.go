package policy

import (
	"fmt"
	"slices"
)

// Reach is how a client can be reached.
type Reach struct {
	// Addresses by channel in normal form, the primary one first; a phone number
	// stands under SMS and under Phone.
	Addresses map[Channel][]string
	// Last is the channel of the client's last conversation, or "".
	Last Channel
}

// Choice is the channel of a new outbound message (R45).
type Choice struct {
	// Outcome is Allow; Draft where automation should not choose alone; HumanOnly
	// for a call task; Blocked when the client can't be reached.
	Outcome Outcome `json:"outcome"`
	// Channel and Address of the message; empty when blocked.
	Channel Channel `json:"channel,omitempty"`
	Address string  `json:"address,omitempty"`
	// Offers are the channels a person may choose from, the first preselected.
	Offers []Channel `json:"offers"`
	// Notes say what was preferred and why it isn't used.
	Notes []string `json:"notes,omitempty"`
}

// Choose picks the channel of a new message, be it a follow-up, a reminder, a
// campaign or a person's own: the first preferred channel that is reachable and
// not opted out. Replies don't ask: they stay on their conversation's channel.
func Choose(p Policy, r Reach, by Origin) Choice {
	preferred := p.Channels.Value
	c := Choice{Outcome: Allow, Offers: []Channel{}}
	for _, channel := range preferred {
		if why := unreachable(p, r, channel); why != "" {
			c.Notes = append(c.Notes, fmt.Sprintf("%s preferred, %s", channel.Label(), why))
			continue
		}
		c.Offers = append(c.Offers, channel)
	}
	none := len(c.Offers) == 0
	for _, channel := range usual(r.Last) {
		if !slices.Contains(preferred, channel) && unreachable(p, r, channel) == "" {
			c.Offers = append(c.Offers, channel)
		}
	}
	if len(c.Offers) == 0 {
		c.Outcome = Blocked
		c.Notes = append(c.Notes, "no channel is reachable: add an address or a number that the client has not opted out of")
		return c
	}
	c.Channel = c.Offers[0]
	c.Address, _ = address(p, r, c.Channel)
	if none && len(preferred) > 0 {
		c.Notes = append(c.Notes, "no preferred channel is reachable")
	}
	switch {
	case by == Person:
	case none && len(preferred) > 0:
		c.Outcome = Draft
	case c.Channel == Phone:
		c.Outcome = HumanOnly
	}
	return c
}

// usual is the order where nothing is preferred: the channel of the last
// conversation, else email first. Chat is no way to start a conversation.
func usual(last Channel) []Channel {
	order := []Channel{Email, SMS, Phone}
	if i := slices.Index(order, last); i > 0 {
		order = append([]Channel{last}, slices.Delete(order, i, i+1)...)
	}
	return order
}

// unreachable says why a channel can't be used, or "".
func unreachable(p Policy, r Reach, channel Channel) string {
	if len(r.Addresses[channel]) == 0 {
		if channel == Email {
			return "no address"
		}
		return "no number"
	}
	if _, ok := address(p, r, channel); !ok {
		return "opted out"
	}
	return ""
}

// address is the first address of a channel that is not opted out.
func address(p Policy, r Reach, channel Channel) (string, bool) {
	for _, a := range r.Addresses[channel] {
		if _, out := optedOut(p.OptOuts, channel, a); !out {
			return a, true
		}
	}
	return "", false
}
