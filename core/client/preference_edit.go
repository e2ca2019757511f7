package client

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// MaxReason is the longest reason for a change of policy, in characters.
const MaxReason = 500

// PreferenceEdit is a change of how and when a client, or one conversation with
// it, is contacted, and of what automation may do there (R66–R72). Nil leaves a
// setting as it is.
type PreferenceEdit struct {
	Channels       *[]policy.Channel
	Windows        *[]policy.Window
	Timezone       *string
	NeverAutoSend  *bool
	ReviewRequired *bool
	// Autonomy is for conversations only: a client has none of its own.
	Autonomy *policy.Autonomy
	// Reset takes settings back to what holds without a value here.
	Reset []policy.Name
	// Reason is kept with the change, and needed for some (R73).
	Reason string
	// Revision, when not 0, must be the record's present one.
	Revision int64
}

// Check collects all that is wrong with an edit.
func (e PreferenceEdit) Check(zones *policy.Zones) error {
	var wrong FieldErrors
	add := func(p *policy.Problem) {
		if p != nil {
			wrong = append(wrong, &FieldError{Field: p.Field, Rule: p.Rule, WayOut: p.WayOut})
		}
	}
	if e.Channels != nil {
		add(policy.CheckChannels(string(policy.NameChannels), *e.Channels))
	}
	if e.Windows != nil {
		add(policy.CheckWindows(string(policy.NameWindows), *e.Windows))
	}
	if e.Timezone != nil {
		add(policy.CheckZone(string(policy.NameTimezone), *e.Timezone, zones))
	}
	if e.Autonomy != nil {
		add(policy.CheckAutonomy(string(policy.NameAutonomy), *e.Autonomy))
	}
	for _, name := range e.Reset {
		if !slices.Contains(append(preferenceNames(), policy.NameAutonomy), name) {
			add(&policy.Problem{Field: "reset", Rule: fmt.Sprintf("names %.30q, which is no preference", name), WayOut: "name settings such as contact_windows"})
		} else if slices.Contains(e.names(), name) {
			add(&policy.Problem{Field: "reset", Rule: "names " + string(name) + ", which is set too", WayOut: "do either"})
		}
	}
	if err := CheckReason(e.Reason); err != nil {
		wrong = append(wrong, err)
	}
	return wrong.orNil()
}

// CheckReason refuses a reason that can't be kept.
func CheckReason(reason string) *FieldError {
	if utf8.RuneCountInString(reason) > MaxReason || !utf8.ValidString(reason) || strings.ContainsRune(reason, 0) {
		return &FieldError{Field: "reason", Rule: fmt.Sprintf("is longer than %d characters, or no text", MaxReason), WayOut: "say it in a sentence"}
	}
	return nil
}

