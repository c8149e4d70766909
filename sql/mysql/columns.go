package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/websession/websession/session/driver"
)

// versionSize is the length of the column version.
const versionSize = 16

// columns refuses a table whose columns are not those that were made: a server
// that is not strict cuts what is too long for one, and text compares without
// regard to case.
func (db *database) columns(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, "SELECT column_name, data_type, COALESCE(character_octet_length, 0) FROM information_schema.columns"+
		" WHERE table_schema = DATABASE() AND table_name = ?", db.table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		var size uint64
		if err := rows.Scan(&name, &kind, &size); err != nil {
			return err
		}
		want, is := least(name)
		if !is {
			continue
		}
		if kind = strings.ToLower(kind); !strings.HasSuffix(kind, "blob") && kind != "varbinary" || size < want {
			return fmt.Errorf("the column %s of the table %q is %s for %d bytes, and must be binary for %d: somebody has changed it; run ALTER TABLE, or choose another name",
				name, db.table, kind, size, want)
		}
	}
	return rows.Err()
}

// least answers how many bytes a column of ours must hold.
func least(column string) (bytes uint64, is bool) {
	switch {
	case column == "data":
		return driver.MaxData, true
	case column == "version":
		return versionSize, true
	case column == "session_key", strings.HasPrefix(column, "ix_"):
		return driver.MaxKey, true
	}
	return 0, false
}
