package crmsync

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/host/connection"
	"github.com/clientele-crm/clientele/sdk"
)

// Status is what people are told of the sync, and what they may ask of it. Its
// methods may be called concurrently.
type Status struct{ DB *db.DB }

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
		err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'due' AND due_at <= now()),
  count(*) FILTER (WHERE state = 'due' AND (due_at IS NULL OR due_at > now() AND NOT (lane = 'update' AND attempts = 0))),
  count(*) FILTER (WHERE state = 'due' AND due_at > now() AND lane = 'update' AND attempts = 0),
  count(*) FILTER (WHERE state = 'synced'), count(*) FILTER (WHERE state = 'parked'), count(*) FILTER (WHERE state = 'excluded')
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

// Problem is a kind of trouble that a connection has now.
type Problem struct {
	Class sdk.Class `json:"class"`
	// Stops is what doesn't go on: records, a field, a lane, the connection.
	Stops string `json:"stops" enum:"records,field,lane,connection"`
	// Name of the field or lane.
	Name    string     `json:"name"`
	Records int64      `json:"records"`
	Reason  string     `json:"reason"` // an example where several records have it
	Since   *time.Time `json:"since"`
	// Until is when it is looked at again by itself; null: not before a person acts.
	Until *time.Time `json:"until"`
	Advice
}

// Problems lists what keeps a connection from holding what it should, the widest
// first.
func (s *Status) Problems(ctx context.Context, a actor.Actor, id connection.ID) ([]Problem, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var found []Problem
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT class, stops, name, records, reason, since, until FROM (
  SELECT 1 AS n, '' AS class, 'connection' AS stops, '' AS name, 0::bigint AS records, reason, NULL::timestamptz AS since, parked_until AS until
    FROM connection WHERE id = $1 AND state <> 'active'
  UNION ALL SELECT 2, class, 'lane', lane, 0, reason, NULL, parked_until FROM sync_lane
   WHERE connection_id = $1 AND (paused OR parked_until > now())
  UNION ALL SELECT 3, class, 'field', object || '.' || field,
    (SELECT count(*) FROM sync_item i WHERE i.connection_id = $1 AND i.held @> ARRAY[f.field]), reason, parked_at, look_at
    FROM sync_field f WHERE connection_id = $1 AND look_at IS NOT NULL
  UNION ALL SELECT 4, class, 'records', '', count(*), min(reason), min(attempted_at), min(due_at) FROM sync_item
   WHERE connection_id = $1 AND state = 'parked' GROUP BY class) AS trouble ORDER BY n, class, name`, id)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Problem, err error) {
			err = row.Scan(&p.Class, &p.Stops, &p.Name, &p.Records, &p.Reason, &p.Since, &p.Until)
			p.Advice = Advise(p.Class)
			return p, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what keeps the sync: %w", err)
	}
	for i := range found {
		if found[i].Class == "" {
			found[i].Advice = restAdvice(found[i].Until)
		}
	}
	return found, nil
}

// restAdvice is what happens to a connection or lane that rests for a reason that
// no error class names.
func restAdvice(until *time.Time) Advice {
	if until == nil {
		return Advice{"admin", "Resume it when it may go on; nothing is lost meanwhile."}
	}
	return Advice{"nobody", "It goes on by itself when the pause is over; resume it to try at once."}
}
