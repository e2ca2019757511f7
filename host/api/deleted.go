package api

import (
	"context"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

type deleteClientInput struct {
	ClientPath
	IfMatch
	Reason client.Reason `query:"reason" enum:"mistake,spam" default:"mistake" doc:"spam: its identifiers create no client any more"`
}

func (s *server) deleteClient(ctx context.Context, a actor.Actor, in *deleteClientInput) (*struct{}, error) {
	return &struct{}{}, s.Clients.At(in.revision).Delete(ctx, a, in.ID, in.Reason)
}

type restoreClientInput struct {
	ClientPath
	Merge bool `query:"merge" doc:"If a newer client has one of its identifiers, join the two"`
}

func (s *server) restoreClient(ctx context.Context, a actor.Actor, in *restoreClientInput) (*clientOutput, error) {
	return clientOrError(s.Clients.Restore(ctx, a, in.ID, in.Merge))
}

type listDeletedOutput struct {
	Body struct {
		Clients []*Client `json:"clients"`
		Next    string    `json:"next,omitempty" doc:"The cursor of the next page, if there is one"`
	}
}

func (s *server) listDeleted(ctx context.Context, a actor.Actor, in *PageQuery) (*listDeletedOutput, error) {
	after, err := DecodeCursor[client.DeletedCursor](in.Cursor)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Clients.Deleted(ctx, a, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &listDeletedOutput{}
	out.Body.Clients = clientBodies(found)
	out.Body.Next, err = EncodeCursor(next)
	return out, err
}

type suppressionsOutput struct {
	Body struct {
		Suppressions []client.Suppression `json:"suppressions" doc:"Newest first, at most 1,000"`
	}
}

func (s *server) listSuppressions(ctx context.Context, a actor.Actor, _ *struct{}) (*suppressionsOutput, error) {
	found, err := s.Clients.Suppressions(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &suppressionsOutput{}
	out.Body.Suppressions = list(found)
	return out, nil
}

type liftSuppressionInput struct {
	// In the body, not in the path: it is somebody's address or number.
	Body struct {
		Kind   client.IdentifierKind `json:"kind"`
		Normal string                `json:"normal"`
	}
}

func (s *server) liftSuppression(ctx context.Context, a actor.Actor, in *liftSuppressionInput) (*struct{}, error) {
	return &struct{}{}, s.Clients.LiftSuppression(ctx, a, in.Body.Kind, in.Body.Normal)
}

func clientBodies(clients []*client.Client) []*Client {
	bodies := make([]*Client, 0, len(clients))
	for _, c := range clients {
		bodies = append(bodies, clientBody(c))
	}
	return bodies
}
