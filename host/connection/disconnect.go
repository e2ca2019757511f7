package connection

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// Farewell is what a disconnection leaves, and what it takes.
type Farewell struct {
	// Records and Activities stay in the CRM as they are, with their key fields.
	Records    int `json:"records" doc:"Client records that stay in the CRM, as they are"`
	Activities int `json:"activities" doc:"Activities that stay in the CRM, as they are"`
	// Waiting never reach the CRM.
	Waiting int `json:"waiting" doc:"Clients and activities whose latest values never reach the CRM"`
	// Log lines go with the links, the secrets and the mapping.
	Log int `json:"log" doc:"Lines of the log that are deleted here, with the links, secrets and mapping"`
	// Notes are what a person should know or do.
	Notes []string `json:"notes" doc:"What to know, and what to do in the CRM"`
}

// Farewell says what Disconnect would do, and does nothing. Errors:
// *actor.Refusal, *NotFoundError.
func (s *Service) Farewell(ctx context.Context, a actor.Actor, id ID) (Farewell, error) {
	if err := a.Require(actor.Administer); err != nil {
		return Farewell{}, err
	}
	if _, err := s.read(ctx, a, id); err != nil {
		return Farewell{}, err
	}
	var f Farewell
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		f, err = farewell(ctx, tx, id)
		return err
	})
	return f, err
}

// Disconnect ends a connection: its secrets, links, log and mapping are deleted
// here, and nothing is deleted in the CRM. Connecting the same account again finds
// the records by their keys. Errors: *actor.Refusal, *NotFoundError.
func (s *Service) Disconnect(ctx context.Context, a actor.Actor, id ID) (Farewell, error) {
	if err := a.Require(actor.Administer); err != nil {
		return Farewell{}, err
	}
	c, err := s.read(ctx, a, id)
	if err != nil {
		return Farewell{}, err
	}
	var f Farewell
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		// A run under way ends at its next look at the lease.
		if _, err := tx.Exec(ctx, `DELETE FROM sync_lease WHERE connection_id = $1`, id); err != nil {
			return err
		}
		if f, err = farewell(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM connection WHERE id = $1`, id); err != nil {
			return err
		}
		return s.note(ctx, tx, a, c, "disconnected", "")
	})
	if err != nil {
		return Farewell{}, fmt.Errorf("disconnect %s: %w", c.Name, err)
	}
	return f, nil
}

func farewell(ctx context.Context, tx pgx.Tx, id ID) (Farewell, error) {
	f := Farewell{Notes: []string{
		"The records keep the field with our key: connecting this account again finds them by it and makes no duplicates.",
		"The application's right to enter the CRM ends there: take it back under the CRM's connected apps, or revoke the token.",
	}}
	err := tx.QueryRow(ctx, `SELECT
  (SELECT count(*) FROM crm_link WHERE connection_id = $1 AND kind = 'client'),
  (SELECT count(*) FROM crm_link WHERE connection_id = $1 AND kind = 'conversation'),
  (SELECT count(*) FROM sync_item WHERE connection_id = $1 AND state IN ('due', 'parked')),
  (SELECT count(*) FROM sync_outcome WHERE connection_id = $1)`, id).Scan(&f.Records, &f.Activities, &f.Waiting, &f.Log)
	if err != nil {
		return Farewell{}, fmt.Errorf("count what stays: %w", err)
	}
	return f, nil
}
