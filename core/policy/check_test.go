package policy_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/clientele-crm/clientele/core/policy"
)

func TestWhatCantBeStored(t *testing.T) {
	t.Parallel()
	monday := func(w policy.Window) []policy.Window { w.Days = []policy.Day{"mon"}; return []policy.Window{w} }
	for name, test := range map[string]struct {
		wrong *policy.Problem
		rule  string
	}{
		"start is end":      {policy.CheckWindows("contact_windows", monday(policy.Window{Start: 540, End: 540})), "starts when it ends"},
		"no hours":          {policy.CheckWindows("contact_windows", monday(policy.Window{})), "starts when it ends"},
		"starts at 24:00":   {policy.CheckWindows("contact_windows", monday(policy.Window{Start: 1440, End: 60})), "outside the day"},
		"ends after 24:00":  {policy.CheckWindows("contact_windows", monday(policy.Window{Start: 60, End: 1441})), "outside the day"},
		"all day and hours": {policy.CheckWindows("contact_windows", monday(policy.Window{AllDay: true, End: 60})), "all day and has hours"},
		"no day":            {policy.CheckWindows("contact_windows", []policy.Window{{Start: 60, End: 120}}), "without a day"},
		"a wrong day":       {policy.CheckWindows("contact_windows", []policy.Window{{Days: []policy.Day{"monday"}, Start: 60, End: 120}}), "no day"},
		"a day twice":       {policy.CheckWindows("contact_windows", []policy.Window{{Days: []policy.Day{"mon", "mon"}, Start: 60, End: 120}}), "twice"},
		"too many":          {policy.CheckWindows("contact_windows", make([]policy.Window, policy.MaxWindows+1)), "at most 50"},
		"quiet all week":    {policy.CheckQuietHours("quiet_hours", []policy.Window{{Days: []policy.Day{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, AllDay: true}}), "whole week"},
		"quiet and wrong":   {policy.CheckQuietHours("quiet_hours", monday(policy.Window{})), "starts when it ends"},
		"chat":              {policy.CheckChannels("preferred_channels", []policy.Channel{policy.Email, policy.Chat}), "chat"},
		"no channel":        {policy.CheckChannels("preferred_channels", []policy.Channel{"fax"}), "no channel"},
		"a channel twice":   {policy.CheckChannels("preferred_channels", []policy.Channel{policy.Email, policy.Email}), "twice"},
		"no autonomy":       {policy.CheckAutonomy("ai_autonomy", "free"), "no step"},
	} {
		if test.wrong == nil {
			t.Errorf("%s may be stored", name)
			continue
		}
		if !strings.Contains(test.wrong.Rule, test.rule) || test.wrong.WayOut == "" || !strings.HasPrefix(test.wrong.Error(), test.wrong.Field) {
			t.Errorf("%s: %v", name, test.wrong)
		}
	}
	for name, wrong := range map[string]*policy.Problem{
		"any subset of days": policy.CheckWindows("w", []policy.Window{{Days: []policy.Day{"sun", "wed"}, Start: 0, End: 1440}, {Days: []policy.Day{"sat"}, AllDay: true}, {Days: []policy.Day{"fri"}, Start: 1320, End: 120}}),
		"no windows":         policy.CheckWindows("w", nil),
		"channels":           policy.CheckChannels("c", []policy.Channel{policy.Phone, policy.SMS, policy.Email}),
		"no channels":        policy.CheckChannels("c", nil),
		"quiet nights":       policy.CheckQuietHours("q", []policy.Window{{Days: []policy.Day{"mon"}, Start: 1260, End: 480}}),
		"autonomy":           policy.CheckAutonomy("a", policy.Suggest),
		"zone":               policy.CheckZone("z", "Europe/Berlin", new(policy.Zones)),
	} {
		if wrong != nil {
			t.Errorf("%s: %v", name, wrong)
		}
	}
}

func TestWindowsAsJSON(t *testing.T) {
	t.Parallel()
	text := `[{"days":["mon","sun"],"end":"24:00","start":"00:00"},{"all_day":true,"days":["sat"]}]`
	var windows []policy.Window
	if err := json.Unmarshal([]byte(text), &windows); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(windows)
	if err != nil || string(written) != text {
		t.Errorf("%s, %v", written, err)
	}
	var again []policy.Window
	if err := json.Unmarshal(written, &again); err != nil || !reflect.DeepEqual(windows, again) {
		t.Errorf("%v, %v", again, err)
	}
	if s := windows[0].String() + "; " + windows[1].String(); s != "mon, sun 00:00–24:00; sat all day" {
		t.Error(s)
	}
}

// What is read as a time of day is written the same way.
func FuzzClock(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		c, err := policy.ParseClock(text)
		if err == nil && (c.String() != text || c < 0 || c > 24*60) {
			t.Errorf("%q is %d, written %s", text, c, c)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("the error repeats the input: %s", err)
		}
	})
}

// A zone that is taken is one that package time knows by that very name.
func FuzzZone(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string) {
		loaded, err := new(policy.Zones).Load(name)
		if err == nil && (loaded.String() != name || name == "Local" || name == "") {
			t.Errorf("%q is %s", name, loaded)
		}
	})
}
