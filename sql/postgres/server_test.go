package postgres_test

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
		p := testenv.Postgres(tb)
		return p.Properties, bare(tb, p.DSN)
	}, 20)
}

func TestPurgers(t *testing.T) { servertest.Purgers(t, try, testenv.Postgres(t).Properties) }

// A mutation whose answer is lost is executed once: neither pgx nor database/sql
// sends it again.
func TestLostAnswers(t *testing.T) {
	place := testenv.Postgres(t)
	p := testenv.DropProxy(t, place.Addrs[0])
	props := at(place, p.Addr())
	open(t, props)
	db := bare(t, place.DSN)
	mustExec(t, db, "CREATE TABLE executed (kind text)",
		"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO executed VALUES (TG_OP); RETURN NULL; END $$",
		"CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON websession_sessions FOR EACH STATEMENT EXECUTE FUNCTION note()")
	servertest.Once(t, try, props, p, func(kind string) (n int) {
		require.NoError(t, db.QueryRow("SELECT count(*) FROM executed WHERE kind = $1", kind).Scan(&n))
		return n
	})
}

// own answers the properties of the database of a server of the test's own.
func own(s *servers.Postgres, more ...any) map[string]any {
	host, port, _ := strings.Cut(s.Addr(), ":")
	return with(map[string]any{"host": host, "port": port, "database": "postgres", "username": "postgres", "password": "secret"}, more...)
}

func TestServerThatIsFrozen(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Password: "secret"})
	servertest.Mute(t, try, own(s, "timeout", "1", "connect_timeout", "1"), s.Server)
}

func TestServerThatIsKilled(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Password: "secret", Durable: true})
	servertest.Crash(t, try, own(s), s.Server, pick(10, 2))
}

func TestLocks(t *testing.T) {
	place := testenv.Postgres(t)
	p := testenv.DropProxy(t, place.Addrs[0])
	servertest.Locks(t, try, "advisory", place.Properties, at(place, p.Addr()), p)
}
