package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"
)

// lockName answers the name of the lock of a session: MySQL takes 64 characters
// at most, and does not tell upper from lower case.
func lockName(table, key string) string {
	sum := sha256.Sum256([]byte(table + " " + key))
	return "websession." + hex.EncodeToString(sum[:24])
}

// step is how long a lock is asked for before it is asked for again: so long a
// server may wait for somebody who has gone.
const step = time.Second

// takeLock takes a lock of the server, and looks at its answer, which Perl does
// not: 1 is yes, 0 is no, NULL is an error.
func takeLock(ctx context.Context, conn *sql.Conn, name string, wait time.Duration) (bool, error) {
	for end := time.Now().Add(wait); ; {
		var answer sql.NullInt64
		asked := time.Now()
		seconds := min(max(time.Until(end), 0), step).Seconds()
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", name, seconds).Scan(&answer); err != nil {
			return false, err
		}
		switch {
		case !answer.Valid:
			return false, errors.New("GET_LOCK answers NULL: the server cannot lock")
		case answer.Int64 == 1:
			return true, nil
		case time.Until(end) <= 0:
			return false, nil
		case time.Since(asked) < pause: // MySQL, unlike MariaDB, rounds to seconds
			t := time.NewTimer(pause)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return false, ctx.Err()
			}
		}
	}
}

// pause is how long a server is left alone that answers at once.
const pause = 20 * time.Millisecond

func releaseLock(ctx context.Context, conn *sql.Conn, name string) (bool, error) {
	var answer sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT RELEASE_LOCK(?)", name).Scan(&answer)
	return answer.Int64 == 1, err
}
