package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// database implements websql.Database.
type database struct {
	table   string
	version string // "MariaDB 10.11.19", "MySQL 8.0.41"
	packet  int    // max_allowed_packet
}

// attach refuses a server, or a connection, that cannot be used.
func attach(ctx context.Context, conn *sql.Conn, table string) (websql.Database, error) {
	db := &database{table: table}
	if err := db.admit(ctx, conn); err != nil {
		return nil, describe(err)
	}
	return db, nil
}

func (db *database) admit(ctx context.Context, conn *sql.Conn) error {
	var version, comment, name sql.NullString
	var readOnly, autocommit bool
	err := conn.QueryRowContext(ctx, "SELECT VERSION(), @@version_comment, @@global.read_only, @@session.autocommit, DATABASE()").
		Scan(&version, &comment, &readOnly, &autocommit, &name)
	if err != nil {
		return err
	}
	if db.version, err = known(version.String, comment.String); err != nil {
		return err
	}
	switch {
	case readOnly:
		return errors.New("the server is read-only (read_only is on): it may be a replica, name the primary server")
	case !autocommit:
		return errors.New("autocommit is off, so that nothing would be stored: set it to 1 in the data source name")
	case !name.Valid:
		return errors.New("no database is chosen: name one in the data source name")
	}
	settings, err := variables(ctx, conn)
	if err != nil {
		return err
	}
	db.packet, _ = strconv.Atoi(settings["max_allowed_packet"])
	if settings["log_bin"] == "ON" && settings["binlog_format"] == "STATEMENT" && settings["tx_isolation"] == "READ-COMMITTED" {
		return errors.New("the server's binlog_format is STATEMENT, which cannot hold what READ COMMITTED writes: set it to MIXED or ROW")
	}
	return nil
}

// known answers name and version of a server, or why it is too old.
func known(version, comment string) (string, error) {
	name, oldest := "MySQL", [2]int{8, 0}
	if strings.Contains(strings.ToLower(version+comment), "mariadb") {
		name, oldest = "MariaDB", [2]int{10, 6}
	}
	number, _, _ := strings.Cut(version, "-")
	parts := strings.SplitN(number, ".", 3)
	var is [2]int
	for i := range is {
		if i < len(parts) {
			is[i], _ = strconv.Atoi(parts[i])
		}
	}
	if is[0] < oldest[0] || is[0] == oldest[0] && is[1] < oldest[1] {
		return "", fmt.Errorf("%s %s is too old: version %d.%d or newer is needed", name, number, oldest[0], oldest[1])
	}
	return name + " " + number, nil
}

// variables answers the settings that matter.
func variables(ctx context.Context, conn *sql.Conn) (map[string]string, error) {
	rows, err := conn.QueryContext(ctx, "SHOW SESSION VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'tx_isolation', 'transaction_isolation',"+
		" 'innodb_flush_log_at_trx_commit', 'sync_binlog', 'innodb_doublewrite', 'innodb_flush_method', 'max_allowed_packet', 'wsrep_on', 'sql_mode')")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[string]string)
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		if name == "transaction_isolation" {
			name = "tx_isolation" // its older name
		}
		found[name] = value
	}
	return found, rows.Err()
}

// around is what a packet holds beside the data of a session.
const around = 8 << 10

// MaxData implements websql.Limiter. A server that is sent more closes the
// connection, or makes the prepared statement useless.
func (db *database) MaxData() (int, string) {
	return max(db.packet-around, 0), "raise the server's max_allowed_packet to 16M"
}

// Check implements websql.Database. The server is asked by each statement.
func (db *database) Check(bool) error { return nil }

// Describe implements websql.Database.
func (db *database) Describe(err error) error { return describe(err) }

