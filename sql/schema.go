package sql

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// DefaultTable is the table of the sessions where no other one is named.
	DefaultTable = "websession_sessions"

	metaTable     = "websession_meta"
	schemaVersion = "1"
)

var (
	// Names of indexes are made of both; PostgreSQL cuts names at 63 bytes.
	tablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,26}$`)
	fieldPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)
)

// CheckTable reports why a table cannot have this name, as a phrase that follows
// it.
func CheckTable(name string) error {
	switch {
	case !tablePattern.MatchString(name):
		return fmt.Errorf("must be letters, digits and underscores, at most 27, and not begin with a digit")
	case strings.EqualFold(name, metaTable):
		return fmt.Errorf("must not be %s, which holds the versions of the tables", metaTable)
	}
	return nil
}

// checkFields reports index fields that cannot be columns.
func checkFields(fields []string) error {
	for i, f := range fields {
		if !fieldPattern.MatchString(f) {
			return fmt.Errorf("the index field %.40q must be a letter and at most 31 letters, digits and underscores", f)
		}
		for _, g := range fields[:i] {
			if strings.EqualFold(f, g) {
				return fmt.Errorf("the index fields %q and %q would be the same column", g, f)
			}
		}
	}
	return nil
}

// schema is the table of a store, and what must be in it.
type schema struct {
	dialect *Dialect
	table   string
	fields  []string
	warn    func(string)
}

// Statements answers the statements that make the table and its indexes, for
// people who want to run them themselves.
func Statements(d Dialect, table string, indexed []string) ([]string, error) {
	if err := CheckTable(table); err != nil {
		return nil, fmt.Errorf("the table %q %w", table, err)
	}
	if err := checkFields(indexed); err != nil {
		return nil, err
	}
	return schema{dialect: &d, table: table, fields: indexed}.statements(), nil
}

func (s schema) statements() []string {
	list := split(s.dialect.fill(s.dialect.Schema, s.table, "expires"))
	for _, f := range s.fields {
		list = append(list, s.field(f)...)
	}
	// The row of the table comes last: it says that the rest is complete.
	return append(list, split(s.dialect.fill(metaRow, s.table, ""))...)
}

const metaRow = `DELETE FROM {meta} WHERE table_name = '{name}';
INSERT INTO {meta} (table_name, schema_version) VALUES ('{name}', ` + schemaVersion + `);
`

// field answers the statements that add an index field.
func (s schema) field(name string) []string {
	column := columnOf(name)
	return split(s.dialect.fill(s.dialect.Field, s.table, column, "{column}", s.dialect.quote(column)))
}

// split answers the statements of a text.
func split(text string) []string {
	var list []string
	for statement := range strings.SplitSeq(text, ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			list = append(list, strings.TrimSuffix(statement, ";"))
		}
	}
	return list
}

// ready checks the table, and makes it if it is not there.
func (s schema) ready(ctx context.Context, conn *sql.Conn) error {
	there, err := s.check(ctx, conn, false)
	if there || err != nil {
		return err
	}
	return s.dialect.Exclusive(ctx, conn, s.table, func() error {
		there, err := s.check(ctx, conn, true) // somebody else may have been faster
		if there || err != nil {
			return err
		}
		for _, statement := range s.statements() {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("making the table: %w", err)
			}
		}
		return nil
	})
}

// check reports whether the table is there, and why it cannot be used. Unless it
// is called exclusively, somebody may be making it.
func (s schema) check(ctx context.Context, conn *sql.Conn, exclusively bool) (there bool, err error) {
	version, err := s.version(ctx, conn)
	if err != nil {
		return false, err
	}
	columns, err := names(ctx, conn, s.dialect.Columns, s.table)
	if err != nil {
		return false, err
	}
	switch newest, _ := strconv.ParseInt(schemaVersion, 10, 64); {
	case version > newest:
		return false, NewerSchema(fmt.Sprintf("the table %q", s.table), version)
	case len(columns) == 0, version == 0 && !exclusively:
		return false, nil
	case version == 0:
		return false, fmt.Errorf("the table %q was not made by websession: choose another name by the property table", s.table)
	}
	for _, c := range []string{"session_key", "version", "data", "expires"} {
		if !has(columns, c) {
			return false, fmt.Errorf("the table %q has no column %s: somebody has changed it", s.table, c)
		}
	}
	return true, s.checkIndexes(ctx, conn, columns)
}

// NewerSchema answers the error for a schema of a later program.
func NewerSchema(what string, version int64) error {
	return fmt.Errorf("%s has the schema version %d, and this program knows versions up to %s: use a newer version of websession",
		what, version, schemaVersion)
}

// version answers the version of the table, or 0.
func (s schema) version(ctx context.Context, conn *sql.Conn) (int64, error) {
	columns, err := names(ctx, conn, s.dialect.Columns, metaTable)
	if err != nil || len(columns) == 0 {
		return 0, err
	}
	q := s.dialect.quote
	rows, err := conn.QueryContext(ctx, "SELECT "+q("schema_version")+" FROM "+q(metaTable)+" WHERE "+
		q("table_name")+" = "+s.dialect.placeholder(1), s.table)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var version int64
	for rows.Next() {
		if err := rows.Scan(&version); err != nil {
			return 0, err
		}
	}
	return version, rows.Err()
}

// checkIndexes reports index fields without a column, with the statements that
// add them, and warns about columns without an index.
func (s schema) checkIndexes(ctx context.Context, conn *sql.Conn, columns []string) error {
	indexed, err := names(ctx, conn, s.dialect.Indexes, s.table)
	if err != nil {
		return err
	}
	var missing, statements []string
	for _, f := range s.fields {
		switch add := s.field(f); {
		case !has(columns, columnOf(f)):
			missing = append(missing, columnOf(f))
			statements = append(statements, add...)
		case !has(indexed, columnOf(f)):
			s.warn(fmt.Sprintf("The column %s of the table %q has no index: finding sessions by it reads the whole table. Run: %s;",
				columnOf(f), s.table, add[len(add)-1]))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the table %q has no column for an index field (%s): run: %s;",
			s.table, strings.Join(missing, ", "), strings.Join(statements, "; "))
	}
	return nil
}

func has(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// names answers the rows of a query about a table.
func names(ctx context.Context, conn *sql.Conn, query, table string) (list []string, err error) {
	rows, err := conn.QueryContext(ctx, query, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		list = append(list, name)
	}
	return list, rows.Err()
}
