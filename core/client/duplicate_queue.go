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
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/match"
)

// KeptSeparate is the event of a decision that two clients are two people.
const KeptSeparate event.Kind = "kept separate"

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

// KeepSeparate decides that two clients are two people. The pair leaves the queue
// until a name, email or phone of one of them changes. Deciding again is no error.
// Errors: *NotFoundError, *StateError for one client with itself or a deleted one,
// *actor.Refusal.
func (s *Service) KeepSeparate(ctx context.Context, a actor.Actor, one, other ID) error {
	return s.decidePair(ctx, a, one, other, "separate", func(first, second *Client, scored match.Scored) (string, []any) {
		return `INSERT INTO duplicate_pair (tenant_id, client_id, other_client_id, bits, band, reasons, found_at, state, fingerprint, decided_at, decided_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'separate', $8, $7, $9) ON CONFLICT (tenant_id, client_id, other_client_id) DO UPDATE
 SET bits = excluded.bits, band = excluded.band, reasons = excluded.reasons, state = 'separate', fingerprint = excluded.fingerprint,
     decided_at = excluded.decided_at, decided_by = excluded.decided_by`,
			[]any{a.Tenant, first.ID, second.ID, scored.Bits, scored.Band, reasons(scored), s.Now(), fingerprint(first.profile(), second.profile()), a.Name}
	})
}

// Reconsider takes KeepSeparate back: the pair is in the queue again if it is
// alike enough. Without such a decision it changes nothing. Errors as of
// KeepSeparate.
func (s *Service) Reconsider(ctx context.Context, a actor.Actor, one, other ID) error {
	return s.decidePair(ctx, a, one, other, "open", func(first, second *Client, scored match.Scored) (string, []any) {
		if scored.Band == match.Low {
			return `DELETE FROM duplicate_pair WHERE client_id = $1 AND other_client_id = $2 AND state = 'separate'`, []any{first.ID, second.ID}
		}
		return `UPDATE duplicate_pair SET bits = $3, band = $4, reasons = $5, state = 'open', fingerprint = '', decided_at = NULL, decided_by = ''
 WHERE client_id = $1 AND other_client_id = $2 AND state = 'separate'`, []any{first.ID, second.ID, scored.Bits, scored.Band, reasons(scored)}
	})
}

// decidePair runs the statement of a decision on a pair and writes its events.
func (s *Service) decidePair(ctx context.Context, a actor.Actor, one, other ID, decision string, statement func(first, second *Client, scored match.Scored) (string, []any)) error {
	if err := s.require(ctx, a, actor.MergeClients); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		first, second, err := loadPair(ctx, tx, one, other)
		if err != nil {
			return err
		}
		sql, args := statement(first, second, match.Score(first.profile(), second.profile()))
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("decide on clients %s and %s: %w", first.ID, second.ID, err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		tell := func(c, other *Client) event.Event {
			return event.Event{Kind: KeptSeparate, ClientID: uuid.NullUUID{UUID: c.ID.UUID, Valid: true}, At: s.Now(),
				Payload: map[string]any{"other": other.ID, "decision": decision}}
		}
		return event.Append(ctx, tx, a, tell(first, second), tell(second, first))
	})
}

// loadPair reads two live clients, the lower id first.
func loadPair(ctx context.Context, tx pgx.Tx, one, other ID) (first, second *Client, err error) {
	if first, err = Load(ctx, tx, one); err != nil {
		return nil, nil, err
	}
	if second, err = Load(ctx, tx, other); err != nil {
		return nil, nil, err
	}
	if first.ID == second.ID {
		return nil, nil, &StateError{Rule: "these two are one client", WayOut: "read the list again"}
	}
	for _, c := range []*Client{first, second} {
		if c.Deleted() {
			return nil, nil, &StateError{Rule: c.DisplayName() + " is deleted", WayOut: "restore it first"}
		}
	}
	if lower, _ := inOrder(first.ID, second.ID); lower != first.ID {
		first, second = second, first
	}
	return first, second, nil
}

func reasons(s match.Scored) []string { return orNone(s.Reasons) }

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
