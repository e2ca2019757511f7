// Package access decides who may enter: it keeps the users of tenants and the
// operators above them (requirements R210), their passwords, sessions, one-time
// login links and API keys, and turns a request's credential into the
// [actor.Actor] that every service asks for (R160, R162, §1.21).
//
// It knows no page and no route; host/web and host/api call it. What an actor
// may then do is actor's question, not this package's.
//
// In this room: the service and Authenticate (access.go), users (user.go),
// passwords (password.go) and the limit before them (limit.go), sign-in
// (signin.go), sessions in PostgreSQL (session.go), login links (link.go), API
// keys (key.go), and the errors people read (errors.go). All tables here are
// outside row-level security (a credential is looked up before its tenant is
// known), so every query that answers to an actor names the tenant itself.
package access
