package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/sql/sqlite"
)

// What looks for sessions uses an index, and sorts nothing.
func TestPlans(t *testing.T) {
	s := newStore(t, fresh(t), &sqlite.Options{Indexed: []string{"user", "account"}})
	plans, err := s.Plans(ctx)
	require.NoError(t, err)
	const table = "SEARCH websession_sessions USING "
	require.Equal(t, map[string]string{
		"load":           table + "INDEX sqlite_autoindex_websession_sessions_1 (session_key=?)",
		"scan":           table + "INDEX sqlite_autoindex_websession_sessions_1 (session_key>?)",
		"search user":    table + "INDEX websession_sessions_ix_user (ix_user=? AND session_key>?)",
		"search account": table + "INDEX websession_sessions_ix_account (ix_account=? AND session_key>?)",
		"purge": table + "INTEGER PRIMARY KEY (rowid=?)\nLIST SUBQUERY 1\n" +
			table + "COVERING INDEX websession_sessions_expires (expires<?)",
	}, plans)
}
