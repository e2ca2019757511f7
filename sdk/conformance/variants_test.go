package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/conformance"
)

// variant is the reference adapter with one fault, and the check that finds it.
type variant struct {
	check string
	wrap  func(sdk.Adapter) sdk.Adapter
}

// write makes a variant of Write alone.
func write(check string, change func(ctx context.Context, a sdk.Adapter, req sdk.WriteRequest) (sdk.WriteReply, error)) variant {
	return variant{check, func(a sdk.Adapter) sdk.Adapter {
		return broken{Adapter: a, write: func(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) { return change(ctx, a, req) }}
	}}
}

// errorsAs makes a variant that changes the errors of calls and items.
func errorsAs(check string, change func(sdk.Connection, *sdk.Error)) variant {
	return variant{check, func(a sdk.Adapter) sdk.Adapter { return misjudging{a, change} }}
}

// replies makes a variant that changes what Write has answered.
func replies(check string, change func(sdk.WriteRequest, *sdk.WriteReply)) variant {
	return write(check, func(ctx context.Context, a sdk.Adapter, req sdk.WriteRequest) (sdk.WriteReply, error) {
		reply, err := a.Write(ctx, req)
		if err == nil {
			change(req, &reply)
		}
		return reply, err
	})
}

// requests makes a variant that changes what Write is asked.
func requests(check string, change func(item *sdk.WriteItem)) variant {
	return write(check, func(ctx context.Context, a sdk.Adapter, req sdk.WriteRequest) (sdk.WriteReply, error) {
		req.Items = slices.Clone(req.Items)
		for i := range req.Items {
			fields := map[string]sdk.Value{}
			for name, v := range req.Items[i].Fields {
				fields[name] = v
			}
			req.Items[i].Fields = fields
			change(&req.Items[i])
		}
		return a.Write(ctx, req)
	})
}

