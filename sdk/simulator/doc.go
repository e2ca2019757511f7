// Package simulator is the base of the CRM simulators: everything that is the
// same whichever CRM is pretended. [Store] and [Table] keep the state through a
// kill, [Faults] injects failures, [Counters] counts what callers did, [Clock]
// can be set, and [Base] joins them and answers their admin paths.
//
// A simulator embeds *Base, serves its CRM's API wrapped in Base.Serve, and is
// started by crm-simulator. Its admin paths live under /_sim/{crm}/ on another
// listener than the CRM's own, so that a CRM port serves only the CRM. Nothing
// about a particular CRM may be in this package.
//
// Admin paths of every simulator (JSON in and out):
//
//	GET    counters    what was called and what is held
//	DELETE counters    start counting again
//	GET    faults      the rules in force
//	POST   faults      add one rule, see [Fault]
//	DELETE faults      remove all rules
//	GET    clock       the simulator's time
//	POST   clock       {"now": RFC 3339} or {"advance": "90s"}
//	GET    settings    the switches of this CRM
//	PATCH  settings    change some of them
//	GET    subject     what the conformance suite needs to know, see [Subject]
//	POST   subject/merge {"object", "into", "from"}: somebody merges two records
package simulator
