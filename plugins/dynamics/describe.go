package main

import (
	"context"

	"github.com/clientele-crm/clientele/sdk"
)

// version is the adapter's own.
const version = "1.0.0"

// Describe implements sdk.Adapter.
func (a *adapter) Describe(context.Context) (sdk.Description, error) {
	defaults, bad := parseSettings([]byte(`{"resource_url":"https://example.crm.dynamics.com"}`))
	if bad != nil {
		return sdk.Description{}, bad
	}
	return sdk.Description{
		Name: "dynamics", Label: "Dynamics 365", Version: version, Protocol: sdk.Protocol,
		Objects: objects(defaults),
		Capabilities: []string{
			sdk.CapInstall, sdk.CapFind, sdk.CapActivities, sdk.CapDelete, sdk.CapChanges, sdk.CapPlan, sdk.CapEcho, sdk.CapVersionChecks,
		},
		// A $batch takes 1,000 operations, but its run time counts against 20 minutes
		// in 5 (§4.6, §7.1): start small, at most 100.
		Batch:          sdk.BatchLimits{Min: 1, Start: 50, Max: 100},
		Auth:           authMethods(),
		SettingsSchema: settingsSchema,
		DefaultMapping: defaultMapping(),
		Simulator:      "dynamics",
	}, nil
}

// objects are what the adapter writes. Contacts and accounts carry our key in a
// column; an activity's primary id is derived from the conversation instead.
func objects(s settings) []sdk.Object {
	var out []sdk.Object
	for _, t := range tables() {
		out = append(out, sdk.Object{Name: t.name, Label: t.label, Role: t.role, ExternalKeyField: s.keyColumn()})
	}
	for _, k := range standardKinds() {
		out = append(out, sdk.Object{Name: k.table, Label: k.label, Role: sdk.RoleActivity, ExternalKeyField: k.id})
	}
	return out
}

// authMethods are the ways to a token (§1.1). Placeholders are settings; the
// scope is the environment's URL, since one token is good for one environment.
func authMethods() []sdk.AuthMethod {
	const token, authorize = "{authority_url}/{tenant_id}/oauth2/v2.0/token", "{authority_url}/{tenant_id}/oauth2/v2.0/authorize"
	hosts := []string{
		"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "127.0.0.1", "localhost",
	}
	// Words of the token reply's "error" that need a person (§1.2).
	reauth := []string{
		"invalid_client", "unauthorized_client", "invalid_request", "invalid_resource", "invalid_scope",
		"invalid_grant", "interaction_required", "consent_required",
	}
	return []sdk.AuthMethod{
		{
			Kind: sdk.AuthClientCredentials, Label: "Application user (server to server)",
			TokenURL: token, Scopes: []string{"{resource_url}/.default"}, TokenHosts: hosts, ReauthErrors: reauth,
		},
		{
			Kind: sdk.AuthAuthorizationCode, Label: "Sign in as a person",
			AuthorizeURL: authorize, TokenURL: token, PKCE: true,
			// Without offline_access there is no refresh token.
			Scopes:     []string{"{resource_url}/user_impersonation", "offline_access"},
			TokenHosts: hosts, ReauthErrors: reauth,
		},
		{
			// A gateway in front of the environment may hold the real credentials.
			Kind: sdk.AuthStaticToken, Label: "Fixed token (gateway or simulator)",
		},
	}
}

// defaultMapping fills a contact and its account (§3.2). The host makes sure
// that crm_last_name is never empty (R165). contact.company is left alone: it is
// a phone number there (quirk 22); the employer is the parent account.
func defaultMapping() []sdk.MappingRow {
	row := func(object, field, expr string, length int) sdk.MappingRow {
		return sdk.MappingRow{Object: object, Field: field, Expr: "client." + expr, Blank: "ignore", MaxLength: length}
	}
	return []sdk.MappingRow{
		row("contact", "firstname", "first_name", 50),
		row("contact", "lastname", "crm_last_name", 50),
		row("contact", "emailaddress1", "email", 100),
		row("contact", "telephone1", "phone", 50),
		row("contact", "address1_line1", "street", 250),
		row("contact", "address1_city", "city", 80),
		row("contact", "address1_stateorprovince", "state", 50),
		row("contact", "address1_postalcode", "zip", 20),
		row("contact", "address1_country", "country", 80),
		row("contact", "birthdate", "date_of_birth", 0),
		row("account", "name", "company", 160),
	}
}
