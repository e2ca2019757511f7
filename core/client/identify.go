package client

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/event"
	"github.com/clientele-crm/clientele/core/match"
)

// MaxIdentifiers is the most identifiers that a person may give a client.
const MaxIdentifiers = 100

// NewIdentifier is an identifier that somebody types.
type NewIdentifier struct {
	Kind    IdentifierKind // Email, Phone or External
	Value   string         // at most 500 bytes
	Primary bool
	// Share as in Edit.
	Share bool
}

// AddIdentifier gives a client one more email, phone or external id (R23).
// Errors: *NotFoundError, *ConflictError (At), FieldErrors, *TakenError,
// *StateError, *actor.Refusal.
func (s *Service) AddIdentifier(ctx context.Context, a actor.Actor, id ID, n NewIdentifier) (*Client, error) {
	if err := s.require(ctx, a, actor.EditClients); err != nil {
		return nil, err
	}
	if !slices.Contains([]IdentifierKind{Email, Phone, External}, n.Kind) {
		return nil, FieldErrors{{Field: "kind", Rule: "can't be given by hand", WayOut: "use email, phone or external"}}
	}
	region, err := s.Region(ctx, a.Tenant)
	if err != nil {
		return nil, fmt.Errorf("read the tenant's region: %w", err)
	}
	found, err := checkIdentifier(n.Kind, &n.Value, region)
	if err != nil {
		return nil, FieldErrors(nil).add(err)
	}
	if found.Value == "" {
		return nil, FieldErrors{{Field: "value", Rule: "is empty", WayOut: "write the address, number or id"}}
	}
	return s.changeClient(ctx, a, id, "edit", func(ctx context.Context, u *Unit, c *Client) error {
		if len(c.Identifiers) >= MaxIdentifiers {
			return FieldErrors{{Field: "value", Rule: fmt.Sprintf("would be more than the %d identifiers a client may have", MaxIdentifiers), WayOut: "remove one"}}
		}
		if err := u.claim(ctx, c, found, n.Share); err != nil {
			return err
		}
		if n.Primary {
			return u.addPrimary(ctx, c, *found)
		}
		return u.AddIdentifier(ctx, c, *found)
	})
}

// DropIdentifier takes an identifier away; the oldest other one of its kind
// becomes primary. Something to recognise the client by must be left (R93).
// Errors as AddIdentifier's, and *IdentifierNotFoundError.
func (s *Service) DropIdentifier(ctx context.Context, a actor.Actor, id ID, identifier uuid.UUID) (*Client, error) {
	return s.changeIdentifier(ctx, a, id, identifier, func(ctx context.Context, u *Unit, c *Client, i *Identifier) error {
		if err := u.RemoveIdentifier(ctx, c, *i, "removed by hand"); err != nil {
			return err
		}
		if !c.recognisable() {
			return FieldErrors{nobody("identifier")}
		}
		return nil
	})
}

// IdentifierChange is what may be changed of an identifier; nil and false leave
// it.
type IdentifierChange struct {
	// Primary makes it the primary one of its kind.
	Primary bool
	// Shared says whether several people use it: a shared one never matches without
	// a name (R132). It can't be taken back while another client has the same.
	Shared *bool
	// Verified says whether it was proved to be the client's.
	Verified *bool
}

// ChangeIdentifier makes an identifier primary, shared or verified: all of the
// change or nothing. Errors: DropIdentifier's, *StateError where an identifier
// can't be unshared.
func (s *Service) ChangeIdentifier(ctx context.Context, a actor.Actor, id ID, identifier uuid.UUID, change IdentifierChange) (*Client, error) {
	if change == (IdentifierChange{}) {
		return nil, FieldErrors{{Field: "body", Rule: "changes nothing", WayOut: "send primary, shared or verified"}}
	}
	return s.changeIdentifier(ctx, a, id, identifier, func(ctx context.Context, u *Unit, c *Client, i *Identifier) error {
		if change.Shared != nil {
			if err := u.share(ctx, c, i, *change.Shared); err != nil {
				return err
			}
		}
		if change.Verified != nil {
			if err := u.setFlag(ctx, c, i, "verified", &i.Verified, *change.Verified); err != nil {
				return err
			}
		}
		if !change.Primary {
			return nil
		}
		return u.makePrimary(ctx, c, i.ID)
	})
}

