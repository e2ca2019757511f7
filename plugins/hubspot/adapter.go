package main

import (
	"net/http"
	"time"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// adapter implements the contract. It is safe for concurrent use.
type adapter struct {
	http *crmhttp.Client
	now  func() time.Time
}

var _ sdk.Adapter = (*adapter)(nil)

// newAdapter makes an adapter; a nil transport means the network.
func newAdapter(transport http.RoundTripper) *adapter {
	return &adapter{http: crmhttp.New(dialect(), transport), now: time.Now}
}

// account is one call's view of a HubSpot account.
type account struct {
	*crmhttp.Session
	settings
}

// open reads the connection's settings and begins a session.
func (a *adapter) open(c sdk.Connection) (*account, error) {
	s, err := parseSettings(c.Settings)
	if err != nil {
		return nil, &sdk.Error{Class: sdk.ClassValidation, Retry: sdk.RetryNever, Field: "settings", Message: err.Error()}
	}
	if c.Token.AccessToken == "" {
		return nil, &sdk.Error{Class: sdk.ClassAuth, Retry: sdk.RetryNever, Message: "the connection has no access token"}
	}
	return &account{
		Session:  a.http.Start(crmhttp.Account{BaseURL: s.BaseURL, Token: c.Token.AccessToken}),
		settings: s,
	}, nil
}
