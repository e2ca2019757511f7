package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clientele-crm/clientele/core/policy"
)

func own[T any](v T) *policy.Own[T] {
	return &policy.Own[T]{Value: v, Set: policy.Set{By: "Ada", At: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)}}
}

// Monday noon, and a window that is closed then until Tuesday 09:00.
var (
	noon    = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	tuesday = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	morning = []policy.Window{{Days: []policy.Day{"tue"}, Start: 9 * 60, End: 17 * 60}}
)

func decide(in policy.In, m policy.Message) policy.Decision {
	return policy.Decide(policy.Combine(in), m, noon, new(policy.Zones))
}

// The outbound table of §1.22: each rule against each kind of message, inside and
// outside the contact window.
func TestGoldenDecisions(t *testing.T) {
	t.Parallel()
	rules := map[string]policy.ClientSettings{
		"none":      {},
		"review":    {ReviewRequired: own(true)},
		"never":     {NeverAutoSend: own(true)},
		"both":      {NeverAutoSend: own(true), ReviewRequired: own(true)},
		"sensitive": {Sensitive: own(true)},
		"opted out": {OptOuts: []policy.OptOut{{Channel: policy.Email}, {Channel: policy.SMS}}},
	}
	const (
		allow, draft, human, blocked = policy.Allow, policy.Draft, policy.HumanOnly, policy.Blocked
	)
	type row struct{ reply, chat, follow, receipt, person policy.Outcome }
	for rule, want := range map[string]row{
		"none":      {allow, allow, allow, allow, allow},
		"review":    {draft, draft, draft, draft, allow},
		"never":     {human, human, human, human, allow},
		"both":      {human, human, human, human, allow},
		"sensitive": {draft, draft, draft, draft, allow},
		"opted out": {blocked, allow, blocked, blocked, blocked},
	} {
		for _, channel := range []policy.Channel{policy.Email, policy.SMS} {
			for _, test := range []struct {
				m    policy.Message
				want policy.Outcome
			}{
				{policy.Message{Kind: policy.Reply, Channel: channel}, want.reply},
				{policy.Message{Kind: policy.Reply, Channel: policy.Chat, LiveSession: true}, want.chat},
				{policy.Message{Kind: policy.FollowUp, Channel: channel}, want.follow},
				{policy.Message{Kind: policy.Reminder, Channel: channel}, want.follow},
				{policy.Message{Kind: policy.Campaign, Channel: channel}, want.follow},
				{policy.Message{Kind: policy.Receipt, Channel: channel}, want.receipt},
				{policy.Message{Kind: policy.Note, Channel: channel, Origin: policy.Person}, want.person},
			} {
				if test.m.Origin == "" {
					test.m.Origin = policy.Automation
				}
				client := rules[rule]
				open := decide(policy.In{Client: client, Tenant: policy.TenantSettings{Timezone: "UTC"}}, test.m)
				if open.Outcome != test.want || !open.Opens.IsZero() {
					t.Errorf("%s, %s by %s on %s: %s, want %s", rule, test.m.Kind, test.m.Origin, test.m.Channel, open.Outcome, test.want)
				}
				client.Windows = own(morning)
				closed := decide(policy.In{Client: client, Tenant: policy.TenantSettings{Timezone: "UTC"}}, test.m)
				wantClosed := test.want
				if test.want == allow && test.m.Origin == policy.Automation && test.m.Channel != policy.Chat {
					wantClosed = policy.Hold
				}
				if closed.Outcome != wantClosed {
					t.Errorf("%s, closed, %s by %s on %s: %s, want %s", rule, test.m.Kind, test.m.Origin, test.m.Channel, closed.Outcome, wantClosed)
				}
				if gated := test.m.Channel != policy.Chat; gated != closed.Opens.Equal(tuesday) {
					t.Errorf("%s, closed, %s on %s: opens %s", rule, test.m.Kind, test.m.Channel, closed.Opens)
				}
			}
		}
	}
}

