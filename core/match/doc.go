// Package match compares people: the normal forms under which an email
// address, a phone number, a name or a company is the same one however it was
// typed, and the pure decisions made on them. It stores nothing, asks nobody
// and keeps no clock; core/client applies what it decides.
package match
