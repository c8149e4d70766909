package sql

import "strings"

// Statements of mutations.
const (
	insertRow = iota
	replaceRow
	touchRow
	deleteRow
	deleteVersion
	purgeRows
	purgeRow
	mutations
)

// statements are the texts of all statements of a store.
type statements struct {
	mutation           [mutations]string
	load, scan, expiry string
	searches           []string // by field
}

// columnOf answers the column of an index field.
func columnOf(field string) string { return "ix_" + field }

// build writes the statements. The parameters of INSERT and of UPDATE have the
// same order; see arguments.
func build(d *Dialect, table string, fields []string) *statements {
	t := d.quote(table)
	columns := make([]string, len(fields))
	for i, f := range fields {
		columns[i] = d.quote(columnOf(f))
	}
	key, version, data, expires := d.quote("session_key"), d.quote("version"), d.quote("data"), d.quote("expires")
	set := func(columns ...string) string { return strings.Join(columns, " = ?, ") + " = ?" }
	all := append([]string{version, data, expires}, columns...)
	record := strings.Join(all, ", ")

	s := &statements{}
	s.mutation[insertRow] = "INSERT INTO " + t + " (" + record + ", " + key + ") VALUES (" +
		strings.Repeat("?, ", len(all)) + "?)"
	if d.IfFree != "" {
		s.mutation[insertRow] += " " + d.IfFree
	}
	where := " WHERE " + key + " = ?"
	s.mutation[replaceRow] = "UPDATE " + t + " SET " + set(all...) + where + " AND " + version + " = ?"
	s.mutation[touchRow] = "UPDATE " + t + " SET " + set(append([]string{version, expires}, columns...)...) + where + " AND " + version + " = ?"
	s.mutation[deleteRow] = "DELETE FROM " + t + where
	s.mutation[deleteVersion] = "DELETE FROM " + t + where + " AND " + version + " = ?"
	s.mutation[purgeRows] = d.fill(d.Purge, table, "", "{before}", "?", "{limit}", "?")
	s.mutation[purgeRow] = "DELETE FROM " + t + where + " AND " + expires + " < ?"

	from := " FROM " + t + " WHERE "
	page := key + " > ? ORDER BY " + key + " LIMIT ?"
	s.load = "SELECT " + record + from + key + " = ?"
	s.scan = "SELECT " + record + ", " + key + from + page
	s.expiry = "SELECT " + key + from + expires + " < ? ORDER BY " + expires + " LIMIT ? OFFSET ?"
	for _, c := range columns {
		s.searches = append(s.searches, "SELECT "+record+", "+key+from+c+" = ? AND "+page)
	}
	s.each(func(text *string) { *text = numbered(d, *text) })
	return s
}

// each calls f for every statement.
func (s *statements) each(f func(*string)) {
	for i := range s.mutation {
		f(&s.mutation[i])
	}
	for i := range s.searches {
		f(&s.searches[i])
	}
	f(&s.load)
	f(&s.scan)
	f(&s.expiry)
}

// numbered replaces each "?" by a placeholder. No name contains one.
func numbered(d *Dialect, text string) string {
	var b strings.Builder
	n := 0
	for {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteString(d.placeholder(n))
		text = after
	}
}
