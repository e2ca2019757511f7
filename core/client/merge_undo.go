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
)

// Undone is what an undo brought back.
type Undone struct {
	Survivor *Client
	Restored []*Client
}

// UndoMerge splits what Merge joined, exactly: rows go back by the list the merge
// left, values that are still the merge's go back to what they were, and what
// came after the merge stays with the survivor, unless it is a conversation with
// an address or number that belongs to a restored client. It is possible for 30
// days, the latest merge of a client first; a member undoes his own merges only.
//
// Errors: *MergeNotFoundError, *StateError, *actor.Refusal.
func (s *Service) UndoMerge(ctx context.Context, a actor.Actor, merge uuid.UUID) (*Undone, error) {
	if err := s.require(ctx, a, actor.MergeClients); err != nil {
		return nil, err
	}
	var undone *Undone
	err := s.change(ctx, a, "unmerge", func(ctx context.Context, u *Unit) (err error) {
		undone, err = u.unmerge(ctx, merge)
		return err
	})
	if refusal, ok := errors.AsType[*actor.Refusal](err); ok {
		return nil, s.refused(ctx, refusal)
	}
	return undone, err
}

// unmerging is one undo at work.
type unmerging struct {
	unit     *Unit
	id       uuid.UUID
	at       time.Time
	changes  survivorChanges
	survivor *Client
	restored []*Client
}

func (u *Unit) unmerge(ctx context.Context, merge uuid.UUID) (*Undone, error) {
	m := unmerging{unit: u, id: merge}
	if err := m.open(ctx); err != nil {
		return nil, err
	}
	if err := m.reinstate(ctx); err != nil {
		return nil, err
	}
	if err := m.returnRows(ctx); err != nil {
		return nil, err
	}
	if err := m.followIdentifiers(ctx); err != nil {
		return nil, err
	}
	if err := m.takeBack(ctx); err != nil {
		return nil, err
	}
	for _, c := range append([]*Client{m.survivor}, m.restored...) {
		if err := m.settle(ctx, c); err != nil {
			return nil, err
		}
		u.touch(c)
		u.policyChanged(c)
	}
	if _, err := u.tx.Exec(ctx, `UPDATE merge_event SET undone_at = $2, undone_by = $3 WHERE id = $1`, merge, u.now, u.actor.Name); err != nil {
		return nil, fmt.Errorf("note the undo: %w", err)
	}
	m.log()
	return &Undone{Survivor: m.survivor, Restored: m.restored}, nil
}

