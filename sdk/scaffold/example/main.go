// Command clientele-adapter-example is an adapter for Example CRM: it translates
// between Clientele's contract (package sdk) and the CRM's API.
package main

import (
	"github.com/clientele-crm/clientele/sdk"
	"github.com/clientele-crm/clientele/sdk/scaffold/example/adapter"
)

func main() { sdk.Serve(adapter.New(nil)) }
