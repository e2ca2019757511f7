// Package outbound is the one way out: every message to a client is accepted,
// decided, perhaps held or drafted, approved, and handed to a Sender here. It
// asks policy whether and when, and the host's senders how. It knows no SMTP and
// no HTTP.
package outbound
