package sqlite_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/sql/sqlite"
)

// Neither a descriptor nor a goroutine stays, nor a journal, when stores are
// closed or did not open.
func TestNothingStays(t *testing.T) {
	path := fresh(t)
	use := func() {
		s, err := sqlite.New(path, &sqlite.Options{Indexed: []string{"user"}})
		require.NoError(t, err)
		errs := make(chan error)
		for i := range 8 {
			go func() {
				rec := record(string(rune('a'+i)), "v")
				v, err := s.Create(ctx, rec)
				if err == nil {
					_, _, err = s.Load(ctx, rec.Key)
				}
				errs <- errors.Join(err, s.Delete(ctx, rec, v))
			}()
		}
		for range 8 {
			require.NoError(t, <-errs)
		}
		for range s.Scan(ctx) {
			break
		}
		require.NoError(t, s.Close())
		refused(t, path, &sqlite.Options{Indexed: []string{"user", "missing"}})
	}
	use()
	before := runtime.NumGoroutine()
	for range 5 {
		use()
	}
	until(t, func() bool { return runtime.NumGoroutine() <= before })
	require.Empty(t, openFiles(t, filepath.Dir(path)))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{path}, left)
}
