package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// classify says what an error tells about a statement. An error that the server
// reported has undone the statement, which is a transaction; one that ended the
// connection may have come after COMMIT.
func classify(err error) websql.Outcome {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if pgconn.SafeToRetry(err) {
			return websql.NotApplied // nothing was sent
		}
		return websql.Unknown
	}
	switch severity(e) {
	case "ERROR":
	default:
		return websql.Unknown
	}
	switch class := e.Code[:min(2, len(e.Code))]; {
	case e.Code == "40001", e.Code == "40P01":
		return websql.Busy // serialization failure, deadlock
	case e.Code == "26000":
		return websql.Busy // a prepared statement was lost; pgx prepares it again
	case e.Code == "40003", class == "08":
		return websql.Unknown
	case class == "23", class == "P0":
		return websql.Refused // a constraint, RAISE of a trigger
	}
	return websql.NotApplied
}

func severity(e *pgconn.PgError) string {
	if e.SeverityUnlocalized != "" {
		return e.SeverityUnlocalized
	}
	return e.Severity
}

// problem is an error that says what to do.
type problem struct {
	what string
	err  error
}

func (p *problem) Error() string { return p.what + ": " + p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// describe answers an error as people understand it.
func describe(err error) error {
	if err == nil || errors.As(err, new(*problem)) || errors.Is(err, driver.ErrClosed) {
		return err
	}
	what := ""
	var e *pgconn.PgError
	var c *pgconn.ConnectError
	switch {
	case errors.Is(err, errStandby), errors.Is(err, errReadOnly):
		what = "the server cannot be used"
	case errors.As(err, &e):
		what = advice(e)
	case errors.As(err, &c):
		what = "the server cannot be reached: check host and port, and that it runs"
	}
	if what == "" {
		return err
	}
	return &problem{what, err}
}

// advice answers what to do about an error of the server, or "".
func advice(e *pgconn.PgError) string {
	switch e.Code {
	case "28P01", "28000":
		return "the server refuses the user: check username, password, and its pg_hba.conf"
	case "3D000":
		return "there is no such database: make it (CREATE DATABASE), or correct the name"
	case "42501":
		return "the database user lacks a right: grant SELECT, INSERT, UPDATE and DELETE on the tables, and CREATE on the schema, or let its owner make the tables"
	case "25006":
		return "the server takes no writes: it may have become a standby"
	case "53300":
		return "the server has no connection left: lower pool_size, or raise its max_connections"
	case "57P03":
		return "the server is starting, or stopping"
	case "53100":
		return "the disk of the server is full"
	case "42P01":
		return "the table is not there any more: open the store again to make it"
	case "26000", "42P05", "08P01":
		if e.Code == "08P01" && !strings.Contains(e.Message, "startup parameter") {
			return ""
		}
		return "a pooler stands before the server and gives the connections of a session to others: connect to the server itself, or let the pooler keep sessions (pool_mode = session) and ignore default_transaction_isolation"
	}
	return ""
}
