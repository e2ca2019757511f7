// Package simulator pretends to be HubSpot: several accounts ("portals") behind
// one HTTP server, faithful to what is publicly known of the API (crm-apis
// hubspot.md §12) in its limits, error bodies and oddities, so that an adapter
// that works here has met what HubSpot does. What the page marks as not
// confirmed is a switch in [Settings].
//
// The paths of v3/v4, 2026-03 and 2026-09 lead to the same handlers. Static
// tokens look like pat-{region}-{anything}; pat-{region}-{portal}-{anything}
// names the portal by its number, else it is [DefaultPortal]. The base in
// sdk/simulator adds state, faults, counters and the clock.
package simulator
