package web

import (
	"net/http"

	"github.com/clientele-crm/clientele/core/actor"
)

// Page is one row of the table of pages. A page is open to everybody, or needs
// somebody who is signed in and may do what it needs; an empty need asks for the
// sign-in alone.
type Page struct {
	Method, Path string
	Open         bool
	Needs        actor.Can

	serve func(*site, *visit) error
}

// Pages is the table of all pages. Tests for roles and tenants are made from it,
// so a new row brings them along.
func Pages() []Page {
	get, post := http.MethodGet, http.MethodPost
	return []Page{
		{Method: get, Path: "/{$}", serve: (*site).home},
		{Method: get, Path: "/signin", Open: true, serve: (*site).signInForm},
		{Method: post, Path: "/signin", Open: true, serve: (*site).signIn},
		{Method: post, Path: "/signout", Open: true, serve: (*site).signOut},
		{Method: get, Path: "/welcome/{token}", Open: true, serve: (*site).welcomeForm},
		{Method: post, Path: "/welcome/{token}", Open: true, serve: (*site).welcome},
		{Method: post, Path: "/theme", Open: true, serve: (*site).chooseTheme},

		{Method: get, Path: "/clients", Needs: actor.SeeClients, serve: (*site).clients},
		{Method: get, Path: "/clients/new", Needs: actor.EditClients, serve: (*site).newClient},
		{Method: post, Path: "/clients", Needs: actor.EditClients, serve: (*site).createClient},
		{Method: get, Path: "/clients/{id}/edit", Needs: actor.EditClients, serve: (*site).editClient},
		{Method: post, Path: "/clients/{id}", Needs: actor.EditClients, serve: (*site).updateClient},
		{Method: get, Path: "/clients/{id}", Needs: actor.SeeClients, serve: (*site).client},
		{Method: post, Path: "/clients/{id}/notes", Needs: actor.EditClients, serve: (*site).addNote},
		{Method: get, Path: "/conversations", Needs: actor.SeeClients, serve: (*site).conversations},
		{Method: get, Path: "/conversations/{id}", Needs: actor.SeeClients, serve: (*site).conversation},
		{Method: get, Path: "/connections", Needs: actor.SeeClients, serve: (*site).connections},

		{Method: get, Path: "/settings/keys", Needs: actor.Administer, serve: (*site).keys},
		{Method: post, Path: "/settings/keys", Needs: actor.Administer, serve: (*site).createKey},
		{Method: post, Path: "/settings/keys/{id}/revoke", Needs: actor.Administer, serve: (*site).revokeKey},

		{Method: get, Path: "/tenants", Needs: actor.Operate, serve: (*site).tenants},
	}
}
