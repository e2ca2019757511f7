// Package sender hands messages to providers: mail over SMTP, SMS and chat to a
// gateway's webhook. It keeps each tenant's settings, with their secrets sealed,
// and makes an outbound.Sender of them. It decides nothing about whether or when
// a message goes; that is core/outbound.
//
// A further kind of provider is a type with outbound.Sender's methods, its part
// of Settings, and a line in Service.make.
package sender
