// Command clientele-adapter-salesforce is the adapter for Salesforce Sales
// Cloud: it translates the calls of package sdk into Salesforce's REST API and
// the answers back. It knows one CRM and keeps nothing.
//
// In this room: settings and description, one file for each call of
// [sdk.Adapter], and what they share: api.go (requests, wire forms), soql.go
// (queries), dialect.go (what Salesforce's errors mean). The simulator beside it
// is a program of its own and is not used by the adapter.
package main

import "github.com/clientele-crm/clientele/sdk"

func main() { sdk.Serve(newAdapter(nil)) }
