package client

// Reference says how the rows of one table that point to a client behave when
// that client is merged, when the merge is undone, when the client is erased and
// when its data is exported. A table with a foreign key to client must be in
// [References]; a test compares the list with the database's catalog, so that no
// row can be left pointing to a record that is gone.
type Reference struct {
	// Table and Column name the foreign key's column.
	Table, Column string
	// Written is the column to write where Column is computed from it.
	Written string
	// Key identifies a row, besides tenant_id.
	Key []string
	// Noun is what people call the rows ("notes"), or "" for rows they never see.
	Noun string
	// Merge is what happens to the rows of a client that is merged into another.
	Merge Merging
	// Erase is what happens to them when the client is erased.
	Erase Erasing
	// Exported rows belong in a person's data package.
	Exported bool

	// Stays is a condition in SQL on row r, with $1 the merged client and $2 the
	// survivor: rows that can't move, as a rule because the survivor has the same.
	Stays string
	// OnMove, OnStay and OnReturn are assignments made with the merge and with the
	// undo. An undo puts the columns of MoveImage and StayImage back as they were.
	OnMove, OnStay, OnReturn []string
	MoveImage, StayImage     []string
}

// Merging is what a merge does with rows.
type Merging string

// A merge moves rows to the survivor, or leaves them with the retired client,
// where they are read through merged_into.
const (
	Moves Merging = "moves"
	Stays Merging = "stays"
)

// Erasing is what an erasure does with rows.
type Erasing string

// The ways to erase: the row goes, its content goes, or only its pointer does.
const (
	Deletes Erasing = "deletes"
	Redacts Erasing = "redacts"
	Unlinks Erasing = "unlinks"
)

// name identifies the reference in the lists of moved rows.
func (r Reference) name() string { return r.Table + "." + r.Column }

func (r Reference) written() string {
	if r.Written != "" {
		return r.Written
	}
	return r.Column
}

