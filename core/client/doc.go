// Package client keeps client records: fields, identifiers, notes and where each
// value comes from. It knows people, not messages: what a message says about a
// person is decided in extract and match and applied here through a [Unit], the
// unit of work that bumps revisions, writes events and tells [Changes], all in
// the caller's transaction.
//
// In this room, from the inside out:
//
//   - the record (client.go), the field catalogue (field.go), the errors
//     (errors.go) and the SQL (store.go);
//   - the unit of work: unit.go, create.go, fill.go, identifier.go;
//   - merging: what points to clients (reference.go), how values combine
//     (combine.go, metadata.go; pure), the merge (merge.go, merge_rows.go), what it
//     writes down (merge_changes.go), the undo (merge_undo.go, merge_purge.go);
//   - duplicates: duplicate.go and its neighbours;
//   - the services for people and programs: service.go, list.go, edit.go,
//     identify.go, note.go, delete.go, review.go, suggestion.go.
package client
