package api

import (
	"context"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/extract"
	"github.com/clientele-crm/clientele/core/tenant"
	"github.com/clientele-crm/clientele/host/channel/assist"
)

// Settings are a tenant's rules and lists (R192); PATCH takes the same members.
type Settings struct {
	Region       string                    `json:"region"`
	Timezone     string                    `json:"timezone"`
	NoCreation   []string                  `json:"no_creation"`
	IdleMinutes  map[string]int            `json:"idle_minutes"`
	Off          []extract.Field           `json:"off"`
	Accept       map[extract.Field]float64 `json:"accept"`
	Suggest      float64                   `json:"suggest"`
	OwnDomains   []string                  `json:"own_domains"`
	OwnAddresses []string                  `json:"own_addresses"`
	OwnNumbers   []string                  `json:"own_numbers"`
	Agents       []string                  `json:"agents"`
	NotNames     []string                  `json:"not_names"`
	Names        []string                  `json:"names"`
	Endpoint     *SettingsEndpoint         `json:"endpoint,omitempty"`
}

// SettingsEndpoint is the AI endpoint and how it stands.
type SettingsEndpoint struct {
	tenant.Endpoint
	assist.Standing
}

// settingsBody shows what is in force, so that a default is a figure too.
func settingsBody(t tenant.Tenant, standing assist.Standing) Settings {
	x := t.Settings.Extraction
	s := Settings{
		Region: t.Region, Timezone: t.Timezone, NoCreation: list(t.Settings.NoCreation), IdleMinutes: map[string]int{},
		Off: list(x.Off), Accept: map[extract.Field]float64{}, Suggest: x.Suggest, OwnDomains: list(x.OwnDomains),
		OwnAddresses: list(x.OwnAddresses), OwnNumbers: list(x.OwnNumbers), Agents: list(x.Agents), NotNames: list(x.NotNames), Names: list(x.Names),
	}
	for _, channel := range []string{"email", "sms", "chat"} {
		s.IdleMinutes[channel] = int(t.Settings.Idle(channel).Minutes())
	}
	for _, f := range extract.Fields() {
		s.Accept[f] = extract.DefaultAccept
		if v, ok := x.Accept[f]; ok {
			s.Accept[f] = v
		}
	}
	if s.Suggest == 0 {
		s.Suggest = extract.DefaultSuggest
	}
	if e := t.Settings.Endpoint; e != nil {
		s.Endpoint = &SettingsEndpoint{*e, standing}
		s.Endpoint.TimeoutSeconds, s.Endpoint.CallsPerDay = int(e.Timeout().Seconds()), e.Budget()
	}
	return s
}

type settingsOutput struct{ Body Settings }

func (s *server) getSettings(ctx context.Context, a actor.Actor, _ *struct{}) (*settingsOutput, error) {
	t, err := s.Tenants.ReadSettings(ctx, a)
	if err != nil {
		return nil, err
	}
	return s.settings(ctx, a, t)
}

type changeSettingsInput struct {
	Body struct {
		Tenant string `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
		tenant.Change
	}
}

func (in *changeSettingsInput) tenant() string { return in.Body.Tenant }

func (s *server) changeSettings(ctx context.Context, a actor.Actor, in *changeSettingsInput) (*settingsOutput, error) {
	t, err := s.Tenants.ChangeSettings(ctx, a, in.Body.Change)
	if err != nil {
		return nil, err
	}
	return s.settings(ctx, a, t)
}

func (s *server) settings(ctx context.Context, a actor.Actor, t tenant.Tenant) (*settingsOutput, error) {
	standing, err := s.Assistant.Standing(ctx, a)
	if err != nil {
		return nil, err
	}
	return &settingsOutput{settingsBody(t, standing)}, nil
}

type endpointKeyInput struct {
	Body struct {
		Tenant string `json:"tenant,omitempty" doc:"If given, it must be the slug of your tenant"`
		Key    string `json:"key" doc:"Sent to the endpoint as Authorization: Bearer"`
	}
}

func (in *endpointKeyInput) tenant() string { return in.Body.Tenant }

func (s *server) setEndpointKey(ctx context.Context, a actor.Actor, in *endpointKeyInput) (*struct{}, error) {
	return &struct{}{}, s.Assistant.SetKey(ctx, a, in.Body.Key)
}

func (s *server) dropEndpointKey(ctx context.Context, a actor.Actor, _ *struct{}) (*struct{}, error) {
	return &struct{}{}, s.Assistant.DropKey(ctx, a)
}
