// Command clientele-adapter-hubspot is Clientele's adapter for HubSpot. It
// translates between the contract of package sdk and HubSpot's API as described
// in crm-apis hubspot.md, and remembers nothing.
//
// adapter.go is where to start; each call of the contract has its own file.
// request.go holds the paths and bodies, dialect.go what answers mean.
package main

import "github.com/clientele-crm/clientele/sdk"

func main() { sdk.Serve(newAdapter(nil)) }
