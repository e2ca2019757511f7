// Package connection keeps a tenant's CRM accounts: which adapter, with which
// settings, and the secrets, encrypted and bound to their row. It hands a call
// what it needs and nothing more. What is sent over a connection, and when, is
// crmsync's business.
package connection
