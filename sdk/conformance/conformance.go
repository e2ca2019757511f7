package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientele-crm/clientele/sdk"
)

const (
	// checkTimeout bounds one check; an adapter that hangs fails it.
	checkTimeout    = 90 * time.Second
	defaultSettling = 20 * time.Second
)

// Process is a running adapter.
type Process struct {
	Adapter sdk.Adapter
	// Logs answers what it has written to its error output so far; nil where nobody
	// listens, and then nothing is said about logs.
	Logs func() string
	// Stop ends it and returns when it is gone; nil: there is nothing to stop.
	Stop func()
}

// Dial starts one more process of the adapter under trial.
type Dial func(ctx context.Context) (*Process, error)

// Target is an adapter and the account to try it with.
type Target struct {
	Dial Dial
	// Connection has valid settings and a valid token. The suite writes records
	// into the account: never name one that anybody uses.
	Connection sdk.Connection
	// Simulator is behind the connection; nil means a real account, and then checks
	// that make the CRM fail are left out.
	Simulator *Simulator
	// Settling is how long a change may take to show in the CRM's answers; 0 means
	// 20 s. Too little fails adapters of CRMs whose indexes lag.
	Settling time.Duration
	// Only runs the checks with these names, and what must go before; empty: all.
	Only []string
}

// Level is how far an adapter can be trusted; each includes those below it.
type Level int

// The levels.
const (
	None       Level = iota // does not start, or can't say what it is
	Describes               // says what it is and can
	Reads                   // checks, installs, describes objects, finds
	Writes                  // creates, updates, logs, deletes, answers changes
	Accounts                // every record has its own, true outcome, and exists once
	Withstands              // the CRM's failures are told for what they are
	Hardened                // cancelled, shared, restarted, it stays right and discreet
)

// Highest is the level of an adapter that passes everything.
const Highest = Hardened

// String names the level.
func (l Level) String() string {
	names := []string{"none", "describes", "reads", "writes", "accounts", "withstands", "hardened"}
	if l < None || l > Highest {
		return fmt.Sprintf("level %d", int(l))
	}
	return fmt.Sprintf("%d %s", int(l), names[l])
}

// check is one demand on an adapter.
type check struct {
	name  string
	level Level
	// needs is the capability without which the check is left out.
	needs string
	// faults: the check makes the CRM fail, or looks into it.
	faults bool
	run    func(context.Context, *trial) error
}

// leftOut is the error of a check that can't be made here.
type leftOut string

func (l leftOut) Error() string { return string(l) }

func checks() []check {
	return slices.Concat(describeChecks(), readChecks(), writeChecks(), accountChecks(), faultChecks(), hardChecks())
}

// Names lists the checks, for Target.Only.
func Names() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// Run tries the adapter and reports. It fails only when ctx ends or the suite
// itself can't go on; whatever is wrong with the adapter is in the report.
func Run(ctx context.Context, target Target) (*Report, error) {
	started := time.Now()
	report := &Report{}
	t, err := newTrial(ctx, target)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		report.Results = []Result{{Check: "starts", Level: Describes, Problem: err.Error()}}
		report.settle(started)
		return report, nil
	}
	defer t.close()
	report.Adapter, report.Version = t.about.Name, t.about.Version
	if t.crm != nil {
		if err := t.crm.prepare(ctx); err != nil {
			return nil, err
		}
	}
	for _, c := range checks() {
		if len(target.Only) > 0 && !slices.Contains(target.Only, c.name) {
			continue
		}
		result := Result{Check: c.name, Level: c.level}
		begin := time.Now()
		err := t.make(ctx, c)
		result.Seconds = time.Since(begin).Seconds()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if why, ok := errors.AsType[leftOut](err); ok {
			result.LeftOut = string(why)
		} else if err != nil {
			result.Problem = t.ear.hide(err.Error())
		}
		report.Results = append(report.Results, result)
	}
	report.settle(started)
	return report, nil
}

// make makes one check, unless it can't be made, and leaves the CRM healthy.
func (t *trial) make(ctx context.Context, c check) error {
	switch {
	case c.needs != "" && !slices.Contains(t.about.Capabilities, c.needs):
		return leftOut("the adapter does not offer " + c.needs)
	case c.faults && t.crm == nil:
		return noSimulator
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := c.run(ctx, t)
	if t.crm != nil {
		err = errors.Join(err, t.crm.heal(context.WithoutCancel(ctx)))
	}
	return err
}

// noSimulator leaves a check out, and its level unreached: it was not tried.
const noSimulator = leftOut("it needs the CRM's simulator")
