// Package host is the daemon: the only part that knows both the core and the
// adapters. Host puts the parts together, in the order in which they need each
// other, and takes them apart again; main and tests start the same one.
//
// Parts: config (settings), plugin (adapter processes), connection (CRM accounts
// and secrets), mapping (clients to CRM fields), crmsync (the engine), channel
// (front doors), access (who may enter), api and web (what they see), demo (the
// sample tenant of `make run`), cmd/clientele (the command line).
package host
