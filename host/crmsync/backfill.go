package crmsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// Backfill is one bringing of everything a tenant has to a connection.
type Backfill struct {
	ID            uuid.UUID     `json:"id"`
	ConnectionID  connection.ID `json:"connection_id"`
	StartedBy     string        `json:"started_by"`
	StartedAt     time.Time     `json:"started_at"`
	Clients       int64         `json:"clients"`       // marked at the start
	Conversations int64         `json:"conversations"` // marked at the start
	Waiting       int64         `json:"waiting"`       // still to be done, of both
	Paused        bool          `json:"paused"`
	// Estimate is what the waiting part will take.
	Estimate Estimate `json:"estimate"`
}

// Estimate is what a number of records will cost.
type Estimate struct {
	Clients       int64 `json:"clients"`
	Conversations int64 `json:"conversations"`
	Calls         int64 `json:"calls"`
	// Seconds of the CRM's and the network's time with the connection's usual
	// number of calls in flight; the CRM's own limits may make it longer.
	Seconds float64 `json:"seconds"`
	// Measured tells whether it stands on this connection's own calls of the last
	// week; else on one second a call and the adapter's batch size.
	Measured bool `json:"measured"`
}

// spent is what a purpose's calls have cost so far.
type spent struct{ Calls, Records, Millis int64 }

// guessed is what a call is taken for before one was made.
const guessed = time.Second

// estimate is pure: what so many calls' worth of records will cost. Clients need a
// look-up, where they aren't linked yet, and a write.
func estimate(unknown, known, conversations int64, seen map[string]spent, batch, inFlight int) Estimate {
	e := Estimate{Clients: unknown + known, Conversations: conversations, Measured: true}
	millis := 0.0
	for _, part := range []struct {
		purpose string
		records int64
	}{{callFind, unknown}, {callWrite, unknown + known}, {callActivity, conversations}} {
		if part.records == 0 {
			continue
		}
		s := seen[part.purpose]
		if s.Records == 0 || s.Calls == 0 {
			e.Measured = false
			calls := (part.records + int64(batch) - 1) / int64(batch)
			s = spent{Calls: calls, Records: part.records, Millis: calls * guessed.Milliseconds()}
		}
		e.Calls += (part.records*s.Calls + s.Records - 1) / s.Records
		millis += float64(part.records) * float64(s.Millis) / float64(s.Records)
	}
	e.Seconds = millis / 1000 / float64(max(inFlight-1, 1)) // one is kept for new clients
	return e
}

// Backfills starts, pauses and follows backfills. Its methods may be called
// concurrently.
type Backfills struct {
	Marker *Marker
	// Describe answers what an adapter says of its batches; an estimate needs it
	// while the connection has no calls of its own.
	Describe func(ctx context.Context, adapter string) (sdk.Description, error)
}

// Estimate tells what bringing everything to a connection would cost, and starts
// nothing. Errors: *connection.NotFoundError, *actor.Refusal.
func (b *Backfills) Estimate(ctx context.Context, a actor.Actor, id connection.ID) (Estimate, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return Estimate{}, err
	}
	return b.estimate(ctx, a, id, `SELECT (SELECT count(*) FROM client c WHERE kind <> 'anonymous' AND deleted_at IS NULL AND NOT `+hasLink+`),
  (SELECT count(*) FROM client c WHERE kind <> 'anonymous' AND deleted_at IS NULL AND `+hasLink+`),
  (SELECT count(*) FROM conversation WHERE client_id IS NOT NULL AND state = 'ended')`)
}

const hasLink = `EXISTS (SELECT FROM crm_link l WHERE l.connection_id = $1 AND l.kind = 'client' AND l.source_id = c.id)`

