package session_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// What a session has after it was saved stays, whatever is saved afterwards in the
// memory that its bytes had on their way to the store.
func TestWhatWasSavedStays(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	one, other := m.NewSession(), m.NewSession()
	for i := range 50 {
		red, blue := fmt.Sprint("red", i), fmt.Sprint("blue", i)
		require.NoError(t, color.Set(one, red))
		require.NoError(t, one.Save(t.Context()))
		require.NoError(t, color.Set(other, blue))
		require.NoError(t, shape.Set(other, blue))
		require.NoError(t, other.Save(t.Context()))
		if i%3 == 0 { // sometimes nobody asks before the next save
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if got := color.GetOr(one, ""); got != red {
						t.Errorf("%q instead of %q", got, red)
					}
				})
			}
			all.Wait()
		}
		require.Equal(t, []string{red, blue, blue}, []string{
			color.GetOr(load(t, m, one.ID()), ""), color.GetOr(load(t, m, other.ID()), ""), shape.GetOr(load(t, m, other.ID()), ""),
		})
	}
	require.Equal(t, []string{"color"}, one.Names())
	require.NoError(t, one.Renew(t.Context()))
	require.Equal(t, "red49", color.GetOr(load(t, m, one.ID()), ""))
	require.Equal(t, "red49", color.GetOr(one, ""))
	require.False(t, one.Created().IsZero())
}

// A store that fails may, against the contract, still be sending: what it was
// given does not become something else.
func TestBytesOfAFailedWriteStay(t *testing.T) {
	store := &keeper{Store: memory.New()}
	m := newManager(t, store, nil)
	s, other := stored(t, m), stored(t, m)
	for range 20 {
		store.fail = true
		require.NoError(t, increment(s))
		require.NoError(t, s.Save(t.Context()))
		for range 3 {
			require.NoError(t, increment(other))
			require.NoError(t, other.Save(t.Context()))
			require.Equal(t, store.was, store.kept)
		}
	}
	require.EqualValues(t, 21, count.GetOr(load(t, m, s.ID()), 0))
}

// keeper keeps what it was given when it fails.
type keeper struct {
	driver.Store
	fail      bool
	kept, was []byte
}

func (k *keeper) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if k.fail {
		k.fail, k.kept, k.was = false, rec.Data, bytes.Clone(rec.Data)
		return "", errCut
	}
	return k.Store.Replace(ctx, rec, old)
}

var _ driver.Store = (*keeper)(nil)
