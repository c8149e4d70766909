package postgres_test

import (
	"fmt"
	"testing"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/sql/internal/servertest"
)

// The server has memory for its sessions: what is measured are its indexes and
// this package, not its disk.
func TestManySessions(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Password: "secret", Config: []string{"shared_buffers=1GB", "max_wal_size=4GB"}})
	in := func(name string) servertest.Place {
		mustExec(t, bare(t, s.URL("postgres")), "CREATE DATABASE "+name)
		return servertest.Place{Properties: own(s, "database", name), DSN: s.URL(name)}
	}
	class.Scale(t, in("few"), in("many"), func(name string, times int, expires int64) string {
		return fmt.Sprintf("INSERT INTO websession_sessions (session_key, version, data, expires, ix_user)"+
			" SELECT convert_to(md5(encode(session_key, 'hex') || '%s' || n), 'UTF8'), version, data, %d, convert_to(md5(encode(ix_user, 'hex') || n), 'UTF8')"+
			" FROM originals, generate_series(1, %d) AS n", name, expires, times)
	})
}
