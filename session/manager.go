package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/internal/lazy"
)

// Manager keeps the sessions of an application in one store. It is safe for
// concurrent use. Managers on several servers share a store; none of them is
// special.
type Manager struct {
	opts    Options
	store   driver.Store
	format  driver.Format // nil: native
	caps    capabilities
	queue   queue
	holds   holds
	writer  [8]byte       // stands for this Manager in write tags
	writes  atomic.Uint32 // counts its mutations
	refused refused
	changed chan struct{} // PrimaryChanged was called

	stop       context.CancelFunc
	background sync.WaitGroup // janitor and undertaker
}

// New answers a Manager of sessions in store. Its Close closes the store.
// Nothing is read or written before the first call.
func New(store driver.Store, o *Options) (*Manager, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if store == nil {
		return nil, errors.New("session: store is nil")
	}
	if opts.Class == "" {
		opts.Class = strings.TrimPrefix(fmt.Sprintf("%T", store), "*")
	}
	m := &Manager{opts: opts, store: store, format: opts.Format, caps: resolve(store), changed: make(chan struct{}, 1)}
	rand.Read(m.writer[:]) // never fails: crypto/rand
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	if m.caps.purger != nil && opts.PurgeEvery > 0 {
		m.background.Add(1)
		go m.janitor(ctx)
	}
	if opts.RefuseEnded > 0 {
		m.background.Add(1)
		go m.undertaker(ctx)
	}
	return m, nil
}

// Close stops what runs in the background and closes the store. Sessions that are in use answer
// ErrClosed from then on. A second call does nothing.
func (m *Manager) Close() error {
	m.stop()
	m.background.Wait()
	return m.store.Close()
}

// Class answers the class of the store, as it is named in errors.
func (m *Manager) Class() string { return m.opts.Class }

// NewSession answers a session that is not stored yet. Save stores it once it
// has an attribute.
func (m *Manager) NewSession() *Session { return &Session{m: m} }

// Load answers the session of an id that a client presented. An id that is
// malformed or unknown, and one whose session has expired, answers ErrNotFound;
// it is never adopted. A record that cannot be read answers ErrCorrupt.
//
// Load reads the store once and changes nothing. Where the store locks
// (driver.Locker), it waits for the lock of the session first, and fails if that
// is not to be had in time; Session.Finish gives it back. A goroutine that loads a
// session twice waits for itself there.
func (m *Manager) Load(ctx context.Context, id ID) (*Session, error) {
	key, sum, ok := m.keyOf(id)
	if !ok {
		return nil, m.fail("load", ErrNotFound)
	}
	var l struct { // in one allocation
		session Session
		loading
	}
	unlock, err := m.lock(ctx, key)
	if err != nil {
		return nil, m.fail("load", err)
	}
	loaded := false
	defer func() {
		if !loaded && unlock != nil { // also when the store panics
			unlock()
		}
	}()
	if err := m.loadInto(ctx, key, &sum, &l.loading); err != nil {
		return nil, m.fail("load", err)
	}
	loaded = true
	l.session = Session{m: m, id: id, key: key, base: &l.state, unlock: unlock}
	return &l.session, nil
}

// Destroy ends the session of an id, wherever it is in use: what a request that
// loaded it before saves afterwards is refused. A session that is not there is
// no error. After ErrUnknownOutcome it should be called again.
func (m *Manager) Destroy(ctx context.Context, id ID) error {
	key, _, ok := m.keyOf(id)
	if !ok {
		return nil
	}
	var was map[string]string
	if m.caps.separateIndex {
		rec, _, err := m.loadRecord(ctx, new(lazy.Context), key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return m.fail("destroy", driver.NotApplied(err))
		}
		was = rec.Index
	}
	return m.destroy(ctx, key, was)
}

// Ping asks the store whether its server answers, and about it.
func (m *Manager) Ping(ctx context.Context) (driver.Info, error) {
	info, err := m.ping(ctx)
	if err != nil {
		return info, m.fail("ping", err)
	}
	return info, nil
}

