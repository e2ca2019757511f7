package api

import (
	"context"
	"errors"
	"io"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/intake"
)

const (
	jsonType = "application/json"
	mailType = "message/rfc822"
	// jsonMessageLimit leaves room for a mail of intake.MaxBytes in base64; the
	// message itself is then measured by intake.
	jsonMessageLimit = intake.MaxBytes*4/3 + 1<<20
)

type pushMessageInput struct{ Body intake.Message }

func (in *pushMessageInput) tenant() string { return in.Body.Tenant }

type messageOutput struct{ Body intake.Result }

func (s *server) pushMessage(ctx context.Context, a actor.Actor, in *pushMessageInput) (*messageOutput, error) {
	result, err := s.Intake.Take(ctx, a, in.Body)
	if err != nil {
		return nil, err
	}
	return &messageOutput{result}, nil
}

// mailFormat lets a mail gateway post a mail as it is: the body is the message.
func mailFormat() huma.Format {
	return huma.Format{
		Marshal: func(io.Writer, any) error { return errors.New("answers are JSON") },
		Unmarshal: func(data []byte, v any) error {
			switch v := v.(type) {
			case *any: // what huma validates against the schema
				*v = map[string]any{"channel": "email"}
			case *intake.Message:
				v.Channel, v.MIME = "email", data
			default:
				return huma.ErrUnknownContentType
			}
			return nil
		},
	}
}

type listFailedInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listFailedOutput struct {
	Body struct {
		Messages []intake.Failure `json:"messages"`
	}
}

func (s *server) listFailed(ctx context.Context, a actor.Actor, in *listFailedInput) (*listFailedOutput, error) {
	failed, err := s.Intake.Failed(ctx, a, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &listFailedOutput{}
	out.Body.Messages = list(failed)
	return out, nil
}

type replayInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The accepted_id of the message"`
}

func (s *server) replayMessage(ctx context.Context, a actor.Actor, in *replayInput) (*messageOutput, error) {
	result, err := s.Intake.Replay(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	return &messageOutput{result}, nil
}

// list makes an empty list of nothing: JSON callers shouldn't meet null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
