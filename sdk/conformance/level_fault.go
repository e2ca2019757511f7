package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

func faultChecks() []check {
	fails := func(name string, f simulator.Fault, classes ...sdk.Class) check {
		return check{name: name, level: Withstands, faults: true, run: func(ctx context.Context, t *trial) error {
			return t.writeFails(ctx, f, nil, classes...)
		}}
	}
	lost := []sdk.Class{sdk.ClassUnknownOutcome, sdk.ClassTransient}
	return []check{
		fails("a lost reply", simulator.Fault{Cut: "after"}, lost...),
		fails("a request that never arrives", simulator.Fault{Cut: "before"}, lost...),
		fails("half an answer", simulator.Fault{Cut: "middle"}, lost...),
		fails("an answer without end", simulator.Fault{Filler: 64 << 20}, lost...),
		fails("an answer that is no JSON", simulator.Fault{Status: http.StatusOK, Body: "<html>maintenance</html>"}, lost...),
		fails("a failure inside the CRM", simulator.Fault{Status: http.StatusInternalServerError, Body: "<html>500</html>"}, append(lost, sdk.ClassThrottled, sdk.ClassLock)...),
		fails("a CRM that is away", simulator.Fault{Status: http.StatusServiceUnavailable}, append(lost, sdk.ClassThrottled)...),
		fails("a token that ends mid-batch", simulator.Fault{Status: http.StatusUnauthorized}, sdk.ClassAuth),
		fails("too many requests", simulator.Fault{Status: http.StatusTooManyRequests}, sdk.ClassThrottled, sdk.ClassQuota),
		{name: "too many requests, come back later", level: Withstands, faults: true, run: retryAfter},
		{name: "the day's allowance is used up", level: Withstands, faults: true, run: named(simulator.FaultQuota, sdk.ClassQuota)},
		{name: "another writer holds the record", level: Withstands, faults: true, run: named(simulator.FaultLock, sdk.ClassLock)},
		{name: "a lost reply of an activity", level: Withstands, needs: sdk.CapActivities, faults: true, run: lostActivity},
		{name: "a slow CRM", level: Withstands, faults: true, run: slow},
		{name: "reading fails", level: Withstands, faults: true, run: readingFails},
		{name: "a field that is gone", level: Withstands, run: drift},
	}
}

// mostRequests bounds how many requests one call may make in a trial.
const mostRequests = 15

// attempt is one call that a fault hits, with what goes before and after it while
// the CRM is healthy.
type attempt struct {
	before, during, after func() error
}

// atEachRequest has the CRM fail at the first request that a call makes, then at
// the second alone, and so on until the call makes no further one.
func (t *trial) atEachRequest(ctx context.Context, f simulator.Fault, a attempt) error {
	for n := range mostRequests {
		if err := a.before(); err != nil {
			return err
		}
		f.Skip, f.Count = n, 1
		hits, err := t.crm.during(ctx, f, a.during)
		if err == nil && hits > 0 {
			err = a.after()
		}
		if err != nil {
			return fmt.Errorf("when request %d of the call fails: %w", n+1, err)
		}
		if hits == 0 && n == 0 {
			return errors.New("the call asks the CRM nothing")
		}
		if hits == 0 {
			return nil
		}
	}
	return fmt.Errorf("a write of one batch makes %d requests or more", mostRequests)
}

// writeFails writes new and known records while each request in turn fails, holds
// what failed to the classes, and then does what the host would: reads back what
// is unknown and writes again what failed. At the end every record is there once.
func (t *trial) writeFails(ctx context.Context, f simulator.Fault, more func(*sdk.Error) error, classes ...sdk.Class) error {
	failures := 0
	var items []sdk.WriteItem
	var by map[string]sdk.Outcome
	err := t.atEachRequest(ctx, f, attempt{
		before: func() error {
			known, _, err := t.created(ctx)
			items = append(t.people(2), known)
			return err
		},
		during: func() (err error) {
			by, err = t.write(ctx, items...)
			return err
		},
		after: func() error {
			for _, item := range items {
				e := by[item.ItemID].Err
				if e == nil {
					continue
				}
				failures++
				if err := is(e, classes...); err != nil {
					return err
				}
				if more != nil {
					if err := more(e); err != nil {
						return err
					}
				}
			}
			return t.recover(ctx, items, by)
		},
	})
	if err == nil && failures == 0 {
		return errors.New("whichever request of a write fails, the write is told to be done")
	}
	return errors.Join(err, t.noDoubles(ctx))
}

// recover does what the host does after a failure, and sees whether what was told
// is true.
func (t *trial) recover(ctx context.Context, items []sdk.WriteItem, by map[string]sdk.Outcome) error {
	if !t.offers(sdk.CapFind) {
		return nil
	}
	var again []sdk.WriteItem
	for _, item := range items {
		o := by[item.ItemID]
		if o.Err == nil {
			if err := t.isOnce(ctx, item.ExternalKey); err != nil {
				return fmt.Errorf("a record that is told to be done: %w", err)
			}
			continue
		}
		found, err := t.find(ctx, sdk.FindByExternalKey, item.ExternalKey)
		if err != nil {
			return err
		}
		switch {
		case len(found) > 1:
			return errors.New("a record is in the CRM twice")
		case len(found) == 1 && item.CRMID == "" && o.Err.Class != sdk.ClassUnknownOutcome:
			return fmt.Errorf("a new record is told not to be done (%w), and it is in the CRM", o.Err)
		case len(found) == 0 || o.Err.Class != sdk.ClassUnknownOutcome:
			again = append(again, item)
		}
	}
	if len(again) == 0 {
		return nil
	}
	second, err := t.write(ctx, again...)
	if err != nil {
		return err
	}
	for _, item := range again {
		if o := second[item.ItemID]; o.Err != nil {
			return fmt.Errorf("written again when the CRM is well: %w", o.Err)
		}
		if err := t.isOnce(ctx, item.ExternalKey); err != nil {
			return err
		}
	}
	return nil
}

