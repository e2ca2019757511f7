package api

import (
	"context"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/channel/sender"
)

type sendersOutput struct {
	Body struct {
		Senders []sender.Configured `json:"senders" doc:"By channel; secrets are never answered"`
	}
}

func (s *server) listSenders(ctx context.Context, a actor.Actor, _ *struct{}) (*sendersOutput, error) {
	found, err := s.Senders.List(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &sendersOutput{}
	out.Body.Senders = list(found)
	return out, nil
}

// ChannelPath is the part of an input that names a channel.
type ChannelPath struct {
	Channel string `path:"channel" maxLength:"20" doc:"email, sms or chat"`
}

type setSenderInput struct {
	ChannelPath
	Body struct {
		Tenant string `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
		sender.Settings
		Secret *string `json:"secret,omitempty" doc:"The mail server's password, or the key that signs requests; left out: it stays"`
	}
}

func (in *setSenderInput) tenant() string { return in.Body.Tenant }

type senderOutput struct{ Body *sender.Configured }

func (s *server) setSender(ctx context.Context, a actor.Actor, in *setSenderInput) (*senderOutput, error) {
	set, err := s.Senders.Set(ctx, a, in.Channel, in.Body.Settings, in.Body.Secret)
	if err != nil {
		return nil, err
	}
	return &senderOutput{set}, nil
}

func (s *server) removeSender(ctx context.Context, a actor.Actor, in *ChannelPath) (*struct{}, error) {
	return &struct{}{}, s.Senders.Remove(ctx, a, in.Channel)
}
