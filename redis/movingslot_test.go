package redis_test

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// slot is a slot that moves.
type slot struct {
	s        *stage
	number   string
	from, to *servers.Server
}

// slotOf begins to move the slot of a key from its master to another one.
func (s *stage) slotOf(masters []*servers.Server, key string) slot {
	s.tb.Helper()
	for i, m := range masters {
		m := slot{s, fmt.Sprint(s.ask(m, "CLUSTER", "KEYSLOT", key)), m, masters[(i+1)%len(masters)]}
		if s.serves(m.from, m.number) {
			m.begin()
			return m
		}
	}
	require.Fail(s.tb, "nobody serves the key")
	return slot{}
}

// serves reports whether a node serves a slot.
func (s *stage) serves(n *servers.Server, number string) bool {
	all := slotsOf(s.tb, s.ask(n, "CLUSTER", "NODES").(string), s.ask(n, "CLUSTER", "MYID").(string))
	return slices.Contains(all, number)
}

func (m slot) begin() {
	m.s.tb.Helper()
	m.s.ask(m.to, "CLUSTER", "SETSLOT", m.number, "IMPORTING", m.s.ask(m.from, "CLUSTER", "MYID").(string))
	m.s.ask(m.from, "CLUSTER", "SETSLOT", m.number, "MIGRATING", m.s.ask(m.to, "CLUSTER", "MYID").(string))
}

// move moves the keys that are there, and answers how many.
func (m slot) move() (moved int) {
	m.s.tb.Helper()
	host, port, err := net.SplitHostPort(m.to.Addr())
	require.NoError(m.s.tb, err)
	for {
		keys, _ := m.s.ask(m.from, "CLUSTER", "GETKEYSINSLOT", m.number, "100").([]any)
		if len(keys) == 0 {
			return moved
		}
		command := []string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}
		for _, key := range keys {
			command = append(command, key.(string))
		}
		m.s.ask(m.from, command...)
		moved += len(keys)
	}
}

// end gives the slot to its new master.
func (m slot) end(masters []*servers.Server) {
	m.s.tb.Helper()
	id := m.s.ask(m.to, "CLUSTER", "MYID").(string)
	// Who gets it hears of it first, who had it next.
	order := append([]*servers.Server{m.to, m.from}, slices.DeleteFunc(slices.Clone(masters), func(n *servers.Server) bool {
		return n == m.to || n == m.from
	})...)
	for _, n := range order {
		m.s.ask(n, "CLUSTER", "SETSLOT", m.number, "NODE", id)
	}
}

// While the slot of a record moves, every call of the store is answered as ever,
// whether the record has moved already or not, with and without wait_replicas.
// This is one call at a time; TestReshardingUnderLoad has many.
func TestCallsInAMovingSlot(t *testing.T) {
	s, set := clusterStage(t)
	masters, err := set.Masters(ctx)
	require.NoError(t, err)
	for _, replicas := range []int{0, 1} {
		t.Run(fmt.Sprint("wait_replicas=", replicas), func(t *testing.T) {
			s.tb = t
			props := map[string]any{"server": set.Addrs(), "prefix": fmt.Sprint("t", replicas, ":"), "wait_replicas": replicas}
			store := open(t, redis.ClusterDriver{}, props, driver.OpenOptions{})
			for _, gone := range []bool{false, true} {
				rec := driver.Record{Key: fmt.Sprint("k", gone), Data: []byte("data"), Index: map[string]string{"user": "u"}}
				rec.Was = rec.Index
				name := props["prefix"].(string) + rec.Key
				check := func(what string, err error) {
					t.Helper()
					require.NoError(t, err, "%s while the slot moves, the keys are there already: %v", what, gone)
				}
				m := s.slotOf(masters, name)
				_, _, err := store.Load(ctx, rec.Key)
				require.ErrorIs(t, err, driver.ErrNotFound)
				check("delete of an absent record", store.Delete(ctx, rec, ""))
				v, err := store.Create(ctx, rec) // which makes it where the slot goes
				check("create", err)
				m.end(masters)
				again := s.slotOf(masters, name) // and back
				if gone {
					require.Positive(t, again.move())
				}
				_, v2, err := store.Load(ctx, rec.Key)
				check("load", err)
				require.Equal(t, v, v2)
				v, err = store.Replace(ctx, rec, v)
				check("replace", err)
				_, err = store.(driver.Toucher).Touch(ctx, rec, v)
				check("touch", err)
				_, err = store.Replace(ctx, rec, v)
				require.ErrorIs(t, err, driver.ErrConflict)
				check("delete", store.Delete(ctx, rec, ""))
				_, _, err = store.Load(ctx, rec.Key)
				require.ErrorIs(t, err, driver.ErrNotFound)
				again.end(masters)
			}
		})
	}
}