func (b *Backfills) estimate(ctx context.Context, a actor.Actor, id connection.ID, sql string) (Estimate, error) {
	var unknown, known, conversations int64
	var batch int
	var adapter string
	seen := map[string]spent{}
	err := b.Marker.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT adapter, batch_size FROM connection WHERE id = $1`, id).Scan(&adapter, &batch)
		if errors.Is(err, pgx.ErrNoRows) {
			return &connection.NotFoundError{Name: id.String()}
		}
		if err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, sql, id).Scan(&unknown, &known, &conversations); err != nil {
			return err
		}
		// A call may count in several buckets; its records and time are in each.
		rows, err := tx.Query(ctx, `SELECT purpose, sum(calls)::bigint, max(records), max(millis) FROM (
  SELECT regexp_replace(purpose, ' (new|activity|update|backfill)$', '') AS purpose, bucket, sum(calls) AS calls, sum(records)::bigint AS records, sum(millis)::bigint AS millis
    FROM crm_usage WHERE connection_id = $1 AND day > (now() AT TIME ZONE 'UTC')::date - 7 GROUP BY 1, 2) AS by_bucket GROUP BY purpose`, id)
		if err != nil {
			return err
		}
		var purpose string
		var s spent
		_, err = pgx.ForEachRow(rows, []any{&purpose, &s.Calls, &s.Records, &s.Millis}, func() error {
			seen[purpose] = s
			return nil
		})
		return err
	})
	if err != nil {
		return Estimate{}, fmt.Errorf("estimate a backfill: %w", err)
	}
	if batch == 0 {
		batch = 1
		if about, err := b.Describe(ctx, adapter); err == nil {
			batch = max(about.Batch.Start, 1)
		}
	}
	return estimate(unknown, known, conversations, seen, batch, defaultInFlight), nil
}

// Start marks everything the tenant has for a connection, in the backfill lane,
// and lets the lane work. Errors: *connection.NotFoundError, *actor.Refusal.
func (b *Backfills) Start(ctx context.Context, a actor.Actor, id connection.ID) (*Backfill, error) {
	if err := a.Require(actor.Administer); err != nil {
		return nil, err
	}
	var started *Backfill
	err := b.Marker.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if err := mustExist(ctx, tx, id); err != nil {
			return err
		}
		if err := setLanePaused(ctx, tx, a, id, false); err != nil {
			return err
		}
		var err error
		started, err = b.Marker.markAll(ctx, tx, a, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start a backfill: %w", err)
	}
	started.Waiting = started.Clients + started.Conversations
	return started, nil
}

// SetPaused lets the backfill lane of a connection rest, or work again; the other
// lanes go on. Errors: *connection.NotFoundError, *actor.Refusal.
func (b *Backfills) SetPaused(ctx context.Context, a actor.Actor, id connection.ID, paused bool) error {
	if err := a.Require(actor.Administer); err != nil {
		return err
	}
	err := b.Marker.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if err := mustExist(ctx, tx, id); err != nil {
			return err
		}
		if err := setLanePaused(ctx, tx, a, id, paused); err != nil || paused {
			return err
		}
		return b.Marker.DB.InsertJob(ctx, tx, Wake{TenantID: a.Tenant.String(), ConnectionID: id.String()}, nil)
	})
	if err != nil {
		return fmt.Errorf("pause or resume the backfill: %w", err)
	}
	return nil
}

// Latest answers a connection's last backfill with its progress and what the rest
// will take; nil when there was none. Errors: *connection.NotFoundError,
// *actor.Refusal.
func (b *Backfills) Latest(ctx context.Context, a actor.Actor, id connection.ID) (*Backfill, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found Backfill
	err := b.Marker.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		if err := mustExist(ctx, tx, id); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT b.id, b.connection_id, b.started_by, b.started_at, b.clients, b.conversations,
  coalesce((SELECT paused FROM sync_lane l WHERE l.connection_id = b.connection_id AND l.lane = 'backfill'), false)
  FROM sync_backfill b WHERE b.connection_id = $1 ORDER BY b.started_at DESC, b.id DESC LIMIT 1`, id).
			Scan(&found.ID, &found.ConnectionID, &found.StartedBy, &found.StartedAt, &found.Clients, &found.Conversations, &found.Paused)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the backfill: %w", err)
	}
	found.Estimate, err = b.estimate(ctx, a, id, `SELECT count(*) FILTER (WHERE kind = 'client' AND synced_revision = 0),
  count(*) FILTER (WHERE kind = 'client' AND synced_revision > 0), count(*) FILTER (WHERE kind = 'conversation')
  FROM sync_item WHERE connection_id = $1 AND lane = 'backfill' AND state = 'due'`)
	found.Waiting = found.Estimate.Clients + found.Estimate.Conversations
	return &found, err
}

func setLanePaused(ctx context.Context, tx pgx.Tx, a actor.Actor, id connection.ID, paused bool) error {
	reason := ""
	if paused {
		reason = "paused by " + a.Name
	}
	_, err := tx.Exec(ctx, `INSERT INTO sync_lane (tenant_id, connection_id, lane, paused, reason) VALUES ($1, $2, 'backfill', $3, $4)
ON CONFLICT (tenant_id, connection_id, lane) DO UPDATE SET paused = excluded.paused, reason = excluded.reason, class = '', parked_until = NULL`,
		a.Tenant, id, paused, reason)
	return err
}

func mustExist(ctx context.Context, tx pgx.Tx, id connection.ID) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM connection WHERE id = $1)`, id).Scan(&there); err != nil {
		return err
	}
	if !there {
		return &connection.NotFoundError{Name: id.String()}
	}
	return nil
}
