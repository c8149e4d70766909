package benchpeers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/mysqlstore"
	"github.com/alexedwards/scs/pgxstore"
	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/session"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/mysql"
	"github.com/websession/websession/sql/postgres"
)

// sqlPool is how many connections each contender has: the default of the classes.
const sqlPool = 16

// sqlServer is an SQL server and what uses it.
type sqlServer struct {
	class   string
	props   map[string]any
	open    func(dsn string) (*sql.DB, error)
	dsn     string
	dialect websql.Dialect
	table   string                               // of scs, from its README
	peers   func(testing.TB) map[string]peer     // scs
	number  func(statement string, n int) string // of placeholders
}

func startPostgres(tb testing.TB) sqlServer {
	s, err := servers.StartPostgres(tb.Context(), nil)
	must(tb, err)
	tb.Cleanup(func() { s.Stop() })
	host, port, _ := strings.Cut(s.Addr(), ":")
	dsn := s.URL("postgres")
	return sqlServer{
		class: "PostgreSQL", dsn: dsn, dialect: postgres.Dialect(),
		open:  func(dsn string) (*sql.DB, error) { return sql.Open("pgx", dsn) },
		props: map[string]any{"host": host, "port": port, "database": "postgres", "username": "postgres"},
		table: "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL)",
		peers: func(tb testing.TB) map[string]peer {
			config, err := pgxpool.ParseConfig(dsn)
			must(tb, err)
			config.MaxConns = sqlPool
			pool, err := pgxpool.NewWithConfig(tb.Context(), config)
			must(tb, err)
			tb.Cleanup(pool.Close)
			return map[string]peer{"scs": theirs(pgxstore.NewWithCleanupInterval(pool, 0))}
		},
		number: func(statement string, n int) string {
			for i := range n {
				statement = strings.Replace(statement, "?", fmt.Sprint("$", i+1), 1)
			}
			return statement
		},
	}
}

func startMariaDB(tb testing.TB) sqlServer {
	s, err := servers.StartMariaDB(tb.Context(), nil)
	must(tb, err)
	tb.Cleanup(func() { s.Stop() })
	host, port, _ := strings.Cut(s.Addr(), ":")
	server := sqlServer{
		class: "MySQL", dsn: s.DSN(""), dialect: mysql.Dialect(), open: openMySQL,
		props: map[string]any{"host": host, "port": port, "database": "app",
			"username": servers.MariaDBUser, "password": servers.MariaDBPassword},
		table:  "CREATE TABLE sessions (token CHAR(43) PRIMARY KEY, data BLOB NOT NULL, expiry TIMESTAMP(6) NOT NULL)",
		number: func(statement string, _ int) string { return statement },
	}
	_, err = server.pool(tb).Exec("CREATE DATABASE app")
	must(tb, err)
	server.dsn = s.DSN("app")
	server.peers = func(tb testing.TB) map[string]peer {
		interpolating := server
		interpolating.dsn += "?interpolateParams=true"
		return map[string]peer{
			"scs":             theirs(mysqlstore.NewWithCleanupInterval(server.pool(tb), 0)),
			"scsInterpolates": theirs(mysqlstore.NewWithCleanupInterval(interpolating.pool(tb), 0)),
		}
	}
	return server
}

