package client

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// moveRows treats every row that points to a client as its reference says, and
// writes down what an undo needs.
func (m *merging) moveRows(ctx context.Context, from *Client) error {
	references, err := m.unit.pointing(ctx, from.ID)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	var nouns []string
	for _, r := range references {
		if r.Stays != "" && len(r.OnStay) > 0 { // else nothing happens to rows that stay
			batch.Queue(r.staySQL(), from.ID, m.survivor.ID, m.id, r.name())
			nouns = append(nouns, "")
		}
		if r.Merge == Moves {
			batch.Queue(r.moveSQL(), from.ID, m.survivor.ID, m.id, r.name())
			nouns = append(nouns, r.Noun)
		}
	}
	results := m.unit.tx.SendBatch(ctx, batch)
	defer results.Close()
	for _, noun := range nouns {
		tag, err := results.Exec()
		if err != nil {
			return fmt.Errorf("move what belongs to client %s: %w", from.ID, err)
		}
		if noun != "" && tag.RowsAffected() > 0 {
			m.moved[noun] += int(tag.RowsAffected())
		}
	}
	if err := results.Close(); err != nil {
		return fmt.Errorf("move what belongs to client %s: %w", from.ID, err)
	}
	return m.unit.conversationsMoved(ctx, m.id)
}

// pointing finds the references that have rows of a client at all, as a rule a
// few. The client is locked, so that no foreign key to it can be added meanwhile.
func (u *Unit) pointing(ctx context.Context, id ID) ([]Reference, error) {
	var treated, pointing []Reference
	var exists []string
	for _, r := range References() {
		if r.Merge == Moves || r.Stays != "" {
			treated = append(treated, r)
			exists = append(exists, fmt.Sprintf(`EXISTS (SELECT 1 FROM %s WHERE %s = $1)`, r.Table, r.Column))
		}
	}
	var has []bool
	if err := u.tx.QueryRow(ctx, `SELECT ARRAY[`+strings.Join(exists, ", ")+`]`, id).Scan(&has); err != nil {
		return nil, fmt.Errorf("look what belongs to client %s: %w", id, err)
	}
	for i, r := range treated {
		if has[i] {
			pointing = append(pointing, r)
		}
	}
	return pointing, nil
}

// conversationsMoved notes for Flush which conversations a merge moved.
func (u *Unit) conversationsMoved(ctx context.Context, merge uuid.UUID) error {
	rows, err := u.tx.Query(ctx, `SELECT (before->>'id')::uuid FROM merge_row WHERE merge_id = $1 AND reference = 'conversation.client_id' AND moved`, merge)
	if err != nil {
		return fmt.Errorf("read moved conversations: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[ConversationID])
	if err != nil {
		return fmt.Errorf("read moved conversations: %w", err)
	}
	u.addMoved(found)
	return nil
}

func (u *Unit) addMoved(ids []ConversationID) {
	for _, id := range ids {
		if !slices.Contains(u.moved, id) {
			u.moved = append(u.moved, id)
		}
	}
}

func (r Reference) moveSQL() string {
	set := append([]string{r.written() + ` = $2::uuid`}, r.OnMove...)
	return r.treatSQL("true", r.MoveImage, "true", set)
}

func (r Reference) staySQL() string {
	return r.treatSQL(r.Stays, r.StayImage, "false", r.OnStay)
}

// treatSQL changes the rows of client $1 that meet a condition and keeps their
// images under merge $3 and reference name $4.
func (r Reference) treatSQL(condition string, image []string, moved string, set []string) string {
	columns := slices.Clone(r.Key)
	for _, c := range append([]string{r.written()}, image...) {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	already := ""
	if moved == "true" && r.Stays != "" {
		already = fmt.Sprintf(` AND (%s) IS NOT TRUE`, r.Stays)
	}
	return fmt.Sprintf(`WITH old AS (
  SELECT r.tenant_id, r.%s FROM %s r WHERE r.%s = $1::uuid AND $2::uuid IS NOT NULL AND (%s)%s FOR UPDATE OF r),
noted AS (
  INSERT INTO merge_row (tenant_id, merge_id, reference, moved, before)
  SELECT tenant_id, $3, $4, %s, to_jsonb(old) - 'tenant_id' FROM old)
UPDATE %s r SET %s FROM old WHERE r.tenant_id = old.tenant_id AND %s`,
		strings.Join(columns, ", r."), r.Table, r.Column, condition, already, moved, r.Table, strings.Join(set, ", "), r.sameKey("old"))
}

// returnSQL puts rows of merge $1, reference $2, back as they were, unless they
// left the survivor $3 meanwhile.
func (r Reference) returnSQL(moved bool) string {
	image, where := r.StayImage, fmt.Sprintf(`r.%s = b.%s AND $3::uuid IS NOT NULL`, r.Column, r.written())
	if moved {
		image, where = append([]string{r.written()}, r.MoveImage...), fmt.Sprintf(`r.%s = $3::uuid`, r.Column)
	}
	var set []string
	for _, c := range image {
		set = append(set, fmt.Sprintf(`%s = b.%s`, c, c))
	}
	if moved {
		set = append(set, r.OnReturn...)
	}
	return fmt.Sprintf(`UPDATE %s r SET %s FROM merge_row m, jsonb_populate_record(NULL::%s, m.before) b
 WHERE m.merge_id = $1 AND m.reference = $2 AND m.moved = %t AND r.tenant_id = m.tenant_id AND %s AND %s`,
		r.Table, strings.Join(set, ", "), r.Table, moved, r.sameKey("b"), where)
}

func (r Reference) sameKey(other string) string {
	var parts []string
	for _, k := range r.Key {
		parts = append(parts, fmt.Sprintf(`r.%s = %s.%s`, k, other, k))
	}
	return strings.Join(parts, ` AND `)
}
