package client

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/match"
)

// How many similar clients are answered: a form shows a few, a person who looks
// for duplicates wants to see more.
const (
	mostLikely  = 5
	mostSimilar = 20
)

// Similar is a client that may be the same person as another.
type Similar struct {
	Client *Client
	match.Scored
	// Separate: a person decided that they are two, and nothing it was decided on
	// has changed since.
	Separate bool
}

// Duplicates is what a search for duplicates found.
type Duplicates struct {
	// Similar are strong and possible ones, strongest first.
	Similar []Similar
	// Crowded are addresses and numbers that lead to more clients than are worth
	// comparing. They were left out and should be marked as shared (R132).
	Crowded []match.Identifier
}

// LikelyDuplicates answers who a client that is about to be created may be
// already, at most five (R97). It compares with the clients that a few exact
// index look-ups find: within 50 ms at a million clients. Errors: FieldErrors,
// *actor.Refusal.
func (s *Service) LikelyDuplicates(ctx context.Context, a actor.Actor, e Edit) (Duplicates, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return Duplicates{}, err
	}
	checked, err := s.check(ctx, a, e)
	if err != nil {
		return Duplicates{}, err
	}
	var found Duplicates
	err = s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		f, err := findDuplicates(ctx, tx, checked.profile(), ID{})
		if err != nil {
			return err
		}
		found, err = f.answer(ctx, tx, mostLikely)
		return err
	})
	return found, err
}

// FindSimilar answers who else a client may be, at most 20 (R193, R194). Errors:
// *NotFoundError, *actor.Refusal.
func (s *Service) FindSimilar(ctx context.Context, a actor.Actor, id ID) (Duplicates, error) {
	if err := s.require(ctx, a, actor.SeeClients); err != nil {
		return Duplicates{}, err
	}
	var found Duplicates
	err := s.DB.Tenant(ctx, a, func(ctx context.Context, tx pgx.Tx) error {
		c, err := Load(ctx, tx, id)
		if err != nil {
			return err
		}
		f, err := findDuplicates(ctx, tx, c.profile(), c.ID)
		if err != nil {
			return err
		}
		if found, err = f.answer(ctx, tx, mostSimilar); err != nil {
			return err
		}
		return found.markSeparate(ctx, tx, c)
	})
	return found, err
}

// profile is the client as it is compared.
func (c *Client) profile() match.Profile {
	p := match.Profile{
		First: c.FirstName, Last: c.LastName, Company: c.Company, Street: c.Street, City: c.City, Zip: c.Zip,
		BirthDate: c.DateOfBirth, Mailbox: c.Kind == SharedMailbox,
	}
	for _, id := range c.Identifiers {
		if id.Normal != "" && id.Active {
			p.Held = append(p.Held, match.Held{
				Identifier: match.Identifier{Kind: string(id.Kind), Normal: id.Normal, Extension: id.Extension},
				Shared:     id.Shared, Proved: id.Source != FromExtraction || id.Verified,
			})
		}
	}
	return p
}

func (e checkedEdit) profile() match.Profile {
	var c Client
	for _, f := range Fields() {
		if text := e.fields[f.Name]; text != "" {
			f.set(&c, text)
		}
	}
	for _, found := range []*Found{e.email, e.phone} {
		if found != nil {
			c.Identifiers = append(c.Identifiers, Identifier{
				Kind: found.Kind, Normal: found.Normal, Extension: found.Extension, Source: FromHuman, Active: true,
			})
		}
	}
	return c.profile()
}

// comparison is what comparing came to, before the records are read for people.
type comparison struct {
	similar []likeness
	crowded []string // keys
}

type likeness struct {
	id ID
	match.Scored
}

// findDuplicates compares a profile with all clients that have a blocking key in
// common with it, but for the client itself.
func findDuplicates(ctx context.Context, tx pgx.Tx, p match.Profile, self ID) (comparison, error) {
	ids, crowded, err := blockMembers(ctx, tx, match.Keys(p), self)
	if err != nil {
		return comparison{}, err
	}
	f := comparison{crowded: crowded}
	others, err := loadProfiles(ctx, tx, ids)
	if err != nil {
		return comparison{}, err
	}
	for id, other := range others {
		if s := match.Score(p, other); s.Band != match.Low {
			f.similar = append(f.similar, likeness{id: id, Scored: s})
		}
	}
	slices.SortFunc(f.similar, func(a, b likeness) int {
		return cmp.Or(strongFirst(a.Band, b.Band), cmp.Compare(b.Bits, a.Bits), slices.Compare(a.id.UUID[:], b.id.UUID[:]))
	})
	return f, nil
}

func strongFirst(a, b match.Band) int {
	switch {
	case a == b:
		return 0
	case a == match.Strong:
		return -1
	default:
		return 1
	}
}

// answer reads the best as records.
func (f comparison) answer(ctx context.Context, tx pgx.Tx, most int) (Duplicates, error) {
	best := f.similar[:min(len(f.similar), most)]
	ids := make([]ID, len(best))
	for i, s := range best {
		ids[i] = s.id
	}
	clients, err := LoadMany(ctx, tx, ids)
	if err != nil {
		return Duplicates{}, err
	}
	d := Duplicates{Crowded: identifiersOf(f.crowded)}
	for _, c := range clients {
		i := slices.IndexFunc(best, func(l likeness) bool { return l.id == c.ID })
		d.Similar = append(d.Similar, Similar{Client: c, Scored: best[i].Scored})
	}
	return d, nil
}

// identifiersOf picks the keys that are an address or a number.
func identifiersOf(keys []string) []match.Identifier {
	var found []match.Identifier
	for _, k := range keys {
		switch match.BlockKind(k) {
		case match.BlockEmail:
			found = append(found, match.Identifier{Kind: match.KindEmail, Normal: match.BlockValue(k)})
		case match.BlockPhone:
			found = append(found, match.Identifier{Kind: match.KindPhone, Normal: match.BlockValue(k)})
		}
	}
	return found
}

// fingerprint digests what a decision to keep two clients separate was made on:
// their names, emails and phones.
func fingerprint(a, b match.Profile) []byte {
	sides := []string{fingerprintOf(a), fingerprintOf(b)}
	slices.Sort(sides)
	sum := sha256.Sum256([]byte(sides[0] + "\n" + sides[1]))
	return sum[:]
}

func fingerprintOf(p match.Profile) string {
	var values []string
	for _, h := range p.Held {
		if h.Kind == match.KindEmail || h.Kind == match.KindPhone {
			values = append(values, h.Kind+":"+h.Normal+";"+h.Extension)
		}
	}
	slices.Sort(values)
	return fmt.Sprintf("%q %q %q", match.Fold(p.First), match.Fold(p.Last), slices.Compact(values))
}
