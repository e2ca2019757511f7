package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/policy"
)

// MaxMerged is the most clients that take part in one merge, survivor included.
const MaxMerged = 20

// UndoFor is how long a merge can be undone; then what is needed for it is
// purged.
const UndoFor = 30 * 24 * time.Hour

// MergeRequest asks for a merge: Others go into Survivor, in this order.
type MergeRequest struct {
	Survivor ID
	Others   []ID
	Choices  Choices
}

// Merged is a merge that was made, or that would be (PreviewMerge).
type Merged struct {
	// ID is what UndoMerge takes.
	ID uuid.UUID
	// Client is the survivor afterwards.
	Client *Client
	// Retired are the merged clients; their ids lead to the survivor for ever.
	Retired     []ID
	Differences []Difference
	// Moved counts what changed hands, by what people call it: "conversations",
	// "notes", "identifiers", "suggestions", "CRM records".
	Moved map[string]int
	// Effects are consequences beyond the fields, in sentences.
	Effects   []string
	UndoUntil time.Time
}

// Merge makes one client of 2 to 20 (R153, R191). The survivor's values win and
// its blanks are filled, unless Choices say otherwise; everything that points to
// the others moves as [References] says; their ids lead to the survivor. Ids that
// were merged before stand for their survivors. Of two merges that meet in one
// client each comes after the other.
//
// Errors: *NotFoundError, *actor.Refusal, *StateError for clients that can't be
// merged, FieldErrors for contradictions that need a choice.
func (s *Service) Merge(ctx context.Context, a actor.Actor, r MergeRequest) (*Merged, error) {
	if err := s.require(ctx, a, actor.MergeClients); err != nil {
		return nil, err
	}
	return s.mergeAs(ctx, a, r, false)
}

// PreviewMerge does what Merge does and takes it back, so that what it answers is
// what would happen. Contradictions are no errors here but differences with Ask.
func (s *Service) PreviewMerge(ctx context.Context, a actor.Actor, r MergeRequest) (*Merged, error) {
	if err := s.require(ctx, a, actor.MergeClients); err != nil {
		return nil, err
	}
	return s.mergeAs(ctx, a, r, true)
}

// errPreview rolls a previewed merge back.
var errPreview = errors.New("preview")

