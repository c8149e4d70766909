package session_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// lines is the format of another program: a line "name=value" for each
// attribute, and lines that begin with # which it keeps for itself. Its ids are
// 32 hex digits and the keys of its records.
type lines struct{}

var hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (lines) NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
func (lines) ValidID(id string) bool            { return hex32.MatchString(id) }
func (lines) Key(id string) string              { return id }
func (lines) Digest(field, value string) string { return field + "_" + value }

func (lines) Attributes(_ string, data []byte) (map[string]any, error) {
	attrs := make(map[string]any)
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch {
		case strings.HasPrefix(line, "#"):
		case !ok:
			return nil, fmt.Errorf("a line without =")
		case strings.Contains(value, ","):
			list := []any{}
			for _, item := range strings.Split(value, ",") {
				list = append(list, item)
			}
			attrs[name] = list
		default:
			attrs[name] = value
		}
	}
	return attrs, nil
}

func (lines) Apply(id string, old []byte, c driver.Changes) ([]byte, error) {
	var out []string
	for line := range strings.Lines(string(old)) {
		name, _, _ := strings.Cut(line, "=")
		_, set := c.Set[name]
		own := strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "#id ")
		if own || !strings.HasPrefix(line, "#") && !c.Clear && !set && !slices.Contains(c.Delete, name) {
			out = append(out, line)
		}
	}
	for name, v := range c.Set {
		out = append(out, fmt.Sprintf("%s=%v\n", name, v))
	}
	slices.Sort(out)
	return []byte("#id " + id + "\n" + strings.Join(out, "")), nil
}

// contentStore is a store whose versions are digests of the bytes.
type contentStore struct{ *scripted }

func (contentStore) ContentVersion() {}

func newContentStore() contentStore {
	s := newScripted()
	s.Store = contentVersions{s.Store}
	return contentStore{s}
}

type contentVersions struct{ driver.Store }

func contentVersion(data []byte) driver.Version {
	sum := sha256.Sum256(data)
	return driver.Version(sum[:])
}

func (s contentVersions) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	_, err := s.Store.Create(ctx, rec)
	return contentVersion(rec.Data), err
}

func (s contentVersions) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	rec, _, err := s.Store.Load(ctx, key)
	rec.Expires = time.Time{} // the other program keeps none
	return rec, contentVersion(rec.Data), err
}

// current answers the version that the store below has for the one here.
func (s contentVersions) current(ctx context.Context, key string, old driver.Version) (driver.Version, error) {
	rec, v, err := s.Store.Load(ctx, key)
	if err == nil && contentVersion(rec.Data) != old {
		err = driver.ErrConflict
	}
	return v, err
}

func (s contentVersions) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	v, err := s.current(ctx, rec.Key, old)
	if err == nil {
		_, err = s.Store.Replace(ctx, rec, v)
	}
	return contentVersion(rec.Data), err
}

func (s contentVersions) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if old == "" {
		return s.Store.Delete(ctx, rec, "")
	}
	v, err := s.current(ctx, rec.Key, old)
	if err != nil {
		return err
	}
	return s.Store.Delete(ctx, rec, v)
}

