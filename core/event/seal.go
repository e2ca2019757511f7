package event

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
)

// perSeal is the most events under one seal: what one transaction reads.
const perSeal = 1000

// Auditor seals the events of all tenants and proves that none was changed, taken
// away or slipped in since (design.md §11). Each seal covers the digests of its
// events and the seal before, so that a tenant's seals are one chain. Sealing
// comes after the events' own transactions; nothing that writes events waits for
// it. An erased event keeps its digest, so erasure doesn't break the chain.
type Auditor struct {
	DB  *db.DB
	Now func() time.Time
}

// Seal seals what waits, in all tenants, and tells how many events. It may run on
// several hosts at once.
func (s *Auditor) Seal(ctx context.Context) (int, error) {
	var tenants []actor.TenantID
	err := s.DB.Global(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenants_unsealed()`)
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[actor.TenantID])
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("find events to seal: %w", err)
	}
	total := 0
	for _, t := range tenants {
		for {
			n, err := s.sealSome(ctx, t)
			total += n
			if err != nil {
				return total, err
			}
			if n < perSeal {
				break
			}
		}
	}
	return total, nil
}

// sealSome makes one seal of a tenant.
func (s *Auditor) sealSome(ctx context.Context, t actor.TenantID) (n int, err error) {
	err = s.DB.Tenant(ctx, actor.ForSystem(t, "audit"), func(ctx context.Context, tx pgx.Tx) error {
		// One sealer a tenant: the next seal needs the digest of this one.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('event_seal ' || $1, 0))`, t.String()); err != nil {
			return err
		}
		ids, err := collect(ctx, tx, `DELETE FROM event_unsealed WHERE event_id IN
  (SELECT event_id FROM event_unsealed ORDER BY event_id LIMIT $1) RETURNING event_id`, perSeal)
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		ids, err = collect(ctx, tx, `SELECT id FROM unnest($1::uuid[]) AS id ORDER BY id`, ids)
		if err != nil {
			return err
		}
		last, err := lastSeal(ctx, tx)
		if err != nil {
			return err
		}
		digests, err := digestsOf(ctx, tx, ids)
		if err != nil {
			return err
		}
		next := seal{number: last.number + 1, previous: last.digest, events: ids}
		next.digest = next.compute(t, digests)
		_, err = tx.Exec(ctx, `INSERT INTO event_seal (tenant_id, number, events, previous, digest, at) VALUES ($1, $2, $3, $4, $5, $6)`,
			t, next.number, next.events, next.previous, next.digest, s.Now())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("seal events: %w", err)
	}
	return n, nil
}

// seal is one link of a tenant's chain.
type seal struct {
	number           int64
	events           []uuid.UUID
	previous, digest []byte
}

func (s seal) compute(t actor.TenantID, digests map[uuid.UUID][]byte) []byte {
	h := sha256.New()
	h.Write(t.UUID[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(s.number)))
	h.Write(s.previous)
	for _, id := range s.events {
		h.Write(id[:])
		h.Write(digests[id])
	}
	return h.Sum(nil)
}

func lastSeal(ctx context.Context, tx pgx.Tx) (seal, error) {
	last := seal{digest: []byte{}}
	err := tx.QueryRow(ctx, `SELECT number, digest FROM event_seal ORDER BY number DESC LIMIT 1`).Scan(&last.number, &last.digest)
	if errors.Is(err, pgx.ErrNoRows) {
		return last, nil
	}
	return last, err
}

