package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// oldest is the oldest version that works, as server_version_num.
const oldest = 120000

// database implements websql.Database.
type database struct {
	table   string
	version string
}

// attach refuses a server that cannot be used.
func attach(ctx context.Context, conn *sql.Conn, table string) (websql.Database, error) {
	db := &database{table: table}
	if err := db.admit(ctx, conn); err != nil {
		return nil, describe(err)
	}
	return db, nil
}

func (db *database) admit(ctx context.Context, conn *sql.Conn) error {
	var number int
	var standby bool
	var readOnly string
	err := conn.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"+
		" pg_is_in_recovery(), current_setting('transaction_read_only')").Scan(&number, &db.version, &standby, &readOnly)
	if err != nil {
		return err
	}
	db.version, _, _ = strings.Cut(db.version, " ") // "15.18 (Debian ...)"
	if number < oldest {
		return fmt.Errorf("PostgreSQL %s is too old: version %d or newer is needed", db.version, oldest/10000)
	}
	return refuse(standby, readOnly)
}

// Check implements websql.Database. The server is asked by each statement.
func (db *database) Check(bool) error { return nil }

// Describe implements websql.Database.
func (db *database) Describe(err error) error { return describe(err) }

// Info implements websql.Database.
func (db *database) Info(ctx context.Context, conn *sql.Conn) (driver.Info, error) {
	info := driver.Info{Server: "PostgreSQL " + db.version, Facts: make(map[string]string)}
	names := []string{"fsync", "synchronous_commit", "full_page_writes", "synchronous_standby_names", "default_transaction_isolation"}
	for _, name := range names {
		var value string
		if err := conn.QueryRowContext(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return driver.Info{}, err
		}
		info.Facts[name] = value
	}
	var name, encryption string
	err := conn.QueryRowContext(ctx, "SELECT current_database(), coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl), 'none')").Scan(&name, &encryption)
	if err != nil {
		return driver.Info{}, err
	}
	info.Facts["database"], info.Facts["tls"] = name, encryption
	persistence, err := db.persistence(ctx, conn)
	if err != nil {
		return driver.Info{}, err
	}
	info.Guarantee, info.Warnings = guarantee(info.Facts, persistence), warnings(info.Facts, persistence)
	return info, db.rights(ctx, conn)
}

func (db *database) persistence(ctx context.Context, conn *sql.Conn) (kind string, err error) {
	err = conn.QueryRowContext(ctx, "SELECT coalesce((SELECT relpersistence::text FROM pg_class WHERE oid = to_regclass(quote_ident($1))), '')", db.table).Scan(&kind)
	return kind, err
}

// rights reports what the user may not do with the table.
func (db *database) rights(ctx context.Context, conn *sql.Conn) error {
	var missing string
	err := conn.QueryRowContext(ctx, "SELECT coalesce(string_agg(p, ', '), '') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p"+
		" WHERE NOT has_table_privilege(to_regclass(quote_ident($1)), p)", db.table).Scan(&missing)
	if err == nil && missing != "" {
		err = fmt.Errorf("the database user may not write to the table %q: GRANT %s ON %q TO it", db.table, missing, db.table)
	}
	return err
}

// unlogged is the relpersistence of a table that a crash empties.
const unlogged = "u"

// guarantee says what is left after a crash.
func guarantee(facts map[string]string, persistence string) string {
	commit := facts["synchronous_commit"]
	if persistence == unlogged {
		return "A kill of the server, a power cut or a failover ends all sessions: the table is UNLOGGED."
	}
	text := "A kill of the server loses nothing that was answered. "
	if commit == "off" {
		text = "A kill of the server may lose the last writes, logouts among them. "
	}
	switch {
	case facts["fsync"] == "off":
		text += "A power cut may damage the whole database."
	case facts["full_page_writes"] == "off":
		text += "A power cut may damage the database, unless its file system writes pages whole."
	case commit == "off":
		text += "So may a power cut; the database stays whole."
	default:
		text += "Nor does a power cut."
	}
	if facts["synchronous_standby_names"] != "" && (commit == "on" || commit == "remote_apply") {
		return text + " A failover to a synchronous standby keeps what was answered."
	}
	return text + " A failover to a standby may lose the last writes."
}

// warnings says what the settings of the server give up.
func warnings(facts map[string]string, persistence string) (list []string) {
	if facts["fsync"] == "off" {
		list = append(list, "fsync is off: a crash of the machine can damage the whole database. Set it to on.")
	}
	if facts["full_page_writes"] == "off" {
		list = append(list, "full_page_writes is off: a power cut can damage the database. Set it to on.")
	}
	if facts["synchronous_commit"] == "off" {
		list = append(list, "synchronous_commit is off: a crash of the server may lose the last writes, so that a session that was destroyed comes back. Set it to on.")
	}
	if persistence == unlogged {
		list = append(list, "The table is UNLOGGED: a crash of the server empties it. Run: ALTER TABLE ... SET LOGGED;")
	}
	if level := facts["default_transaction_isolation"]; level != "read committed" {
		list = append(list, fmt.Sprintf("default_transaction_isolation is %s: overlapping writes of one session fail and are tried again. Set it to read committed for this user.", level))
	}
	return list
}
