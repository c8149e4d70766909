package redis

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// Store keeps sessions in Redis. It is safe for concurrent use, also with other
// Stores and other processes that use the same prefix.
//
// Close waits for calls that are under way; each of them is bounded by the
// time-outs of the connections.
type Store struct {
	server server
	prefix string
	wait   wait // replicas is 0: nobody waits
	doubts doubts

	indexes stored.Indexes

	sentinels *resolver // nil: there are none
	watch     *watch    // nil: connections tell

	life   sync.RWMutex  // held for reading by whoever uses server
	done   chan struct{} // closed by Close
	closed sync.Once
	err    error // of Close
}

var (
	_ driver.Store    = (*Store)(nil)
	_ driver.Toucher  = (*Store)(nil)
	_ driver.Scanner  = (*Store)(nil)
	_ driver.Searcher = (*Store)(nil)
	_ driver.Pinger   = (*Store)(nil)
)

// clusterStore is a Store whose index entries lie on other servers than the
// records.
type clusterStore struct{ *Store }

var _ driver.SeparateIndexer = clusterStore{}

// SeparateIndex implements driver.SeparateIndexer.
func (clusterStore) SeparateIndex() {}

// asDriver answers the store with the interfaces that it has.
func (s *Store) asDriver() driver.Store {
	if s.server.separate() {
		return clusterStore{s}
	}
	return s
}

// enter begins a use of the server, which ends with s.life.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	s.life.RLock()
	var err error
	select {
	case <-s.done:
		err = driver.ErrClosed
	default:
		err = ctx.Err()
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

// Close implements driver.Store. It does not close a client that was handed to
// New.
func (s *Store) Close() error {
	s.closed.Do(func() {
		close(s.done)
		s.life.Lock()
		defer s.life.Unlock()
		if s.watch != nil {
			s.watch.close()
		}
		if s.sentinels != nil {
			s.sentinels.close()
		}
		s.err = s.server.close()
	})
	return s.err
}

// Load implements driver.Store: one GET.
func (s *Store) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Record{}, "", fail("load", err)
	}
	defer s.life.RUnlock()
	if !stored.ValidKey(key) {
		return driver.Record{}, "", driver.ErrNotFound
	}
	var value any
	var err error
	if doubt := s.doubts.about(key); doubt != 0 {
		value, err = s.loadConfirmed(ctx, key, doubt)
	} else {
		value, err = s.read(ctx, s.get(key))
	}
	return s.answered(key, value, err)
}

// get answers the command that reads a record.
func (s *Store) get(key string) command {
	k := s.recordKey(key)
	return cmd(k, "get", k)
}

// answered makes a record of the answer to a GET.
func (s *Store) answered(key string, value any, err error) (driver.Record, driver.Version, error) {
	if err != nil {
		if isWrongType(err) {
			err = errors.Join(driver.ErrCorrupt, errWrongType)
		}
		return driver.Record{}, "", fail("load", err)
	}
	text, ok := value.(string)
	if !ok {
		return driver.Record{}, "", driver.ErrNotFound
	}
	rec, v, err := decodeBy(text, func(b []byte) (map[string]string, error) { return s.indexes.Get(b, decodeIndex) })
	if err != nil {
		return driver.Record{}, "", fail("load", errors.Join(driver.ErrCorrupt, err))
	}
	rec.Key = key
	return rec, v, nil
}

// read sends a command that changes nothing, and sends it again if the
// connection turned out to be broken.
func (s *Store) read(ctx context.Context, c command) (any, error) {
	for try := 1; ; try++ {
		v, err := s.server.do(ctx, c)
		if err == nil || try == 3 || !isBroken(err) || ctx.Err() != nil {
			return v, err
		}
	}
}

// change is a mutation under way.
type change struct {
	s     *Store
	op    string
	rec   driver.Record
	index []byte // encoded
	now   time.Time
	stamp stamp

	life int64 // of index entries that are written, in ms
	late bool  // those that stay are to be written again: they end too early
	apart
}

