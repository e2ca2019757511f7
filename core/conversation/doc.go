// Package conversation keeps conversations and their messages: how a message
// finds the conversation it belongs to, when one has ended, what its summary is,
// and which client it is linked to. It doesn't know how a client is found; that
// is match's decision, applied by intake, and a person's through Service.
package conversation