func (s *Service) mergeAs(ctx context.Context, a actor.Actor, r MergeRequest, preview bool) (*Merged, error) {
	if len(r.Others) == 0 || len(r.Others) >= MaxMerged {
		return nil, &StateError{Rule: fmt.Sprintf("a merge takes 2 to %d clients", MaxMerged), WayOut: "select as many, or merge in several steps"}
	}
	var merged *Merged
	err := s.change(ctx, a, "merge", func(ctx context.Context, u *Unit) error {
		survivor, others, err := u.lockForMerge(ctx, r)
		if err != nil {
			return err
		}
		if merged, err = u.merge(ctx, survivor, others, r.Choices, mergeBy{cause: "merged by hand", asks: !preview}); err != nil {
			return err
		}
		if !preview {
			return nil
		}
		if err := u.Flush(ctx); err != nil {
			return err
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	return merged, err
}

// lockForMerge locks the clients in the order of their ids, so that merges that
// share clients wait for each other, and only then looks which of them are left:
// one that was merged while this waited is its survivor.
func (u *Unit) lockForMerge(ctx context.Context, r MergeRequest) (*Client, []*Client, error) {
	ids, err := u.survivors(ctx, append([]ID{r.Survivor}, r.Others...))
	if err != nil {
		return nil, nil, err
	}
	inOrder := slices.Clone(ids)
	slices.SortFunc(inOrder, func(a, b ID) int { return strings.Compare(a.String(), b.String()) })
	byID := map[ID]*Client{}
	for _, id := range slices.Compact(inOrder) {
		if byID[id], err = u.Client(ctx, id); err != nil {
			return nil, nil, err
		}
	}
	survivor := byID[ids[0]]
	var others []*Client
	for i, id := range ids {
		c := byID[id]
		if i == 0 {
			continue
		}
		if c.ID == survivor.ID || slices.Contains(others, c) {
			return nil, nil, &StateError{Rule: "two of these are one client already", WayOut: "read the list again"}
		}
		others = append(others, c)
	}
	for _, c := range append([]*Client{survivor}, others...) {
		if c.Deleted() {
			return nil, nil, &StateError{Rule: "client " + c.ID.String() + " is deleted", WayOut: "restore it first"}
		}
	}
	return survivor, others, nil
}

// survivors resolves ids in their order.
func (u *Unit) survivors(ctx context.Context, ids []ID) ([]ID, error) {
	var found []ID
	for _, id := range ids {
		c, err := Load(ctx, u.tx, id)
		if err != nil {
			return nil, err
		}
		found = append(found, c.ID)
	}
	return found, nil
}

type mergeBy struct {
	cause string
	// asks: a contradiction nobody decided is refused. Otherwise the survivor's
	// value wins; the other stays with the retired record and in the timeline.
	asks bool
}

// merge is the one way in which clients become one. All of them are locked.
func (u *Unit) merge(ctx context.Context, survivor *Client, others []*Client, choices Choices, by mergeBy) (*Merged, error) {
	all := []ID{survivor.ID}
	for _, o := range others {
		all = append(all, o.ID)
	}
	if wrong := choices.check(all); len(wrong) > 0 {
		return nil, wrong
	}
	cleared, err := u.clearedFields(ctx, survivor.ID)
	if err != nil {
		return nil, err
	}
	plan := combine(survivor, others, cleared, choices)
	if refused := plan.refusals(); len(refused) > 0 && by.asks {
		return nil, refused
	}
	m := merging{unit: u, id: uuid.Must(uuid.NewV7()), survivor: survivor, moved: map[string]int{}}
	if err := m.begin(ctx, others, by.cause); err != nil {
		return nil, err
	}
	for i, o := range others {
		if err := m.retire(ctx, i, o); err != nil {
			return nil, err
		}
	}
	if err := m.apply(ctx, plan, choices); err != nil {
		return nil, err
	}
	m.log(others, by.cause)
	return &Merged{
		ID: m.id, Client: survivor, Retired: all[1:], Differences: plan.differences, Moved: m.moved,
		Effects: plan.effects, UndoUntil: u.now.Add(UndoFor),
	}, nil
}

// merging is one merge at work.
type merging struct {
	unit     *Unit
	id       uuid.UUID
	survivor *Client
	moved    map[string]int
	changes  survivorChanges
}

func (m *merging) begin(ctx context.Context, others []*Client, cause string) error {
	u := m.unit
	_, err := u.tx.Exec(ctx, `INSERT INTO merge_event (id, tenant_id, survivor_id, actor_kind, actor_id, actor_name, cause, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, m.id, u.actor.Tenant, m.survivor.ID, u.actor.Kind, u.actor.ID, u.actor.Name, cause, u.now)
	if err != nil {
		return fmt.Errorf("note the merge: %w", err)
	}
	m.changes.Primaries = m.survivor.primaries()
	for _, o := range others {
		// What this unit changed in a client that goes is kept with it.
		if i := slices.Index(u.touched, o.ID); i >= 0 {
			u.touched = slices.Delete(u.touched, i, i+1)
			if err := save(ctx, u.tx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// retire moves one client's rows and makes its id lead to the survivor.
func (m *merging) retire(ctx context.Context, position int, o *Client) error {
	u := m.unit
	if err := m.moveRows(ctx, o); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO merge_client (tenant_id, merge_id, client_id, position, deleted_at, deleted_reason) VALUES ($1, $2, $3, $4, $5, $6)`,
		u.actor.Tenant, m.id, o.ID, position, o.DeletedAt, o.DeletedReason)
	batch.Queue(`UPDATE client SET merged_into = $2, deleted_reason = 'merged', deleted_at = $3, revision = revision + 1 WHERE id = $1`,
		o.ID, m.survivor.ID, u.now)
	if err := u.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("retire client %s: %w", o.ID, err)
	}
	u.clients[o.ID] = m.survivor
	return nil
}

// apply gives the survivor the combined values, and notes what they were.
func (m *merging) apply(ctx context.Context, plan combination, choices Choices) error {
	u, c := m.unit, m.survivor
	before := *c
	for _, f := range Fields() {
		if f.Get(&plan.client) == f.Get(c) {
			continue
		}
		change := fieldChange{Field: f.Name, Before: f.Get(c), After: f.Get(&plan.client)}
		from, one := plan.from[f.Name]
		if !one {
			from = c.ID // combined: the survivor's own provenance stays
		}
		var err error
		if change.BeforeValue, change.AfterValue, err = u.takeProvenance(ctx, c.ID, from, f.Name); err != nil {
			return err
		}
		m.changes.Fields = append(m.changes.Fields, change)
		u.Log(c, event.FieldChanged, event.Change(f.Name, change.Before, change.After, "merge"))
	}
	*c = plan.client
	c.PolicySet = mergedPolicySet(&before, c, policy.Set{By: u.actor.Name, At: u.now, Reason: "merge"})
	u.policyChanged(c)
	m.changes.frames(&before, c)
	if err := complete(ctx, u.tx, []*Client{c}); err != nil {
		return err
	}
	for _, kind := range []IdentifierKind{Email, Phone} {
		if id, ok := choices[string(kind)]; ok && id != c.ID {
			if err := m.preferPrimary(ctx, kind, id); err != nil {
				return err
			}
		}
	}
	u.touch(c)
	changes, err := json.Marshal(m.changes)
	if err != nil {
		return fmt.Errorf("note the merge's changes: %w", err)
	}
	if _, err := u.tx.Exec(ctx, `UPDATE merge_event SET changes = $2 WHERE id = $1`, m.id, changes); err != nil {
		return fmt.Errorf("note the merge's changes: %w", err)
	}
	return nil
}

// preferPrimary makes the identifier primary that was a merged client's primary.
func (m *merging) preferPrimary(ctx context.Context, kind IdentifierKind, of ID) error {
	var was uuid.UUID
	err := m.unit.tx.QueryRow(ctx, `SELECT (before->>'id')::uuid FROM merge_row r JOIN client_identifier i ON i.id = (r.before->>'id')::uuid
 WHERE r.merge_id = $1 AND r.reference = 'client_identifier.client_id' AND r.moved AND i.kind = $2
   AND (r.before->>'client_id')::uuid = $3 AND (r.before->>'is_primary')::boolean`, m.id, kind, of).Scan(&was)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it has none, or the survivor has the same
	}
	if err != nil {
		return fmt.Errorf("find the chosen %s: %w", kind, err)
	}
	return m.unit.makePrimary(ctx, m.survivor, was)
}

func (m *merging) log(others []*Client, cause string) {
	var from []ID
	for _, o := range others {
		from = append(from, o.ID)
	}
	m.unit.Log(m.survivor, event.Merged, map[string]any{"merge": m.id, "from": from, "cause": cause})
	for _, o := range others {
		m.unit.Log(o, event.Merged, map[string]any{"merge": m.id, "into": m.survivor.ID, "cause": cause})
	}
}
