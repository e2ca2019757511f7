package main

import (
	"context"

	"github.com/clientele-crm/clientele/sdk"
)

// version of the adapter, semantic.
const version = "0.1.0"

// HubSpot's object names (hubspot.md §4).
const (
	contacts       = "contacts"
	companies      = "companies"
	notes          = "notes"
	communications = "communications"
	calls          = "calls"
	emails         = "emails"
)

func activityObjects() []string { return []string{emails, communications, notes, calls} }

// objects lists what the adapter writes.
func objects() []sdk.Object {
	return []sdk.Object{
		{Name: contacts, Label: "Contact", Role: sdk.RoleClient, ExternalKeyField: keyField},
		{Name: companies, Label: "Company", Role: sdk.RoleCompany, ExternalKeyField: keyField},
		{Name: emails, Label: "Email", Role: sdk.RoleActivity, ExternalKeyField: keyField},
		{Name: communications, Label: "SMS and messages", Role: sdk.RoleActivity, ExternalKeyField: keyField},
		{Name: notes, Label: "Note", Role: sdk.RoleActivity, ExternalKeyField: keyField},
		{Name: calls, Label: "Call", Role: sdk.RoleActivity, ExternalKeyField: keyField},
	}
}

func objectNamed(name string) (sdk.Object, bool) {
	for _, o := range objects() {
		if o.Name == name {
			return o, true
		}
	}
	return sdk.Object{}, false
}

// Describe says what the adapter is; it makes no call.
func (a *adapter) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{
		Name: "hubspot", Label: "HubSpot", Version: version, Protocol: sdk.Protocol,
		Objects: objects(),
		Capabilities: []string{
			sdk.CapInstall, sdk.CapFind, sdk.CapActivities, sdk.CapDelete, sdk.CapChanges, sdk.CapPlan, sdk.CapEcho,
		},
		Batch:          sdk.BatchLimits{Min: 1, Start: maxBatch, Max: maxBatch},
		Auth:           auth(),
		SettingsSchema: []byte(settingsSchema),
		DefaultMapping: defaultMapping(),
		Simulator:      "hubspot",
	}, nil
}

// auth lists the credentials of hubspot.md §1.1 with the scopes of §1.6.
func auth() []sdk.AuthMethod {
	hosts := []string{"api.hubapi.com"}
	return []sdk.AuthMethod{
		{
			Kind: sdk.AuthStaticToken, Label: "Access token of a private app (pat-…)", Scopes: scopes(), TokenHosts: hosts,
		},
		{
			Kind: sdk.AuthAuthorizationCode, Label: "Sign in with HubSpot",
			AuthorizeURL: "{authorize_url}", TokenURL: "{base_url}/oauth/" + defaultVersion + "/token",
			Scopes: append([]string{"oauth"}, scopes()...), PKCE: true, KeepExtras: []string{"hub_id", "user_id"}, TokenHosts: hosts,
			ReauthErrors: []string{
				"BAD_REFRESH_TOKEN", "invalid_grant", "unauthorized", "BAD_AUTH_CODE", "EXPIRED_AUTH_CODE", "BAD_CLIENT_ID",
				"BAD_CLIENT_SECRET",
			},
		},
	}
}

func scopes() []string {
	return []string{
		"crm.objects.contacts.read", "crm.objects.contacts.write", "crm.schemas.contacts.read", "crm.schemas.contacts.write",
		"crm.objects.companies.read", "crm.objects.companies.write", "crm.schemas.companies.read", "crm.schemas.companies.write",
		"sales-email-read",
	}
}

// defaultMapping fills HubSpot's standard properties (hubspot.md §3.1). An empty
// value leaves what HubSpot has, so that connecting never erases.
func defaultMapping() []sdk.MappingRow {
	row := func(object, field, expr string) sdk.MappingRow {
		return sdk.MappingRow{Object: object, Field: field, Expr: expr, Blank: "ignore"}
	}
	return []sdk.MappingRow{
		row(contacts, "firstname", "client.first_name"),
		// Never empty: the host offers another name of the client, marked
		// provisional, where there is no last name (R165).
		row(contacts, "lastname", "client.crm_last_name"),
		row(contacts, "email", "client.email"),
		row(contacts, "phone", "client.phone"),
		row(contacts, "company", "client.company"),
		row(contacts, "address", "client.street"),
		row(contacts, "city", "client.city"),
		row(contacts, "state", "client.state"),
		row(contacts, "zip", "client.zip"),
		row(contacts, "country", "client.country"),
		row(contacts, "date_of_birth", "client.date_of_birth"),
		row(companies, "name", "client.company"),
	}
}
