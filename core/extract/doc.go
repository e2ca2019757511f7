// Package extract reads contact data out of one message: who wrote it, and
// which email addresses, phone numbers, names, companies, postal addresses and
// birth dates it states about its writer (R110–R125). It is pure: values in,
// values out, the same message always gives the same findings. It stores
// nothing, matches nobody and calls no service.
//
// A message goes down one road, and each step has its file:
//
//	Text         one normal text, turns and HTML included     text.go, html.go
//	segments     quotes, forwards, signature, our own side     segment.go
//	tokens       words, sentences, who may be speaking         token.go
//	detectors    small readers, one per field and manner       email.go, phone.go, name.go, …
//	attribution  whose value is it: speaker, other, unknown    attribute.go
//	Validator    confirm or veto each candidate in context     validator.go
//	Result       findings with span, confidence and reason     run.go
//
// What is unsure after that may be asked of an assistant outside: Inquire says
// what (assist.go), ReadOpinion takes its answer whole or not at all (opinion.go),
// and Weigh decides what its word counts.
//
// Whose data it is comes first: quoted people, our own agents and third
// persons are cut or marked before anything counts. Precision goes before
// recall, because a wrong name on a client is worse than none; what is
// uncertain comes out as a suggestion, and what is refused says why.
package extract