// variants are the reference adapter and the ways in which it is broken. Each must
// be caught by the check that it names.
func variants() map[string]variant {
	var serial atomic.Int64
	return map[string]variant{
		"": {wrap: func(a sdk.Adapter) sdk.Adapter { return a }},
		"prints to stdout first": {"starts", func(a sdk.Adapter) sdk.Adapter {
			fmt.Println("starting up")
			return a
		}},
		"has no version": {"describes itself", func(a sdk.Adapter) sdk.Adapter {
			return broken{Adapter: a, describe: func(d *sdk.Description) { d.Version = "" }}
		}},
		"takes any settings": {"bad settings are refused", func(a sdk.Adapter) sdk.Adapter {
			return broken{Adapter: a, check: func(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
				return sdk.CheckReply{Account: "somebody"}, nil
			}}
		}},
		"forgets the last item": replies("a full batch", func(_ sdk.WriteRequest, r *sdk.WriteReply) {
			r.Outcomes = r.Outcomes[:len(r.Outcomes)-1]
		}),
		"tells an item twice": replies("a full batch", func(_ sdk.WriteRequest, r *sdk.WriteReply) {
			r.Outcomes = append(r.Outcomes, r.Outcomes[0])
		}),
		"matches outcomes by position": replies("known, new and bad in one batch", func(req sdk.WriteRequest, r *sdk.WriteReply) {
			slices.Reverse(r.Outcomes)
			for i := range r.Outcomes {
				r.Outcomes[i].ItemID = req.Items[i].ItemID
			}
		}),
		"empties what is absent": requests("absent, clear and set", func(item *sdk.WriteItem) {
			if _, named := item.Fields["city"]; !named && item.CRMID != "" {
				item.Fields["city"] = sdk.Clear()
			}
		}),
		"leaves alone what is to be cleared": requests("absent, clear and set", func(item *sdk.WriteItem) {
			for name, v := range item.Fields {
				if v.IsClear() {
					delete(item.Fields, name)
				}
			}
		}),
		"forgets the key": requests("creates, and finds again", func(item *sdk.WriteItem) {
			item.ExternalKey = fmt.Sprint("own-", serial.Add(1))
		}),
		"creates although it is there": requests("creating what is there", func(item *sdk.WriteItem) { item.Mode = sdk.ModeUpsert }),
		"creates instead of updating":  requests("updating what is not there", func(item *sdk.WriteItem) { item.Mode = sdk.ModeUpsert }),
		"ignores versions":             requests("a stale version", func(item *sdk.WriteItem) { item.Version = "" }),
		"shortens in silence": requests("a value that is too long", func(item *sdk.WriteItem) {
			if text := []rune(item.Fields["last_name"].Text()); len(text) > 80 {
				item.Fields["last_name"] = sdk.Text(string(text[:80]))
			}
		}),
		"spends in silence": replies("reports the calls it spent", func(_ sdk.WriteRequest, r *sdk.WriteReply) { r.Usage.Calls = nil }),
		"blames everybody": replies("one bad record among many", func(_ sdk.WriteRequest, r *sdk.WriteReply) {
			for _, o := range r.Outcomes {
				if o.Err != nil {
					for i := range r.Outcomes {
						r.Outcomes[i] = sdk.Fail(r.Outcomes[i].ItemID, o.Err)
					}
				}
			}
		}),
		"takes silence for success": replies("records the answer leaves out", func(_ sdk.WriteRequest, r *sdk.WriteReply) {
			for i := range r.Outcomes {
				r.Outcomes[i].Done, r.Outcomes[i].Err = sdk.Updated, nil
			}
		}),
		"takes a lost reply for a refusal": errorsAs("a lost reply", func(_ sdk.Connection, e *sdk.Error) {
			if e.Class == sdk.ClassUnknownOutcome {
				e.Class, e.Retry = sdk.ClassValidation, sdk.RetryNever
			}
		}),
		"takes a lost reply for nothing done": errorsAs("a lost reply", func(_ sdk.Connection, e *sdk.Error) {
			if e.Class == sdk.ClassUnknownOutcome {
				e.Class, e.Retry = sdk.ClassTransient, sdk.RetryLater
			}
		}),
		"takes half an answer for done": write("half an answer", func(ctx context.Context, a sdk.Adapter, req sdk.WriteRequest) (sdk.WriteReply, error) {
			reply, err := a.Write(ctx, req)
			if err == nil {
				return reply, nil
			}
			for _, item := range req.Items {
				reply.Outcomes = append(reply.Outcomes, sdk.Outcome{ItemID: item.ItemID, Done: sdk.Updated, CRMID: item.CRMID})
			}
			return reply, nil
		}),
		"has a class of its own": errorsAs("a CRM that is away", func(_ sdk.Connection, e *sdk.Error) { e.Class = "oops" }),
		"forgets the delay":      errorsAs("too many requests, come back later", func(_ sdk.Connection, e *sdk.Error) { e.After = 0 }),
		"calls the day's end a rush": errorsAs("the day's allowance is used up", func(_ sdk.Connection, e *sdk.Error) {
			if e.Class == sdk.ClassQuota {
				e.Class = sdk.ClassThrottled
			}
		}),
		"takes a bad token for a missing right": errorsAs("a bad token is an auth error", func(_ sdk.Connection, e *sdk.Error) {
			if e.Class == sdk.ClassAuth {
				e.Class = sdk.ClassPermission
			}
		}),
		"takes a merge for a deletion": errorsAs("a merged record", func(_ sdk.Connection, e *sdk.Error) {
			if e.Class == sdk.ClassRemapped {
				e.Class = sdk.ClassNotFound
			}
		}),
		"names no field": errorsAs("a field that is gone", func(_ sdk.Connection, e *sdk.Error) { e.Field = "" }),
		"quotes the token": errorsAs("secrets are never echoed", func(c sdk.Connection, e *sdk.Error) {
			e.Message += " with " + c.Token.AccessToken
		}),
		"logs the token": write("secrets are never echoed", func(ctx context.Context, a sdk.Adapter, req sdk.WriteRequest) (sdk.WriteReply, error) {
			fmt.Fprintln(os.Stderr, "writing with", req.Connection.Token.AccessToken)
			return a.Write(ctx, req)
		}),
		"goes on when cancelled": write("a call that is cancelled", func(ctx context.Context, a sdk.Adapter, req sdk.WriteRequest) (sdk.WriteReply, error) {
			return a.Write(context.WithoutCancel(ctx), req)
		}),
		"shares a token":     {"connections at once", sharingToken},
		"keeps cursors":      {"nothing is remembered", keepingCursors},
		"loses at page ends": {"changes page without loss", losingAtPageEnds},
		"writes in a plan": {"a plan writes nothing", func(a sdk.Adapter) sdk.Adapter {
			return broken{Adapter: a, plan: func(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
				_, err := a.Write(ctx, req)
				return sdk.PlanReply{Requests: make([]sdk.PlannedRequest, 1), Items: []sdk.PlannedItem{{ItemID: req.Items[0].ItemID}}}, err
			}}
		}},
		"logs activities again": {"logs activities once", func(a sdk.Adapter) sdk.Adapter {
			return broken{Adapter: a, log: func(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
				for i := range req.Items {
					req.Items[i].ExternalKey, req.Items[i].CRMID = fmt.Sprint("own-", serial.Add(1)), ""
				}
				return a.LogActivities(ctx, req)
			}}
		}},
		"can't delete twice": {"deletes, and again", func(a sdk.Adapter) sdk.Adapter {
			var gone sync.Map
			return broken{Adapter: a, remove: func(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
				if _, before := gone.LoadOrStore(req.Items[0].CRMID, true); before {
					return sdk.WriteReply{}, &sdk.Error{Class: sdk.ClassNotFound, Retry: sdk.RetryNever}
				}
				return a.Delete(ctx, req)
			}}
		}},
	}
}

