package servertest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/conformance"
	"github.com/websession/websession/session/driver"
)

// Conformance runs the suite. Columns of index fields are added by an
// administrator: a place has those that the suite asks for.
func (c Class) Conformance(t *testing.T, place func(testing.TB) Place) {
	c.conformance(t, place, false)
}

func (c Class) conformance(t *testing.T, place func(testing.TB) Place, storeOnly bool) {
	t.Helper()
	dsns := make(map[any]string) // by DataSource; the suite makes one place at a time
	empty := func(tb testing.TB) map[string]any {
		p := place(tb)
		s, err := c.Try(p.Properties, driver.OpenOptions{Indexed: []string{"user", "account"}})
		require.NoError(tb, err)
		require.NoError(tb, s.Close())
		dsns[p.Properties["DataSource"]] = p.DSN
		return p.Properties
	}
	suite := conformance.Env{
		Place: empty,
		Raw: func(tb testing.TB, props map[string]any) map[string][]byte {
			return c.raw(tb, dsns[props["DataSource"]])
		},
		StoreOnly: storeOnly,
	}
	if c.Locking != "" {
		suite.Locking = func(tb testing.TB) map[string]any {
			return With(empty(tb), "locking", c.Locking, "lock_timeout", "3")
		}
	}
	conformance.Run(t, c.Driver, suite)
}

// raw lists every row, every value of it, and every index entry.
func (c Class) raw(tb testing.TB, dsn string) map[string][]byte {
	tb.Helper()
	db := c.Bare(tb, dsn)
	defer db.Close()
	rows, err := db.Query("SELECT * FROM websession_sessions")
	require.NoError(tb, err)
	defer rows.Close()
	all := make(map[string][]byte)
	for rows.Next() {
		columns, values := cells(tb, rows)
		var row []byte
		for i, v := range values {
			row = fmt.Appendf(row, "%s=%v ", columns[i], v)
			if strings.HasPrefix(columns[i], "ix_") && v != nil {
				all[fmt.Sprintf("%s=%v of %v", columns[i], v, values[0])] = nil
			}
		}
		all[fmt.Sprint(values[0])] = row
	}
	require.NoError(tb, rows.Err())
	return all
}

// cells answers the columns of a row, and their names.
func cells(tb testing.TB, rows *sql.Rows) ([]string, []any) {
	tb.Helper()
	columns, err := rows.Columns()
	require.NoError(tb, err)
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	require.NoError(tb, rows.Scan(dest...))
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			values[i] = string(b)
		}
	}
	return columns, values
}
