package api

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

type mergeInput struct {
	Body struct {
		Tenant   string         `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
		Survivor client.ID      `json:"survivor"`
		Others   []client.ID    `json:"others" minItems:"1" maxItems:"19" doc:"They go into the survivor, in this order"`
		Choices  client.Choices `json:"choices,omitempty" doc:"By field: the client whose value to take"`
	}
}

func (in *mergeInput) tenant() string { return in.Body.Tenant }

func (in *mergeInput) request() client.MergeRequest {
	return client.MergeRequest{Survivor: in.Body.Survivor, Others: in.Body.Others, Choices: in.Body.Choices}
}

type mergeOutput struct {
	Body struct {
		ID          uuid.UUID           `json:"id" doc:"What undo takes"`
		Client      *Client             `json:"client" doc:"The survivor afterwards"`
		Retired     []client.ID         `json:"retired" doc:"Their ids lead to the survivor for ever"`
		Differences []client.Difference `json:"differences"`
		Moved       map[string]int      `json:"moved" doc:"What changed hands"`
		Effects     []string            `json:"effects" doc:"Consequences beyond the fields"`
		UndoUntil   time.Time           `json:"undo_until"`
	}
}

func mergeAnswer(m *client.Merged, err error) (*mergeOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &mergeOutput{}
	out.Body.ID, out.Body.Client, out.Body.Retired, out.Body.Differences = m.ID, clientBody(m.Client), list(m.Retired), list(m.Differences)
	out.Body.Moved, out.Body.Effects, out.Body.UndoUntil = m.Moved, list(m.Effects), m.UndoUntil
	return out, nil
}

func (s *server) merge(ctx context.Context, a actor.Actor, in *mergeInput) (*mergeOutput, error) {
	return mergeAnswer(s.Clients.Merge(ctx, a, in.request()))
}

func (s *server) previewMerge(ctx context.Context, a actor.Actor, in *mergeInput) (*mergeOutput, error) {
	return mergeAnswer(s.Clients.PreviewMerge(ctx, a, in.request()))
}

type undoMergeInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type undoMergeOutput struct {
	Body struct {
		Survivor *Client   `json:"survivor"`
		Restored []*Client `json:"restored"`
	}
}

func (s *server) undoMerge(ctx context.Context, a actor.Actor, in *undoMergeInput) (*undoMergeOutput, error) {
	undone, err := s.Clients.UndoMerge(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := &undoMergeOutput{}
	out.Body.Survivor, out.Body.Restored = clientBody(undone.Survivor), clientBodies(undone.Restored)
	return out, nil
}

type mergesOutput struct {
	Body struct {
		Merges []client.MergeRecord `json:"merges" doc:"The latest first, at most 100"`
	}
}

func (s *server) listMerges(ctx context.Context, a actor.Actor, in *ClientPath) (*mergesOutput, error) {
	found, err := s.Clients.Merges(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := &mergesOutput{}
	out.Body.Merges = list(found)
	return out, nil
}
