package servertest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

// Properties reads properties that are right, and some that are not, by a part of
// the error. No error quotes the password "hush".
func (c Class) Properties(t *testing.T, right []map[string]any, wrong map[string]map[string]any) {
	for _, props := range right {
		_, err := c.configure(props)
		require.NoError(t, err, props)
	}
	for want, props := range wrong {
		_, err := c.configure(props)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hush")
	}
}

// LockedRow lets another program lock a row, and saves in vain: the outcome is
// unknown if the statement was sent, and no doubt if it waited for a connection.
// waits is a SELECT that counts statements that wait for a lock. meanwhile, which
// may be nil, is called while the row of the key is locked, in the version v.
func (c Class) LockedRow(t *testing.T, p Place, waits string, meanwhile func(key string, v driver.Version)) {
	db := c.Bare(t, p.DSN)
	one := c.Open(t, With(p.Properties, "pool_size", 1))
	lock := func(key string) (v driver.Version, unlock func()) {
		v = Create(t, one, Record(key, "v"))
		tx, err := db.Begin()
		require.NoError(t, err)
		_, err = tx.Exec("SELECT 1 FROM websession_sessions WHERE session_key = '" + key + "' FOR UPDATE")
		require.NoError(t, err)
		return v, func() { require.NoError(t, tx.Rollback()) }
	}
	save := func(key string, v driver.Version, most time.Duration) error {
		ctx, cancel := context.WithTimeout(background, most)
		defer cancel()
		_, err := one.Replace(ctx, Record(key, "w"), v)
		return err
	}

	v, unlock := lock("sent")
	err := save("sent", v, time.Second)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, driver.ErrUnknownOutcome)
	if meanwhile != nil {
		meanwhile("sent", v)
	}
	unlock()
	Until(t, func() bool { return Query[int](t, db, waits) == 0 })

	v, unlock = lock("queued")
	done := make(chan error)
	go func() { done <- save("queued", v, 20*time.Second) }()
	Until(t, func() bool { return Query[int](t, db, waits) > 0 })
	err = save("queued", v, 100*time.Millisecond)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	MustNotBeApplied(t, err, "deadline")
	unlock()
	require.NoError(t, <-done)
	MustHold(t, one, "queued", "w")
}
