package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/conformance"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

func TestConformance(t *testing.T) {
	if testing.Short() && raceEnabled {
		t.Skip("left out with -short under the race detector, where SQLite is ten times slower: the conformance suite")
	}
	conformance.Run(t, sqlite.Driver{}, conformance.Env{Place: place(folder), Raw: raw})
}

// Without a single writer every mutation goes through a pool, as it does with
// databases that need none.
func TestConformanceOfPools(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("left out with -short or under the race detector: the conformance suite on a pool that writes")
	}
	conformance.Run(t, pooled{}, conformance.Env{Place: place(memoryFolder), Raw: raw})
}

// pooled is the class, with stores in a pool of an application.
type pooled struct{ sqlite.Driver }

func (pooled) Configure(d *driver.Decoder) (driver.Connector, error) {
	_, err := sqlite.Driver{}.Configure(d)
	return pooledConnector{d.String("file", "", "")}, err
}

type pooledConnector struct{ file string }

func (c pooledConnector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	db, err := sql.Open("sqlite", "file:"+c.file+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(8)
	db.SetMaxOpenConns(8)
	dialect := sqlite.Dialect(nil)
	dialect.Writer = nil
	s, err := websql.Open(ctx, db, dialect, &websql.Options{Indexed: o.Indexed, Close: db.Close})
	if err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// place makes places in folders of one test each.
func place(folder func(testing.TB) string) func(testing.TB) map[string]any {
	return func(tb testing.TB) map[string]any {
		path := filepath.Join(folder(tb), "sessions.db")
		require.NoError(tb, os.WriteFile(path, template(), 0o600))
		return map[string]any{"file": path}
	}
}

// template is a database with the columns of all index fields that the suite
// uses: it opens a place with one first, and with two later, for which an
// administrator would have to add a column.
var template = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "sqlite-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	s, err := sqlite.New(path, &sqlite.Options{Indexed: []string{"user", "account"}})
	if err != nil {
		panic(err)
	}
	s.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	return b
})

// raw lists every row, every value of it, and every index entry.
func raw(tb testing.TB, props map[string]any) map[string][]byte {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+props["file"].(string)+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	require.NoError(tb, err)
	defer db.Close()
	rows, err := db.Query("SELECT * FROM websession_sessions")
	require.NoError(tb, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(tb, err)
	all := make(map[string][]byte)
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		require.NoError(tb, rows.Scan(dest...))
		var row []byte
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
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