// begin prepares a mutation of rec, which was in the version old.
func (s *Store) begin(op string, rec driver.Record, old driver.Version) (*change, error) {
	if err := fits(rec); err != nil {
		return nil, err
	}
	index, err := stored.EncodeIndex(rec.Index)
	if err != nil {
		return nil, driver.NotApplied(fail(op, err))
	}
	c := &change{s: s, op: op, rec: rec, index: index, now: time.Now()}
	c.plan(old)
	return c, nil
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return "", driver.NotApplied(fail("create", err))
	}
	defer s.life.RUnlock()
	c, err := s.begin("create", rec, "")
	if err != nil {
		return "", err
	}
	value := encode(c.stamp, c.index, rec.Data)
	key, ttl := s.recordKey(rec.Key), ttl(rec.Expires, c.now)
	err = c.withEntries(ctx, func() error {
		var state any
		if len(c.index) > 0 && !s.server.separate() {
			state, err = s.run(ctx, rec.Key, createScript, []string{key}, value, ttl, s.indexPrefix(), c.index, c.life, rec.Key)
		} else {
			args := []any{"set", key, value}
			if ttl != "" {
				args = append(args, "PX", ttl)
			}
			state, err = s.mutate(ctx, rec.Key, command{args: append(args, "NX"), key: key, change: true})
		}
		switch {
		case err != nil:
			return outcome("create", err)
		case state == nil, state == int64(absent):
			return driver.ErrExists
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return c.stamp.Version(), nil
}

// Replace implements driver.Store.
func (s *Store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.rewrite(ctx, "replace", replaceScript, rec, old)
}

// Touch implements driver.Toucher. The data are not sent.
func (s *Store) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	rec.Data = nil
	return s.rewrite(ctx, "touch", touchScript, rec, old)
}

func (s *Store) rewrite(ctx context.Context, op string, sc script, rec driver.Record, old driver.Version) (_ driver.Version, err error) {
	if err = s.enter(ctx); err != nil {
		return "", driver.NotApplied(fail(op, err))
	}
	defer s.life.RUnlock()
	if len(old) != versionSize {
		return "", driver.ErrConflict
	}
	c, err := s.begin(op, rec, old)
	if err != nil {
		return "", err
	}
	var value any
	if op == "touch" {
		value = append(c.stamp.append(make([]byte, 0, stampSize+len(c.index))), c.index...)
	} else {
		l := lend(c.stamp, c.index, rec.Data)
		defer func() {
			if err == nil { // otherwise go-redis may still write it
				l.giveBack()
			}
		}()
		value = l
	}
	err = c.withEntries(ctx, func() (err error) {
		var a any
		key, ttl := s.recordKey(rec.Key), ttl(rec.Expires, c.now)
		swapped := false
		if op == "replace" && c.keepsIndex(old) {
			last := strconv.Itoa(headerSize + len(c.index) - 1)
			a, err = s.run(ctx, rec.Key, swapScript, []string{key}, magic+string(old), value, last, ttl)
			swapped = err != nil || a != int64(reindexed)
		}
		if !swapped {
			life := strconv.FormatInt(c.life, 10)
			if c.late {
				life = "+" + life
			}
			a, err = s.run(ctx, rec.Key, sc, []string{key}, string(old), ttl, value, s.localIndex(), life, rec.Key)
		}
		if err == nil {
			err = c.finish(ctx, a)
		} else {
			err = outcome(op, err)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return c.stamp.Version(), nil
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if err := s.enter(ctx); err != nil {
		return driver.NotApplied(fail("delete", err))
	}
	defer s.life.RUnlock()
	switch {
	case !stored.ValidKey(rec.Key) && old == "":
		return nil
	case !stored.ValidKey(rec.Key):
		return driver.ErrNotFound
	case old != "" && len(old) != versionSize:
		return driver.ErrConflict
	}
	args := []any{string(old), s.localIndex(), rec.Key}
	if s.wait.replicas > 0 && old == "" {
		args = append(args, firm)
	}
	a, err := s.run(ctx, rec.Key, deleteScript, []string{s.recordKey(rec.Key)}, args...)
	if err != nil {
		return outcome("delete", err)
	}
	c := &change{s: s, op: "delete", rec: driver.Record{Key: rec.Key}}
	err = c.finish(ctx, a)
	if old == "" && errors.Is(err, driver.ErrNotFound) {
		return nil
	}
	return err
}

// run runs a script: by its digest and, when the server does not know it and so
// has done nothing, by its text.
func (s *Store) run(ctx context.Context, key string, sc script, keys []string, args ...any) (any, error) {
	c := sc.call(keys, args...)
	c.firm = args[len(args)-1] == firm
	a, err := s.mutate(ctx, key, c)
	if isNoScript(err) {
		c.args = sc.full(keys, args...).args
		a, err = s.mutate(ctx, key, c)
	}
	return a, err
}

// mutate sends a command that changes the record of key. With wait_replicas it
// is confirmed, or an unknown outcome.
func (s *Store) mutate(ctx context.Context, key string, c command) (any, error) {
	if s.wait.replicas == 0 {
		return s.server.do(ctx, c)
	}
	return s.mutateConfirmed(ctx, key, c)
}
