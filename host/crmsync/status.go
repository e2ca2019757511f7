package crmsync

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/host/connection"
)

// Status is what people are told of the sync. Its methods may be called
// concurrently.
type Status struct{ DB *db.DB }

// ClientState answers "why is (or isn't) this client in the CRM" for one
// connection.
type ClientState struct {
	ConnectionID connection.ID `json:"connection_id"`
	Connection   string        `json:"connection"`
	Adapter      string        `json:"adapter"`
	State        string        `json:"state"`
	Class        string        `json:"class"`
	Reason       string        `json:"reason"`
	Attempts     int           `json:"attempts"`
	DueAt        *time.Time    `json:"due_at"`
	SyncedAt     *time.Time    `json:"synced_at"`
	CRMID        string        `json:"crm_id"`
}

// OfClient answers a client's state on every connection of the tenant.
func (s *Status) OfClient(ctx context.Context, a actor.Actor, id client.ID) ([]ClientState, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []ClientState
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT n.id AS connection_id, n.name AS connection, n.adapter, coalesce(i.state, 'excluded') AS state,
       coalesce(i.class, '') AS class,
       CASE WHEN i.state IS NULL THEN 'not marked for this connection' WHEN i.reason <> '' THEN i.reason ELSE n.reason END AS reason,
       coalesce(i.attempts, 0) AS attempts, i.due_at, i.synced_at, coalesce(l.crm_id, '') AS crm_id
  FROM connection n
  LEFT JOIN sync_item i ON i.tenant_id = n.tenant_id AND i.connection_id = n.id AND i.kind = 'client' AND i.source_id = $1
  LEFT JOIN crm_link l ON l.tenant_id = n.tenant_id AND l.connection_id = n.id AND l.kind = 'client' AND l.source_id = $1 AND l.is_primary
 ORDER BY n.name`, id)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[ClientState])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sync state of client %s: %w", id, err)
	}
	return found, nil
}

// Counts are a connection's items by state, and what it did.
type Counts struct {
	Due       int   `json:"due"`       // to be done now
	Waiting   int   `json:"waiting"`   // to be tried again, or for its client
	Scheduled int   `json:"scheduled"` // updates for the next tick of the schedule
	Synced    int   `json:"synced"`
	Parked    int   `json:"parked"`
	Excluded  int   `json:"excluded"`
	Created   int   `json:"created"` // client records created over time
	Calls     int64 `json:"calls"`
}

// OfConnection counts a connection's items.
func (s *Status) OfConnection(ctx context.Context, a actor.Actor, id connection.ID) (Counts, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return Counts{}, err
	}
	var c Counts
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE due_at <= now()), count(*) FILTER (WHERE (due_at > now() AND NOT (lane = 'update' AND attempts = 0)) OR (state = 'due' AND due_at IS NULL)),
  count(*) FILTER (WHERE due_at > now() AND lane = 'update' AND attempts = 0), count(*) FILTER (WHERE state = 'synced'), count(*) FILTER (WHERE state = 'parked'), count(*) FILTER (WHERE state = 'excluded')
  FROM sync_item WHERE connection_id = $1`, id).Scan(&c.Due, &c.Waiting, &c.Scheduled, &c.Synced, &c.Parked, &c.Excluded)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM sync_outcome WHERE connection_id = $1 AND done = 'created' AND kind = 'client'),
  (SELECT coalesce(sum(calls), 0)::bigint FROM crm_usage WHERE connection_id = $1)`, id).Scan(&c.Created, &c.Calls)
	})
	if err != nil {
		return Counts{}, fmt.Errorf("count sync items: %w", err)
	}
	return c, nil
}

// Outcome is one line of a connection's log.
type Outcome struct {
	ID       uuid.UUID `json:"id"`
	Kind     string    `json:"kind"`
	SourceID uuid.UUID `json:"source_id"`
	Lane     string    `json:"lane"`
	Done     string    `json:"done"`
	CRMID    string    `json:"crm_id"`
	Class    string    `json:"class"`
	Code     string    `json:"code"`
	Field    string    `json:"field"`
	Detail   string    `json:"detail"`
	At       time.Time `json:"at"`
}

// Log answers a connection's latest outcomes, at most limit.
func (s *Status) Log(ctx context.Context, a actor.Actor, id connection.ID, limit int) ([]Outcome, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Outcome
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, kind, source_id, lane, done, crm_id, class, code, field, detail, at FROM sync_outcome
 WHERE connection_id = $1 ORDER BY at DESC, id DESC LIMIT $2`, id, limit)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByName[Outcome])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the sync log: %w", err)
	}
	return found, nil
}

// Retry makes a parked item due again, or all parked ones of a connection when
// source is nil. It answers how many.
func (s *Status) Retry(ctx context.Context, a actor.Actor, id connection.ID, source *uuid.UUID) (int64, error) {
	if err := a.Require(actor.Administer); err != nil {
		return 0, err
	}
	var n int64
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE sync_item SET state = 'due', due_at = now(), attempts = 0
 WHERE connection_id = $1 AND state = 'parked' AND ($2::uuid IS NULL OR source_id = $2)`, id, source)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retry parked items: %w", err)
	}
	return n, nil
}
