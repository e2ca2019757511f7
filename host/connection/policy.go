package connection

import (
	"fmt"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/clientele-crm/clientele/host/mapping"
	"github.com/clientele-crm/clientele/sdk"
)

// Policy is what an admin chooses for a connection: which clients it takes, how
// they are written and when (R166, R169, R171).
type Policy struct {
	// ClientObject is the CRM's object for clients, one of the adapter's with the
	// role client; empty means the first of them.
	ClientObject string `json:"client_object"`
	// Filter is a CEL expression over the client that answers whether it syncs;
	// empty means that every client does.
	Filter string `json:"filter"`
	// WriteMode says whether records may be created, updated or both.
	WriteMode sdk.WriteMode `json:"write_mode"`
	// UpdateEvery is the pace of updates, 1 minute to 1 day. Cron, if not empty,
	// replaces it: five fields in the tenant's time zone.
	UpdateEvery time.Duration `json:"update_every"`
	Cron        string        `json:"cron"`
	// ActivityChannels are the channels whose conversations become activities.
	ActivityChannels []string        `json:"activity_channels"`
	Companies        CompanyPolicy   `json:"companies"`
	Sensitive        SensitivePolicy `json:"sensitive"`
}

// CompanyPolicy says what is done about a client's company.
type CompanyPolicy string

// The company policies: leave companies alone, link the client to one that is
// there, or make it where it is missing.
const (
	CompaniesNone   CompanyPolicy = "none"
	CompaniesMatch  CompanyPolicy = "match"
	CompaniesCreate CompanyPolicy = "create"
)

// SensitivePolicy says what goes to the CRM of a sensitive client (R171).
type SensitivePolicy string

// The policies for sensitive clients: the record and no activity, or nothing.
// Neither takes away what is in the CRM already.
const (
	SensitiveRecord  SensitivePolicy = "record"
	SensitiveExclude SensitivePolicy = "exclude"
)

// The bounds of Policy.UpdateEvery, and how long a cron schedule may rest.
const (
	minUpdateEvery = time.Minute
	maxUpdateEvery = 24 * time.Hour
	maxCronRest    = 31 * 24 * time.Hour
)

// Channels are the channels of conversations, in the order in which they are shown.
func Channels() []string { return []string{"email", "sms", "chat", "voice"} }

// DefaultPolicy is what a new connection starts with.
func DefaultPolicy() Policy {
	return Policy{
		WriteMode: sdk.ModeUpsert, UpdateEvery: 15 * time.Minute, ActivityChannels: Channels(),
		Companies: CompaniesMatch, Sensitive: SensitiveRecord,
	}
}

// check answers everything that is wrong with a policy for an adapter.
func (p Policy) check(about sdk.Description, now time.Time) (problems []error) {
	add := func(field, rule, wayOut string) {
		problems = append(problems, &InvalidError{Field: field, Rule: rule, WayOut: wayOut})
	}
	if names := ClientObjects(about); p.ClientObject != "" && !slices.Contains(names, p.ClientObject) {
		add("client_object", fmt.Sprintf("%q is no object that %s writes clients as", p.ClientObject, about.Name), fmt.Sprintf("use one of %q", names))
	}
	if _, err := mapping.CompileFilter(p.Filter); err != nil {
		add("filter", err.Error(), `write one that answers yes or no, such as client.country == "US" && !client.sensitive`)
	}
	if !slices.Contains([]sdk.WriteMode{sdk.ModeUpsert, sdk.ModeCreate, sdk.ModeUpdate}, p.WriteMode) {
		add("write_mode", fmt.Sprintf("is %q", p.WriteMode), "use upsert, create or update")
	}
	if p.UpdateEvery < minUpdateEvery || p.UpdateEvery > maxUpdateEvery {
		add("update_every", "is shorter than a minute or longer than a day", "give seconds from 60 to 86400")
	}
	if p.Cron != "" {
		schedule, err := cron.ParseStandard(p.Cron)
		switch {
		case len(p.Cron) > 200 || err != nil:
			add("cron", "is no schedule of five fields", `write minute, hour, day, month, weekday, such as "0 7-19 * * 1-5", or leave it empty`)
		case schedule.Next(now).IsZero() || schedule.Next(now).Sub(now) > maxCronRest:
			add("cron", "does not come round within a month", "choose times that do")
		}
	}
	for _, c := range p.ActivityChannels {
		if !slices.Contains(Channels(), c) {
			add("activity_channels", fmt.Sprintf("%q is no channel", c), fmt.Sprintf("use some of %q", Channels()))
		}
	}
	if !slices.Contains([]CompanyPolicy{CompaniesNone, CompaniesMatch, CompaniesCreate}, p.Companies) {
		add("companies", fmt.Sprintf("is %q", p.Companies), "use none, match or create")
	}
	if p.Sensitive != SensitiveRecord && p.Sensitive != SensitiveExclude {
		add("sensitive", fmt.Sprintf("is %q", p.Sensitive), "use record or exclude")
	}
	return problems
}

// ClientObjects are the objects that an adapter writes clients as, its own
// favourite first.
func ClientObjects(about sdk.Description) []string {
	var names []string
	for _, o := range about.Objects {
		if o.Role == sdk.RoleClient {
			names = append(names, o.Name)
		}
	}
	return names
}

// Object is the CRM's object for this connection's clients, or "" when the
// adapter writes none.
func (c *Connection) Object(about sdk.Description) string {
	if c.ClientObject != "" {
		return c.ClientObject
	}
	if names := ClientObjects(about); len(names) > 0 {
		return names[0]
	}
	return ""
}

// NextUpdate is the first tick of the connection's schedule at or after a time:
// of its cron expression in the tenant's zone, else every UpdateEvery since the
// connection was made.
func (c *Connection) NextUpdate(at time.Time) time.Time {
	if schedule, err := cron.ParseStandard(c.Cron); c.Cron != "" && err == nil {
		zone, err := time.LoadLocation(c.Timezone)
		if err != nil {
			zone = time.UTC
		}
		return schedule.Next(at.Add(-time.Nanosecond).In(zone)).UTC()
	}
	every := max(c.UpdateEvery, minUpdateEvery)
	passed := max(at.Sub(c.CreatedAt), 0)
	ticks := passed.Truncate(every)
	if ticks < passed {
		ticks += every
	}
	return c.CreatedAt.Add(ticks).UTC()
}
