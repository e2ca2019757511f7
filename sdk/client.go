package sdk

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// MaxMessageBytes bounds a request and a reply. A Write or LogActivities above
// it is refused as [ClassBatchRefused] before anything is sent.
const MaxMessageBytes = 16 << 20

// NewClient is the adapter at the other end of conn. Every error it returns is
// an *[Error]. When the connection breaks, the deadline passes or the process
// dies, a call that writes ends as [ClassUnknownOutcome] and any other as
// [ClassTransient]. It is safe for concurrent use.
func NewClient(conn grpc.ClientConnInterface) Adapter {
	return client{pb: pb.NewAdapterClient(conn)}
}

type client struct{ pb pb.AdapterClient }

var _ Adapter = client{}

// effect says whether a call may have changed the CRM when its reply is lost.
type effect bool

const (
	reads  effect = false
	writes effect = true
)

func (c client) Describe(ctx context.Context) (Description, error) {
	return ask(ctx, reads, &pb.DescribeRequest{}, c.pb.Describe, fromDescription)
}

func (c client) Check(ctx context.Context, req CheckRequest) (CheckReply, error) {
	return ask(ctx, reads, toCheckRequest(req), c.pb.Check, fromCheckReply)
}

func (c client) Install(ctx context.Context, req InstallRequest) (InstallReply, error) {
	// Install is idempotent: a lost reply is repaired by calling again.
	return ask(ctx, reads, toInstallRequest(req), c.pb.Install, fromInstallReply)
}

func (c client) DescribeObject(ctx context.Context, req DescribeObjectRequest) (DescribeObjectReply, error) {
	return ask(ctx, reads, toDescribeObjectRequest(req), c.pb.DescribeObject, fromDescribeObjectReply)
}

func (c client) Find(ctx context.Context, req FindRequest) (FindReply, error) {
	return ask(ctx, reads, toFindRequest(req), c.pb.Find, fromFindReply)
}

func (c client) Write(ctx context.Context, req WriteRequest) (WriteReply, error) {
	return ask(ctx, writes, toWriteRequest(req), c.pb.Write, fromWriteReply)
}

func (c client) LogActivities(ctx context.Context, req LogActivitiesRequest) (WriteReply, error) {
	return ask(ctx, writes, toLogActivitiesRequest(req), c.pb.LogActivities, fromWriteReply)
}

func (c client) Delete(ctx context.Context, req DeleteRequest) (WriteReply, error) {
	return ask(ctx, writes, toDeleteRequest(req), c.pb.Delete, fromWriteReply)
}

func (c client) Changes(ctx context.Context, req ChangesRequest) (ChangesReply, error) {
	return ask(ctx, reads, toChangesRequest(req), c.pb.Changes, fromChangesReply)
}

func (c client) Plan(ctx context.Context, req WriteRequest) (PlanReply, error) {
	return ask(ctx, reads, toWriteRequest(req), c.pb.Plan, fromPlanReply)
}

// ask sends one request and reads the reply.
func ask[In proto.Message, Out, Reply any](ctx context.Context, e effect, in In,
	call func(context.Context, In, ...grpc.CallOption) (Out, error), from func(Out) Reply,
) (Reply, error) {
	var none Reply
	if size := proto.Size(in); size > MaxMessageBytes {
		return none, &Error{
			Class: ClassBatchRefused, Retry: RetryLater,
			Message: fmt.Sprintf("the request has %d bytes; an adapter call carries at most %d", size, MaxMessageBytes),
		}
	}
	out, err := call(ctx, in, grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes))
	if err != nil {
		return none, callError(err, e)
	}
	return from(out), nil
}

// callError reads the adapter's own error from a status. Without one the call
// was broken off, and what a write did is not known.
func callError(err error, e effect) *Error {
	st := status.Convert(err)
	for _, detail := range st.Details() {
		if word, ok := detail.(*pb.Error); ok {
			return fromError(word)
		}
	}
	broken := &Error{Class: ClassTransient, Retry: RetryLater}
	switch {
	case st.Code() == codes.Unimplemented:
		broken.Class, broken.Retry = ClassUnknown, RetryNever
	case e == writes:
		broken.Class, broken.Retry = ClassUnknownOutcome, RetryReadBack
	}
	broken.Message = fmt.Sprintf("the call to the adapter broke off (%s): %s", st.Code(), st.Message())
	return broken
}