// A legal notice is one by an admin's word and reason alone, and passes an
// opt-out only then (R46).
func TestLegalNotices(t *testing.T) {
	t.Parallel()
	in := policy.In{Client: policy.ClientSettings{OptOuts: []policy.OptOut{{Channel: policy.Email}}}}
	for name, test := range map[string]struct {
		notice policy.Declaration
		want   policy.Outcome
	}{
		"by an admin, with a reason": {policy.Declaration{Admin: "Ada", Reason: "GDPR article 34"}, policy.Allow},
		"without a reason":           {policy.Declaration{Admin: "Ada"}, policy.Blocked},
		"by nobody":                  {policy.Declaration{Reason: "because"}, policy.Blocked},
	} {
		for _, origin := range []policy.Origin{policy.Person, policy.Automation} {
			d := decide(in, policy.Message{Kind: policy.Notice, Origin: origin, Channel: policy.Email, Notice: test.notice})
			if d.Outcome != test.want {
				t.Errorf("%s, %s: %s, want %s", name, origin, d.Outcome, test.want)
			}
		}
	}
	other := decide(in, policy.Message{Kind: policy.Note, Origin: policy.Person, Channel: policy.Email, Notice: policy.Declaration{Admin: "Ada", Reason: "x"}})
	if other.Outcome != policy.Blocked {
		t.Error("what is no legal notice passed an opt-out")
	}
}

func TestOptOutsOfOneAddress(t *testing.T) {
	t.Parallel()
	in := policy.In{Client: policy.ClientSettings{OptOuts: []policy.OptOut{{Channel: policy.Email, Address: "ann@x.com"}}}}
	for address, want := range map[string]policy.Outcome{"ann@x.com": policy.Blocked, "ann@y.com": policy.Allow} {
		if d := decide(in, policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email, Address: address}); d.Outcome != want {
			t.Errorf("%s: %s, want %s", address, d.Outcome, want)
		}
	}
}

// An approval counts for rules set before it; switches flipped later win (R63, R64).
func TestApprovals(t *testing.T) {
	t.Parallel()
	approved := policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email, Approved: policy.Approval{By: "Mia", At: noon.Add(-time.Hour)}}
	later := &policy.Own[bool]{Value: true, Set: policy.Set{By: "Ada", At: noon.Add(-time.Minute)}}
	now := approved
	now.Approved.Now = true
	for name, test := range map[string]struct {
		client policy.ClientSettings
		m      policy.Message
		want   policy.Outcome
	}{
		"review":                         {policy.ClientSettings{ReviewRequired: own(true)}, approved, policy.Allow},
		"sensitive":                      {policy.ClientSettings{Sensitive: own(true)}, approved, policy.Allow},
		"never: no approval helps":       {policy.ClientSettings{NeverAutoSend: own(true)}, approved, policy.HumanOnly},
		"review set after it":            {policy.ClientSettings{ReviewRequired: later}, approved, policy.Draft},
		"marked sensitive after it":      {policy.ClientSettings{ReviewRequired: own(true), Sensitive: later}, approved, policy.Draft},
		"outside the window":             {policy.ClientSettings{ReviewRequired: own(true), Windows: own(morning)}, approved, policy.Hold},
		"outside, but sent now by name":  {policy.ClientSettings{ReviewRequired: own(true), Windows: own(morning)}, now, policy.Allow},
		"opted out: no approval helps":   {policy.ClientSettings{OptOuts: []policy.OptOut{{Channel: policy.Email}}}, now, policy.Blocked},
		"never: not even when sent now":  {policy.ClientSettings{NeverAutoSend: own(true)}, now, policy.HumanOnly},
		"an approval without a name":     {policy.ClientSettings{ReviewRequired: own(true)}, policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email, Approved: policy.Approval{At: noon}}, policy.Draft},
		"nothing asks for one: it goes ": {policy.ClientSettings{}, approved, policy.Allow},
	} {
		if d := decide(policy.In{Tenant: policy.TenantSettings{Timezone: "UTC"}, Client: test.client}, test.m); d.Outcome != test.want {
			t.Errorf("%s: %s, want %s (%v)", name, d.Outcome, test.want, d.Proof)
		}
	}
}

