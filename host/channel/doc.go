// Package channel holds the front doors for files: mbox, single mails, directories
// of them and JSON lines become messages for intake. It reads formats and decides
// nothing about what a message means.
package channel
