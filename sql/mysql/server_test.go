package mysql_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/sql/internal/servertest"
)

// full asks for the counts of the issues.
var full = os.Getenv("WEBSESSION_FULL") == "1"

func pick(most, few int) int {
	if full {
		return most
	}
	return few
}

func TestServersThatStartTogether(t *testing.T) {
	servertest.Together(t, try, func(tb testing.TB) (map[string]any, *sql.DB) {
		p := testenv.MariaDB(tb)
		return p.Properties, bare(tb, p.DSN)
	}, 20)
}

func TestPurgers(t *testing.T) { servertest.Purgers(t, try, testenv.MariaDB(t).Properties) }

// A mutation whose answer is lost is executed once: neither go-sql-driver nor
// database/sql sends it again. The server counts for all of its clients, and
// these are those of this test.
func TestLostAnswers(t *testing.T) {
	place := testenv.MariaDB(t)
	p := testenv.DropProxy(t, place.Addrs[0])
	db := bare(t, place.DSN)
	servertest.Once(t, try, at(place, p.Addr()), p, func(kind string) (n int) {
		var name string
		require.NoError(t, db.QueryRow("SHOW GLOBAL STATUS LIKE 'Com_"+strings.ToLower(kind)+"'").Scan(&name, &n))
		return n
	})
}

// own answers the properties of the database of a server of the test's own.
func own(tb testing.TB, s *servers.MariaDB, more ...any) map[string]any {
	mustExec(tb, bare(tb, s.DSN("")), "CREATE DATABASE IF NOT EXISTS own")
	host, port, _ := strings.Cut(s.Addr(), ":")
	return with(map[string]any{"host": host, "port": port, "database": "own",
		"username": servers.MariaDBUser, "password": servers.MariaDBPassword}, more...)
}

func TestServerThatIsFrozen(t *testing.T) {
	s := testenv.NewMariaDB(t, nil)
	servertest.Mute(t, try, own(t, s, "timeout", "1", "connect_timeout", "1"), s.Server)
}

func TestServerThatIsKilled(t *testing.T) {
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Durable: true})
	servertest.Crash(t, try, own(t, s), s.Server, pick(10, 2))
}

func TestLocks(t *testing.T) {
	place := testenv.MariaDB(t)
	p := testenv.DropProxy(t, place.Addrs[0])
	servertest.Locks(t, try, "get_lock", place.Properties, at(place, p.Addr()), p)
}
