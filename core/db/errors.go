package db

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs somebody acts on (PostgreSQL manual, appendix A).
const (
	codeUniqueViolation      = "23505"
	codeForeignKeyViolation  = "23503"
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeDuplicateObject      = "42710"
)

// Code is the SQLSTATE of err, or empty when PostgreSQL did not send one.
func Code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// UniqueViolation names the unique constraint or index that err ran into, and
// whether there was one.
func UniqueViolation(err error) (constraint string, ok bool) {
	return violation(err, codeUniqueViolation)
}

// ForeignKeyViolation names the foreign key that err ran into, and whether there
// was one.
func ForeignKeyViolation(err error) (constraint string, ok bool) {
	return violation(err, codeForeignKeyViolation)
}

func violation(err error, code string) (string, bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.Code != code {
		return "", false
	}
	return e.ConstraintName, true
}

func retryable(err error) bool {
	c := Code(err)
	return c == codeSerializationFailure || c == codeDeadlock
}
