// Package match compares people: the normal forms under which an email
// address, a phone number, a name or a company is the same one however it was
// typed, and the pure decisions made on them. It stores nothing, asks nobody
// and keeps no clock; core/client applies what it decides.
//
// In this room: normal forms (normal_*.go), which client a message belongs to
// (decide.go), and whether two clients are one person: the score (score.go, its
// comparisons in score_name.go, score_contact.go and score_fact.go), the keys by
// which a pair is found at all (score_key.go) and the groups that pairs make
// (score_cluster.go). The score's levels on our own labelled pairs are kept by
// TestEvalDuplicates; `make eval` prints them.
package match
