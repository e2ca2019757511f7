// Package client keeps client records: fields, identifiers, notes and where each
// value comes from. It knows people, not messages: what a message says about a
// person is decided in extract and match and applied here through a [Unit], the
// unit of work that bumps revisions, writes events and tells [Changes], all in
// the caller's transaction.
//
// In this room: the record (client.go), the field catalogue (field.go), the unit
// of work (unit.go, create.go, fill.go, identifier.go), the services for people
// (service.go, list.go) and the SQL (store.go).
package client
