package client

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/db"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/match"
)

// Service is what people and programs do with clients. Its methods may be called
// concurrently; each checks the actor's rights (§1.21).
type Service struct {
	DB      *db.DB
	Now     func() time.Time
	Changes Changes
	// Region of a tenant, for numbers typed without a country code.
	Region func(ctx context.Context, t actor.TenantID) (string, error)
}

// Get reads one client; the id of a merged one leads to the survivor. Errors:
// *NotFoundError, *actor.Refusal.
func (s *Service) Get(ctx context.Context, a actor.Actor, id ID) (*Client, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var c *Client
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) (err error) {
		c, err = Load(ctx, tx, id)
		return err
	})
	return c, err
}

// Timeline answers a client's events, newest first: its own, those of clients
// merged into it, and those of its conversations (R109).
func (s *Service) Timeline(ctx context.Context, a actor.Actor, id ID, p event.Page) ([]event.Event, error) {
	if err := a.Require(actor.SeeClients); err != nil {
		return nil, err
	}
	var events []event.Event
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		c, err := Load(ctx, tx, id)
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

// Edit is what a form or an API call wants changed. Fields by catalogue name; a
// field that isn't named stays. Emails and Phones replace the primary one when
// not nil; the empty text removes it.
type Edit struct {
	Fields map[string]string
	Email  *string
	Phone  *string
	// Revision, when not 0, must be the client's present one.
	Revision int64
}

// ConflictError is an edit of a record that changed meanwhile.
type ConflictError struct {
	// Wanted is the revision the edit was made on, Current the record as it is.
	Wanted  int64
	Current *Client
}

// Error says what to do.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("the client was changed meanwhile (revision %d, you edited %d): read it again and repeat your change", e.Current.Revision, e.Wanted)
}

// TakenError is an identifier that another client has (R97).
type TakenError struct {
	Kind  IdentifierKind
	Owner ID
}

// Error says what to do.
func (e *TakenError) Error() string {
	return fmt.Sprintf("%s: another client has it (%s): open that one, or mark it as shared", e.Kind, e.Owner)
}

// Create makes a client by hand (R14). It needs a name, a company, an email or a
// phone (R93). Errors: *FieldError, *TakenError, *actor.Refusal.
func (s *Service) Create(ctx context.Context, a actor.Actor, e Edit) (*Client, error) {
	if err := a.Require(actor.EditClients); err != nil {
		return nil, err
	}
	if !e.identifies() {
		return nil, &FieldError{Field: "first_name", Rule: "and every other way to recognise the client are empty", WayOut: "give a name, a company, an email or a phone"}
	}
	source := "manual"
	if a.Kind == actor.Automation {
		source = "api"
	}
	var c *Client
	err := s.change(ctx, a, "create", func(ctx context.Context, u *Unit) (err error) {
		if c, err = u.Create(ctx, New{Kind: Person, Source: source, Review: Confirmed}); err != nil {
			return err
		}
		return s.edit(ctx, a, u, c, e)
	})
	return c, err
}

// Update edits a client (R15, R102). Errors: *NotFoundError, *ConflictError,
// *FieldError, *TakenError, *actor.Refusal.
func (s *Service) Update(ctx context.Context, a actor.Actor, id ID, e Edit) (*Client, error) {
	if err := a.Require(actor.EditClients); err != nil {
		return nil, err
	}
	var c *Client
	err := s.change(ctx, a, "edit", func(ctx context.Context, u *Unit) (err error) {
		if c, err = u.Client(ctx, id); err != nil {
			return err
		}
		if e.Revision != 0 && e.Revision != c.Revision {
			return &ConflictError{Wanted: e.Revision, Current: c}
		}
		return s.edit(ctx, a, u, c, e)
	})
	return c, err
}

func (s *Service) change(ctx context.Context, a actor.Actor, reason string, fn func(context.Context, *Unit) error) error {
	return s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		u := Begin(tx, a, s.Now(), s.Changes, reason)
		if err := fn(ctx, u); err != nil {
			return err
		}
		return u.Flush(ctx)
	})
}

func (s *Service) edit(ctx context.Context, a actor.Actor, u *Unit, c *Client, e Edit) error {
	source := FromHuman
	for _, f := range Fields() {
		text, ok := e.Fields[f.Name]
		if !ok || !f.Editable {
			continue
		}
		clean, err := f.Clean(text)
		if err != nil {
			return err
		}
		if f.Name == "date_of_birth" && len(clean) == 10 && clean > s.Now().UTC().Format(time.DateOnly) {
			return &FieldError{Field: f.Name, Rule: "lies in the future", WayOut: "check the year"}
		}
		if clean == f.Get(c) {
			continue
		}
		if err := u.set(ctx, c, f, clean, Filling{Source: source, Evidence: Evidence{Confidence: 1}}); err != nil {
			return err
		}
	}
	region, err := s.Region(ctx, a.Tenant)
	if err != nil {
		return err
	}
	if err := u.replacePrimary(ctx, c, Email, e.Email, region); err != nil {
		return err
	}
	return u.replacePrimary(ctx, c, Phone, e.Phone, region)
}

// replacePrimary puts a typed identifier in the primary's place; the former one
// goes. What can't be read as a phone is kept as text (R28).
func (u *Unit) replacePrimary(ctx context.Context, c *Client, kind IdentifierKind, typed *string, region string) error {
	if typed == nil {
		return nil
	}
	old := c.currentPrimary(kind)
	found, err := typedIdentifier(kind, *typed, region)
	if err != nil {
		return err
	}
	if old != nil && found.Value == old.Value {
		return nil
	}
	if found.Normal != "" {
		others, err := Candidates(ctx, u.tx, []match.Identifier{{Kind: string(kind), Normal: found.Normal, Extension: found.Extension}})
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.ID != c.ID.UUID && o.Deleted == "" {
				return &TakenError{Kind: kind, Owner: ID{o.ID}}
			}
		}
	}
	if old != nil {
		if err := u.RemoveIdentifier(ctx, c, *old, "replaced by hand"); err != nil {
			return err
		}
	}
	if found.Value == "" {
		return nil
	}
	if p := c.currentPrimary(kind); p != nil {
		if err := u.demote(ctx, p); err != nil {
			return err
		}
	}
	return u.AddIdentifier(ctx, c, found)
}

func typedIdentifier(kind IdentifierKind, typed, region string) (Found, error) {
	f := Found{Kind: kind, Value: trimmed(typed), Source: FromHuman}
	if len(f.Value) > 500 {
		return f, &FieldError{Field: string(kind), Rule: "is longer than 500 bytes", WayOut: "shorten it"}
	}
	if f.Value == "" {
		return f, nil
	}
	switch kind {
	case Email:
		normal, ok := match.Email(f.Value)
		if !ok {
			return f, &FieldError{Field: "email", Rule: "is no email address", WayOut: "write it like ann@example.com"}
		}
		f.Normal = normal
	case Phone:
		if n, ok := match.Phone(f.Value, region); ok {
			f.Normal, f.Extension = n.E164, n.Extension
		}
	}
	return f, nil
}

func (e Edit) identifies() bool {
	for _, name := range []string{"first_name", "last_name", "company"} {
		if trimmed(e.Fields[name]) != "" {
			return true
		}
	}
	return (e.Email != nil && trimmed(*e.Email) != "") || (e.Phone != nil && trimmed(*e.Phone) != "")
}
