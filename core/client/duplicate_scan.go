package client

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

// TenantsWithDuplicatesDue answers the tenants in which [Service.ScanDuplicates]
// has something to do.
func TenantsWithDuplicatesDue(ctx context.Context, d *db.DB) ([]actor.TenantID, error) {
	var tenants []actor.TenantID
	err := d.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenants_with_duplicates_due()`)
		if err != nil {
			return fmt.Errorf("look for clients to compare: %w", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		tenants = nil
		for _, id := range ids {
			tenants = append(tenants, actor.TenantID{UUID: id})
		}
		return err
	})
	return tenants, err
}

// ScanDuplicates compares clients that changed since they were last compared, the
// longest waiting first and at most so many, and keeps the queue of pairs by the
// result: new pairs come in, others are scored again or go, and a decision to keep
// a pair separate lapses when what it was made on changed. It answers how many
// clients it compared. Each is one short transaction; two hosts at it do the work
// twice and no harm. The system does it, or an admin. Errors: *actor.Refusal.
func (s *Service) ScanDuplicates(ctx context.Context, a actor.Actor, most int) (compared int, err error) {
	if err := s.require(ctx, a, actor.Administer); err != nil {
		return 0, err
	}
	due, err := s.duplicatesDue(ctx, a, most)
	if err != nil {
		return 0, err
	}
	for _, d := range due {
		err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error { return s.scan(ctx, tx, a, d) })
		if err != nil {
			return compared, fmt.Errorf("compare client %s: %w", d.ClientID, err)
		}
		compared++
	}
	return compared, nil
}

type dueClient struct {
	ClientID ID
	Since    time.Time
}

func (s *Service) duplicatesDue(ctx context.Context, a actor.Actor, most int) (due []dueClient, err error) {
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT client_id, since FROM duplicate_due ORDER BY since, client_id LIMIT $1`, most)
		if err != nil {
			return fmt.Errorf("read which clients to compare: %w", err)
		}
		due, err = pgx.CollectRows(rows, pgx.RowToStructByName[dueClient])
		return err
	})
	return due, err
}

// scan compares one client. The mark goes last and only if the client wasn't
// changed meanwhile; a change that comes in while this runs waits for it or is
// seen by it.
func (s *Service) scan(ctx context.Context, tx pgx.Tx, a actor.Actor, due dueClient) error {
	c, err := loadItself(ctx, tx, due.ClientID)
	if err != nil {
		return err
	}
	keys := c.blockingKeys()
	batch := &pgx.Batch{}
	queueKeys(batch, a.Tenant.String(), c.ID, keys) // clients from before the index get theirs here
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write blocking keys: %w", err)
	}
	var f comparison
	if len(keys) > 0 {
		if f, err = findDuplicates(ctx, tx, c.profile(), c.ID); err != nil {
			return err
		}
	}
	if err := s.keepPairs(ctx, tx, a, c, f); err != nil {
		return err
	}
	batch = &pgx.Batch{}
	batch.Queue(`DELETE FROM crowded_block WHERE key = ANY($1) AND key <> ALL($2)`, orNone(keys), orNone(f.crowded))
	batch.Queue(`INSERT INTO crowded_block (tenant_id, key, noticed_at) SELECT $1, unnest($2::text[]), $3 ON CONFLICT DO NOTHING`,
		a.Tenant, orNone(f.crowded), s.Now())
	batch.Queue(`DELETE FROM duplicate_due WHERE client_id = $1 AND since = $2`, due.ClientID, due.Since)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("note that it was compared: %w", err)
	}
	return nil
}

// loadItself reads a client under its own id, also when it was merged.
func loadItself(ctx context.Context, tx pgx.Tx, id ID) (*Client, error) {
	found, err := LoadMany(ctx, tx, []ID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &NotFoundError{ID: id}
	}
	return found[0], nil
}

// keepPairs makes a client's pairs what was found, but for pairs that a person
// keeps separate and whose sides haven't changed.
func (s *Service) keepPairs(ctx context.Context, tx pgx.Tx, a actor.Actor, c *Client, f comparison) error {
	kept, err := keptSeparate(ctx, tx, c)
	if err != nil {
		return err
	}
	open := []uuid.UUID{}
	batch := &pgx.Batch{}
	slices.SortFunc(f.similar, func(a, b likeness) int { return slices.Compare(a.id.UUID[:], b.id.UUID[:]) })
	for _, similar := range f.similar {
		if kept[similar.id] {
			continue
		}
		open = append(open, similar.id.UUID)
		first, second := inOrder(c.ID, similar.id)
		batch.Queue(`INSERT INTO duplicate_pair (tenant_id, client_id, other_client_id, bits, band, reasons, found_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, client_id, other_client_id) DO UPDATE
 SET bits = excluded.bits, band = excluded.band, reasons = excluded.reasons, state = 'open', fingerprint = '', decided_at = NULL, decided_by = ''`,
			a.Tenant, first, second, similar.Bits, similar.Band, orNone(similar.Reasons), s.Now())
	}
	stay := slices.Clone(open)
	for id := range kept {
		stay = append(stay, id.UUID)
	}
	batch.Queue(`DELETE FROM duplicate_pair WHERE client_id = $1 AND other_client_id <> ALL($2)`, c.ID, stay)
	batch.Queue(`DELETE FROM duplicate_pair WHERE other_client_id = $1 AND client_id <> ALL($2)`, c.ID, stay)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("keep the pairs of client %s: %w", c.ID, err)
	}
	return nil
}

// keptSeparate are the clients that a person keeps separate from c and that are,
// like c, what they were when it was decided. A deleted side keeps its decisions:
// it may be restored.
func keptSeparate(ctx context.Context, tx pgx.Tx, c *Client) (map[ID]bool, error) {
	rows, err := tx.Query(ctx, `SELECT CASE WHEN client_id = $1 THEN other_client_id ELSE client_id END, fingerprint
  FROM duplicate_pair WHERE state = 'separate' AND (client_id = $1 OR other_client_id = $1)`, c.ID)
	if err != nil {
		return nil, fmt.Errorf("read who is kept separate: %w", err)
	}
	prints := map[ID][]byte{}
	var id ID
	var print []byte
	if _, err := pgx.ForEachRow(rows, []any{&id, &print}, func() error {
		prints[id] = bytes.Clone(print)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read who is kept separate: %w", err)
	}
	var ids []ID
	for id := range prints {
		ids = append(ids, id)
	}
	others, err := loadProfiles(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	kept := map[ID]bool{}
	for id, print := range prints {
		other, live := others[id]
		if c.Deleted() || !live || bytes.Equal(print, fingerprint(c.profile(), other)) {
			kept[id] = true
		}
	}
	return kept, nil
}

func (d *Duplicates) markSeparate(ctx context.Context, tx pgx.Tx, c *Client) error {
	kept, err := keptSeparate(ctx, tx, c)
	if err != nil {
		return err
	}
	for i := range d.Similar {
		d.Similar[i].Separate = kept[d.Similar[i].Client.ID]
	}
	return nil
}

func inOrder(a, b ID) (first, second ID) {
	if slices.Compare(a.UUID[:], b.UUID[:]) > 0 {
		return b, a
	}
	return a, b
}

// orNone makes an empty list of nil, which SQL would take for no answer.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
