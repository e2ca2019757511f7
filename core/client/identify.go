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
// Errors: *NotFoundError, FieldErrors, *TakenError, *StateError, *actor.Refusal.
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
// Errors as AddIdentifier's; an identifier that isn't the client's is a
// FieldErrors.
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

// MakePrimary makes an identifier the primary one of its kind.
func (s *Service) MakePrimary(ctx context.Context, a actor.Actor, id ID, identifier uuid.UUID) (*Client, error) {
	return s.changeIdentifier(ctx, a, id, identifier, func(ctx context.Context, u *Unit, c *Client, i *Identifier) error {
		return u.makePrimary(ctx, c, i.ID)
	})
}

// SetShared says whether several people use an identifier: a shared one never
// matches without a name (R132). It can't be taken back while another client has
// the same (*StateError).
func (s *Service) SetShared(ctx context.Context, a actor.Actor, id ID, identifier uuid.UUID, shared bool) (*Client, error) {
	return s.changeIdentifier(ctx, a, id, identifier, func(ctx context.Context, u *Unit, c *Client, i *Identifier) error {
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
	})
}

// SetVerified says whether an identifier was proved to be the client's.
func (s *Service) SetVerified(ctx context.Context, a actor.Actor, id ID, identifier uuid.UUID, verified bool) (*Client, error) {
	return s.changeIdentifier(ctx, a, id, identifier, func(ctx context.Context, u *Unit, c *Client, i *Identifier) error {
		return u.setFlag(ctx, c, i, "verified", &i.Verified, verified)
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
		return FieldErrors{{Field: "identifier", Rule: "is none of this client's", WayOut: "read the client again"}}
	})
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
