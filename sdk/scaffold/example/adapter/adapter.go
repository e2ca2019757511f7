// Package adapter translates between Clientele's contract and Example CRM's API.
// It remembers nothing between calls. describe.go says what it is and can, api.go
// holds the CRM's words, and each call has its own file.
package adapter

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/crmhttp"
)

// Adapter implements the contract. It is safe for concurrent use.
type Adapter struct{ http *crmhttp.Client }

var _ sdk.Adapter = (*Adapter)(nil)

// New makes an adapter; a nil transport means the network.
func New(transport http.RoundTripper) *Adapter {
	return &Adapter{http: crmhttp.New(dialect(), transport)}
}

// settings are what an admin fills in.
type settings struct {
	BaseURL string `json:"base_url"`
}

const settingsSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "base_url": {"type": "string", "format": "uri", "title": "API address", "default": "https://api.example.com"}
  }
}`

// open reads the connection's settings and begins a session.
func (a *Adapter) open(c sdk.Connection) (*crmhttp.Session, *sdk.Error) {
	s := settings{BaseURL: "https://api.example.com"}
	if len(c.Settings) > 0 {
		if err := json.Unmarshal(c.Settings, &s); err != nil {
			return nil, refused("settings", "settings: %v", err)
		}
	}
	base, err := crmhttp.BaseURL(s.BaseURL)
	if err != nil {
		return nil, refused("settings", "base_url: %v", err)
	}
	if c.Token.AccessToken == "" {
		return nil, &sdk.Error{Class: sdk.ClassAuth, Retry: sdk.RetryNever, Message: "the connection has no access token"}
	}
	return a.http.Start(crmhttp.Account{BaseURL: base, Token: c.Token.AccessToken}), nil
}

func refused(field, format string, args ...any) *sdk.Error {
	return &sdk.Error{Class: sdk.ClassValidation, Retry: sdk.RetryNever, Field: field, Message: fmt.Sprintf(format, args...)}
}