// What AI may do: nothing, suggest, act; sensitivity leaves at most suggest (R79).
func TestAutonomy(t *testing.T) {
	t.Parallel()
	reply := policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email}
	for _, test := range []struct {
		tenant    policy.Autonomy
		own       *policy.Own[policy.Autonomy]
		sensitive *policy.Own[bool]
		value     policy.Autonomy
		reply     policy.Outcome
	}{
		{"", nil, nil, policy.Acts, policy.Allow},
		{policy.Suggest, nil, nil, policy.Suggest, policy.Draft},
		{policy.Off, nil, nil, policy.Off, policy.Blocked},
		{policy.Acts, own(policy.Off), nil, policy.Off, policy.Blocked},
		{policy.Off, own(policy.Acts), nil, policy.Acts, policy.Allow},
		{policy.Acts, nil, own(true), policy.Suggest, policy.Draft},
		{policy.Acts, own(policy.Acts), own(true), policy.Suggest, policy.Draft},
		{policy.Off, nil, own(true), policy.Off, policy.Blocked},
	} {
		in := policy.In{Tenant: policy.TenantSettings{Autonomy: test.tenant}, Conversation: policy.ConversationSettings{Autonomy: test.own}, Client: policy.ClientSettings{Sensitive: test.sensitive}}
		p := policy.Combine(in)
		if p.Autonomy.Value != test.value {
			t.Errorf("%+v: autonomy %s", test, p.Autonomy.Value)
		}
		if d := decide(in, reply); d.Outcome != test.reply {
			t.Errorf("%+v: reply %s", test, d.Outcome)
		}
		if d := decide(in, policy.Message{Kind: policy.Reminder, Origin: policy.Automation, Channel: policy.Email}); d.Outcome == policy.Blocked {
			t.Errorf("%+v: a reminder is no reply of AI's", test)
		}
		act := policy.Act(p, policy.Automation, "close the conversation")
		if allowed := act.Outcome == policy.Allow; allowed != (test.value == policy.Acts) || allowed != (len(act.Proof) == 0) {
			t.Errorf("%+v: acts %+v", test, act)
		}
		if policy.Act(p, policy.Person, "close the conversation").Outcome != policy.Allow {
			t.Errorf("%+v: a person may not close a conversation", test)
		}
	}
}

