package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

type addIdentifierInput struct {
	ClientPath
	IfMatch
	Body struct {
		Kind    client.IdentifierKind `json:"kind" enum:"email,phone,external"`
		Value   string                `json:"value" minLength:"1" maxLength:"500"`
		Primary bool                  `json:"primary,omitempty"`
		Share   bool                  `json:"share,omitempty" doc:"If another client has it, mark it as shared on both"`
	}
}

func (s *server) addIdentifier(ctx context.Context, a actor.Actor, in *addIdentifierInput) (*clientOutput, error) {
	b := in.Body
	return clientOrError(s.Clients.At(in.revision).AddIdentifier(ctx, a, in.ID, client.NewIdentifier{Kind: b.Kind, Value: b.Value, Primary: b.Primary, Share: b.Share}))
}

// IdentifierPath is the part of an input that names a client's identifier.
type IdentifierPath struct {
	ClientPath
	Identifier uuid.UUID `path:"identifier" format:"uuid"`
}

type changeIdentifierInput struct {
	IdentifierPath
	IfMatch
	Body struct {
		Primary  bool  `json:"primary,omitempty" doc:"true makes it the primary one of its kind"`
		Shared   *bool `json:"shared,omitempty" doc:"Whether several people use it"`
		Verified *bool `json:"verified,omitempty" doc:"Whether it was proved to be the client's"`
	}
}

func (s *server) changeIdentifier(ctx context.Context, a actor.Actor, in *changeIdentifierInput) (*clientOutput, error) {
	change := client.IdentifierChange{Primary: in.Body.Primary, Shared: in.Body.Shared, Verified: in.Body.Verified}
	return clientOrError(s.Clients.At(in.revision).ChangeIdentifier(ctx, a, in.ID, in.Identifier, change))
}

type dropIdentifierInput struct {
	IdentifierPath
	IfMatch
}

func (s *server) dropIdentifier(ctx context.Context, a actor.Actor, in *dropIdentifierInput) (*clientOutput, error) {
	return clientOrError(s.Clients.At(in.revision).DropIdentifier(ctx, a, in.ID, in.Identifier))
}

type crowdedOutput struct {
	Body struct {
		Identifiers []CrowdedIdentifier `json:"identifiers" doc:"The newest first, at most 200"`
	}
}

// CrowdedIdentifier is an address or number of many clients, by which nobody is
// found alike: a switchboard, or a mailbox that should be marked as shared.
type CrowdedIdentifier struct {
	Kind      client.IdentifierKind `json:"kind"`
	Normal    string                `json:"normal"`
	Clients   int                   `json:"clients" doc:"How many clients have it, counted up to 1,000"`
	NoticedAt time.Time             `json:"noticed_at"`
}

func (s *server) listCrowded(ctx context.Context, a actor.Actor, _ *struct{}) (*crowdedOutput, error) {
	found, err := s.Clients.CrowdedIdentifiers(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &crowdedOutput{}
	out.Body.Identifiers = []CrowdedIdentifier{}
	for _, c := range found {
		out.Body.Identifiers = append(out.Body.Identifiers, CrowdedIdentifier{
			Kind: client.IdentifierKind(c.Kind), Normal: c.Normal, Clients: c.Clients, NoticedAt: c.NoticedAt,
		})
	}
	return out, nil
}

// clientOrError answers what most services of clients answer.
func clientOrError(c *client.Client, err error) (*clientOutput, error) {
	if err != nil {
		return nil, err
	}
	return clientAnswer(c), nil
}
