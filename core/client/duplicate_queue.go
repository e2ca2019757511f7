package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/match"
)

// queueLimit is how many open pairs the queue looks at, strongest first.
const queueLimit = 10_000

// DuplicateQuery asks for a page of the queue of duplicates.
type DuplicateQuery struct {
	// Band, when not empty, is that of the clusters' strongest pair.
	Band match.Band
	// After continues a list; the zero value starts it.
	After DuplicateCursor
	// Limit is 1 to 100; 0 means 20.
	Limit int
}

// DuplicateCursor is where the queue goes on: behind the cluster with this
// strongest pair.
type DuplicateCursor struct {
	Bits         float64
	First, Other ID
}

// DuplicateQueue is a page of the queue.
type DuplicateQueue struct {
	Clusters []DuplicateCluster
	// Total counts clusters in the band; TotalMore tells that only the strongest
	// 10,000 pairs were looked at.
	Total     int
	TotalMore bool
	// Waiting clients have changed and are not compared yet, at most 10,000.
	Waiting int
	Next    *DuplicateCursor
}

// DuplicateCluster is a group of clients of which each may be the same person as
// each other; mostly it is a pair (match.Clusters).
type DuplicateCluster struct {
	Clients []*Client
	// Pairs are all pairs of the clients, strongest first. The last one is the
	// weakest link: what holds least of what a merge of all would join.
	Pairs []DuplicatePair
}

// Weakest is the cluster's weakest link.
func (c DuplicateCluster) Weakest() DuplicatePair { return c.Pairs[len(c.Pairs)-1] }

// DuplicatePair is two clients that may be one person.
type DuplicatePair struct {
	Client, Other ID
	match.Scored
	FoundAt time.Time
}

// DuplicateQueue answers the pairs and clusters that wait for a person, strongest
// first (R191, R193). Errors: *actor.Refusal.
func (s *Service) DuplicateQueue(ctx context.Context, a actor.Actor, q DuplicateQuery) (DuplicateQueue, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return DuplicateQueue{}, err
	}
	if q.Limit <= 0 || q.Limit > 100 {
		q.Limit = 20
	}
	var queue DuplicateQueue
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		queue = DuplicateQueue{}
		pairs, err := openPairs(ctx, tx)
		if err != nil {
			return err
		}
		if len(pairs) > queueLimit {
			pairs, queue.TotalMore = pairs[:queueLimit], true
		}
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM duplicate_due LIMIT $1) AS waiting`, queueLimit).Scan(&queue.Waiting); err != nil {
			return fmt.Errorf("count clients to compare: %w", err)
		}
		return queue.page(ctx, tx, pairs, q)
	})
	return queue, err
}

func openPairs(ctx context.Context, tx pgx.Tx) ([]DuplicatePair, error) {
	rows, err := tx.Query(ctx, `SELECT p.client_id, p.other_client_id, p.bits, p.band, p.reasons, p.found_at FROM duplicate_pair p
  JOIN client a ON a.tenant_id = p.tenant_id AND a.id = p.client_id AND a.deleted_at IS NULL
  JOIN client b ON b.tenant_id = p.tenant_id AND b.id = p.other_client_id AND b.deleted_at IS NULL
 WHERE p.state = 'open' ORDER BY p.bits DESC, p.client_id, p.other_client_id LIMIT $1`, queueLimit+1)
	if err != nil {
		return nil, fmt.Errorf("read pairs of duplicates: %w", err)
	}
	pairs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p DuplicatePair, err error) {
		err = row.Scan(&p.Client, &p.Other, &p.Bits, &p.Band, &p.Reasons, &p.FoundAt)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read pairs of duplicates: %w", err)
	}
	return pairs, nil
}

// page groups all pairs and reads the clients of one page of groups.
func (d *DuplicateQueue) page(ctx context.Context, tx pgx.Tx, pairs []DuplicatePair, q DuplicateQuery) error {
	links := make([]match.Pair, len(pairs))
	byIDs := make(map[[2]uuid.UUID]DuplicatePair, len(pairs))
	for i, p := range pairs {
		links[i] = match.Pair{A: p.Client.UUID, B: p.Other.UUID, Bits: p.Bits}
		byIDs[[2]uuid.UUID{p.Client.UUID, p.Other.UUID}] = p
	}
	for _, group := range match.Clusters(links) {
		strongest := byIDs[[2]uuid.UUID{group.Links[0].A, group.Links[0].B}]
		if q.Band != "" && strongest.Band != q.Band {
			continue
		}
		d.Total++
		if q.After != (DuplicateCursor{}) && strongest.compare(q.After) <= 0 {
			continue
		}
		if len(d.Clusters) == q.Limit {
			if d.Next == nil {
				last := d.Clusters[q.Limit-1].Pairs[0]
				d.Next = &DuplicateCursor{Bits: last.Bits, First: last.Client, Other: last.Other}
			}
			continue
		}
		var c DuplicateCluster
		for _, l := range group.Links {
			c.Pairs = append(c.Pairs, byIDs[[2]uuid.UUID{l.A, l.B}])
		}
		var ids []ID
		for _, m := range group.Members {
			ids = append(ids, ID{m})
		}
		var err error
		if c.Clients, err = LoadMany(ctx, tx, ids); err != nil {
			return err
		}
		d.Clusters = append(d.Clusters, c)
	}
	return nil
}

// compare orders pairs as the queue does.
func (p DuplicatePair) compare(c DuplicateCursor) int {
	return cmp.Or(cmp.Compare(c.Bits, p.Bits), slices.Compare(p.Client.UUID[:], c.First.UUID[:]), slices.Compare(p.Other.UUID[:], c.Other.UUID[:]))
}

// CrowdedIdentifier is an address or number that more than 50 clients have.
type CrowdedIdentifier struct {
	match.Identifier
	// Clients counts them, up to 1,000.
	Clients   int
	NoticedAt time.Time
}

// CrowdedIdentifiers lists them, the newest first and at most 200: switchboards
// and shared mailboxes by which no duplicates are looked for, and which should be
// marked as shared (R132). Errors: *actor.Refusal.
func (s *Service) CrowdedIdentifiers(ctx context.Context, a actor.Actor) ([]CrowdedIdentifier, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	var list []CrowdedIdentifier
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		list = nil
		rows, err := tx.Query(ctx, `SELECT k.key, k.noticed_at, (SELECT count(*) FROM (SELECT 1 FROM client_block b
      JOIN client c ON c.tenant_id = b.tenant_id AND c.id = b.client_id AND c.deleted_at IS NULL WHERE b.key = k.key LIMIT 1000) AS m)
  FROM crowded_block k WHERE split_part(k.key, ':', 1) IN ($1, $2) ORDER BY k.noticed_at DESC, k.key LIMIT 200`, match.BlockEmail, match.BlockPhone)
		if err != nil {
			return fmt.Errorf("read shared identifiers: %w", err)
		}
		var key string
		var one CrowdedIdentifier
		_, err = pgx.ForEachRow(rows, []any{&key, &one.NoticedAt, &one.Clients}, func() error {
			if one.Clients > maxBlock {
				one.Identifier = identifiersOf([]string{key})[0]
				list = append(list, one)
			}
			return nil
		})
		return err
	})
	return list, err
}
