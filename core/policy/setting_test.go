package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clientele-crm/clientele/core/policy"
)

// Per setting: the conversation's own value, else the client's, else the tenant's,
// each with its origin (R71, R72).
func TestValuesInForce(t *testing.T) {
	t.Parallel()
	in := policy.In{Tenant: policy.TenantSettings{Timezone: "America/Toronto", QuietHours: morning, Autonomy: policy.Suggest, ReplyGrace: time.Minute}}
	p := policy.Combine(in)
	if p.Timezone.Value != "America/Toronto" || p.Timezone.From != policy.Tenant || p.Windows.From != policy.BuiltIn || p.QuietHours.From != policy.Tenant ||
		p.Autonomy.Value != policy.Suggest || p.NeverAutoSend.From != policy.BuiltIn || p.Level != policy.Auto {
		t.Errorf("of the tenant: %+v", p)
	}
	in.Client = policy.ClientSettings{
		Channels: own([]policy.Channel{policy.SMS}), Windows: own(morning), Timezone: own("Asia/Tokyo"),
		NeverAutoSend: own(true), ReviewRequired: own(true), Sensitive: own(false),
	}
	p = policy.Combine(in)
	for name, from := range map[string]policy.Where{
		"channels": p.Channels.From, "windows": p.Windows.From, "zone": p.Timezone.From, "never": p.NeverAutoSend.From, "review": p.ReviewRequired.From, "sensitive": p.Sensitive.From,
	} {
		if from != policy.Client {
			t.Errorf("%s is from the %s", name, from)
		}
	}
	if p.Level != policy.Manual || p.NeverAutoSend.By != "Ada" {
		t.Errorf("of the client: %+v", p)
	}
	in.Conversation = policy.ConversationSettings{
		Channels: own([]policy.Channel{policy.Email}), Windows: own([]policy.Window(nil)), Timezone: own("UTC"),
		NeverAutoSend: own(false), ReviewRequired: own(false), Sensitive: mark(true), Autonomy: own(policy.Off),
	}
	p = policy.Combine(in)
	for name, from := range map[string]policy.Where{
		"channels": p.Channels.From, "windows": p.Windows.From, "zone": p.Timezone.From, "never": p.NeverAutoSend.From, "review": p.ReviewRequired.From,
		"sensitive": p.Sensitive.From, "autonomy": p.Autonomy.From,
	} {
		if from != policy.Conversation {
			t.Errorf("%s is from the %s", name, from)
		}
	}
	if !slices.Equal(p.Channels.Value, []policy.Channel{policy.Email}) || len(p.Windows.Value) != 0 || p.Timezone.Value != "UTC" || p.NeverAutoSend.Value {
		t.Errorf("of the conversation: %+v", p)
	}
	if p.Level != policy.Review {
		t.Errorf("level %s: a sensitive conversation is at least reviewed (R80)", p.Level)
	}
	if words := p.NeverAutoSend.String(); words != "set on the conversation by Ada on 1 Oct 2026" {
		t.Errorf("origin in words: %s", words)
	}
}

