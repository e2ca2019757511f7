// Package simulator pretends to be one Salesforce org with its token endpoints,
// so that adapters and real Salesforce clients can be tried without an account.
// It follows salesforce.md §11 and refuses what Salesforce refuses: a lenient
// simulator hides bugs. What that page leaves open is marked where it was
// decided.
//
// In this room: the HTTP side (simulator.go, guard.go, oauth.go, one file for
// each family of endpoints), the org (schema.go with schema.txt, records.go,
// validate.go, rules.go) and the query language (soql_*.go). Nothing of the
// adapter is used here, so that a misunderstanding of the page shows.
//
// Fixed names of the org: consumer key sim-key, consumer secret
// sim-consumer-secret, user admin@example.org, and an access token that never
// ends ([StaticToken]).
//
// Admin paths beside those of every simulator:
//
//	POST profile    {"name": "ready"}, see profile.go
//	POST merge      {"object", "winner", "losers"}
//	POST convert    {"lead", "contact"}; an empty contact makes one
//	POST undelete   {"object", "id"}
//	POST archive    {}: closed activities over 365 days old
//	POST set        {"object", "id", "fields"}: past all rules, such as an earlier
//	                SystemModstamp for a row that committed late
//	POST jwt-key    a PEM public key or certificate, for the JWT bearer flow
//	GET  records    ?object=Contact: all live records
//	POST expire     ends all sessions but that of the static token
package simulator
