package sql

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Another database: other quotation marks and placeholders, no ON CONFLICT, and
// a DELETE that has a LIMIT.
var other = Dialect{
	Quote:       "`",
	Placeholder: func(n int) string { return fmt.Sprintf("$%d", n) },
	Schema:      "CREATE TABLE {table} (x);\nCREATE INDEX {index} ON {table} (expires);\nCREATE TABLE {meta} (y);\n",
	Field:       "ALTER TABLE {table} ADD COLUMN {column} VARBINARY(128);\nCREATE INDEX {index} ON {table} ({column}, session_key);\n",
	Purge:       "DELETE FROM {table} WHERE expires < {before} LIMIT {limit}",
}

func TestStatementsFollowTheDialect(t *testing.T) {
	s := build(&other, "t", []string{"user", "account"})
	require.Equal(t, [mutations]string{
		insertRow:     "INSERT INTO `t` (`version`, `data`, `expires`, `ix_user`, `ix_account`, `session_key`) VALUES ($1, $2, $3, $4, $5, $6)",
		replaceRow:    "UPDATE `t` SET `version` = $1, `data` = $2, `expires` = $3, `ix_user` = $4, `ix_account` = $5 WHERE `session_key` = $6 AND `version` = $7",
		touchRow:      "UPDATE `t` SET `version` = $1, `expires` = $2, `ix_user` = $3, `ix_account` = $4 WHERE `session_key` = $5 AND `version` = $6",
		deleteRow:     "DELETE FROM `t` WHERE `session_key` = $1",
		deleteVersion: "DELETE FROM `t` WHERE `session_key` = $1 AND `version` = $2",
		purgeRows:     "DELETE FROM `t` WHERE expires < $1 LIMIT $2",
		purgeRow:      "DELETE FROM `t` WHERE `session_key` = $1 AND `expires` < $2",
	}, s.mutation)
	require.Equal(t, "SELECT `version`, `data`, `expires`, `ix_user`, `ix_account` FROM `t` WHERE `session_key` = $1", s.load)
	require.Equal(t, "SELECT `version`, `data`, `expires`, `ix_user`, `ix_account`, `session_key` FROM `t` WHERE `session_key` > $1 ORDER BY `session_key` LIMIT $2", s.scan)
	require.Equal(t, "SELECT `session_key` FROM `t` WHERE `expires` < $1 ORDER BY `expires` LIMIT $2 OFFSET $3", s.expiry)
	require.Equal(t, "SELECT `version`, `data`, `expires`, `ix_user`, `ix_account`, `session_key` FROM `t` WHERE `ix_account` = $1 AND `session_key` > $2 ORDER BY `session_key` LIMIT $3", s.searches[1])

	plain := build(&Dialect{Quote: `"`, IfFree: "ON CONFLICT DO NOTHING"}, "t", nil)
	require.Equal(t, `INSERT INTO "t" ("version", "data", "expires", "session_key") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, plain.mutation[insertRow])
}

func TestStatementsForPeople(t *testing.T) {
	list, err := Statements(other, "t", []string{"user"})
	require.NoError(t, err)
	require.Equal(t, []string{
		"CREATE TABLE `t` (x)",
		"CREATE INDEX `t_expires` ON `t` (expires)",
		"CREATE TABLE `websession_meta` (y)",
		"ALTER TABLE `t` ADD COLUMN `ix_user` VARBINARY(128)",
		"CREATE INDEX `t_ix_user` ON `t` (`ix_user`, session_key)",
		"DELETE FROM `websession_meta` WHERE table_name = 't'",
		"INSERT INTO `websession_meta` (table_name, schema_version) VALUES ('t', 1)",
	}, list)
	_, err = Statements(other, "a-b", nil)
	require.ErrorContains(t, err, `the table "a-b" must be letters`)
	_, err = Statements(other, "t", []string{"a b"})
	require.ErrorContains(t, err, `the index field "a b" must be`)
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "A_1", "_a", "websession_sessions", "abcdefghijklmnopqrstuvwxyz_"} {
		require.NoError(t, CheckTable(name), name)
	}
	for _, name := range []string{"", "1a", "a b", `a"`, "a.b", "a;", "ä", "abcdefghijklmnopqrstuvwxyz_1", "websession_meta", "WebSession_Meta"} {
		require.Error(t, CheckTable(name), name)
	}
	require.NoError(t, checkFields([]string{"user", "a_1", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"}))
	for _, fields := range [][]string{{""}, {"_a"}, {"1"}, {"a-b"}, {`a"`}, {"user", "User"}, {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"}} {
		require.Error(t, checkFields(fields), fields)
	}
}
