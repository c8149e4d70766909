package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/postgres"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var ctx = context.Background()

// with answers properties with some changed; nil takes one away.
func with(props map[string]any, changes ...any) map[string]any {
	props = maps.Clone(props)
	for i := 0; i < len(changes); i += 2 {
		props[changes[i].(string)] = changes[i+1]
	}
	return props
}

// try opens a store as the framework does.
func try(props map[string]any, o driver.OpenOptions) (*websql.Store, error) {
	d := driver.NewDecoder("PostgreSQL", props)
	c, err := postgres.Driver{}.Configure(d)
	if err == nil {
		err = d.Err()
	}
	if err != nil {
		return nil, err
	}
	s, err := c.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return s.(*websql.Store), nil
}

func open(tb testing.TB, props map[string]any, indexed ...string) *websql.Store {
	tb.Helper()
	if indexed == nil {
		indexed = []string{"user"}
	}
	s, err := try(props, driver.OpenOptions{Indexed: indexed})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// refused opens a store that must not open, and answers why.
func refused(tb testing.TB, props map[string]any, indexed ...string) error {
	tb.Helper()
	s, err := try(props, driver.OpenOptions{Indexed: indexed})
	if err == nil {
		s.Close()
		tb.Fatal("it was opened")
	}
	return err
}

// bare opens a database as another program does.
func bare(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func mustExec(tb testing.TB, db *sql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(ctx, s)
		require.NoError(tb, err, s)
	}
}

func query[T any](tb testing.TB, db *sql.DB, text string) (v T) {
	tb.Helper()
	require.NoError(tb, db.QueryRow(text).Scan(&v), text)
	return v
}

func record(key, data string) driver.Record {
	return driver.Record{Key: key, Data: []byte(data), Expires: time.UnixMilli(4e12).UTC(), Index: map[string]string{"user": "u-" + key}}
}

func create(tb testing.TB, s *websql.Store, rec driver.Record) driver.Version {
	tb.Helper()
	v, err := s.Create(ctx, rec)
	require.NoError(tb, err)
	return v
}

func mustHold(tb testing.TB, s *websql.Store, key, data string) driver.Version {
	tb.Helper()
	rec, v, err := s.Load(ctx, key)
	require.NoError(tb, err)
	require.Equal(tb, data, string(rec.Data))
	return v
}

// mustNotBeApplied fails unless err says that a mutation had no effect, and why.
func mustNotBeApplied(tb testing.TB, err error, why string) {
	tb.Helper()
	require.ErrorContains(tb, err, why)
	require.True(tb, driver.WasNotApplied(err), "%v does not say that it was not applied", err)
}

// until polls for a condition that another goroutine or process brings about.
func until(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		require.True(tb, time.Now().Before(end), "waited in vain")
	}
}

// within fails if f takes longer: something hangs.
func within(tb testing.TB, d time.Duration, f func()) {
	tb.Helper()
	begin := time.Now()
	f()
	require.Less(tb, time.Since(begin), d)
}

// at answers properties that lead to another address of the same server.
func at(p *testenv.Place, addr string) map[string]any {
	props := maps.Clone(p.Properties)
	host, port, _ := strings.Cut(addr, ":")
	old, oldPort, _ := strings.Cut(p.Addrs[0], ":")
	source := strings.Replace(props["DataSource"].(string), "host="+old+";port="+oldPort, "host="+host+";port="+port, 1)
	props["DataSource"] = source
	return props
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

// raw lists every row, every value of it, and every index entry.
func raw(tb testing.TB, dsn string) map[string][]byte {
	tb.Helper()
	db := bare(tb, dsn)
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
