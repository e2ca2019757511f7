package main

import (
	"net/http"
	"strings"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// version is the adapter's own, shown in catalogs and in the org's API logs.
const version = "1.0.0"

// adapter answers the host's calls. It holds connections to keep alive and
// nothing else, so that it can be stopped at any moment.
type adapter struct{ http *crmhttp.Client }

var _ sdk.Adapter = (*adapter)(nil)

// newAdapter makes an adapter; tests pass a transport that records.
func newAdapter(transport http.RoundTripper) *adapter {
	return &adapter{http: crmhttp.New(dialect(), transport)}
}

// org is one call's view of a Salesforce org: where it is, how it is set up, and
// what the call has cost so far.
type org struct {
	*crmhttp.Session
	settings settings
}

// open reads the connection's settings. The instance URL of the token answer
// wins over the one that was typed in, since Salesforce may move an org at any
// refresh (salesforce.md §1.3).
func (a *adapter) open(c sdk.Connection) (*org, error) {
	set, err := parseSettings(c.Settings)
	if err != nil {
		return nil, refused("", err.Error())
	}
	if c.Token.AccessToken == "" {
		return nil, &sdk.Error{Class: sdk.ClassAuth, Retry: sdk.RetryNever, Message: "the call carries no access token: connect the account again"}
	}
	base := set.BaseURL
	if base == "" {
		base = c.Token.Extras["instance_url"]
	}
	if base == "" {
		base = set.InstanceURL
	}
	if base == "" {
		return nil, refused("instance_url", "instance_url: is empty and the token names none: enter the org's My Domain URL, such as https://acme.my.salesforce.com")
	}
	checked, err := orgURL(base)
	if err != nil {
		return nil, refused("instance_url", err.Error())
	}
	account := crmhttp.Account{BaseURL: checked, Token: c.Token.AccessToken}
	return &org{Session: a.http.Start(account), settings: set}, nil
}

// refused is the error of a call that cannot be made as it was asked.
func refused(field, message string) *sdk.Error {
	return &sdk.Error{Class: sdk.ClassValidation, Retry: sdk.RetryNever, Field: field, Message: message}
}

// path is a path below the API version, such as "/sobjects/Contact/describe".
func (o *org) path(rest string) string {
	return "/services/data/v" + o.settings.APIVersion + rest
}

// keyField is the field of an object that holds Clientele's id.
func (o *org) keyField(object string) string {
	if object == objectTask {
		return o.settings.ActivityKeyField
	}
	return o.settings.KeyField
}

// sameField compares field names as Salesforce does, without case.
func sameField(a, b string) bool { return strings.EqualFold(a, b) }

// The objects the adapter knows by name. Others (custom objects with a key
// field) can be described, found and written too.
const (
	objectContact = "Contact"
	objectLead    = "Lead"
	objectAccount = "Account"
	objectTask    = "Task"
	objectEvent   = "Event"
)
