package session_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

// twenty answers the id of a session with twenty attributes.
func twenty(b *testing.B, m *session.Manager) session.ID {
	s := m.NewSession()
	for i := range 20 {
		require.NoError(b, session.NewKey[string](fmt.Sprint("attribute", i)).Set(s, "some value"))
	}
	require.NoError(b, count.Set(s, 1))
	require.NoError(b, s.Save(b.Context()))
	return s.ID()
}

func BenchmarkLoadAndReadOne(b *testing.B) {
	m := newManager(b, memory.New(), nil)
	id := twenty(b, m)
	key := session.NewKey[string]("attribute7")
	b.ReportAllocs()
	for b.Loop() {
		s, err := m.Load(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		if v, err := key.Get(s); err != nil || v == "" {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadModifySave(b *testing.B) {
	m := newManager(b, memory.New(), nil)
	id := twenty(b, m)
	b.ReportAllocs()
	for b.Loop() {
		s, err := m.Load(b.Context(), id)
		if err != nil {
			b.Fatal(err)
		}
		if err := increment(s); err != nil {
			b.Fatal(err)
		}
		if err := s.Save(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	m := newManager(b, memory.New(), nil)
	id := twenty(b, m)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Update(b.Context(), id, increment); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateContended(b *testing.B) {
	m := newManager(b, memory.New(), nil)
	id := twenty(b, m)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := m.Update(b.Context(), id, increment); err != nil {
				b.Fatal(err)
			}
		}
	})
}
