package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

type addIdentifierInput struct {
	ClientPath
	Body struct {
		Kind    client.IdentifierKind `json:"kind" enum:"email,phone,external"`
		Value   string                `json:"value" minLength:"1" maxLength:"500"`
		Primary bool                  `json:"primary,omitempty"`
		Share   bool                  `json:"share,omitempty" doc:"If another client has it, mark it as shared on both"`
	}
}

func (s *server) addIdentifier(ctx context.Context, a actor.Actor, in *addIdentifierInput) (*clientOutput, error) {
	b := in.Body
	return clientOrError(s.Clients.AddIdentifier(ctx, a, in.ID, client.NewIdentifier{Kind: b.Kind, Value: b.Value, Primary: b.Primary, Share: b.Share}))
}

// IdentifierPath is the part of an input that names a client's identifier.
type IdentifierPath struct {
	ClientPath
	Identifier uuid.UUID `path:"identifier" format:"uuid"`
}

type changeIdentifierInput struct {
	IdentifierPath
	Body struct {
		Primary  bool  `json:"primary,omitempty" doc:"true makes it the primary one of its kind"`
		Shared   *bool `json:"shared,omitempty" doc:"Whether several people use it"`
		Verified *bool `json:"verified,omitempty" doc:"Whether it was proved to be the client's"`
	}
}

// changeIdentifier makes the changes one after the other: each stands by itself.
func (s *server) changeIdentifier(ctx context.Context, a actor.Actor, in *changeIdentifierInput) (*clientOutput, error) {
	var steps []func() (*client.Client, error)
	if in.Body.Shared != nil {
		steps = append(steps, func() (*client.Client, error) {
			return s.Clients.SetShared(ctx, a, in.ID, in.Identifier, *in.Body.Shared)
		})
	}
	if in.Body.Verified != nil {
		steps = append(steps, func() (*client.Client, error) {
			return s.Clients.SetVerified(ctx, a, in.ID, in.Identifier, *in.Body.Verified)
		})
	}
	if in.Body.Primary {
		steps = append(steps, func() (*client.Client, error) { return s.Clients.MakePrimary(ctx, a, in.ID, in.Identifier) })
	}
	if len(steps) == 0 {
		return nil, &client.FieldError{Field: "body", Rule: "changes nothing", WayOut: "send primary, shared or verified"}
	}
	var c *client.Client
	for _, step := range steps {
		var err error
		if c, err = step(); err != nil {
			return nil, err
		}
	}
	return clientAnswer(c), nil
}

func (s *server) dropIdentifier(ctx context.Context, a actor.Actor, in *IdentifierPath) (*clientOutput, error) {
	return clientOrError(s.Clients.DropIdentifier(ctx, a, in.ID, in.Identifier))
}

// clientOrError answers what most services of clients answer.
func clientOrError(c *client.Client, err error) (*clientOutput, error) {
	if err != nil {
		return nil, err
	}
	return clientAnswer(c), nil
}