// open reads the merge, refuses what can't be undone and locks all its clients in
// the order of their ids.
func (m *unmerging) open(ctx context.Context) error {
	u := m.unit
	var survivor ID
	var by string
	var changes []byte
	var undone, purged *time.Time
	err := u.tx.QueryRow(ctx, `SELECT survivor_id, actor_id, changes, at, undone_at, purged_at FROM merge_event WHERE id = $1 FOR UPDATE`, m.id).
		Scan(&survivor, &by, &changes, &m.at, &undone, &purged)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return &MergeNotFoundError{ID: m.id}
	case err != nil:
		return fmt.Errorf("read merge %s: %w", m.id, err)
	case undone != nil:
		return &StateError{Rule: "this merge was undone already", WayOut: "read the clients again"}
	case purged != nil || u.now.After(m.at.Add(UndoFor)):
		return &StateError{Rule: "this merge is older than 30 days", WayOut: "create the other client again by hand"}
	case u.actor.Kind == actor.Person && u.actor.Role != actor.Admin && by != u.actor.ID:
		return &actor.Refusal{Actor: u.actor, Action: actor.MergeClients}
	}
	if err := json.Unmarshal(changes, &m.changes); err != nil {
		return fmt.Errorf("read merge %s: %w", m.id, err)
	}
	if err := m.lockAll(ctx, survivor); err != nil {
		return err
	}
	var later bool
	err = u.tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM merge_event l WHERE l.undone_at IS NULL AND l.number > (SELECT number FROM merge_event WHERE id = $1)
   AND (l.survivor_id = $2 OR EXISTS (SELECT 1 FROM merge_client c WHERE c.merge_id = l.id AND c.client_id = $2)))`, m.id, survivor).Scan(&later)
	switch {
	case err != nil:
		return fmt.Errorf("look for later merges: %w", err)
	case later:
		return &StateError{Rule: "the client was part of a later merge", WayOut: "undo that one first"}
	case m.survivor.Deleted():
		return &StateError{Rule: "the client is deleted", WayOut: "restore it first"}
	}
	return nil
}

func (m *unmerging) lockAll(ctx context.Context, survivor ID) error {
	u := m.unit
	rows, err := u.tx.Query(ctx, `SELECT client_id FROM merge_client WHERE merge_id = $1 ORDER BY position`, m.id)
	if err != nil {
		return fmt.Errorf("read merge %s: %w", m.id, err)
	}
	retired, err := pgx.CollectRows(rows, pgx.RowTo[ID])
	if err != nil {
		return fmt.Errorf("read merge %s: %w", m.id, err)
	}
	inOrder := append([]ID{survivor}, retired...)
	slices.SortFunc(inOrder, func(a, b ID) int { return strings.Compare(a.String(), b.String()) })
	byID := map[ID]*Client{}
	for _, id := range inOrder {
		if byID[id], err = lockItself(ctx, u.tx, id); err != nil {
			return err
		}
	}
	m.survivor = byID[survivor]
	for _, id := range retired {
		m.restored = append(m.restored, byID[id])
	}
	for id, c := range byID {
		u.clients[id] = c
	}
	return nil
}

// reinstate gives the retired clients their own life back: live, or deleted
// where one was merged while it was restored.
func (m *unmerging) reinstate(ctx context.Context) error {
	for _, c := range m.restored {
		err := m.unit.tx.QueryRow(ctx, `UPDATE client c SET merged_into = NULL, deleted_at = m.deleted_at, deleted_reason = m.deleted_reason
  FROM merge_client m WHERE m.merge_id = $1 AND m.client_id = c.id AND c.id = $2 RETURNING c.deleted_at, c.deleted_reason`, m.id, c.ID).
			Scan(&c.DeletedAt, &c.DeletedReason)
		if err != nil {
			return fmt.Errorf("bring client %s back: %w", c.ID, err)
		}
		c.MergedInto = uuid.NullUUID{}
	}
	return nil
}

func (m *unmerging) returnRows(ctx context.Context) error {
	batch := &pgx.Batch{}
	for _, r := range References() {
		if r.Merge == Moves {
			batch.Queue(r.returnSQL(true), m.id, r.name(), m.survivor.ID)
		}
		if len(r.StayImage) > 0 {
			batch.Queue(r.returnSQL(false), m.id, r.name(), m.survivor.ID)
		}
	}
	if err := m.unit.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("give back what the merge moved: %w", err)
	}
	return m.unit.conversationsMoved(ctx, m.id)
}

// followIdentifiers brings conversations of after the merge to the client whose
// address, number or session they came from. A person's link stays.
func (m *unmerging) followIdentifiers(ctx context.Context) error {
	for _, c := range m.restored {
		rows, err := m.unit.tx.Query(ctx, `UPDATE conversation v SET client_id = $2, revision = revision + 1
 WHERE v.client_id = $1 AND v.created_at >= $3 AND v.link_method = 'channel' AND NOT v.link_locked AND EXISTS (
   SELECT 1 FROM client_identifier i WHERE i.client_id = $2 AND i.active AND NOT i.shared AND i.normal <> '' AND (
     i.kind IN ('email', 'phone') AND EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = v.id AND m.party = i.normal)
     OR i.kind = 'chat' AND EXISTS (SELECT 1 FROM conversation_key k WHERE k.conversation_id = v.id AND k.key = 'session:' || i.normal)))
