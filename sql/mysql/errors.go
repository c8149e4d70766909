package mysql

import (
	"context"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// outcomes says what errors of the server tell about a statement, which is a
// transaction. One that is not here may come after COMMIT, as
// ER_ERROR_DURING_COMMIT, ER_SERVER_SHUTDOWN and ER_QUERY_INTERRUPTED do.
var outcomes = map[uint16]websql.Outcome{
	1062: websql.Taken, // ER_DUP_ENTRY

	1213: websql.Busy, // ER_LOCK_DEADLOCK: rolled back
	1020: websql.Busy, // ER_CHECKREAD: the row was changed meanwhile

	1048: websql.Refused, // ER_BAD_NULL_ERROR
	1216: websql.Refused, // ER_NO_REFERENCED_ROW
	1217: websql.Refused, // ER_ROW_IS_REFERENCED
	1451: websql.Refused, // ER_ROW_IS_REFERENCED_2
	1452: websql.Refused, // ER_NO_REFERENCED_ROW_2
	1644: websql.Refused, // ER_SIGNAL_EXCEPTION: of a trigger
	3819: websql.Refused, // ER_CHECK_CONSTRAINT_VIOLATED
	4025: websql.Refused, // ER_CONSTRAINT_FAILED of MariaDB

	1021: websql.NotApplied, // ER_DISK_FULL
	1036: websql.NotApplied, // ER_OPEN_AS_READONLY
	1037: websql.NotApplied, // ER_OUTOFMEMORY
	1038: websql.NotApplied, // ER_OUT_OF_SORTMEMORY
	1040: websql.NotApplied, // ER_CON_COUNT_ERROR
	1044: websql.NotApplied, // ER_DBACCESS_DENIED_ERROR
	1045: websql.NotApplied, // ER_ACCESS_DENIED_ERROR
	1046: websql.NotApplied, // ER_NO_DB_ERROR
	1047: websql.NotApplied, // ER_UNKNOWN_COM_ERROR: a node of Galera that is not ready
	1049: websql.NotApplied, // ER_BAD_DB_ERROR
	1054: websql.NotApplied, // ER_BAD_FIELD_ERROR
	1064: websql.NotApplied, // ER_PARSE_ERROR
	1099: websql.NotApplied, // ER_TABLE_NOT_LOCKED_FOR_WRITE
	1114: websql.NotApplied, // ER_RECORD_FILE_FULL
	1142: websql.NotApplied, // ER_TABLEACCESS_DENIED_ERROR
	1143: websql.NotApplied, // ER_COLUMNACCESS_DENIED_ERROR
	1146: websql.NotApplied, // ER_NO_SUCH_TABLE
	1153: websql.NotApplied, // ER_NET_PACKET_TOO_LARGE
	1203: websql.NotApplied, // ER_TOO_MANY_USER_CONNECTIONS
	1205: websql.NotApplied, // ER_LOCK_WAIT_TIMEOUT
	1206: websql.NotApplied, // ER_LOCK_TABLE_FULL
	1223: websql.NotApplied, // ER_CANT_UPDATE_WITH_READLOCK
	1226: websql.NotApplied, // ER_USER_LIMIT_REACHED
	1227: websql.NotApplied, // ER_SPECIFIC_ACCESS_DENIED_ERROR
	1243: websql.NotApplied, // ER_UNKNOWN_STMT_HANDLER
	1290: websql.NotApplied, // ER_OPTION_PREVENTS_STATEMENT
	1364: websql.NotApplied, // ER_NO_DEFAULT_FOR_FIELD
	1366: websql.NotApplied, // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
	1406: websql.NotApplied, // ER_DATA_TOO_LONG
	1461: websql.NotApplied, // ER_MAX_PREPARED_STMT_COUNT_REACHED
	1615: websql.NotApplied, // ER_NEED_REPREPARE
	1665: websql.NotApplied, // ER_BINLOG_STMT_MODE_AND_ROW_ENGINE
	1792: websql.NotApplied, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
	1836: websql.NotApplied, // ER_READ_ONLY_MODE
}

// classify says what an error tells about a mutation.
func classify(err error) websql.Outcome {
	var e *mysql.MySQLError
	switch {
	case errors.As(err, &e):
		if tooLong(e) {
			return websql.NotApplied
		}
		return outcomes[e.Number] // Unknown is 0
	case errors.Is(err, mysql.ErrPktTooLarge):
		return websql.NotApplied // nothing was sent
	}
	return websql.Unknown
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
	if err == nil || errors.As(err, new(*problem)) || errors.Is(err, driver.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	what := ""
	var e *mysql.MySQLError
	switch {
	case errors.As(err, &e):
		what = advice(e)
	case errors.Is(err, mysql.ErrPktTooLarge):
		what = tooLarge
	case errors.Is(err, mysql.ErrNoTLS):
		what = "the server does not encrypt connections: give it a certificate, or set sslmode to prefer"
	case errors.As(err, new(*unreachable)):
		what = "the server cannot be reached: check host, port, socket, and that it runs"
	}
	if what == "" {
		return err
	}
	return &problem{what, err}
}

const tooLarge = "the session is larger than a packet that the server takes: raise its max_allowed_packet to 16M"

// tooLong says that a parameter was sent in pieces that are too long together.
func tooLong(e *mysql.MySQLError) bool {
	return e.Number == 1105 || e.Number == 1301
}

// advice answers what to do about an error of the server, or "".
func advice(e *mysql.MySQLError) string {
	if tooLong(e) {
		return tooLarge
	}
	switch e.Number {
	case 1045, 1698:
		return "the server refuses the user: check username and password"
	case 1044, 1142, 1143, 1227:
		return "the database user lacks a right: grant SELECT, INSERT, UPDATE and DELETE on the tables, and CREATE, ALTER, INDEX and DROP on the database, or let another user make the tables"
	case 1049:
		return "there is no such database: make it (CREATE DATABASE), or correct the name"
	case 1040, 1203, 1226:
		return "the server has no connection left: lower pool_size, or raise its max_connections"
	case 1146:
		return "the table is not there any more: open the store again to make it"
	case 1153:
		return tooLarge
	case 1205:
		return "another program has locked the session for longer than innodb_lock_wait_timeout"
	case 1290, 1792, 1836:
		return "the server takes no writes: it may have become a replica"
	case 1021, 1114:
		return "the disk of the server is full"
	case 1243:
		return "a proxy stands before the server and loses prepared statements: connect to the server itself"
	case 1461:
		return "the server has no room for prepared statements: raise its max_prepared_stmt_count, or lower pool_size"
	case 1665:
		return "the server's binlog_format is STATEMENT: set it to MIXED or ROW"
	case 1047:
		return "the node of the cluster is not ready"
	}
	return ""
}
