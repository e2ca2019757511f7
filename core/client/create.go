package client

import (
	"context"

	"github.com/clientele-crm/clientele/core/event"
)

// New is what a client starts with.
type New struct {
	Kind   Kind
	Source string // the channel, or manual, import, crm, api
	Origin map[string]any
	Review Review
}

// Create makes an empty client in this unit; fields and identifiers follow
// through Fill, Set and AddIdentifier.
func (u *Unit) Create(ctx context.Context, n New) (*Client, error) {
	c := &Client{
		ID: NewID(), Kind: n.Kind, Source: n.Source, Origin: n.Origin, Review: n.Review, Metadata: "{}",
		Tags: []string{}, PreferredChannels: []string{}, ContactWindows: []byte("[]"), PolicySet: PolicySet{}, CreatedAt: u.now, UpdatedAt: u.now,
	}
	if c.Origin == nil {
		c.Origin = map[string]any{}
	}
	if err := insert(ctx, u.tx, u.actor.Tenant.UUID, c); err != nil {
		return nil, err
	}
	u.clients[c.ID] = c
	u.touch(c)
	u.Log(c, event.Created, map[string]any{"source": n.Source, "origin": c.Origin})
	return c, nil
}
