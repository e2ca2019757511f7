// Package crmsync is the engine that makes each CRM hold what it should
// (design.md §6). It is level-triggered: a sync_item row says which revision of a
// client or conversation a connection should have and which it has; the
// difference is the work, so fifty edits make one write and a crash loses
// nothing. A connection's work is owned through a fenced lease, every record
// ends in a named outcome, and a reply that was lost is read back by key before
// anything is written again.
//
// In this room: marking what is due (mark.go), the engine and its leases
// (engine.go, lease.go), one connection's run (run.go) with its steps: taking due
// items (take.go), finding people the CRM knows already (adopt.go), writing
// clients (write.go) and activities (activity.go), storing outcomes (outcome.go);
// and what people are told (status.go).
package crmsync
