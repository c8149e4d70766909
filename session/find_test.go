package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

func login(t testing.TB, m *session.Manager, name string) *session.Session {
	t.Helper()
	s := m.NewSession()
	require.NoError(t, user.Set(s, name))
	require.NoError(t, s.Save(t.Context()))
	return s
}

func found(t testing.TB, m *session.Manager, name string) []session.Handle {
	t.Helper()
	var handles []session.Handle
	for s, err := range m.Find(t.Context(), "user", name) {
		require.NoError(t, err)
		require.Equal(t, name, user.GetOr(s, ""))
		require.Empty(t, s.ID(), "a session that is found has no id")
		require.ErrorIs(t, color.Set(s, "red"), session.ErrReadOnly)
		require.ErrorIs(t, s.Save(t.Context()), session.ErrReadOnly)
		handles = append(handles, s.Handle())
	}
	slices.Sort(handles)
	return handles
}

func TestFindAndDestroyFound(t *testing.T) {
	clk := newManual()
	m := newManager(t, memory.New(), &session.Options{Now: clk.Now, Indexed: []string{"user", "account"}})
	var ada []session.Handle
	var sessions []*session.Session
	for range 4 {
		s := login(t, m, "ada")
		sessions = append(sessions, s)
		ada = append(ada, s.Handle())
	}
	login(t, m, "bob")
	slices.Sort(ada)
	require.Equal(t, ada, found(t, m, "ada"))
	require.Empty(t, found(t, m, "nobody"))
	require.Empty(t, found(t, m, ""))

	n, err := m.DestroyFound(t.Context(), "user", "bob", session.HasHandle(ada[0]))
	require.NoError(t, err)
	require.Zero(t, n, "one cannot end the session of another user")
	n, err = m.DestroyFound(t.Context(), "user", "ada", session.HasHandle(sessions[3].Handle()))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = m.DestroyFound(t.Context(), "user", "ada", session.OtherThan(sessions[0]))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, []session.Handle{sessions[0].Handle()}, found(t, m, "ada"))

	require.NoError(t, session.NewKey[int64]("account").Set(sessions[0], 7))
	require.NoError(t, sessions[0].Renew(t.Context()))
	for s, err := range m.Find(t.Context(), "account", "7") {
		require.NoError(t, err)
		require.Equal(t, sessions[0].Handle(), s.Handle())
	}
	for _, err := range m.Find(t.Context(), "color", "red") {
		require.ErrorContains(t, err, "not among Options.Indexed")
	}
	clk.advance(session.DefaultIdle)
	require.Empty(t, found(t, m, "ada"), "expired")
}

func TestFindWithoutSearchAndScan(t *testing.T) {
	scans := newManager(t, struct {
		driver.Store
		driver.Scanner
	}{memory.New(), memory.New()}, nil)
	require.Equal(t, []session.Capability{{"touch", session.Emulated}, {"list", session.Native}, {"find", session.Emulated},
		{"purge", session.NotNeeded}, {"ping", session.Emulated}}, scans.Capabilities())
	_, err := scans.Ping(t.Context())
	require.NoError(t, err)

	m := newManager(t, newScripted(), nil)
	login(t, m, "ada")
	for _, err := range m.Find(t.Context(), "user", "ada") {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	_, err = m.DestroyFound(t.Context(), "user", "ada", nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	n, err := m.Purge(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestIDsAreNeverPrinted(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store := newScripted()
	m := newManager(t, store, &session.Options{Observe: session.LogEvents(l)})
	s := login(t, m, "ada")
	id := s.ID()
	require.Len(t, id.Reveal(), 43)

	out := fmt.Sprintf("%v %s %q %x %d %#v %+v", id, id, id, id, id, id, id)
	out += fmt.Sprintf("%v %+v %#v", s, s, []*session.Session{s})
	b, err := json.Marshal(map[string]any{"id": id})
	require.NoError(t, err)
	l.Info("test", "id", id, "session", s, "handle", s.Handle())
	store.on("replace", loseAnswer)
	require.NoError(t, count.Set(s, 2))
	require.NoError(t, s.Renew(t.Context()))
	out += fmt.Sprint(m.Update(t.Context(), id, increment), m.Destroy(t.Context(), s.ID()))
	_, err = m.Load(t.Context(), id)
	out += err.Error() + string(b) + log.String()
	require.NotContains(t, out, id.Reveal())
	require.NotContains(t, out, fmt.Sprintf("%x", id.Reveal()))
	require.Contains(t, log.String(), "session renewed")
	require.Equal(t, "session: load (Memory): session not found", (&session.Error{Op: "load", Class: "Memory", Err: session.ErrNotFound}).Error())

	_, err = m.Load(t.Context(), session.ID(s.Handle()))
	require.ErrorIs(t, err, session.ErrNotFound, "what is stored is not a token")
}

func TestMalformedIDsNeverReachTheStore(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	good := stored(t, m).ID().Reveal()
	store.reset()
	for _, bad := range []string{"", good[1:], good + "A", good[:42] + "\x00", good[:42] + "/", good[:42] + ".", "../../../../etc/passwd",
		good[:42] + " ", good[:41] + "é", string(make([]byte, 4096))} {
		_, err := m.Load(t.Context(), session.ID(bad))
		require.ErrorIs(t, err, session.ErrNotFound)
		require.NoError(t, m.Destroy(t.Context(), session.ID(bad)))
		require.ErrorIs(t, m.Update(t.Context(), session.ID(bad), increment), session.ErrNotFound)
	}
	require.Empty(t, store.made())
}

func TestCorruptRecordIsLeftAlone(t *testing.T) {
	var kinds []session.EventKind
	store := memory.New()
	m := newManager(t, store, &session.Options{Observe: func(_ context.Context, e session.Event) { kinds = append(kinds, e.Kind) }})
	a, b := login(t, m, "ada"), login(t, m, "ada")
	recA, vA, err := store.Load(t.Context(), string(a.Handle()))
	require.NoError(t, err)
	recB, _, err := store.Load(t.Context(), string(b.Handle()))
	require.NoError(t, err)
	recA.Data = recB.Data
	_, err = store.Replace(t.Context(), recA, vA)
	require.NoError(t, err)
	kinds = nil

	_, err = m.Load(t.Context(), a.ID())
	require.ErrorIs(t, err, session.ErrCorrupt)
	require.NotErrorIs(t, err, session.ErrNotFound)
	require.Error(t, m.Update(t.Context(), a.ID(), increment))
	require.Equal(t, []session.Handle{b.Handle()}, found(t, m, "ada"))
	require.Equal(t, []session.EventKind{session.EventCorrupt, session.EventCorrupt, session.EventCorrupt}, kinds)
	_, _, err = store.Load(t.Context(), string(a.Handle()))
	require.NoError(t, err, "it is not deleted")
	require.NoError(t, m.Destroy(t.Context(), a.ID()), "unless somebody asks for it")
}

func TestStoreTimeout(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, &session.Options{StoreTimeout: 20 * time.Millisecond})
	id := stored(t, m).ID()
	slow := slowStore{store, make(chan struct{})}
	m2 := newManager(t, nopClose{slow}, &session.Options{StoreTimeout: 20 * time.Millisecond})
	_, err := m2.Load(t.Context(), id)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// slowStore answers loads when the context ends.
type slowStore struct {
	driver.Store
	never chan struct{}
}

func (s slowStore) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	select {
	case <-s.never:
	case <-ctx.Done():
	}
	return driver.Record{}, "", ctx.Err()
}
