package cassandra

import "strings"

// statements are the texts that a store sends, for its tables. No identifier in
// them comes from anywhere but checkKeyspace and checkTable.
//
// A session is made by UPDATE: INSERT would leave a row marker, which lives as long
// as the first time-to-live said, and keeps the row there for IF NOT EXISTS when
// its cells have gone. Each write gives all cells anew, with the same
// time-to-live, so that they end together.
type statements struct {
	load, create, replace, deleteVersion, deleteAny string // of a session
	blindWrite, blindDelete                         string // for LastWriteWins

	scan string // all sessions

	enter, leave, leaveKey, sweep string // of index entries
	entries                       string // of a digest
}

func newStatements(keyspace, table string) *statements {
	const write = `UPDATE {table} USING TTL ? SET version = ?, expires = ?, ix = ?, data = ? WHERE session_key = ?`
	const entry = ` WHERE field = ? AND digest = ? AND session_key = ? AND mark = ?`
	fill := strings.NewReplacer("{table}", qualified(keyspace, table), "{index}", qualified(keyspace, indexTable(table))).Replace
	return &statements{
		load:          fill(`SELECT version, expires, ix, data FROM {table} WHERE session_key = ?`),
		create:        fill(write + ` IF version = null`),
		replace:       fill(write + ` IF version = ?`),
		deleteVersion: fill(`DELETE FROM {table} WHERE session_key = ? IF version = ?`),
		deleteAny:     fill(`DELETE FROM {table} WHERE session_key = ? IF EXISTS`),
		blindWrite:    fill(write),
		blindDelete:   fill(`DELETE FROM {table} WHERE session_key = ?`),

		scan: fill(`SELECT session_key, version, expires, ix, data FROM {table}`),

		enter:    fill(`UPDATE {index} USING TTL ? SET entered = toTimestamp(now())` + entry),
		leave:    fill(`DELETE FROM {index}` + entry),
		leaveKey: fill(`DELETE FROM {index} WHERE field = ? AND digest = ? AND session_key = ?`),
		sweep:    fill(`DELETE FROM {index} USING TIMESTAMP ?` + entry),
		entries: fill(`SELECT session_key, mark, writetime(entered), toUnixTimestamp(now()) FROM {index}` +
			` WHERE field = ? AND digest = ?`),
	}
}

func indexTable(table string) string { return table + "_index" }

// qualified answers the name of a table as statements have it, in quotation marks:
// otherwise letters would lose their case, and some names would be keywords.
func qualified(keyspace, table string) string {
	if keyspace == "" {
		return `"` + table + `"`
	}
	return `"` + keyspace + `"."` + table + `"`
}
