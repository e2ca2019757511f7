package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
)

// Service is what people and programs do with clients. Its methods may be called
// concurrently; each checks the actor's rights (§1.21).
type Service struct {
	DB      *db.DB
	Now     func() time.Time
	Changes Changes
	// Outbound is told whose policies changed; nil tells nobody.
	Outbound Outbound
	// Region of a tenant, for numbers typed without a country code.
	Region func(ctx context.Context, t actor.TenantID) (string, error)

	revision int64 // see At
}

// At is the service for changes of a client as it was at a revision: each is
// refused with a *ConflictError when the client has another one by now. 0 stands
// for whatever it is. An edit says so itself (Edit.Revision).
func (s *Service) At(revision int64) *Service {
	at := *s
	at.revision = revision
	return &at
}

// Get reads one client; the id of a merged one leads to the survivor. Reading a
// sensitive client is audited. Errors: *NotFoundError, *actor.Refusal.
func (s *Service) Get(ctx context.Context, a actor.Actor, id ID) (*Client, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	var c *Client
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		c, err = s.read(ctx, tx, a, id)
		return err
	})
	return c, err
}

// read loads a client for somebody who looks at it; a look at a sensitive one is
// written into the audit.
func (s *Service) read(ctx context.Context, tx pgx.Tx, a actor.Actor, id ID) (*Client, error) {
	c, err := Load(ctx, tx, id)
	if err != nil || !c.Sensitive {
		return c, err
	}
	return c, event.NoteRead(ctx, tx, a, c.ID.UUID, uuid.NullUUID{}, s.Now())
}

// Timeline answers a client's events, newest first: its own, those of clients
// merged into it, and those of its conversations (R109). Errors: Get's.
func (s *Service) Timeline(ctx context.Context, a actor.Actor, id ID, p event.Page) ([]event.Event, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return nil, err
	}
	var events []event.Event
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		c, err := s.read(ctx, tx, a, id)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id FROM client WHERE id = $1 OR merged_into = $1`, c.ID)
		if err != nil {
			return fmt.Errorf("read merged ids: %w", err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return fmt.Errorf("read merged ids: %w", err)
		}
		events, err = event.OfClients(ctx, tx, ids, p)
		return err
	})
	return events, err
}

// change runs one unit of work. When somebody else takes the same address or
// number at the same moment it runs again, and then finds it taken.
func (s *Service) change(ctx context.Context, a actor.Actor, reason string, fn func(context.Context, *Unit) error) error {
	once := func() error {
		return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
			u := Begin(tx, a, s.Now(), s.Changes, reason).Telling(s.Outbound)
			if err := fn(ctx, u); err != nil {
				return err
			}
			return u.Flush(ctx)
		})
	}
	err := once()
	if constraint, ok := db.UniqueViolation(err); ok && constraint == "client_identifier_one_owner" {
		return once()
	}
	return err
}

// changeClient is change for one live client, with the right to edit.
func (s *Service) changeClient(ctx context.Context, a actor.Actor, id ID, reason string, fn func(context.Context, *Unit, *Client) error) (*Client, error) {
	if err := s.require(ctx, a, actor.EditClients); err != nil {
		return nil, err
	}
	var c *Client
	err := s.change(ctx, a, reason, func(ctx context.Context, u *Unit) (err error) {
		if c, err = u.Client(ctx, id); err != nil {
			return err
		}
		if c.Deleted() {
			return &StateError{Rule: "the client is deleted", WayOut: "restore it first"}
		}
		if err := s.unchanged(ctx, u, c); err != nil {
			return err
		}
		return fn(ctx, u, c)
	})
	return c, err
}

// unchanged refuses a change of a client that has another revision than At says.
func (s *Service) unchanged(ctx context.Context, u *Unit, c *Client) error {
	if s.revision == 0 || s.revision == c.Revision {
		return nil
	}
	return conflict(ctx, u.tx, c, Edit{Revision: s.revision})
}

// require asks for a right; a refusal is audited.
func (s *Service) require(ctx context.Context, a actor.Actor, c actor.Can) error {
	return event.Require(ctx, s.DB, a, c, s.Now())
}

// refused audits a refusal that only the data could tell.
func (s *Service) refused(ctx context.Context, refusal *actor.Refusal) error {
	return event.Refuse(ctx, s.DB, refusal, s.Now())
}

// refusedAbout is refused with the client that it was about.
func (s *Service) refusedAbout(ctx context.Context, refusal *actor.Refusal, id ID) error {
	about := event.Event{At: s.Now()}
	if refusal.Actor.Tenant == (actor.TenantID{}) {
		return refusal
	}
	err := s.DB.Tenant(ctx, refusal.Actor, func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT (SELECT id FROM client WHERE id = $1)`, id).Scan(&about.ClientID)
	})
	if err != nil {
		return errors.Join(refusal, fmt.Errorf("write the refusal into the audit: %w", err))
	}
	return event.RefuseAbout(ctx, s.DB, refusal, about)
}