// Info implements websql.Database.
func (db *database) Info(ctx context.Context, conn *sql.Conn) (driver.Info, error) {
	facts, err := variables(ctx, conn)
	if err != nil {
		return driver.Info{}, err
	}
	var name, cipher string
	if err := conn.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name); err != nil {
		return driver.Info{}, err
	}
	var status string
	if err := conn.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Ssl_cipher'").Scan(&status, &cipher); err != nil {
		return driver.Info{}, err
	}
	if cipher == "" {
		cipher = "none"
	}
	facts["database"], facts["tls"] = name, cipher
	var engine sql.NullString
	err = conn.QueryRowContext(ctx, "SELECT MAX(engine) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", db.table).Scan(&engine)
	if err != nil {
		return driver.Info{}, err
	}
	facts["engine"] = engine.String
	return driver.Info{Server: db.version, Facts: facts, Guarantee: guarantee(facts), Warnings: warnings(facts)}, db.columns(ctx, conn)
}

// guarantee says what is left after a crash.
func guarantee(facts map[string]string) string {
	if !inInnoDB(facts) {
		return "A kill of the server or a power cut may lose or damage sessions: the table does not lie in InnoDB."
	}
	text := "A kill of the server loses nothing that was answered. "
	if facts[flushLog] == "0" {
		text = "A kill of the server may lose the writes of the last second, logouts among them. "
	}
	switch {
	case !syncs(facts), !writesTwice(facts):
		text += "A power cut may damage the database."
	case facts[flushLog] == "0":
		text += "So may a power cut; the database stays whole."
	case facts[flushLog] == "2":
		text += "A power cut may lose the writes of the last second, logouts among them; the database stays whole."
	case !syncsBinaryLog(facts):
		text += "A power cut may lose the last writes, which the binary log lacks, logouts among them; the database stays whole."
	default:
		text += "Nor does a power cut."
	}
	return text + " A failover to a replica may lose the last writes."
}

// flushLog says when the log is written: 1, and 3 of MariaDB, with each commit.
const flushLog = "innodb_flush_log_at_trx_commit"

func inInnoDB(facts map[string]string) bool {
	return facts["engine"] == "" || strings.EqualFold(facts["engine"], "InnoDB")
}

// syncs reports whether the server asks its disk to keep what it writes.
func syncs(facts map[string]string) bool {
	return !strings.EqualFold(facts["innodb_flush_method"], "nosync")
}

func writesTwice(facts map[string]string) bool {
	v := facts["innodb_doublewrite"]
	return v != "OFF" && v != "0"
}

// syncsBinaryLog reports whether a transaction that was answered is in the binary
// log after a power cut. One that is not is rolled back.
func syncsBinaryLog(facts map[string]string) bool {
	return facts["log_bin"] != "ON" || facts["sync_binlog"] == "1"
}

// enough is a packet that holds the largest session.
const enough = driver.MaxData + around

// warnings says what the settings of the server give up.
func warnings(facts map[string]string) (list []string) {
	if n := facts[flushLog]; n != "1" && n != "3" {
		list = append(list, fmt.Sprintf(flushLog+" is %s: a crash may lose the writes of the last second, so that a session that was destroyed comes back. Set it to 1.", n))
	}
	if !syncsBinaryLog(facts) {
		list = append(list, fmt.Sprintf("sync_binlog is %s: a power cut may lose the last writes, so that a session that was destroyed comes back, and replicas may have other sessions than this server. Set it to 1.", facts["sync_binlog"]))
	}
	if !syncs(facts) {
		list = append(list, "innodb_flush_method is nosync: a power cut can damage the database. Set it to fsync or O_DIRECT.")
	}
	if !writesTwice(facts) {
		list = append(list, "innodb_doublewrite is off: a power cut can damage the database. Set it to on.")
	}
	if !inInnoDB(facts) {
		list = append(list, fmt.Sprintf("The table has the engine %s, which does not survive a crash as InnoDB does. Run: ALTER TABLE ... ENGINE=InnoDB;", facts["engine"]))
	}
	if n, err := strconv.Atoi(facts["max_allowed_packet"]); err == nil && n < enough {
		list = append(list, fmt.Sprintf("max_allowed_packet is %d: sessions that are larger cannot be stored, and there may be some of %d bytes. Set it to 16M.", n, driver.MaxData))
	}
	if facts["wsrep_on"] == "ON" {
		list = append(list, "The server belongs to a Galera cluster: what one node has stored others may not show yet, and no node may know the locks of another. Let all applications use the same node.")
	}
	return list
}
