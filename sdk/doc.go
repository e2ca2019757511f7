// Package sdk is all that an adapter author imports. An adapter is a program
// that translates between Clientele and one CRM: it implements [Adapter] and
// its main calls [Serve]. Everything that must be remembered (queues, retries,
// cursors, quotas, refresh tokens, mappings) stays in the host; an adapter gets
// one bounded call with all it needs and answers with one typed outcome per
// record. It may be stopped at any moment and started again elsewhere.
//
// In this room: the contract (adapter.go), its values (value.go, record.go),
// its outcomes and error classes (outcome.go), what an adapter says about
// itself (description.go), Serve, and what a host needs to reach an adapter
// (plugin.go, client.go). Protobuf stays behind package adapterpb.
// Nothing here knows the host, the core or a particular CRM.
package sdk
