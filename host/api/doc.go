// Package api is the JSON API over HTTP. It turns requests into calls of the
// core's services and their answers and errors into JSON: parse, call, answer.
// It decides nothing about clients, and holds no state but idempotency keys.
//
// Every endpoint is a row of the table in routes.go, with the right it needs;
// the OpenAPI document, the checks before a handler runs (guard.go) and the
// tests of roles and tenants are generated from that table. Errors become
// problem documents in one place (problem.go). Endpoints stand in one file a
// subject.
package api
