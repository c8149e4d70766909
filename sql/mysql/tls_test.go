package mysql_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
)

func TestTLS(t *testing.T) {
	files, others := testenv.TLS(t), testenv.TLS(t)
	for _, dir := range []string{filepath.Dir(files.CA), filepath.Dir(filepath.Dir(files.CA))} {
		require.NoError(t, os.Chmod(dir, 0o755)) // the server is another user
	}
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: []string{"--ssl-cert=" + files.Cert, "--ssl-key=" + files.Key, "--ssl-ca=" + files.CA}})
	props := own(t, s)
	for _, mode := range []string{"prefer", "require", "verify-ca", "verify-full"} {
		changes := []any{"sslmode", mode, "tls_cert", files.Cert, "tls_key", files.Key}
		if mode != "prefer" && mode != "require" {
			require.ErrorContains(t, refused(t, with(props, append(changes, "tls_ca", others.CA)...)), "certificate", mode)
			changes = append(changes, "tls_ca", files.CA)
		}
		info, err := open(t, with(props, changes...)).Ping(ctx)
		require.NoError(t, err)
		require.NotEqual(t, "none", info.Facts["tls"], mode)
	}
	info, err := open(t, with(props, "sslmode", "disable")).Ping(ctx)
	require.NoError(t, err)
	require.Equal(t, "none", info.Facts["tls"])
}
