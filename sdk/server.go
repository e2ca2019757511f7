package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/clientele-crm/clientele/sdk/adapterpb"
)

// server answers the wire's calls with an Adapter.
type server struct {
	pb.UnimplementedAdapterServer
	adapter Adapter
	log     hclog.Logger
}

func (s server) Describe(ctx context.Context, in *pb.DescribeRequest) (*pb.Description, error) {
	describe := func(ctx context.Context, _ *pb.DescribeRequest) (Description, error) { return s.adapter.Describe(ctx) }
	return answer(ctx, s.log, reads, in, describe, toDescription)
}

func (s server) Check(ctx context.Context, in *pb.CheckRequest) (*pb.CheckReply, error) {
	return answer(ctx, s.log, reads, fromCheckRequest(in), s.adapter.Check, toCheckReply)
}

func (s server) Install(ctx context.Context, in *pb.InstallRequest) (*pb.InstallReply, error) {
	return answer(ctx, s.log, reads, fromInstallRequest(in), s.adapter.Install, toInstallReply)
}

func (s server) DescribeObject(ctx context.Context, in *pb.DescribeObjectRequest) (*pb.DescribeObjectReply, error) {
	return answer(ctx, s.log, reads, fromDescribeObjectRequest(in), s.adapter.DescribeObject, toDescribeObjectReply)
}

func (s server) Find(ctx context.Context, in *pb.FindRequest) (*pb.FindReply, error) {
	return answer(ctx, s.log, reads, fromFindRequest(in), s.adapter.Find, toFindReply)
}

func (s server) Write(ctx context.Context, in *pb.WriteRequest) (*pb.WriteReply, error) {
	return answer(ctx, s.log, writes, fromWriteRequest(in), s.adapter.Write, toWriteReply)
}

func (s server) LogActivities(ctx context.Context, in *pb.LogActivitiesRequest) (*pb.WriteReply, error) {
	return answer(ctx, s.log, writes, fromLogActivitiesRequest(in), s.adapter.LogActivities, toWriteReply)
}

func (s server) Delete(ctx context.Context, in *pb.DeleteRequest) (*pb.WriteReply, error) {
	return answer(ctx, s.log, writes, fromDeleteRequest(in), s.adapter.Delete, toWriteReply)
}

func (s server) Changes(ctx context.Context, in *pb.ChangesRequest) (*pb.ChangesReply, error) {
	return answer(ctx, s.log, reads, fromChangesRequest(in), s.adapter.Changes, toChangesReply)
}

func (s server) Plan(ctx context.Context, in *pb.WriteRequest) (*pb.PlanReply, error) {
	return answer(ctx, s.log, reads, fromWriteRequest(in), s.adapter.Plan, toPlanReply)
}

// answer runs one call. A panic fails that call alone, since one bad record must
// not take the process from all other tenants; only its stack is logged, because
// its value may hold a record's data.
func answer[Req, Reply, Out any](ctx context.Context, log hclog.Logger, e effect, req Req,
	call func(context.Context, Req) (Reply, error), to func(Reply) Out,
) (out Out, err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("adapter panicked", "value_type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			err = toStatus(interrupted(e, "the adapter panicked; its log has the stack"))
		}
	}()
	reply, err := call(ctx, req)
	if err != nil {
		return out, toStatus(classified(err, e))
	}
	return to(reply), nil
}

// classified gives an error that the adapter did not classify the class that is
// true without knowing more.
func classified(err error, e effect) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return interrupted(e, err.Error())
	}
	return &Error{Class: ClassUnknown, Retry: RetryNever, Message: err.Error()}
}

// interrupted is the error of a call that ended half-way.
func interrupted(e effect, message string) *Error {
	if e == writes {
		return &Error{Class: ClassUnknownOutcome, Retry: RetryReadBack, Message: message}
	}
	return &Error{Class: ClassTransient, Retry: RetryLater, Message: message}
}

// toStatus packs an error into a gRPC status: the code is for tools that know
// only gRPC, the detail is what the host reads.
func toStatus(e *Error) error {
	st := status.New(code(e.Class), valid(e.Error()))
	detailed, err := st.WithDetails(toError(e))
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

func code(c Class) codes.Code {
	switch c {
	case ClassThrottled, ClassQuota:
		return codes.ResourceExhausted
	case ClassAuth:
		return codes.Unauthenticated
	case ClassPermission:
		return codes.PermissionDenied
	case ClassValidation, ClassBatchRefused:
		return codes.InvalidArgument
	case ClassDuplicate:
		return codes.AlreadyExists
	case ClassConflict, ClassLock:
		return codes.Aborted
	case ClassNotFound, ClassRemapped:
		return codes.NotFound
	case ClassSchema:
		return codes.FailedPrecondition
	case ClassTransient:
		return codes.Unavailable
	default:
		return codes.Unknown
	}
}
