package main

import (
	"context"

	"github.com/clientele-crm/clientele/sdk"
)

// batchMax is the most records of one collection call (salesforce.md §5.3).
const batchMax = 200

// bucketAPI is the org's rolling 24 hour allowance; bucketFree counts the calls
// that Salesforce does not.
const (
	bucketAPI  = "api_requests"
	bucketFree = "uncounted"
	bucketApp  = "api_requests_of_app"
)

// Describe says what the adapter is and can.
func (a *adapter) Describe(context.Context) (sdk.Description, error) {
	return sdk.Description{
		Name: "salesforce", Label: "Salesforce", Version: version, Protocol: sdk.Protocol,
		Objects: []sdk.Object{
			{Name: objectContact, Label: "Contact", Role: sdk.RoleClient, ExternalKeyField: defaultKeyField},
			{Name: objectLead, Label: "Lead", Role: sdk.RoleClient, ExternalKeyField: defaultKeyField},
			{Name: objectAccount, Label: "Account", Role: sdk.RoleCompany, ExternalKeyField: defaultKeyField},
			{Name: objectTask, Label: "Task", Role: sdk.RoleActivity, ExternalKeyField: defaultKeyField},
		},
		Capabilities: []string{
			sdk.CapInstall, sdk.CapFind, sdk.CapActivities, sdk.CapDelete, sdk.CapChanges, sdk.CapPlan,
		},
		Batch:          sdk.BatchLimits{Min: 1, Start: batchMax, Max: batchMax},
		Auth:           authMethods(),
		SettingsSchema: []byte(settingsSchema),
		DefaultMapping: defaultMapping(),
		Simulator:      "salesforce",
	}, nil
}

// authMethods are the flows of salesforce.md §1. None tells when a token ends:
// the host learns it from a call that fails with ClassAuth.
func authMethods() []sdk.AuthMethod {
	const token = "/services/oauth2/token"
	return []sdk.AuthMethod{
		{
			Kind: sdk.AuthAuthorizationCode, Label: "Sign in to Salesforce",
			AuthorizeURL: "{login_url}/services/oauth2/authorize", TokenURL: "{login_url}" + token,
			Scopes: []string{"api", "refresh_token", "openid"}, PKCE: true,
			KeepExtras: []string{"instance_url"}, TokenHosts: tokenHosts(), ReauthErrors: reauthErrors(),
		},
		{
			Kind: sdk.AuthClientCredentials, Label: "Client credentials (run-as user)",
			TokenURL:   "{instance_url}" + token,
			KeepExtras: []string{"instance_url"}, TokenHosts: tokenHosts(), ReauthErrors: reauthErrors(),
		},
		{
			Kind: sdk.AuthJWTBearer, Label: "JWT bearer (certificate)",
			TokenURL:   "{login_url}" + token,
			KeepExtras: []string{"instance_url"}, TokenHosts: tokenHosts(), ReauthErrors: reauthErrors(),
		},
		{
			Kind: sdk.AuthStaticToken, Label: "Access token pasted by hand (ends with its session)",
			TokenHosts: tokenHosts(),
		},
	}
}

// tokenHosts are the only places a Salesforce token belongs to.
func tokenHosts() []string {
	return []string{"login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com"}
}

// reauthErrors are words of error or error_description after which a person has
// to act (salesforce.md §1.7). invalid_grant alone is not among them: its
// "authentication failure" comes and goes.
func reauthErrors() []string {
	return []string{
		"expired access/refresh token", "expired authorization code", "invalid authorization code",
		"inactive user", "user hasn't approved this consumer", "user is not admin approved",
		"Audience validation failed", "request not supported on this domain", "no client credentials user enabled",
		"invalid_client", "invalid_client_id", "unsupported_grant_type", "redirect_uri_mismatch",
	}
}

// leadCompany is what Salesforce's own forms write for a lead without one; the
// field is required (salesforce.md §4.2).
const leadCompany = "client.company == '' ? '[not provided]' : client.company"

// defaultMapping fills the standard fields (salesforce.md §4.1 to §4.3). Emails
// and dates have no MaxLength: cut, they would be wrong.
func defaultMapping() []sdk.MappingRow {
	row := func(object, field, expr string, length int) sdk.MappingRow {
		return sdk.MappingRow{Object: object, Field: field, Expr: expr, Blank: "ignore", MaxLength: length}
	}
	return []sdk.MappingRow{
		row(objectContact, "LastName", "client.crm_last_name", 80),
		row(objectContact, "FirstName", "client.first_name", 40),
		row(objectContact, "Email", "client.email", 0),
		row(objectContact, "Phone", "client.phone", 40),
		row(objectContact, "MailingStreet", "client.street", 255),
		row(objectContact, "MailingCity", "client.city", 40),
		row(objectContact, "MailingState", "client.state", 80),
		row(objectContact, "MailingPostalCode", "client.zip", 20),
		row(objectContact, "MailingCountry", "client.country", 80),
		row(objectContact, "Birthdate", "client.date_of_birth", 0),

		row(objectLead, "LastName", "client.crm_last_name", 80),
		row(objectLead, "FirstName", "client.first_name", 40),
		row(objectLead, "Company", leadCompany, 255),
		row(objectLead, "Email", "client.email", 0),
		row(objectLead, "Phone", "client.phone", 40),
		row(objectLead, "Street", "client.street", 255),
		row(objectLead, "City", "client.city", 40),
		row(objectLead, "State", "client.state", 80),
		row(objectLead, "PostalCode", "client.zip", 20),
		row(objectLead, "Country", "client.country", 80),

		row(objectAccount, "Name", "client.company", 255),
	}
}