// openMySQL opens a pool as an application does that shares it with a store.
func openMySQL(dsn string) (*sql.DB, error) {
	config, err := mysqldriver.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	c, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// pool opens a pool of an application.
func (s sqlServer) pool(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := s.open(s.dsn)
	must(tb, err)
	tb.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(sqlPool)
	db.SetMaxIdleConns(sqlPool)
	return db
}

// ours uses the class with its default properties.
func (s sqlServer) ours(tb testing.TB) peer {
	m, err := session.Open(tb.Context(), s.class, s.props, nil)
	must(tb, err)
	tb.Cleanup(func() { m.Close() })
	return ours(m)
}

// sharing uses a pool of the application.
func (s sqlServer) sharing(tb testing.TB, db *sql.DB) peer {
	store, err := websql.New(db, s.dialect, &websql.Options{Indexed: []string{"user"}})
	must(tb, err)
	m, err := session.New(store, nil)
	must(tb, err)
	tb.Cleanup(func() { m.Close() })
	return ours(m)
}

// theirs are the applications of scs, by how they are called.
func (s sqlServer) theirs(tb testing.TB) map[string]peer {
	db := s.pool(tb)
	for _, statement := range []string{s.table, "CREATE INDEX sessions_expiry_idx ON sessions (expiry)"} {
		_, err := db.Exec(statement)
		must(tb, err)
	}
	return s.peers(tb)
}

// bare answers the work of loops that do no more than the statements of a store
// of ours, prepared: a load, and with modify a conditional update, which must find
// its row. The rows have the data of a session of the store, since a server may
// compress them. As with a session, each update changes them, since a server may
// log only what is new, and moves the deadline, which has an index.
func (s sqlServer) bare(tb testing.TB, db *sql.DB, n int, modify bool) []func() error {
	ctx := context.Background()
	prepare := func(statement string, parameters int) *sql.Stmt {
		stmt, err := db.PrepareContext(ctx, s.number(statement, parameters))
		must(tb, err)
		tb.Cleanup(func() { stmt.Close() })
		return stmt
	}
	load := prepare("SELECT version, data, expires, ix_user FROM websession_sessions WHERE session_key = ?", 1)
	replace := prepare("UPDATE websession_sessions SET version = ?, data = ?, expires = ?, ix_user = ? WHERE session_key = ? AND version = ?", 6)
	create := prepare("INSERT INTO websession_sessions (version, data, expires, ix_user, session_key) VALUES (?, ?, ?, ?, ?)", 5)
	var data []byte
	must(tb, db.QueryRowContext(ctx, "SELECT data FROM websession_sessions LIMIT 1").Scan(&data))
	work := make([]func() error, n)
	for i := range work {
		key := fmt.Appendf(nil, "bare-%038d", i) // as long as that of a session
		_, err := create.Exec(version(), data, int64(4e12), key, key)
		must(tb, err)
		work[i] = func() error {
			var old, data, user []byte
			var expires int64
			if err := load.QueryRowContext(ctx, key).Scan(&old, &data, &expires, &user); err != nil || !modify {
				return err
			}
			data[len(data)-1]++
			result, err := replace.ExecContext(ctx, version(), data, time.Now().Add(8*time.Hour).UnixMilli(), user, key, old)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n != 1 {
				return fmt.Errorf("%d rows were affected: %w", n, err)
			}
			return nil
		}
	}
	return work
}

func version() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}

func BenchmarkPostgresRead(b *testing.B)   { benchmarkSQL(b, startPostgres, false) }
func BenchmarkPostgresModify(b *testing.B) { benchmarkSQL(b, startPostgres, true) }
func BenchmarkMariaDBRead(b *testing.B)    { benchmarkSQL(b, startMariaDB, false) }
func BenchmarkMariaDBModify(b *testing.B)  { benchmarkSQL(b, startMariaDB, true) }

// benchmarkSQL compares a class with scs, and, in the same pool, with bare
// statements.
func benchmarkSQL(b *testing.B, start func(testing.TB) sqlServer, modify bool) {
	work := func(b *testing.B, p peer) []func() error {
		if modify {
			return requests(b, visitors, p, p.modify)
		}
		return requests(b, visitors, p, p.read)
	}
	b.Run("statements", func(b *testing.B) {
		s := start(b)
		db := s.pool(b)
		us := contender{name: "ours", work: work(b, s.sharing(b, db))}
		contend(b, us, contender{name: "statements", work: s.bare(b, db, visitors, modify)})
	})
	b.Run("scs", func(b *testing.B) {
		s := start(b)
		contenders := []contender{{name: "ours", work: work(b, s.ours(b))}}
		for name, p := range s.theirs(b) {
			contenders = append(contenders, contender{name: name, work: work(b, p)})
		}
		contend(b, contenders...)
	})
}

func TestApplicationsDoTheSameInSQL(t *testing.T) {
	for _, start := range []func(testing.TB) sqlServer{startPostgres, startMariaDB} {
		s := start(t)
		peers := s.theirs(t)
		peers["ours"] = s.ours(t)
		for name, p := range peers {
			v := p.visit(t, 20, longValue)
			modify := newLoop(p.wrap(p.modify), v)
			modify.send(3)
			if n := v.counter(t); n != 3 || modify.failed > 0 {
				t.Errorf("%s, %s: the counter is %d after 3 modifications, of which %d failed", s.class, name, n, modify.failed)
			}
		}
	}
}