// Now answers the time by Options.Now.
func (m *Manager) Now() time.Time { return m.opts.Now() }

// handle answers how people call the session of a key.
func (m *Manager) handle(key string) Handle {
	if m.format != nil {
		return Handle(digest(key)) // the key may be the id
	}
	return Handle(key)
}

// keyOf answers the store's key of an id, in the native format with the sum that
// it is made of, and whether the id can be one.
func (m *Manager) keyOf(id ID) (key string, s sum, ok bool) {
	if m.format != nil {
		if id == "" || !m.format.ValidID(string(id)) {
			return "", s, false
		}
		return m.format.Key(string(id)), s, true
	}
	if !validNativeID(id) {
		return "", s, false
	}
	s = sumOf(string(id))
	return s.text(), s, true
}

func (m *Manager) newID() (ID, string) {
	if m.format != nil {
		id := m.format.NewID()
		return ID(id), m.format.Key(id)
	}
	id := newNativeID()
	return id, digest(string(id))
}

// digest answers what a store sees of the value of an index field.
func (m *Manager) digest(field, value string) string {
	if m.format != nil {
		return m.format.Digest(field, value)
	}
	return digest(field + "\x00" + value)
}

// now is the time that expiry is judged by, in the precision that stores keep.
func (m *Manager) now() time.Time {
	return time.UnixMilli(m.opts.Now().UnixMilli()).UTC()
}

// load reads and judges a session.
func (m *Manager) load(ctx context.Context, key string) (*state, error) {
	var l loading
	sum, ok := sumOfKey(key)
	if m.format == nil && !ok {
		return nil, ErrNotFound
	}
	if err := m.loadInto(ctx, key, &sum, &l); err != nil {
		return nil, err
	}
	return &l.state, nil
}

// loading is a state that is being loaded, and the context of the call.
type loading struct {
	state state
	call  lazy.Context
}

func (m *Manager) loadInto(ctx context.Context, key string, sum *sum, l *loading) error {
	if m.refuses(key) {
		return ErrNotFound
	}
	rec, v, err := m.loadRecord(ctx, &l.call, key)
	if err == nil {
		err = m.decodeInto(&l.state, sum, rec, v)
	}
	if err != nil {
		if errors.Is(err, ErrCorrupt) {
			m.observe(ctx, Event{Kind: EventCorrupt, Session: m.handle(key), Err: err})
		}
		return err
	}
	if l.state.expiredAt(m.now()) {
		return ErrNotFound
	}
	return nil
}

// loadRecord calls the store in the context call, which it makes.
func (m *Manager) loadRecord(ctx context.Context, call *lazy.Context, key string) (rec driver.Record, v driver.Version, err error) {
	if err := ctx.Err(); err != nil {
		return rec, "", err
	}
	m.bound(ctx, call)
	defer call.End()
	rec, v, err = m.store.Load(call, key)
	if err == nil && rec.Key != key {
		err = &corruptError{"the store answered another record"}
	}
	return rec, v, err
}

// bound makes call the context of one call of the store, which must end it.
func (m *Manager) bound(ctx context.Context, call *lazy.Context) {
	call.Parent, call.Timeout = ctx, m.opts.StoreTimeout
	if call.Timeout <= 0 {
		call.Timeout = maxLife
	}
}

// fail wraps the error of an operation for the caller.
func (m *Manager) fail(op string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Class: m.opts.Class, Err: err}
}

func (m *Manager) observe(ctx context.Context, e Event) {
	e.Class = m.opts.Class
	m.opts.Observe(ctx, e)
}

// Observe reports an event about s, or about no session in particular if s is
// nil, to Options.Observe. It is meant for packages that carry sessions over a
// protocol, as sessionhttp does.
func (m *Manager) Observe(ctx context.Context, s *Session, e Event) {
	if s != nil {
		e.Session = s.Handle()
	}
	m.observe(ctx, e)
}
