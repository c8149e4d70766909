package mysql_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/conformance"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/sql/mysql"
)

func TestConformance(t *testing.T) {
	var places sync.Map // DataSource -> DSN
	conformance.Run(t, mysql.Driver{}, conformance.Env{
		Place: func(tb testing.TB) map[string]any {
			p := testenv.MariaDB(tb)
			// Columns of index fields are added by an administrator.
			s, err := try(p.Properties, driver.OpenOptions{Indexed: []string{"user", "account"}})
			require.NoError(tb, err)
			require.NoError(tb, s.Close())
			places.Store(p.Properties["DataSource"], p.DSN)
			return p.Properties
		},
		Raw: func(tb testing.TB, props map[string]any) map[string][]byte {
			dsn, _ := places.Load(props["DataSource"])
			return raw(tb, dsn.(string))
		},
	})
}
