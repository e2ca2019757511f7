// Command dynamics is the adapter for Dynamics 365 (Dataverse Web API). It is
// started by a Clientele host; `dynamics describe` prints what it is and can.
//
// In this room: the translation between the sdk contract and Dataverse, one file
// an operation, on top of the three files that know the wire (odata.go: URLs and
// literals, batch.go: $batch, dialect.go: errors). It keeps no state between
// calls but a cache of table names it can lose.
//
// "§" in comments of this package and its simulator means a section of the CRM
// page crm-apis/dynamics.md, where each fact has its source.
package main

import "github.com/clientele-crm/clientele/sdk"

func main() { sdk.Serve(newAdapter(nil)) }
