// Package crmsync is the engine that makes each CRM hold what it should
// (design.md §6). It is level-triggered: a sync_item row says which revision of a
// client or conversation a connection should have and which it has; the
// difference is the work, so fifty edits make one write and a crash loses
// nothing. A connection's work is owned through a fenced lease, every record
// ends in a named outcome, and a reply that was lost is read back by key before
// anything is written again.
//
// In this room: marking what is due (mark.go, remark.go, backfill.go), the engine
// and its leases (engine.go, lease.go), the crew that works on one connection with
// several calls in flight (crew.go, pace.go), and what one batch goes through:
// taken from its queue (take.go), prepared (run.go, field.go), people found whom
// the CRM knows already (adopt.go), clients (write.go) and activities (activity.go)
// written, outcomes decided (decide.go, pure), gathered (outcome.go) and stored
// (ledger.go). What people are told and may ask: status.go, explain.go, log.go,
// retry.go.
package crmsync
