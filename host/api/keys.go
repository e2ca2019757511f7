package api

import (
	"context"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
)

type listKeysOutput struct {
	Body struct {
		Keys []access.Key `json:"keys"`
	}
}

func (s *server) listKeys(ctx context.Context, a actor.Actor, _ *struct{}) (*listKeysOutput, error) {
	keys, err := s.Access.ListKeys(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &listKeysOutput{}
	out.Body.Keys = list(keys)
	return out, nil
}

type createKeyInput struct {
	Body struct {
		Tenant string        `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
		Name   string        `json:"name" minLength:"1" maxLength:"100" doc:"The program that will use the key"`
		Scopes []actor.Scope `json:"scopes" minItems:"1" enum:"read,write,export,admin"`
		ForMe  bool          `json:"for_me,omitempty" doc:"The key acts for you, within its scopes and your role"`
	}
}

func (in *createKeyInput) tenant() string { return in.Body.Tenant }

type createKeyOutput struct {
	Body struct {
		access.Key
		Secret string `json:"secret" doc:"Send it as Authorization: Bearer. It can't be shown again"`
	}
}

func (s *server) createKey(ctx context.Context, a actor.Actor, in *createKeyInput) (*createKeyOutput, error) {
	key, secret, err := s.Access.CreateKey(ctx, a, access.NewKey{Name: in.Body.Name, Scopes: in.Body.Scopes, ForMe: in.Body.ForMe})
	if err != nil {
		return nil, err
	}
	out := &createKeyOutput{}
	out.Body.Key, out.Body.Secret = key, secret
	return out, nil
}

type keyInput struct {
	ID access.KeyID `path:"id" format:"uuid"`
}

func (s *server) revokeKey(ctx context.Context, a actor.Actor, in *keyInput) (*struct{}, error) {
	return &struct{}{}, s.Access.RevokeKey(ctx, a, in.ID)
}