// retryAfter: the delay that the CRM asks for reaches the host.
func retryAfter(ctx context.Context, t *trial) error {
	const seconds = 17
	f := simulator.Fault{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": fmt.Sprint(seconds)}}
	return t.writeFails(ctx, f, func(e *sdk.Error) error {
		if e.After != seconds*time.Second {
			return fmt.Errorf("the CRM asks for %d s, the error says %v", seconds, e.After)
		}
		return nil
	}, sdk.ClassThrottled, sdk.ClassQuota)
}

// named tries a fault that the CRM words in its own way.
func named(fault string, class sdk.Class) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		f, known := t.crm.subject.Faults[fault]
		if !known {
			return leftOut("the simulator has no such fault")
		}
		return t.writeFails(ctx, f, nil, class)
	}
}

// lostActivity: the host logs an activity again when the reply was lost.
func lostActivity(ctx context.Context, t *trial) error {
	_, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	var talk sdk.Activity
	var by map[string]sdk.Outcome
	err = t.atEachRequest(ctx, simulator.Fault{Cut: "after"}, attempt{
		before: func() error {
			talk = t.talk("chat", o.CRMID)
			return nil
		},
		during: func() (err error) {
			by, err = t.log(ctx, talk)
			return err
		},
		after: func() error {
			if e := by[talk.ItemID].Err; e != nil {
				if err := is(e, sdk.ClassUnknownOutcome, sdk.ClassTransient); err != nil {
					return err
				}
			}
			again, err := t.log(ctx, talk)
			if err == nil && again[talk.ItemID].Err != nil {
				err = fmt.Errorf("logged again when the CRM is well: %w", again[talk.ItemID].Err)
			}
			return err
		},
	})
	return errors.Join(err, t.noDoubles(ctx))
}

// slow: an answer that takes its time is no failure.
func slow(ctx context.Context, t *trial) error {
	var by map[string]sdk.Outcome
	item := t.person()
	_, err := t.crm.during(ctx, simulator.Fault{Delay: "300ms"}, func() (err error) {
		by, err = t.write(ctx, item)
		return err
	})
	if err != nil {
		return err
	}
	if o := by[item.ItemID]; o.Err != nil {
		return fmt.Errorf("answers that take 300 ms: %w", o.Err)
	}
	return nil
}

// readingFails: a read that fails is told, and is no unknown outcome.
func readingFails(ctx context.Context, t *trial) error {
	reads, err := t.reads(ctx)
	if err != nil {
		return err
	}
	for status, classes := range map[int][]sdk.Class{
		http.StatusUnauthorized:        {sdk.ClassAuth},
		http.StatusTooManyRequests:     {sdk.ClassThrottled, sdk.ClassQuota},
		http.StatusInternalServerError: {sdk.ClassTransient, sdk.ClassThrottled, sdk.ClassLock},
	} {
		_, err := t.crm.during(ctx, simulator.Fault{Status: status}, func() error {
			for call, read := range reads {
				e, err := failed(read())
				if err == nil {
					err = is(e, classes...)
				}
				if err != nil {
					return fmt.Errorf("%s when the CRM answers %d: %w", call, status, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reads are the calls that read.
func (t *trial) reads(ctx context.Context) (map[string]func() error, error) {
	calls := map[string]func() error{
		"Check": func() error {
			_, err := t.adapter.Check(ctx, sdk.CheckRequest{Connection: t.conn})
			return err
		},
		"DescribeObject": func() error {
			_, err := t.adapter.DescribeObject(ctx, sdk.DescribeObjectRequest{Connection: t.conn, Object: t.client.Name})
			return err
		},
	}
	if t.offers(sdk.CapFind) {
		calls["Find"] = func() error {
			_, err := t.adapter.Find(ctx, sdk.FindRequest{Connection: t.conn, Object: t.client.Name, Keys: []sdk.FindKey{
				{ItemID: "1", By: sdk.FindByExternalKey, Value: t.person().ExternalKey}}})
			return err
		}
	}
	if t.offers(sdk.CapChanges) {
		now, err := t.page(ctx, "", 10)
		if err != nil {
			return nil, err
		}
		calls["Changes"] = func() error {
			_, err := t.adapter.Changes(ctx, sdk.ChangesRequest{Connection: t.conn, Object: t.client.Name, Cursor: now.Next, Limit: 10})
			return err
		}
	}
	return calls, nil
}

// drift: a mapped field that the CRM no longer has is named, so that the host can
// park it.
func drift(ctx context.Context, t *trial) error {
	item := t.person()
	item.Fields[noSuchField] = sdk.Text("x")
	by, err := t.write(ctx, item)
	if err != nil {
		return err
	}
	e := by[item.ItemID].Err
	if err := is(e, sdk.ClassSchema); err != nil {
		return err
	}
	if e.Field != noSuchField {
		return fmt.Errorf("the field %s is gone, the error names %q", noSuchField, e.Field)
	}
	return nil
}