func TestEachBrokenVariantIsCaught(t *testing.T) {
	t.Parallel()
	for name, v := range variants() {
		if name == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := target(t, name)
			to.Only = []string{v.check}
			report, err := conformance.Run(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			if failed := report.Failed(); len(failed) != 1 || failed[0].Check != v.check || report.Green || report.Level == conformance.Highest {
				t.Errorf("want %q to fail; report %+v", v.check, report)
			}
			for _, one := range report.Failed() {
				if strings.Contains(one.Problem, to.Connection.Token.AccessToken) {
					t.Errorf("the report holds the token: %s", one.Problem)
				}
			}
		})
	}
}

// sharingToken uses the token of whoever came first.
func sharingToken(a sdk.Adapter) sdk.Adapter {
	var mu sync.Mutex
	first := ""
	return broken{Adapter: a, write: func(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
		mu.Lock()
		if first == "" {
			first = req.Connection.Token.AccessToken
		}
		req.Connection.Token.AccessToken = first
		mu.Unlock()
		return a.Write(ctx, req)
	}}
}

// keepingCursors gives out numbers for cursors that only this process knows.
func keepingCursors(a sdk.Adapter) sdk.Adapter {
	var mu sync.Mutex
	known := map[string]string{"": ""}
	return broken{Adapter: a, changes: func(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
		mu.Lock()
		defer mu.Unlock()
		req.Cursor = known[req.Cursor]
		reply, err := a.Changes(ctx, req)
		mark := fmt.Sprint("mine ", len(known))
		known[mark], reply.Next = reply.Next, mark
		return reply, err
	}}
}

func losingAtPageEnds(a sdk.Adapter) sdk.Adapter {
	return broken{Adapter: a, changes: func(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
		reply, err := a.Changes(ctx, req)
		if reply.More {
			reply.Changed = reply.Changed[:len(reply.Changed)-1]
		}
		return reply, err
	}}
}

// misjudging changes the errors that Check and Write answer.
type misjudging struct {
	sdk.Adapter
	change func(sdk.Connection, *sdk.Error)
}

func (m misjudging) judge(c sdk.Connection, err error) error {
	if e, ok := errors.AsType[*sdk.Error](err); ok {
		m.change(c, e)
	}
	return err
}

func (m misjudging) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	reply, err := m.Adapter.Check(ctx, req)
	return reply, m.judge(req.Connection, err)
}

func (m misjudging) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	reply, err := m.Adapter.Write(ctx, req)
	for _, o := range reply.Outcomes {
		if o.Err != nil {
			m.change(req.Connection, o.Err)
		}
	}
	return reply, m.judge(req.Connection, err)
}

// broken replaces single calls.
type broken struct {
	sdk.Adapter
	describe func(*sdk.Description)
	check    func(context.Context, sdk.CheckRequest) (sdk.CheckReply, error)
	write    func(context.Context, sdk.WriteRequest) (sdk.WriteReply, error)
	log      func(context.Context, sdk.LogActivitiesRequest) (sdk.WriteReply, error)
	remove   func(context.Context, sdk.DeleteRequest) (sdk.WriteReply, error)
	changes  func(context.Context, sdk.ChangesRequest) (sdk.ChangesReply, error)
	plan     func(context.Context, sdk.WriteRequest) (sdk.PlanReply, error)
}

func (b broken) Describe(ctx context.Context) (sdk.Description, error) {
	d, err := b.Adapter.Describe(ctx)
	if b.describe != nil {
		b.describe(&d)
	}
	return d, err
}

func (b broken) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	return either(ctx, req, b.check, b.Adapter.Check)
}

func (b broken) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	return either(ctx, req, b.write, b.Adapter.Write)
}

func (b broken) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	return either(ctx, req, b.log, b.Adapter.LogActivities)
}

func (b broken) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	return either(ctx, req, b.remove, b.Adapter.Delete)
}

func (b broken) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	return either(ctx, req, b.changes, b.Adapter.Changes)
}

func (b broken) Plan(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	return either(ctx, req, b.plan, b.Adapter.Plan)
}

func either[Req, Reply any](ctx context.Context, req Req, own, whole func(context.Context, Req) (Reply, error)) (Reply, error) {
	if own != nil {
		return own(ctx, req)
	}
	return whole(ctx, req)
}
