package web

import (
	"errors"
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/host/access"
)

type keysPage struct {
	frame
	Keys   []keyRow
	Scopes []scopeChoice
	Name   string
	Error  string
	// Secret is shown once, right after its key was made.
	Secret, SecretName string
}

type keyRow struct {
	ID, Name, Scopes, By string
	Revoked              bool
	Created, LastUsed    stamp
}

type scopeChoice struct {
	Name, Help string
	Chosen     bool
}

func (s *site) keys(v *visit) error { return s.showKeys(v, http.StatusOK, keysPage{}, actor.ScopeRead) }

func (s *site) createKey(v *visit) error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	var scopes []actor.Scope
	for _, scope := range v.r.PostForm["scope"] {
		scopes = append(scopes, actor.Scope(scope))
	}
	page := keysPage{Name: v.r.PostFormValue("name")}
	key, secret, err := s.Access.CreateKey(v.ctx(), v.actor, access.NewKey{Name: page.Name, Scopes: scopes})
	if invalid, ok := errors.AsType[*access.InvalidError](err); ok {
		page.Error = text("keys.refused."+invalid.Field, invalid.Rule, invalid.WayOut)
		return s.showKeys(v, http.StatusUnprocessableEntity, page, scopes...)
	}
	if err != nil {
		return err
	}
	// Shown in this answer: a redirect would have to keep the secret somewhere.
	return s.showKeys(v, http.StatusCreated, keysPage{Secret: secret, SecretName: key.Name}, actor.ScopeRead)
}

func (s *site) revokeKey(v *visit) error {
	id, err := access.ParseKeyID(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.Access.RevokeKey(v.ctx(), v.actor, id); err != nil {
		return err
	}
	v.redirect("/settings/keys")
	return nil
}

func (s *site) showKeys(v *visit, status int, page keysPage, chosen ...actor.Scope) error {
	keys, err := s.Access.ListKeys(v.ctx(), v.actor)
	if err != nil {
		return err
	}
	page.frame = s.frame(v, "keys.title", "/settings/keys")
	for _, k := range keys {
		var scopes []string
		for _, scope := range k.Scopes {
			scopes = append(scopes, string(scope))
		}
		page.Keys = append(page.Keys, keyRow{
			ID: k.ID.String(), Name: k.Name, Scopes: strings.Join(scopes, ", "), By: k.CreatedBy, Revoked: k.RevokedAt != nil,
			Created: v.stamp(&k.CreatedAt), LastUsed: v.stamp(k.LastUsedAt),
		})
	}
	for _, scope := range access.Scopes() {
		choice := scopeChoice{Name: string(scope), Help: text("scope." + string(scope))}
		for _, c := range chosen {
			choice.Chosen = choice.Chosen || c == scope
		}
		page.Scopes = append(page.Scopes, choice)
	}
	s.show(v, status, "keys", page)
	return nil
}

type tenantsPage struct {
	frame
	Tenants []tenantRow
}

type tenantRow struct {
	Slug, Name, Region, Timezone, Status string
	Suspended                            bool
	Created                              stamp
}

func (s *site) tenants(v *visit) error {
	found, err := s.Tenants.List(v.ctx(), v.actor)
	if err != nil {
		return err
	}
	page := tenantsPage{frame: s.frame(v, "tenants.title", "/tenants")}
	for _, t := range found {
		page.Tenants = append(page.Tenants, tenantRow{
			Slug: t.Slug, Name: t.Name, Region: t.Region, Timezone: t.Timezone, Status: text("tenant." + string(t.Status)),
			Suspended: t.Status == "suspended", Created: v.stamp(&t.CreatedAt),
		})
	}
	s.show(v, http.StatusOK, "tenants", page)
	return nil
}