// The life cycle of §1.22, as far as it is a question of what is in force.
func TestSensitivityLifeCycle(t *testing.T) {
	t.Parallel()
	reply := policy.Message{Kind: policy.Reply, Origin: policy.Automation, Channel: policy.Email}
	at := func(hour int) policy.Set { return policy.Set{By: "Ada", At: noon.Add(time.Duration(hour) * time.Hour)} }
	flag := func(value bool, hour int) *policy.Own[bool] { return &policy.Own[bool]{Value: value, Set: at(hour)} }
	exempt := &policy.Mark{Own: policy.Own[bool]{Set: at(2)}, For: "A"}
	kept := &policy.Mark{Own: policy.Own[bool]{Set: at(2)}, For: "A", Kept: noon.Add(4 * time.Hour)}
	for _, step := range []struct {
		name      string
		id        string
		client    *policy.Own[bool]
		own       *policy.Mark
		sensitive bool
		reply     policy.Outcome
	}{
		{"before", "A", nil, nil, false, policy.Allow},
		{"b: marked, any conversation", "A", flag(true, 1), nil, true, policy.Draft},
		{"c: one exempt", "A", flag(true, 1), exempt, false, policy.Allow},
		{"d: unmarked, the exempt one", "A", flag(false, 3), exempt, false, policy.Allow},
		{"d: unmarked, the others", "A", flag(false, 3), nil, false, policy.Allow},
		{"e: marked again, the exemption fell", "A", flag(true, 4), exempt, true, policy.Draft},
		{"e: marked again, the exemption was kept", "A", flag(true, 4), kept, false, policy.Allow},
		{"f: merged into B, the exemption fell", "B", flag(true, 1), exempt, true, policy.Draft},
		{"g: undone", "A", flag(true, 1), exempt, false, policy.Allow},
		{"a conversation marked on a normal client (R86)", "A", flag(false, 3), mark(true), true, policy.Draft},
		{"its own mark goes with it to another client", "B", nil, mark(true), true, policy.Draft},
	} {
		in := policy.In{Client: policy.ClientSettings{ID: step.id, Sensitive: step.client}, Conversation: policy.ConversationSettings{Sensitive: step.own}}
		p := policy.Combine(in)
		if p.Sensitive.Value != step.sensitive {
			t.Errorf("%s: sensitive %v", step.name, p.Sensitive.Value)
		}
		if d := decide(in, reply); d.Outcome != step.reply {
			t.Errorf("%s: %s, want %s", step.name, d.Outcome, step.reply)
		}
	}
}

func mark(sensitive bool) *policy.Mark { return &policy.Mark{Own: *own(sensitive)} }

// What is in force on a sensitive conversation is never milder than review and
// suggest, whatever else is set.
func TestSensitivityIsAFloor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		in := anyIn(r)
		in.Conversation.Sensitive = mark(true)
		p := policy.Combine(in)
		if p.Level == policy.Auto || p.Autonomy.Value == policy.Acts {
			r.Fatalf("%+v: level %s, autonomy %s", in, p.Level, p.Autonomy.Value)
		}
		m := policy.Message{Kind: rapid.SampledFrom(policy.Kinds()).Draw(r, "kind"), Origin: policy.Automation, Channel: policy.Email}
		if d := decide(in, m); d.Outcome == policy.Allow || d.Outcome == policy.Hold {
			r.Fatalf("%+v: %+v", in, d)
		}
	})
}

// When Loosened names nothing, no automated message fares better than before.
func TestLoosenedMissesNothing(t *testing.T) {
	t.Parallel()
	severity := []policy.Outcome{policy.Allow, policy.Hold, policy.Draft, policy.HumanOnly, policy.Blocked}
	rapid.Check(t, func(r *rapid.T) {
		before, after := anyIn(r), anyIn(r)
		after.Tenant = before.Tenant
		from, to := policy.Combine(before), policy.Combine(after)
		if len(policy.Loosened(from, to)) > 0 {
			return
		}
		m := policy.Message{
			Kind: rapid.SampledFrom(policy.Kinds()).Draw(r, "kind"), Origin: policy.Automation,
			Channel: rapid.SampledFrom([]policy.Channel{policy.Email, policy.SMS, policy.Phone, policy.Chat}).Draw(r, "channel"),
			Address: rapid.SampledFrom([]string{"", "a"}).Draw(r, "address"), LiveSession: true,
		}
		now := noon.Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(r, "minutes")) * time.Minute)
		was, is := policy.Decide(from, m, now, new(policy.Zones)), policy.Decide(to, m, now, new(policy.Zones))
		if slices.Index(severity, is.Outcome) < slices.Index(severity, was.Outcome) {
			r.Fatalf("%s became %s unnoticed:\n%+v\n%+v", was.Outcome, is.Outcome, from, to)
		}
	})
}

