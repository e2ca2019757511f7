package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/policy"
)

// The channel table of §1.22, for automation and for a person, and what else R45
// and R46 say.
func TestGoldenChannels(t *testing.T) {
	t.Parallel()
	const email, sms, phone = policy.Email, policy.SMS, policy.Phone
	type channels = []policy.Channel
	for name, test := range map[string]struct {
		preferred, reachable channels
		last                 policy.Channel
		out                  []policy.OptOut
		automation, person   policy.Outcome
		channel              policy.Channel
		offers               channels
		note                 string
	}{
		"both":                         {channels{email, sms}, channels{email, sms}, "", nil, policy.Allow, policy.Allow, email, channels{email, sms}, ""},
		"the first has no number":      {channels{sms, email}, channels{email}, "", nil, policy.Allow, policy.Allow, email, channels{email}, "SMS preferred, no number"},
		"phone first":                  {channels{phone, email}, channels{phone, email}, "", nil, policy.HumanOnly, policy.Allow, phone, channels{phone, email}, ""},
		"only phone, without one":      {channels{phone}, channels{email}, "", nil, policy.Draft, policy.Allow, email, channels{email}, "no preferred channel is reachable"},
		"none set, last was sms":       {nil, channels{email, sms, phone}, sms, nil, policy.Allow, policy.Allow, sms, channels{sms, email, phone}, ""},
		"none set, last was chat":      {nil, channels{email, sms, phone}, policy.Chat, nil, policy.Allow, policy.Allow, email, channels{email, sms, phone}, ""},
		"none set, nothing before":     {nil, channels{email, sms, phone}, "", nil, policy.Allow, policy.Allow, email, channels{email, sms, phone}, ""},
		"none set, last was a call":    {nil, channels{email, sms, phone}, phone, nil, policy.HumanOnly, policy.Allow, phone, channels{phone, email, sms}, ""},
		"nothing reachable":            {channels{email}, nil, "", nil, policy.Blocked, policy.Blocked, "", channels{}, "no channel is reachable"},
		"opted out of the first":       {channels{email, sms}, channels{email, sms}, "", []policy.OptOut{{Channel: email}}, policy.Allow, policy.Allow, sms, channels{sms}, "Email preferred, opted out"},
		"opted out of all":             {channels{email}, channels{email}, "", []policy.OptOut{{Channel: email}}, policy.Blocked, policy.Blocked, "", channels{}, "Email preferred, opted out"},
		"order is kept":                {channels{sms, email}, channels{email, sms}, email, nil, policy.Allow, policy.Allow, sms, channels{sms, email}, ""},
		"what isn't preferred is last": {channels{sms}, channels{email, sms, phone}, email, nil, policy.Allow, policy.Allow, sms, channels{sms, email, phone}, ""},
	} {
		p := policy.Combine(policy.In{Client: policy.ClientSettings{Channels: own(test.preferred), OptOuts: test.out}})
		reach := policy.Reach{Last: test.last, Addresses: map[policy.Channel][]string{}}
		for _, c := range test.reachable {
			reach.Addresses[c] = []string{"at-" + string(c)}
		}
		for origin, want := range map[policy.Origin]policy.Outcome{policy.Automation: test.automation, policy.Person: test.person} {
			c := policy.Choose(p, reach, origin)
			if c.Outcome != want || c.Channel != test.channel || !slices.Equal(c.Offers, test.offers) {
				t.Errorf("%s, %s: %+v, want %s by %q of %v", name, origin, c, want, test.channel, test.offers)
			}
			if notes := strings.Join(c.Notes, "; "); (test.note == "") != (notes == "") || !strings.Contains(notes, test.note) {
				t.Errorf("%s: notes %q, want %q", name, notes, test.note)
			}
			if test.channel != "" && c.Address != "at-"+string(test.channel) {
				t.Errorf("%s: address %q", name, c.Address)
			}
		}
	}
}

func TestChoosesAnAddressThatIsNotOptedOut(t *testing.T) {
	t.Parallel()
	p := policy.Combine(policy.In{Client: policy.ClientSettings{OptOuts: []policy.OptOut{{Channel: policy.Email, Address: "a@x"}}}})
	c := policy.Choose(p, policy.Reach{Addresses: map[policy.Channel][]string{policy.Email: {"a@x", "b@x"}}}, policy.Automation)
	if c.Outcome != policy.Allow || c.Address != "b@x" {
		t.Errorf("%+v", c)
	}
}
