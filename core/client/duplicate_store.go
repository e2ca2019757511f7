package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/match"
)

const (
	// maxBlock is how many clients a blocking key may lead to. Beyond it a key says
	// little and costs much: it is left out (research/clients.md §2.2).
	maxBlock = 50
	// maxCompared bounds the records one search compares, those with the most keys
	// in common first.
	maxCompared = 200
)

// indexDuplicates keeps the blocking keys of the unit's clients as they are now
// and has them compared again. Flush calls it in the transaction of the change.
func (u *Unit) indexDuplicates(ctx context.Context) error {
	if len(u.touched) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	for _, id := range u.touched {
		queueKeys(batch, u.actor.Tenant.String(), id, u.clients[id].blockingKeys())
		batch.Queue(`INSERT INTO duplicate_due (tenant_id, client_id, since) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (tenant_id, client_id) DO UPDATE SET since = excluded.since`, u.actor.Tenant, id)
	}
	if err := u.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("index %d clients for duplicates: %w", len(u.touched), err)
	}
	return nil
}

// blockingKeys are empty for who can't be anybody's duplicate.
func (c *Client) blockingKeys() []string {
	if c.Deleted() || c.Kind == Anonymous {
		return nil
	}
	return match.Keys(c.profile())
}

func queueKeys(batch *pgx.Batch, tenant string, id ID, keys []string) {
	keys = orNone(keys)
	batch.Queue(`DELETE FROM client_block WHERE client_id = $1 AND key <> ALL($2)`, id, keys)
	batch.Queue(`INSERT INTO client_block (tenant_id, client_id, key) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING`, tenant, id, keys)
}

// blockMembers answers the live clients that have one of the keys, those with the
// most keys first, and which keys too many have.
func blockMembers(ctx context.Context, tx pgx.Tx, keys []string, self ID) (ids []ID, crowded []string, err error) {
	rows, err := tx.Query(ctx, `SELECT k.key, m.id FROM unnest($1::text[]) AS k(key) CROSS JOIN LATERAL (
  SELECT c.id FROM client_block b JOIN client c ON c.tenant_id = b.tenant_id AND c.id = b.client_id
   WHERE b.key = k.key AND c.id <> $2 AND c.deleted_at IS NULL LIMIT $3) AS m`, keys, self, maxBlock+1)
	if err != nil {
		return nil, nil, fmt.Errorf("look for clients with the same keys: %w", err)
	}
	members := map[string][]ID{}
	var key string
	var id ID
	if _, err := pgx.ForEachRow(rows, []any{&key, &id}, func() error {
		members[key] = append(members[key], id)
		return nil
	}); err != nil {
		return nil, nil, fmt.Errorf("look for clients with the same keys: %w", err)
	}
	shared := map[ID]int{}
	for key, of := range members {
		if len(of) > maxBlock {
			crowded = append(crowded, key)
			continue
		}
		for _, id := range of {
			shared[id]++
		}
	}
	for id := range shared {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID) int {
		return cmp.Or(cmp.Compare(shared[b], shared[a]), slices.Compare(a.UUID[:], b.UUID[:]))
	})
	slices.Sort(crowded)
	return ids[:min(len(ids), maxCompared)], crowded, nil
}

// loadProfiles reads what is compared, and nothing else, of live clients.
func loadProfiles(ctx context.Context, tx pgx.Tx, ids []ID) (map[ID]match.Profile, error) {
	profiles := make(map[ID]match.Profile, len(ids))
	if len(ids) == 0 {
		return profiles, nil
	}
	var id ID
	var p match.Profile
	var h match.Held
	batch := &pgx.Batch{}
	batch.Queue(`SELECT id, first_name, last_name, company, street, city, zip, date_of_birth, kind = 'shared_mailbox'
  FROM client WHERE id = ANY($1) AND deleted_at IS NULL AND kind <> 'anonymous'`, ids).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&id, &p.First, &p.Last, &p.Company, &p.Street, &p.City, &p.Zip, &p.BirthDate, &p.Mailbox}, func() error {
			profiles[id] = p
			return nil
		})
		return err
	})
	batch.Queue(`SELECT client_id, kind, normal, extension, shared, source <> 'extraction' OR verified
  FROM client_identifier WHERE client_id = ANY($1) AND active AND normal <> '' ORDER BY client_id, kind, normal, extension`, ids).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&id, &h.Kind, &h.Normal, &h.Extension, &h.Shared, &h.Proved}, func() error {
			if of, live := profiles[id]; live {
				of.Held = append(of.Held, h)
				profiles[id] = of
			}
			return nil
		})
		return err
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("read %d clients to compare: %w", len(ids), err)
	}
	return profiles, nil
}
