package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/simulator"
)

func hardChecks() []check {
	return []check{
		{name: "a call that is cancelled", level: Hardened, faults: true, run: cancelled},
		{name: "a deadline that passes", level: Hardened, faults: true, run: deadline},
		{name: "connections at once", level: Hardened, run: connectionsAtOnce},
		{name: "nothing is remembered", level: Hardened, run: remembersNothing},
		{name: "names as people have them", level: Hardened, run: oddText},
		// The last: it looks at everything that was said until then.
		{name: "secrets are never echoed", level: Hardened, run: secretsStay},
	}
}

// The CRM answers after this long, we leave before, and look long after it.
const (
	crmDelay = 1500 * time.Millisecond
	patience = 300 * time.Millisecond
	lookAt   = 2 * crmDelay
)

func cancelled(ctx context.Context, t *trial) error {
	return t.leaves(ctx, func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(patience, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	})
}

func deadline(ctx context.Context, t *trial) error {
	return t.leaves(ctx, func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, patience)
	})
}

// leaves has the host give up a write before the CRM has begun with it. The
// adapter must let go of it too: what arrives at the CRM later was never reported.
func (t *trial) leaves(ctx context.Context, give func(context.Context) (context.Context, context.CancelFunc)) error {
	before, err := t.held(ctx, t.client.Name)
	if err != nil {
		return err
	}
	if err := t.crm.fail(ctx, simulator.Fault{Delay: crmDelay.String()}); err != nil {
		return err
	}
	begin := time.Now()
	short, cancel := give(ctx)
	by, err := t.write(short, t.person())
	cancel()
	if err != nil {
		return err
	}
	for _, o := range by {
		if err := is(o.Err, sdk.ClassUnknownOutcome, sdk.ClassTransient); err != nil {
			return err
		}
	}
	select {
	case <-time.After(time.Until(begin.Add(lookAt))):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := t.crm.heal(ctx); err != nil {
		return err
	}
	after, err := t.held(ctx, t.client.Name)
	if err != nil {
		return err
	}
	if after != before {
		return errors.New("the adapter went on with a write that the host had given up")
	}
	_, _, err = t.created(ctx) // it serves on
	return err
}

// connectionsAtOnce: one process serves all tenants, each with its own token.
func connectionsAtOnce(ctx context.Context, t *trial) error {
	const callers, calls = 8, 4
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for range calls {
				if errs[i] == nil {
					errs[i] = t.oneOfMany(ctx, i%2 == 0)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (t *trial) oneOfMany(ctx context.Context, good bool) error {
	conn, items := t.conn, t.people(2)
	if !good {
		conn = t.wrong()
		conn.ID = "0199aaaa-0000-7000-8000-000000000002"
	}
	ids := []string{items[0].ItemID, items[1].ItemID}
	reply, err := t.adapter.Write(ctx, sdk.WriteRequest{Connection: conn, Object: t.client.Name, Items: items})
	by, err := accounted(ids, reply, err)
	if err != nil {
		return err
	}
	for _, o := range by {
		if !good {
			if err := is(o.Err, sdk.ClassAuth); err != nil {
				return fmt.Errorf("beside a connection with a good token, one with a bad token: %w", err)
			}
		} else if o.Err != nil {
			return fmt.Errorf("beside a connection with a bad token, one with a good token: %w", o.Err)
		}
	}
	return nil
}

// remembersNothing: another process goes on where the first one stopped, as after
// every swap.
func remembersNothing(ctx context.Context, t *trial) error {
	item, o, err := t.created(ctx)
	if err != nil {
		return err
	}
	cursor := ""
	if t.offers(sdk.CapChanges) {
		page, err := t.page(ctx, "", 10)
		if err != nil {
			return err
		}
		cursor = page.Next
	}
	next, err := t.dial(ctx)
	if err != nil {
		return err
	}
	if next.Stop != nil {
		defer next.Stop()
	}
	other := *t
	other.adapter = listening{Adapter: next.Adapter, ear: t.ear}
	item.Fields[t.fields["last_name"]] = sdk.Text("Changed by the next process")
	by, err := other.write(ctx, item)
	if err != nil {
		return err
	}
	if got := by[item.ItemID]; got.Err != nil || got.CRMID != o.CRMID {
		return fmt.Errorf("a record that the process before has made is %s as %q, want %q", told(got), got.CRMID, o.CRMID)
	}
	if cursor == "" {
		return nil
	}
	return t.eventually(ctx, func() error {
		seen, err := other.since(ctx, cursor, 10)
		if err == nil && seen[o.CRMID].ID == "" {
			err = errors.New("the next process does not go on from the cursor of the one before")
		}
		return err
	})
}

// oddText: people have names like these.
func oddText(ctx context.Context, t *trial) error {
	item := t.person()
	want := `O'Brien & "Søn" <ツ> \ 100%`
	item.Fields[t.fields["last_name"]] = sdk.Text(want)
	by, err := t.write(ctx, item)
	if err != nil {
		return err
	}
	if o := by[item.ItemID]; o.Err != nil {
		return o.Err
	}
	return t.shows(ctx, item, t.fields["last_name"], want)
}

// secretsStay has the CRM quote the token back, in every way that it can fail.
func secretsStay(ctx context.Context, t *trial) error {
	if t.crm != nil {
		reads, err := t.reads(ctx)
		if err != nil {
			return err
		}
		for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError} {
			f := simulator.Fault{Status: status, Body: fmt.Sprintf(
				`{"message": "the token %[1]s is refused", "code": "BAD", "error": {"code": "BAD", "message": "the token %[1]s is refused"}}`, t.conn.Token.AccessToken)}
			_, err := t.crm.during(ctx, f, func() error {
				for _, read := range reads {
					_ = read() // the ear hears
				}
				_, err := t.write(ctx, t.person())
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if t.offers(sdk.CapPlan) {
		_, _ = t.adapter.Plan(ctx, sdk.WriteRequest{Connection: t.conn, Object: t.client.Name, Items: t.people(1)}) // the ear hears
	}
	if calls := t.ear.leaks(); len(calls) > 0 {
		return fmt.Errorf("the access token came back in an answer of %s", strings.Join(calls, ", "))
	}
	if t.process.Logs == nil {
		return nil
	}
	// What it wrote last is on its way through a pipe.
	for range 10 {
		if t.ear.holds(t.process.Logs()) {
			return errors.New("the access token is in the adapter's log")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
