package postgres_test

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
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
	// PostgreSQL wants a key that nobody else can read.
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		require.NoError(t, err)
		group, err := strconv.Atoi(u.Gid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(files.Key, 0, group))
		require.NoError(t, os.Chmod(files.Key, 0o640))
	} else {
		require.NoError(t, os.Chmod(files.Key, 0o600))
	}
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Config: []string{"ssl=on", "ssl_cert_file=" + files.Cert, "ssl_key_file=" + files.Key, "ssl_ca_file=" + files.CA}})
	props := own(s)
	for _, mode := range []string{"prefer", "require", "verify-ca", "verify-full"} {
		changes := []any{"sslmode", mode}
		if mode != "prefer" && mode != "require" {
			require.ErrorContains(t, refused(t, with(props, append(changes, "tls_ca", others.CA)...)), "certificate", mode)
			changes = append(changes, "tls_ca", files.CA)
		}
		store := open(t, with(props, changes...))
		info, err := store.Ping(ctx)
		require.NoError(t, err)
		require.NotEqual(t, "none", info.Facts["tls"], mode)
		// The connection is looked at before it is used again.
		for range 3 {
			require.NoError(t, store.Delete(ctx, record("k", ""), create(t, store, record("k", "v"))))
		}
	}
	info, err := open(t, with(props, "sslmode", "disable")).Ping(ctx)
	require.NoError(t, err)
	require.Equal(t, "none", info.Facts["tls"])
}