func (s *Service) changeIdentifier(ctx context.Context, a actor.Actor, id ID, identifier uuid.UUID,
	fn func(context.Context, *Unit, *Client, *Identifier) error,
) (*Client, error) {
	return s.changeClient(ctx, a, id, "edit", func(ctx context.Context, u *Unit, c *Client) error {
		for i := range c.Identifiers {
			if c.Identifiers[i].ID == identifier {
				return fn(ctx, u, c, &c.Identifiers[i])
			}
		}
		return &IdentifierNotFoundError{ID: identifier}
	})
}

func (u *Unit) share(ctx context.Context, c *Client, i *Identifier, shared bool) error {
	if !shared {
		owners, err := u.owners(ctx, c, i.Kind, i.Normal, i.Extension)
		if err != nil {
			return err
		}
		if len(owners) > 0 {
			return &StateError{Rule: "another client has this " + string(i.Kind) + " too", WayOut: "remove it there first"}
		}
	}
	return u.setFlag(ctx, c, i, "shared", &i.Shared, shared)
}

// setFlag changes one of an identifier's marks; column is one of ours.
func (u *Unit) setFlag(ctx context.Context, c *Client, i *Identifier, column string, flag *bool, on bool) error {
	if *flag == on {
		return nil
	}
	if _, err := u.tx.Exec(ctx, `UPDATE client_identifier SET `+column+` = $2 WHERE id = $1`, i.ID, on); err != nil {
		return fmt.Errorf("mark %s as %s: %w", i.Kind, column, err)
	}
	u.Log(c, event.FieldChanged, event.Change(string(i.Kind)+" "+column, *flag, on, string(FromHuman)))
	*flag = on
	u.touch(c)
	return nil
}

// claim refuses an identifier that another live client has, or, if people said
// that they share it, marks it as shared on all of them (R97).
func (u *Unit) claim(ctx context.Context, c *Client, f *Found, share bool) error {
	owners, err := u.owners(ctx, c, f.Kind, f.Normal, f.Extension)
	if err != nil || len(owners) == 0 {
		return err
	}
	if !share {
		return &TakenError{Kind: f.Kind, Owner: owners[0]}
	}
	for _, id := range owners {
		owner, err := u.Client(ctx, id)
		if err != nil {
			return err
		}
		for i := range owner.Identifiers {
			held := &owner.Identifiers[i]
			if held.Kind == f.Kind && sameIdentifier(f.Kind, held.Normal, f.Normal) && held.Extension == f.Extension {
				if err := u.setFlag(ctx, owner, held, "shared", &held.Shared, true); err != nil {
					return err
				}
			}
		}
	}
	f.Shared = true
	return nil
}

// owners are the other live clients that have an identifier.
func (u *Unit) owners(ctx context.Context, c *Client, kind IdentifierKind, normal, extension string) ([]ID, error) {
	if normal == "" {
		return nil, nil
	}
	candidates, err := Candidates(ctx, u.tx, []match.Identifier{{Kind: string(kind), Normal: normal, Extension: extension}})
	if err != nil {
		return nil, err
	}
	var ids []ID
	for _, o := range candidates {
		held := slices.ContainsFunc(o.Held, func(h match.Held) bool { return h.Extension == extension })
		if o.ID != c.ID.UUID && o.Deleted == "" && held {
			ids = append(ids, ID{o.ID})
		}
	}
	return ids, nil
}

func sameIdentifier(kind IdentifierKind, a, b string) bool {
	if kind == Phone {
		return slices.Contains(match.PhoneVariants(a), b)
	}
	return a == b
}
