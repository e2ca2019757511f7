package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/sdk"
)

// The longest that a call may take, when the caller's context sets no earlier
// end. A CRM answers a batch within a minute or not at all; less would turn slow
// writes into unknown outcomes, more would let one hang hold a connection's sync.
const (
	checkTimeout   = 30 * time.Second
	installTimeout = 120 * time.Second
	readTimeout    = 60 * time.Second
	writeTimeout   = 120 * time.Second
	endNoticed     = 50 * time.Millisecond
)

// Unavailable is the error of a call that found no process to go to: nothing was
// sent. It unwraps to an *sdk.Error of class transient, for callers that only
// classify.
type Unavailable struct {
	Name string
	// Cause is for the operator: why the last process ended or did not start.
	Cause string
	// RetryAt is when the host tries to start it next; zero when it is not known.
	RetryAt time.Time
}

// Error names the adapter and the cause.
func (u *Unavailable) Error() string {
	return fmt.Sprintf("the adapter %q is not running: %s", u.Name, u.Cause)
}

// Unwrap classifies: safe to send again later.
func (u *Unavailable) Unwrap() error {
	return &sdk.Error{Class: sdk.ClassTransient, Retry: sdk.RetryLater, Message: "the adapter is not running"}
}

// handle is the adapter as the rest of the host sees it. Each call goes to the
// process that serves at that moment.
type handle struct {
	slot   *slot
	tenant actor.TenantID // zero: the version for everybody
}

var _ sdk.Adapter = handle{}

// Describe answers what the serving process said when it started.
func (h handle) Describe(context.Context) (sdk.Description, error) {
	p, err := h.slot.acquire(h.tenant)
	if err != nil {
		return sdk.Description{}, err
	}
	defer p.release()
	return p.description, nil
}

// Check implements sdk.Adapter.
func (h handle) Check(ctx context.Context, req sdk.CheckRequest) (sdk.CheckReply, error) {
	return call(ctx, h, checkTimeout, req, sdk.Adapter.Check)
}

// Install implements sdk.Adapter.
func (h handle) Install(ctx context.Context, req sdk.InstallRequest) (sdk.InstallReply, error) {
	return call(ctx, h, installTimeout, req, sdk.Adapter.Install)
}

// DescribeObject implements sdk.Adapter.
func (h handle) DescribeObject(ctx context.Context, req sdk.DescribeObjectRequest) (sdk.DescribeObjectReply, error) {
	return call(ctx, h, readTimeout, req, sdk.Adapter.DescribeObject)
}

// Find implements sdk.Adapter.
func (h handle) Find(ctx context.Context, req sdk.FindRequest) (sdk.FindReply, error) {
	return call(ctx, h, readTimeout, req, sdk.Adapter.Find)
}

// Write implements sdk.Adapter.
func (h handle) Write(ctx context.Context, req sdk.WriteRequest) (sdk.WriteReply, error) {
	return call(ctx, h, writeTimeout, req, sdk.Adapter.Write)
}

// LogActivities implements sdk.Adapter.
func (h handle) LogActivities(ctx context.Context, req sdk.LogActivitiesRequest) (sdk.WriteReply, error) {
	return call(ctx, h, writeTimeout, req, sdk.Adapter.LogActivities)
}

// Delete implements sdk.Adapter.
func (h handle) Delete(ctx context.Context, req sdk.DeleteRequest) (sdk.WriteReply, error) {
	return call(ctx, h, writeTimeout, req, sdk.Adapter.Delete)
}

// Changes implements sdk.Adapter.
func (h handle) Changes(ctx context.Context, req sdk.ChangesRequest) (sdk.ChangesReply, error) {
	return call(ctx, h, readTimeout, req, sdk.Adapter.Changes)
}

// Plan implements sdk.Adapter.
func (h handle) Plan(ctx context.Context, req sdk.WriteRequest) (sdk.PlanReply, error) {
	return call(ctx, h, readTimeout, req, sdk.Adapter.Plan)
}

// call holds the serving process for one call, so that a swap waits for it.
func call[Req, Reply any](ctx context.Context, h handle, timeout time.Duration, req Req,
	method func(sdk.Adapter, context.Context, Req) (Reply, error),
) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	p, err := h.slot.acquire(h.tenant)
	if err != nil {
		var none Reply
		return none, err
	}
	defer p.release()
	reply, err := method(p.adapter, ctx, req)
	if err != nil {
		err = explain(err, p)
	}
	return reply, err
}

// explain puts the reason why the process ended into the error of a call that its
// end cut off; the class stays. The connection breaks a moment before the process
// is known to have ended.
func explain(err error, p *process) error {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Status != 0 || e.Code != "" || !p.child.gone(endNoticed) {
		return err
	}
	e.Message = fmt.Sprintf("the adapter %s ended during the call: %s", p.child.name, p.cause())
	return e
}
