package mysql_test

import (
	"net/url"
	"testing"

	"github.com/websession/websession/sql/internal/servertest"
)

// A pool of the application brings its own SQL mode, and a database its own
// collation; nor does such a pool count rows that were found, or read what was
// committed only.
func TestConformanceInEveryMode(t *testing.T) {
	for _, mode := range []struct{ name, sql, charset, collation string }{
		{"loose", "", "latin1", "latin1_swedish_ci"},
		{"strict", "TRADITIONAL,ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,ONLY_FULL_GROUP_BY", "utf8mb4", "utf8mb4_general_ci"},
	} {
		t.Run(mode.name, func(t *testing.T) {
			class.Pooled(t, func(tb testing.TB) servertest.Place {
				p := place(tb)
				mustExec(tb, bare(tb, p.DSN), "ALTER DATABASE CHARACTER SET "+mode.charset+" COLLATE "+mode.collation)
				return p
			}, func(dsn string) string { return dsn + "?sql_mode=" + url.QueryEscape("'"+mode.sql+"'") })
		})
	}
}
