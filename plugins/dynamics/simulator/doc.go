// Package simulator pretends to be Dataverse, the store of Dynamics 365: several
// environments behind one HTTP server, faithful to what is publicly known of the
// Web API (crm-apis dynamics.md, whose sections "§" means here) in its statuses,
// headers, error bodies, $batch, alternate keys, delta links and oddities, so
// that an adapter that works here has met what Dataverse does. What the page
// marks as not confirmed is a switch in [Settings].
//
// An environment's base is http://HOST/{name}, its name being org-a or
// org-b; http://HOST alone is the first of them. Tokens come
// from http://HOST/{tenant}/oauth2/v2.0/token for the application and secret in
// Settings; besides, any token that starts with "static-" is taken as the
// application user's, for gateways and demos.
//
// In this room: schema.go and tables.go (what columns there are), environment.go
// (rows, keys, tombstones), one file for each part of the API, and simulator.go
// that joins them. Nothing here is of use outside tests and demos.
package simulator
