// Package conformance is the suite that every adapter must pass, in whatever
// language it is written: it speaks to a running adapter as the host does, has the
// adapter's own CRM simulator fail in all the ways that CRMs fail, and looks at
// what the adapter makes of it and at what is in the CRM afterwards.
//
// Whoever runs it brings a [Dial], which starts the adapter: the host passes its
// real launcher (`clientele adapter conformance BINARY`), a Go test may return the
// adapter itself. The result is a [Report] with the [Level] that was reached.
//
// conformance.go runs the checks; report.go says what came of it; trial.go is what
// checks have at hand; crm.go reaches the simulator; each level has its own file.
// Nothing here knows the host or a particular CRM.
package conformance
