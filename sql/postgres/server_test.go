package postgres_test

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

// A mutation whose answer is lost is executed once: neither pgx nor database/sql
// sends it again.
func TestLostAnswers(t *testing.T) {
	db := place(t)
	p := testenv.DropProxy(t, db.Addr)
	props := db.At(p.Addr())
	open(t, props)
	other := bare(t, db.DSN)
	mustExec(t, other, "CREATE TABLE executed (kind text)",
		"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO executed VALUES (TG_OP); RETURN NULL; END $$",
		"CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON websession_sessions FOR EACH STATEMENT EXECUTE FUNCTION note()")
	class.Once(t, props, p, func(kind string) (n int) {
		require.NoError(t, other.QueryRow("SELECT count(*) FROM executed WHERE kind = $1", kind).Scan(&n))
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
	class.Mute(t, own(s, "timeout", "1", "connect_timeout", "1"), s.Server)
}

func TestServerThatIsKilled(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Password: "secret", Durable: true})
	class.Crash(t, own(s), s.Server, workload.Pick(10, 2))
}

func TestLocks(t *testing.T) {
	db := place(t)
	p := testenv.DropProxy(t, db.Addr)
	servertest.Locks(t, try, "advisory", db.Properties, db.At(p.Addr()), p)
}
