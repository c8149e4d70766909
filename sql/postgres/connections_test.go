package postgres_test

import (
	"testing"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/sql/internal/servertest"
)

// A server that closes idle connections costs nothing.
func TestIdleConnections(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Password: "secret", Config: []string{"idle_session_timeout=1s"}})
	admin := bare(t, s.URL("postgres"))
	admin.SetMaxIdleConns(0)
	class.Idle(t, own(s), func() int {
		return servertest.Query[int](t, admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'websession'")
	})
}

// Prepared statements that a server, or a pooler before it, has forgotten.
func TestLostStatements(t *testing.T) {
	class.LostStatements(t, place(t), "DEALLOCATE ALL", "DISCARD ALL")
}

// The deadline of a call stays with the call: an application goes on with the
// connection.
func TestDeadlineLeavesNothing(t *testing.T) {
	db := bare(t, place(t).DSN)
	db.SetMaxOpenConns(1)
	class.Deadline(t, class.Borrowed(t, db), db, "SELECT pg_backend_pid()")
}