// names are the settings that the edit gives a value.
func (e PreferenceEdit) names() (names []policy.Name) {
	for name, set := range map[policy.Name]bool{
		policy.NameChannels: e.Channels != nil, policy.NameWindows: e.Windows != nil, policy.NameTimezone: e.Timezone != nil,
		policy.NameNever: e.NeverAutoSend != nil, policy.NameReview: e.ReviewRequired != nil, policy.NameAutonomy: e.Autonomy != nil,
	} {
		if set {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (e PreferenceEdit) checkForClient(zones *policy.Zones) error {
	if e.Autonomy != nil || slices.Contains(e.Reset, policy.NameAutonomy) {
		return FieldErrors{{Field: string(policy.NameAutonomy), Rule: "is no setting of a client", WayOut: "set it for the tenant or for a conversation"}}
	}
	return e.Check(zones)
}

// apply brings the edit into a client and answers what really changed.
func (e PreferenceEdit) apply(ctx context.Context, u *Unit, c *Client) ([]policy.Name, error) {
	if e.Revision != 0 && e.Revision != c.Revision {
		return nil, preferenceConflict(ctx, u.tx, c, e)
	}
	windows, err := c.windows()
	if err != nil {
		return nil, err
	}
	p := preferring{unit: u, client: c, reason: e.Reason, reset: e.Reset}
	change(&p, policy.NameChannels, c.channels(), e.Channels, func(v []policy.Channel) {
		c.PreferredChannels = make([]string, len(v))
		for i, channel := range v {
			c.PreferredChannels[i] = string(channel)
		}
	})
	change(&p, policy.NameWindows, windows, e.Windows, func(v []policy.Window) {
		if c.ContactWindows, err = json.Marshal(append([]policy.Window{}, v...)); err != nil {
			err = fmt.Errorf("write contact windows: %w", err)
		}
	})
	change(&p, policy.NameTimezone, c.Timezone, e.Timezone, func(v string) { c.Timezone = v })
	change(&p, policy.NameNever, c.NeverAutoSend, e.NeverAutoSend, func(v bool) { c.NeverAutoSend = v })
	change(&p, policy.NameReview, c.HumanReviewRequired, e.ReviewRequired, func(v bool) { c.HumanReviewRequired = v })
	return p.changed, err
}

// preferring is an edit at work.
type preferring struct {
	unit    *Unit
	client  *Client
	reason  string
	reset   []policy.Name
	changed []policy.Name
}

// change gives one setting its new value, and takes its origin away when it is
// reset.
func change[T any](p *preferring, name policy.Name, before T, to *T, store func(T)) {
	var after T
	reset := slices.Contains(p.reset, name)
	switch {
	case reset:
	case to != nil:
		after = *to
	default:
		return
	}
	_, known := p.client.PolicySet[name]
	if fmt.Sprint(before) == fmt.Sprint(after) && !(reset && known) {
		return
	}
	store(after)
	p.unit.setPolicy(p.client, name, p.reason, reset)
	p.unit.Log(p.client, event.Preference, event.Change(string(name), before, after, p.reason))
	p.changed = append(p.changed, name)
}

// setPolicy notes who set a setting, and that messages have to be decided again.
func (u *Unit) setPolicy(c *Client, name policy.Name, reason string, reset bool) {
	if c.PolicySet == nil {
		c.PolicySet = PolicySet{}
	}
	c.PolicySet[name] = policy.Set{By: u.actor.Name, At: u.now, Reason: reason}
	if reset {
		delete(c.PolicySet, name)
	}
	u.touch(c)
	u.policyChanged(c)
}

// preferenceConflict answers a stale edit setting by setting.
func preferenceConflict(ctx context.Context, tx pgx.Tx, c *Client, e PreferenceEdit) error {
	base, err := valuesAt(ctx, tx, c.ID, e.Revision)
	if err != nil {
		return err
	}
	windows, err := c.windows()
	if err != nil {
		return err
	}
	found := &ConflictError{Wanted: e.Revision, Current: c}
	for _, x := range []struct {
		name          policy.Name
		yours, theirs any
		named         bool
	}{
		{policy.NameChannels, e.Channels, c.channels(), e.Channels != nil}, {policy.NameWindows, e.Windows, windows, e.Windows != nil},
		{policy.NameTimezone, e.Timezone, c.Timezone, e.Timezone != nil}, {policy.NameNever, e.NeverAutoSend, c.NeverAutoSend, e.NeverAutoSend != nil},
		{policy.NameReview, e.ReviewRequired, c.HumanReviewRequired, e.ReviewRequired != nil},
	} {
		if !x.named {
			continue
		}
		yours, theirs := plainText(x.yours), plainText(x.theirs)
		was, changed := base[string(x.name)]
		if !changed {
			was = theirs
		}
		found.Fields = append(found.Fields, FieldConflict{Field: string(x.name), Yours: yours, Theirs: theirs, Base: was})
	}
	return found
}

// plainText writes a setting's value as events do: a text bare, else JSON.
func plainText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return strings.Trim(string(text), `"`)
}