// What is held, and what a person is told instead (R58).
func TestHours(t *testing.T) {
	t.Parallel()
	windows := policy.ClientSettings{Windows: own(morning)}
	atNoon := []policy.Window{{Days: []policy.Day{"mon"}, Start: 11 * 60, End: 13 * 60}}
	tenant := policy.TenantSettings{Timezone: "UTC", ReplyGrace: 10 * time.Minute}
	quiet := policy.TenantSettings{Timezone: "UTC", ReplyGrace: 10 * time.Minute, QuietHours: atNoon}
	reply := policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.SMS}
	answer := reply
	answer.InboundAt = noon.Add(-10 * time.Minute)
	late := reply
	late.InboundAt = noon.Add(-11 * time.Minute)
	reminder := answer
	reminder.Kind = policy.Reminder
	person := policy.Message{Kind: policy.Note, Origin: policy.Person, Channel: policy.SMS}
	for name, test := range map[string]struct {
		in     policy.In
		m      policy.Message
		want   policy.Outcome
		opens  time.Time
		stuck  bool
		spoken []policy.Rule
	}{
		"closed":                       {policy.In{Tenant: tenant, Client: windows}, reply, policy.Hold, tuesday, false, []policy.Rule{policy.RuleContactWindow}},
		"an answer within the grace":   {policy.In{Tenant: tenant, Client: windows}, answer, policy.Allow, time.Time{}, false, []policy.Rule{policy.RuleContactWindow}},
		"an answer after the grace":    {policy.In{Tenant: tenant, Client: windows}, late, policy.Hold, tuesday, false, []policy.Rule{policy.RuleContactWindow}},
		"grace is for replies":         {policy.In{Tenant: tenant, Client: windows}, reminder, policy.Hold, tuesday, false, []policy.Rule{policy.RuleContactWindow}},
		"grace doesn't end the quiet":  {policy.In{Tenant: quiet, Client: windows}, answer, policy.Hold, noon.Add(time.Hour), false, []policy.Rule{policy.RuleContactWindow, policy.RuleQuietHours}},
		"quiet hours alone":            {policy.In{Tenant: quiet}, reply, policy.Hold, noon.Add(time.Hour), false, []policy.Rule{policy.RuleQuietHours}},
		"both speak":                   {policy.In{Tenant: quiet, Client: windows}, reply, policy.Hold, tuesday, false, []policy.Rule{policy.RuleContactWindow, policy.RuleQuietHours}},
		"quiet hours leave no opening": {policy.In{Tenant: quiet, Client: policy.ClientSettings{Windows: own(atNoon)}}, reply, policy.Hold, time.Time{}, true, []policy.Rule{policy.RuleQuietHours}},
		"a zone that is lost":          {policy.In{Tenant: tenant, Client: policy.ClientSettings{Windows: own(morning), Timezone: own("Mars/Olympus")}}, reply, policy.Hold, time.Time{}, true, []policy.Rule{policy.RuleTimezone}},
		"a person is told":             {policy.In{Tenant: tenant, Client: windows}, person, policy.Allow, tuesday, false, []policy.Rule{policy.RuleContactWindow}},
		"the client's zone":            {policy.In{Tenant: tenant, Client: policy.ClientSettings{Windows: own(morning), Timezone: own("Asia/Tokyo")}}, reply, policy.Hold, tuesday.Add(-9 * time.Hour), false, []policy.Rule{policy.RuleContactWindow}},
		"a call by a person":           {policy.In{Tenant: tenant, Client: windows}, policy.Message{Kind: policy.FollowUp, Origin: policy.Automation, Channel: policy.Phone}, policy.HumanOnly, tuesday, false, []policy.Rule{policy.RulePhone, policy.RuleContactWindow}},
		"a chat that has ended":        {policy.In{Tenant: tenant, Client: windows}, policy.Message{Kind: policy.Reply, Origin: policy.Person, Channel: policy.Chat}, policy.Blocked, time.Time{}, false, []policy.Rule{policy.RuleChatSession}},
	} {
		d := decide(test.in, test.m)
		var spoken []policy.Rule
		for _, s := range d.Proof {
			spoken = append(spoken, s.Rule)
		}
		if d.Outcome != test.want || !d.Opens.Equal(test.opens) || d.Stuck != test.stuck || !slices.Equal(spoken, test.spoken) {
			t.Errorf("%s: %+v", name, d)
		}
		if warned := len(d.Warnings) > 0; warned != (test.m.Origin == policy.Person && !test.opens.IsZero()) {
			t.Errorf("%s: warnings %v", name, d.Warnings)
		}
	}
}

// Each line of the proof says where its rule was set, and by whom.
func TestProofNamesOrigins(t *testing.T) {
	t.Parallel()
	in := policy.In{
		Tenant:       policy.TenantSettings{Timezone: "UTC", QuietHours: []policy.Window{{Days: []policy.Day{"mon"}, AllDay: true}}},
		Client:       policy.ClientSettings{NeverAutoSend: own(true), Sensitive: own(true), Windows: own(morning)},
		Conversation: policy.ConversationSettings{ReviewRequired: own(true)},
	}
	d := decide(in, policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email})
	want := map[policy.Rule]policy.Where{
		policy.RuleNeverAutoSend: policy.Client, policy.RuleReviewRequired: policy.Conversation, policy.RuleSensitive: policy.Client,
		policy.RuleAutonomy: policy.Client, policy.RuleContactWindow: policy.Client, policy.RuleQuietHours: policy.Tenant,
	}
	for _, s := range d.Proof {
		if s.From != want[s.Rule] || s.Why == "" || (s.From != policy.Tenant && s.By != "Ada") {
			t.Errorf("%+v, want it from %s", s, want[s.Rule])
		}
		delete(want, s.Rule)
	}
	if len(want) > 0 || d.Outcome != policy.HumanOnly || !d.Opens.Equal(tuesday) {
		t.Errorf("silent: %v; %s, opens %s", want, d.Outcome, d.Opens)
	}
	if why := d.Proof[len(d.Proof)-1].Why; !strings.Contains(why, "Tue 3 Nov 09:00 UTC") {
		t.Errorf("why: %s", why)
	}
}
