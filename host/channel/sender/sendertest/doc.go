// Package sendertest holds providers for tests, on loopback: an SMTP server and a
// webhook gateway that count what really reached them, and can be told to fail.
package sendertest
