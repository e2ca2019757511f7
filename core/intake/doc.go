// Package intake is the one way in: a message is accepted (its raw form is
// committed before anything is made of it), then one transaction reads it, finds
// its conversation, extracts, matches, creates or fills the client, links, and
// marks what the CRMs should hold. Either all of that happened or none; a failed
// message is kept, listed and can be replayed (design.md §2, §11).
//
// In this room: the message that pushers send (message.go), accepting
// (accept.go), reading it into one normal shape (read.go), the transaction
// (process.go, apply.go), what retries (sweep.go), and the second opinion that an
// AI endpoint may give after the commit (assist.go). How text becomes findings
// and how a client is chosen stand in extract and match.
package intake