func TestForeignFormat(t *testing.T) {
	clk := newManual()
	store := newContentStore()
	m := newManager(t, store, &session.Options{Format: lines{}, Now: clk.Now})
	s := m.NewSession()
	require.NoError(t, color.Set(s, "red"))
	require.NoError(t, user.Set(s, "ada"))
	require.NoError(t, s.Save(t.Context()))
	id := s.ID().Reveal()
	require.Regexp(t, hex32, id)
	require.NotContains(t, string(s.Handle()), id, "a handle is a digest even where the key is the id")

	rec, _, err := store.Load(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "#id "+id+"\ncolor=red\nuser=ada\n", string(rec.Data))
	require.Equal(t, map[string]string{"user": "user_ada"}, rec.Index)

	// The other program writes: what it keeps for itself survives ours.
	rec.Data = append(rec.Data, "#shared with the other program\nlist=a,b\n"...)
	_, err = store.Replace(t.Context(), rec, contentVersion([]byte("#id "+id+"\ncolor=red\nuser=ada\n")))
	require.NoError(t, err)
	other := load(t, m, session.ID(id))
	require.NoError(t, shape.Set(s, "round"))
	require.NoError(t, s.Save(t.Context()))
	require.NoError(t, color.Delete(other))
	require.NoError(t, other.Save(t.Context()))
	rec, _, err = store.Load(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "#id "+id+"\n#shared with the other program\nlist=a,b\nshape=round\nuser=ada\n", string(rec.Data))

	list := session.NewKey[[]string]("list")
	require.Equal(t, []string{"a", "b"}, list.GetOr(other, nil))
	v, err := other.Value("list")
	require.NoError(t, err)
	v.([]any)[0] = "changed by the caller"
	require.Equal(t, []string{"a", "b"}, list.GetOr(other, nil))

	clk.advance(365 * 24 * time.Hour)
	s = load(t, m, session.ID(id))
	require.True(t, s.Expires().IsZero(), "no deadlines but those of the store")
	require.True(t, s.Created().IsZero())
	require.Error(t, s.SetPersistent(true))
	require.NoError(t, s.Renew(t.Context()))
	require.NotEqual(t, id, s.ID().Reveal())
	require.Equal(t, "round", shape.GetOr(load(t, m, s.ID()), ""))
	_, err = m.Load(t.Context(), session.ID(id))
	require.ErrorIs(t, err, session.ErrNotFound)
	_, err = m.Load(t.Context(), "../../etc/passwd")
	require.ErrorIs(t, err, session.ErrNotFound)
	require.NoError(t, s.Destroy(t.Context()))
}

func TestForeignFormatUnknownOutcomes(t *testing.T) {
	store := newContentStore()
	m := newManager(t, store, &session.Options{Format: lines{}})
	other := newManager(t, nopClose{contentStore{&scripted{Store: store.Store, steps: map[string][]step{}}}}, &session.Options{Format: lines{}})
	s := m.NewSession()
	id := s.ID()
	require.NoError(t, color.Set(s, "red"))
	store.on("create", loseAnswer)
	require.NoError(t, s.Save(t.Context()), "equal bytes: applied")
	require.Equal(t, id, s.ID())

	toggle := func(s *session.Session) error { return shape.Set(s, shape.GetOr(s, "")+"x") }
	store.on("replace", loseAnswer)
	require.NoError(t, m.Update(t.Context(), id, toggle), "equal bytes: applied")
	require.Equal(t, "x", shape.GetOr(load(t, m, id), ""))
	store.on("replace", loseRequest)
	require.NoError(t, m.Update(t.Context(), id, toggle), "the old bytes: sent again")
	require.Equal(t, "xx", shape.GetOr(load(t, m, id), ""))

	changedMeanwhile := step{around: func(call func() error) error {
		require.NoError(t, call())
		require.NoError(t, other.Update(t.Context(), id, func(s *session.Session) error { return count.Set(s, 7) }))
		return errCut
	}}
	store.on("replace", changedMeanwhile)
	require.ErrorIs(t, m.Update(t.Context(), id, toggle), session.ErrUnknownOutcome, "other bytes: nobody can tell")
	s = load(t, m, id)
	require.NoError(t, color.Set(s, "blue"))
	store.on("replace", changedMeanwhile)
	require.NoError(t, s.Save(t.Context()), "a change set is applied again")
	require.Equal(t, "blue", color.GetOr(load(t, m, id), ""))
	require.Equal(t, "xxx", shape.GetOr(load(t, m, id), ""))

	rec, _, err := store.Load(t.Context(), id.Reveal())
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(rec.Data, []byte("#id ")))
	rec.Data = []byte("no equals sign\n")
	v, err := store.Create(t.Context(), driver.Record{Key: lines{}.NewID(), Data: rec.Data})
	require.NoError(t, err)
	require.NotEmpty(t, v)
}

func TestForeignRecordThatCannotBeRead(t *testing.T) {
	store := memory.New()
	m := newManager(t, store, &session.Options{Format: lines{}})
	id := lines{}.NewID()
	_, err := store.Create(t.Context(), driver.Record{Key: id, Data: []byte("no equals sign\n")})
	require.NoError(t, err)
	_, err = m.Load(t.Context(), session.ID(id))
	require.ErrorIs(t, err, session.ErrCorrupt)
}
