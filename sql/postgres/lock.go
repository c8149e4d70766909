package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// lockName answers the name of the lock of a session.
func lockName(table, key string) string { return "websession " + table + " " + key }

// lockNumber answers the number of an advisory lock. Two names may share one:
// then they wait for each other in vain.
func lockNumber(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// takeLock takes an advisory lock of the connection, at once or in the server's
// line.
func takeLock(ctx context.Context, conn *sql.Conn, name string, wait time.Duration) (taken bool, err error) {
	number := lockNumber(name)
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", number).Scan(&taken)
	if err != nil || taken {
		return taken, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT set_config('lock_timeout', $1, false)", fmt.Sprintf("%dms", max(1, wait.Milliseconds()))); err != nil {
		return false, err
	}
	_, err = conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", number)
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == "55P03" {
		return false, nil
	}
	return err == nil, err
}

func releaseLock(ctx context.Context, conn *sql.Conn, name string) (held bool, err error) {
	err = conn.QueryRowContext(ctx, "SELECT pg_advisory_unlock($1)", lockNumber(name)).Scan(&held)
	return held, err
}
