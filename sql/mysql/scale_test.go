package mysql_test

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
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: []string{"--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G"}})
	in := func(name string) servertest.Place {
		mustExec(t, bare(t, s.DSN("")), "CREATE DATABASE "+name)
		return servertest.Place{Properties: own(t, s, "database", name), DSN: s.DSN(name)}
	}
	class.Scale(t, in("few"), in("many"), func(name string, times int, expires int64) string {
		return fmt.Sprintf("INSERT INTO websession_sessions (session_key, version, data, expires, ix_user)"+
			" SELECT md5(concat(session_key, '%s', seq)), version, data, %d, md5(concat(ix_user, seq)) FROM originals, seq_1_to_%d", name, expires, times)
	})
}