func TestLoosened(t *testing.T) {
	t.Parallel()
	strict := policy.ClientSettings{
		Windows: own(morning), Timezone: own("UTC"), NeverAutoSend: own(true), ReviewRequired: own(true), Sensitive: own(true),
		OptOuts: []policy.OptOut{{Channel: policy.Email, Address: "a"}},
	}
	for name, test := range map[string]struct {
		change func(*policy.In)
		want   string
	}{
		"nothing":      {func(*policy.In) {}, ""},
		"never":        {func(in *policy.In) { in.Client.NeverAutoSend = own(false) }, "never_auto_send"},
		"review":       {func(in *policy.In) { in.Conversation.ReviewRequired = own(false) }, "human_review_required"},
		"sensitive":    {func(in *policy.In) { in.Conversation.Sensitive = mark(false) }, "ai_autonomy sensitive"},
		"wider window": {func(in *policy.In) { in.Client.Windows = own(append(slices.Clone(morning), workday("mon"))) }, "contact_windows"},
		"no window":    {func(in *policy.In) { in.Client.Windows = nil }, "contact_windows"},
		"narrower window": {func(in *policy.In) {
			in.Client.Windows = own([]policy.Window{{Days: []policy.Day{"tue"}, Start: 600, End: 660}})
		}, ""},
		"another zone":                 {func(in *policy.In) { in.Conversation.Timezone = own("Asia/Tokyo") }, "contact_windows"},
		"opt-out gone":                 {func(in *policy.In) { in.Client.OptOuts = nil }, "opt_outs"},
		"opt-out of the whole":         {func(in *policy.In) { in.Client.OptOuts = []policy.OptOut{{Channel: policy.Email}} }, ""},
		"other channels are no matter": {func(in *policy.In) { in.Client.Channels = own([]policy.Channel{policy.Phone}) }, ""},
	} {
		in := policy.In{Client: strict}
		from := policy.Combine(in)
		test.change(&in)
		var names []string
		for _, name := range policy.Loosened(from, policy.Combine(in)) {
			names = append(names, string(name))
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func workday(d policy.Day) policy.Window {
	return policy.Window{Days: []policy.Day{d}, Start: 9 * 60, End: 17 * 60}
}

func anyIn(r *rapid.T) policy.In {
	flag := func(name string) *policy.Own[bool] {
		switch rapid.IntRange(0, 2).Draw(r, name) {
		case 0:
			return nil
		case 1:
			return own(false)
		default:
			return own(true)
		}
	}
	windows := func(name string) *policy.Own[[]policy.Window] {
		if !rapid.Bool().Draw(r, name) {
			return nil
		}
		day := rapid.SampledFrom([]policy.Day{"mon", "tue", "sun"})
		list := rapid.SliceOfN(rapid.Map(day, workday), 0, 2)
		return own(list.Draw(r, name+" list"))
	}
	marked := func(name string) *policy.Mark {
		if o := flag(name); o != nil {
			return &policy.Mark{Own: *o}
		}
		return nil
	}
	zoneOf := func(name string) *policy.Own[string] {
		if !rapid.Bool().Draw(r, name) {
			return nil
		}
		return own(rapid.SampledFrom([]string{"UTC", "Asia/Tokyo"}).Draw(r, name+" name"))
	}
	in := policy.In{
		Tenant: policy.TenantSettings{Timezone: "UTC"},
		Client: policy.ClientSettings{
			Windows: windows("client windows"), Timezone: zoneOf("client zone"), NeverAutoSend: flag("never"), ReviewRequired: flag("review"), Sensitive: flag("sensitive"),
		},
		Conversation: policy.ConversationSettings{
			Windows: windows("own windows"), Timezone: zoneOf("own zone"), NeverAutoSend: flag("own never"), ReviewRequired: flag("own review"), Sensitive: marked("own sensitive"),
		},
	}
	if rapid.Bool().Draw(r, "quiet") {
		in.Tenant.QuietHours = []policy.Window{{Days: []policy.Day{"mon"}, Start: 11 * 60, End: 10 * 60}}
	}
	if rapid.Bool().Draw(r, "autonomy") {
		in.Conversation.Autonomy = own(rapid.SampledFrom(policy.Autonomies()).Draw(r, "step"))
	}
	if rapid.Bool().Draw(r, "opt-out") {
		in.Client.OptOuts = []policy.OptOut{{Channel: policy.Email, Address: rapid.SampledFrom([]string{"", "a"}).Draw(r, "of")}}
	}
	return in
}
