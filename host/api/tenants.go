package api

import (
	"context"
	"time"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/tenant"
)

// Tenant is a tenant as operators see it: nothing of what it holds, nor how it
// works.
type Tenant struct {
	ID        actor.TenantID `json:"id"`
	Slug      string         `json:"slug"`
	Name      string         `json:"name"`
	Region    string         `json:"region"`
	Timezone  string         `json:"timezone"`
	Status    tenant.Status  `json:"status" enum:"active,suspended"`
	CreatedAt time.Time      `json:"created_at"`
}

func tenantBody(t tenant.Tenant) Tenant {
	return Tenant{ID: t.ID, Slug: t.Slug, Name: t.Name, Region: t.Region, Timezone: t.Timezone, Status: t.Status, CreatedAt: t.CreatedAt}
}

type listTenantsOutput struct {
	Body struct {
		Tenants []Tenant `json:"tenants"`
	}
}

func (s *server) listTenants(ctx context.Context, a actor.Actor, _ *struct{}) (*listTenantsOutput, error) {
	found, err := s.Tenants.List(ctx, a)
	if err != nil {
		return nil, err
	}
	out := &listTenantsOutput{}
	out.Body.Tenants = []Tenant{}
	for _, t := range found {
		out.Body.Tenants = append(out.Body.Tenants, tenantBody(t))
	}
	return out, nil
}

type createTenantInput struct {
	Body struct {
		Slug     string `json:"slug" doc:"The short name, 1 to 63 of a-z, 0-9 and -"`
		Name     string `json:"name"`
		Region   string `json:"region" doc:"Two-letter country, for numbers without a country code"`
		Timezone string `json:"timezone" doc:"IANA name, such as America/New_York"`
	}
}

type tenantOutput struct{ Body Tenant }

func (s *server) createTenant(ctx context.Context, a actor.Actor, in *createTenantInput) (*tenantOutput, error) {
	b := in.Body
	made, err := s.Tenants.Create(ctx, a, tenant.New{Slug: b.Slug, Name: b.Name, Region: b.Region, Timezone: b.Timezone})
	if err != nil {
		return nil, err
	}
	return &tenantOutput{tenantBody(made)}, nil
}

// TenantPath is the part of an input that names a tenant.
type TenantPath struct {
	Slug string `path:"slug" maxLength:"63"`
}

func (s *server) suspendTenant(ctx context.Context, a actor.Actor, in *TenantPath) (*struct{}, error) {
	return &struct{}{}, s.Tenants.SetStatus(ctx, a, in.Slug, tenant.Suspended)
}

func (s *server) resumeTenant(ctx context.Context, a actor.Actor, in *TenantPath) (*struct{}, error) {
	return &struct{}{}, s.Tenants.SetStatus(ctx, a, in.Slug, tenant.Active)
}

type loginLinkInput struct {
	TenantPath
	Body struct {
		Email string `json:"email"`
	}
}

type loginLinkOutput struct {
	Body struct {
		Path      string    `json:"path" doc:"Open it on this host, once, to set a password"`
		Email     string    `json:"email"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

func (s *server) createLoginLink(ctx context.Context, a actor.Actor, in *loginLinkInput) (*loginLinkOutput, error) {
	link, err := s.Access.CreateLoginLink(ctx, a, in.Slug, in.Body.Email)
	if err != nil {
		return nil, err
	}
	out := &loginLinkOutput{}
	out.Body.Path, out.Body.Email, out.Body.ExpiresAt = link.Path(), link.Email, link.ExpiresAt
	return out, nil
}
