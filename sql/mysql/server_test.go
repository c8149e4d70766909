package mysql_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/sql/internal/servertest"
)

func TestServersThatStartTogether(t *testing.T) { class.Together(t, place, 20) }

func TestPurgers(t *testing.T) { class.Purgers(t, place(t).Properties) }

// A mutation whose answer is lost is executed once: neither go-sql-driver nor
// database/sql sends it again. The server counts for all of its clients, and
// these are those of this test.
func TestLostAnswers(t *testing.T) {
	db := place(t)
	p := testenv.DropProxy(t, db.Addr)
	other := bare(t, db.DSN)
	class.Once(t, db.At(p.Addr()), p, func(kind string) (n int) {
		var name string
		require.NoError(t, other.QueryRow("SHOW GLOBAL STATUS LIKE 'Com_"+strings.ToLower(kind)+"'").Scan(&name, &n))
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
	class.Mute(t, own(t, s, "timeout", "1", "connect_timeout", "1"), s.Server)
}

func TestServerThatIsKilled(t *testing.T) {
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Durable: true})
	class.Crash(t, own(t, s), s.Server, workload.Pick(10, 2))
}

func TestLocks(t *testing.T) {
	db := place(t)
	p := testenv.DropProxy(t, db.Addr)
	servertest.Locks(t, try, "get_lock", db.Properties, db.At(p.Addr()), p)
}
