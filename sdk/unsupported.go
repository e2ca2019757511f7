package sdk

import "context"

// Unsupported answers every call but Describe with an error that says so. Embed
// it for the calls that Description.Capabilities does not name; the host does
// not make them.
type Unsupported struct{}

func unsupported(call string) error {
	return &Error{Class: ClassUnknown, Retry: RetryNever, Message: "the adapter does not support " + call}
}

// Check is not supported.
func (Unsupported) Check(context.Context, CheckRequest) (CheckReply, error) {
	return CheckReply{}, unsupported("Check")
}

// Install is not supported.
func (Unsupported) Install(context.Context, InstallRequest) (InstallReply, error) {
	return InstallReply{}, unsupported("Install")
}

// DescribeObject is not supported.
func (Unsupported) DescribeObject(context.Context, DescribeObjectRequest) (DescribeObjectReply, error) {
	return DescribeObjectReply{}, unsupported("DescribeObject")
}

// Find is not supported.
func (Unsupported) Find(context.Context, FindRequest) (FindReply, error) {
	return FindReply{}, unsupported("Find")
}

// Write is not supported.
func (Unsupported) Write(context.Context, WriteRequest) (WriteReply, error) {
	return WriteReply{}, unsupported("Write")
}

// LogActivities is not supported.
func (Unsupported) LogActivities(context.Context, LogActivitiesRequest) (WriteReply, error) {
	return WriteReply{}, unsupported("LogActivities")
}

// Delete is not supported.
func (Unsupported) Delete(context.Context, DeleteRequest) (WriteReply, error) {
	return WriteReply{}, unsupported("Delete")
}

// Changes is not supported.
func (Unsupported) Changes(context.Context, ChangesRequest) (ChangesReply, error) {
	return ChangesReply{}, unsupported("Changes")
}

// Plan is not supported.
func (Unsupported) Plan(context.Context, WriteRequest) (PlanReply, error) {
	return PlanReply{}, unsupported("Plan")
}