// References is the one list of tables that point to clients.
func References() []Reference {
	return []Reference{
		{
			// Old ids lead to the survivor in one step, however long the chain was.
			Table: "client", Column: "merged_into", Key: []string{"id"}, Merge: Moves, Erase: Deletes,
		},
		{
			Table: "client_identifier", Column: "client_id", Key: []string{"id"}, Noun: "identifiers",
			Merge: Moves, Erase: Deletes, Exported: true,
			// The survivor's own primary stays. What another live client holds can
			// come up only for a deleted client that is merged while it is restored.
			Stays: `EXISTS (SELECT 1 FROM client_identifier o WHERE o.client_id = $2 AND o.kind = r.kind AND o.normal = r.normal
                 AND o.extension = r.extension AND (r.normal <> '' OR o.value = r.value))
             OR NOT r.shared AND EXISTS (SELECT 1 FROM client_identifier o WHERE o.client_id <> $1 AND o.active AND NOT o.shared
                 AND o.kind = r.kind AND o.normal = r.normal AND o.extension = r.extension AND r.normal <> '')`,
			OnMove: []string{`active = true`, `is_primary = r.is_primary AND NOT EXISTS (SELECT 1 FROM client_identifier o
                 WHERE o.client_id = $2 AND o.kind = r.kind AND o.is_primary)`},
			OnStay:    []string{`active = false`},
			MoveImage: []string{"is_primary", "active"}, StayImage: []string{"active"},
		},
		{
			// Where the retired record's values came from; a value that the survivor
			// takes over brings its own copy.
			Table: "client_value", Column: "client_id", Key: []string{"client_id", "field"}, Merge: Stays, Erase: Deletes, Exported: true,
		},
		{Table: "client_note", Column: "client_id", Key: []string{"id"}, Noun: "notes", Merge: Moves, Erase: Deletes, Exported: true},
		{
			Table: "client_opt_out", Column: "client_id", Key: []string{"id"}, Noun: "opt-outs", Merge: Moves, Erase: Deletes, Exported: true,
			Stays: `EXISTS (SELECT 1 FROM client_opt_out o WHERE o.client_id = $2 AND o.channel = r.channel AND o.address = r.address)`,
		},
		{Table: "suppressed_identifier", Column: "client_id", Key: []string{"kind", "normal"}, Merge: Moves, Erase: Unlinks},
		{
			Table: "conversation", Column: "client_id", Key: []string{"id"}, Noun: "conversations",
			Merge: Moves, Erase: Redacts, Exported: true,
			OnMove: []string{`revision = r.revision + 1`}, OnReturn: []string{`revision = r.revision + 1`},
		},
		{
			Table: "suggestion", Column: "client_id", Key: []string{"id"}, Noun: "suggestions", Merge: Moves, Erase: Deletes, Exported: true,
			Stays: `r.other_client_id = $2 OR EXISTS (SELECT 1 FROM suggestion o WHERE o.client_id = $2 AND ` + sameSuggestion + `
                 AND o.other_client_id IS NOT DISTINCT FROM r.other_client_id)`,
			OnStay: settledByMerge, StayImage: []string{"state", "decided_by"},
		},
		{
			Table: "suggestion", Column: "other_client_id", Key: []string{"id"}, Merge: Moves, Erase: Deletes, Exported: true,
			Stays: `r.client_id = $2 OR EXISTS (SELECT 1 FROM suggestion o WHERE o.other_client_id = $2 AND ` + sameSuggestion + `
                 AND o.client_id IS NOT DISTINCT FROM r.client_id)`,
			OnStay: settledByMerge, StayImage: []string{"state", "decided_by"},
		},
		{
			// Append-only: read together with the survivor's.
			Table: "event", Column: "client_id", Key: []string{"id"}, Merge: Stays, Erase: Redacts, Exported: true,
		},
		{
			// The survivor has an item of its own; the CRM record that the retired
			// client leaves behind is in crm_link.
			Table: "sync_item", Column: "client_id", Written: "source_id", Key: []string{"connection_id", "kind", "source_id"},
			Merge: Stays, Erase: Deletes, Stays: `true`,
			OnStay:    []string{`state = 'excluded'`, `due_at = NULL`, `reason = 'merged into client ' || ($2::uuid)::text`},
			StayImage: []string{"state", "due_at", "reason"},
		},
		{
			Table: "crm_link", Column: "client_id", Written: "source_id", Key: []string{"connection_id", "object", "crm_id"},
			Noun: "CRM records", Merge: Moves, Erase: Deletes, Exported: true,
			OnMove: []string{`is_primary = r.is_primary AND NOT EXISTS (SELECT 1 FROM crm_link o
                 WHERE o.client_id = $2 AND o.connection_id = r.connection_id AND o.is_primary)`},
			MoveImage: []string{"is_primary"},
		},
		{
			// What waits moves, and is decided again under the survivor's policy (R153).
			Table: "outbound_message", Column: "client_id", Key: []string{"id"}, Noun: "outbound messages",
			Merge: Moves, Erase: Redacts, Exported: true,
		},
		// What finds duplicates is made anew by what happens to the clients; a decision
		// to keep two separate waits with the retired one for an undo.
		{Table: "client_block", Column: "client_id", Key: []string{"client_id", "key"}, Merge: Stays, Erase: Deletes},
		{Table: "duplicate_due", Column: "client_id", Key: []string{"client_id"}, Merge: Stays, Erase: Deletes},
		{Table: "duplicate_pair", Column: "client_id", Key: []string{"client_id", "other_client_id"}, Merge: Stays, Erase: Deletes},
		{Table: "duplicate_pair", Column: "other_client_id", Key: []string{"client_id", "other_client_id"}, Merge: Stays, Erase: Deletes},
		{Table: "merge_event", Column: "survivor_id", Key: []string{"id"}, Merge: Stays, Erase: Deletes},
		{Table: "merge_client", Column: "client_id", Key: []string{"merge_id", "client_id"}, Merge: Stays, Erase: Deletes},
	}
}

// sameSuggestion compares suggestions r and o as the unique index suggestion_once
// does, but for the clients.
const sameSuggestion = `o.kind = r.kind AND o.field = r.field AND o.value = r.value
                 AND (r.kind <> 'link' OR o.conversation_id IS NOT DISTINCT FROM r.conversation_id)`

var settledByMerge = []string{`state = CASE WHEN r.state = 'open' THEN 'accepted' ELSE r.state END`, `decided_by = 'merge'`}