func digestsOf(ctx context.Context, tx pgx.Tx, ids []uuid.UUID) (map[uuid.UUID][]byte, error) {
	rows, err := tx.Query(ctx, `SELECT id, digest FROM event WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	found := make(map[uuid.UUID][]byte, len(ids))
	for rows.Next() {
		var id uuid.UUID
		var digest []byte
		if err := rows.Scan(&id, &digest); err != nil {
			return nil, err
		}
		found[id] = digest
	}
	return found, rows.Err()
}

func collect(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// Proof is what Verify found in a tenant's audit.
type Proof struct {
	Seals  int64 `json:"seals"`
	Events int64 `json:"events"` // sealed ones
	// Waiting events are not sealed yet, Erased ones lost their payload to an
	// erasure; their digests are still sealed.
	Waiting int64 `json:"waiting"`
	Erased  int64 `json:"erased"`
	// Digest of the last seal, in hex: written down elsewhere, it proves later that
	// the whole chain is the same.
	Digest string `json:"digest"`
	// Broken lists what doesn't agree, in sentences, at most 100; empty: the audit
	// is whole.
	Broken []string `json:"broken"`
}

// Verify checks the whole audit of the actor's tenant: every event against its
// digest, every digest against its seal, every seal against the one before, and
// that there are no events beside. Errors: *actor.Refusal.
func (s *Auditor) Verify(ctx context.Context, a actor.Actor) (Proof, error) {
	if err := Require(ctx, s.DB, a, actor.Administer, s.Now()); err != nil {
		return Proof{}, err
	}
	v := verification{auditor: s, actor: a, proof: Proof{Broken: []string{}}}
	if err := v.run(ctx); err != nil {
		return Proof{}, fmt.Errorf("verify the audit: %w", err)
	}
	return v.proof, nil
}

type verification struct {
	auditor  *Auditor
	actor    actor.Actor
	proof    Proof
	previous []byte
}

// run reads one seal a transaction, so that a long audit holds nobody up.
func (v *verification) run(ctx context.Context) error {
	for more := true; more; {
		err := v.auditor.DB.Tenant(ctx, v.actor, func(ctx context.Context, tx pgx.Tx) error {
			s := seal{number: v.proof.Seals + 1}
			err := tx.QueryRow(ctx, `SELECT events, previous, digest FROM event_seal WHERE number = $1`, s.number).Scan(&s.events, &s.previous, &s.digest)
			if errors.Is(err, pgx.ErrNoRows) {
				more, err = v.rest(ctx, tx)
				return err
			}
			if err != nil {
				return err
			}
			return v.check(ctx, tx, s)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) check(ctx context.Context, tx pgx.Tx, s seal) error {
	digests := map[uuid.UUID][]byte{}
	rows, err := tx.Query(ctx, `SELECT id, kind, client_id, conversation_id, actor_kind, actor_id, actor_name, payload, at, digest, erased_at IS NOT NULL
  FROM event WHERE id = ANY($1)`, s.events)
	if err != nil {
		return err
	}
	var e Event
	var digest []byte
	var erased bool
	_, err = pgx.ForEachRow(rows, []any{&e.ID, &e.Kind, &e.ClientID, &e.ConversationID, &e.ActorKind, &e.ActorID, &e.ActorName, &e.Payload, &e.At, &digest, &erased}, func() error {
		digests[e.ID] = digest
		if erased {
			v.proof.Erased++
			e.Payload = nil
			return nil
		}
		computed, err := Digest(v.actor.Tenant, e)
		if err == nil && !bytes.Equal(computed, digest) {
			v.broken("event %s was changed", e.ID)
		}
		e.Payload = nil // a map is filled, not replaced, by the next row
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range s.events {
		if digests[id] == nil {
			v.broken("event %s was taken away", id)
		}
	}
	if !bytes.Equal(s.previous, v.previous) {
		v.broken("seal %d does not follow the one before", s.number)
	}
	if !bytes.Equal(s.digest, s.compute(v.actor.Tenant, digests)) {
		v.broken("seal %d does not agree with its events", s.number)
	}
	v.previous = s.digest
	v.proof.Seals, v.proof.Events = s.number, v.proof.Events+int64(len(s.events))
	v.proof.Digest = fmt.Sprintf("%x", s.digest)
	return nil
}

// rest looks for what no seal covers. More: a seal was made meanwhile.
func (v *verification) rest(ctx context.Context, tx pgx.Tx) (more bool, err error) {
	var seals, events int64
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM event_seal WHERE number = $1), (SELECT count(*) FROM event_seal),
  (SELECT count(*) FROM event_unsealed), (SELECT count(*) FROM event)`, v.proof.Seals+1).
		Scan(&more, &seals, &v.proof.Waiting, &events)
	if err != nil || more {
		return more, err
	}
	if seals != v.proof.Seals {
		v.broken("seal %d is missing", v.proof.Seals+1)
	}
	if beside := events - v.proof.Events - v.proof.Waiting; beside > 0 {
		v.broken("%d events are covered by no seal", beside)
	}
	return false, nil
}

func (v *verification) broken(format string, args ...any) {
	if len(v.proof.Broken) < 100 {
		v.proof.Broken = append(v.proof.Broken, fmt.Sprintf(format, args...))
	}
}