RETURNING v.id`, m.survivor.ID, c.ID, m.at)
		if err != nil {
			return fmt.Errorf("find conversations of client %s: %w", c.ID, err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[ConversationID])
		if err != nil {
			return fmt.Errorf("find conversations of client %s: %w", c.ID, err)
		}
		m.unit.addMoved(ids)
	}
	return nil
}

// takeBack puts the survivor's own values back that are still the merge's.
func (m *unmerging) takeBack(ctx context.Context) error {
	u, c := m.unit, m.survivor
	for _, change := range m.changes.Fields {
		f, known := FieldNamed(change.Field)
		if !known || f.Get(c) != change.After {
			continue
		}
		now, err := readValue(ctx, u.tx, c.ID, change.Field)
		if err != nil {
			return err
		}
		if !now.equal(change.AfterValue) {
			continue // set again since, to the same
		}
		f.set(c, change.Before)
		if err := u.writeValue(ctx, c.ID, change.Field, change.BeforeValue); err != nil {
			return err
		}
		u.Log(c, event.FieldChanged, event.Change(f.Name, change.After, change.Before, "unmerge"))
	}
	since, err := m.kindsSince(ctx)
	if err != nil {
		return err
	}
	m.changes.takeBack(c, since)
	return nil
}

func (m *unmerging) kindsSince(ctx context.Context) (map[event.Kind]bool, error) {
	rows, err := m.unit.tx.Query(ctx, `SELECT DISTINCT kind FROM event WHERE client_id = $1 AND at >= $2 AND kind = ANY($3)`,
		m.survivor.ID, m.at, []event.Kind{event.Sensitivity, event.Preference, event.Reviewed})
	if err != nil {
		return nil, fmt.Errorf("read what happened since the merge: %w", err)
	}
	kinds, err := pgx.CollectRows(rows, pgx.RowTo[event.Kind])
	since := map[event.Kind]bool{}
	for _, k := range kinds {
		since[k] = true
	}
	return since, err
}

// settle makes one client whole again: a primary of each kind, identifiers that
// several hold marked as shared, the last contact from its conversations.
func (m *unmerging) settle(ctx context.Context, c *Client) error {
	u := m.unit
	if _, err := u.tx.Exec(ctx, `UPDATE client_identifier i SET shared = true FROM client_identifier o
 WHERE i.normal <> '' AND i.active AND o.active AND NOT (i.shared AND o.shared) AND o.client_id <> i.client_id
   AND o.kind = i.kind AND o.normal = i.normal AND o.extension = i.extension AND (i.client_id = $1 OR o.client_id = $1)`, c.ID); err != nil {
		return fmt.Errorf("mark shared identifiers: %w", err)
	}
	if err := complete(ctx, u.tx, []*Client{c}); err != nil {
		return err
	}
	for i := range c.Identifiers {
		id := &c.Identifiers[i]
		if c.currentPrimary(id.Kind) != nil {
			continue
		}
		if former := m.formerPrimary(c, id.Kind); former != nil {
			id = former
		}
		if err := u.promote(ctx, id); err != nil {
			return err
		}
	}
	return u.RecallContact(ctx, c.ID)
}

func (m *unmerging) formerPrimary(c *Client, kind IdentifierKind) *Identifier {
	for i := range c.Identifiers {
		if c.Identifiers[i].Kind == kind && slices.Contains(m.changes.Primaries, c.Identifiers[i].ID) {
			return &c.Identifiers[i]
		}
	}
	return nil
}

func (m *unmerging) log() {
	for _, c := range m.restored {
		m.unit.Log(m.survivor, event.Unmerged, map[string]any{"merge": m.id, "restored": c.ID})
		m.unit.Log(c, event.Unmerged, map[string]any{"merge": m.id, "from": m.survivor.ID})
	}
}

// RecallContact sets the last contact to that of the client's conversations
// (R181), which is what it would be had they never been elsewhere.
func (u *Unit) RecallContact(ctx context.Context, id ID) error {
	var last *time.Time
	err := u.tx.QueryRow(ctx, `UPDATE client SET last_contact_at = (SELECT max(last_message_at) FROM conversation WHERE client_id = $1)
 WHERE id = $1 RETURNING last_contact_at`, id).Scan(&last)
	if err != nil {
		return fmt.Errorf("recall the last contact: %w", err)
	}
	if c, ok := u.clients[id]; ok {
		c.LastContactAt = last
	}
	return nil
}

// MergeRecord is a merge in a client's history.
type MergeRecord struct {
	ID       uuid.UUID   `json:"id"`
	Survivor ID          `json:"survivor"`
	Retired  []uuid.UUID `json:"retired"`
	By       string      `json:"by"`
	Cause    string      `json:"cause"`
	At       time.Time   `json:"at"`
	// UndoneAt and UndoneBy are set when it was undone; UndoUntil is when that
	// ends.
	UndoneAt  *time.Time `json:"undone_at"`
	UndoneBy  string     `json:"undone_by,omitempty"`
	UndoUntil time.Time  `json:"undo_until"`
}

// Merges answers the merges that a client took part in, the latest first, at most
// 100. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Merges(ctx context.Context, a actor.Actor, id ID) (found []MergeRecord, err error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := Load(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT m.id, m.survivor_id AS survivor, ARRAY(SELECT c.client_id FROM merge_client c WHERE c.merge_id = m.id ORDER BY c.position) AS retired,
       m.actor_name AS by, m.cause, m.at, m.undone_at, m.undone_by, m.at + $2::interval AS undo_until
  FROM merge_event m WHERE m.survivor_id = $1 OR m.id IN (SELECT c.merge_id FROM merge_client c WHERE c.client_id = $1)
 ORDER BY m.number DESC LIMIT 100`, id, UndoFor)
		if err != nil {
			return fmt.Errorf("read merges: %w", err)
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[MergeRecord])
		return err
	})
	return found, err
}
