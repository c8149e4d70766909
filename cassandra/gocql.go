package cassandra

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gocql/gocql"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// This file is all that knows the client library.

// New answers a store that uses a session of the application. It checks the
// tables, and makes them if they are not there. o has the keyspace at least.
//
// The session should choose nodes by token: gocql.TokenAwareHostPolicy with
// gocql.DCAwareRoundRobinPolicy and without gocql.ShuffleReplicas, which would make
// writers of one session meet at different nodes. Its time-outs hold beside
// Options.Timeout. Mutations are sent once, whatever its policies of retries and
// of speculative execution are. Close does not close the session.
func New(session *gocql.Session, o *Options) (driver.Store, error) {
	options := o.withDefaults()
	if err := options.check(); err != nil {
		return nil, errors.New("cassandra: new: " + err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), openFor)
	defer cancel()
	s, err := attach(ctx, newLibrary(session, options, false), options, place{})
	if err != nil {
		return nil, fail("new", err)
	}
	return s, nil
}

// library is a server by way of gocql.
type library struct {
	session       *gocql.Session
	own           bool
	timeout       time.Duration
	level, serial gocql.Consistency
	agreement     gocql.SerialConsistency
}

func newLibrary(session *gocql.Session, o Options, own bool) *library {
	l := &library{session: session, own: own, timeout: o.Timeout, level: gocql.LocalQuorum, agreement: gocql.LocalSerial}
	switch o.Consistency {
	case Quorum:
		l.level = gocql.Quorum
	case All:
		l.level = gocql.All
	}
	if o.SerialConsistency == Serial {
		l.agreement = gocql.Serial
	}
	// There is no constant of this type, but that is what the protocol has.
	l.serial = gocql.Consistency(l.agreement)
	return l
}

// errNoConnections is the error of a session that no node takes, although one has
// answered: the keyspace is not there.
var errNoConnections = gocql.ErrNoConnectionsStarted

// dialAll makes a session that knows where the copies of a keyspace are, "" for
// none. If the context ends before it is made, nothing stays for long.
func (s settings) dialAll(ctx context.Context, keyspace string) (*library, error) {
	conf := gocql.NewCluster(s.hosts...)
	conf.Port, conf.Keyspace = s.port, keyspace
	conf.ProtoVersion = 4
	conf.ConnectTimeout, conf.Timeout, conf.WriteTimeout = s.connect, s.options.Timeout, s.options.Timeout
	conf.NumConns = s.pool
	conf.RetryPolicy = nil
	conf.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1}
	conf.ReconnectInterval = time.Second
	conf.MaxWaitSchemaAgreement = s.options.Timeout
	conf.DefaultTimestamp = false // the coordinator's clock, not this one's
	conf.Logger = quiet{}
	if s.username != "" {
		conf.Authenticator = gocql.PasswordAuthenticator{Username: s.username, Password: s.password}
	}
	var near gocql.HostSelectionPolicy = gocql.RoundRobinHostPolicy()
	if s.datacenter != "" {
		near = gocql.DCAwareRoundRobinPolicy(s.datacenter)
	}
	conf.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(near)
	d := &dialer{settings: s}
	if s.tls {
		var err error
		if d.tls, err = s.files.Config(); err != nil {
			return nil, err
		}
	}
	conf.HostDialer = d
	made := make(chan struct{})
	var session *gocql.Session
	var err error
	go func() {
		defer close(made)
		session, err = gocql.NewSession(*conf)
	}()
	select {
	case <-made:
		d.opened()
	case <-ctx.Done():
		d.abort() // so that it ends soon, unless a name is being looked up
		go func() {
			if <-made; session != nil {
				session.Close()
			}
		}()
		return nil, fmt.Errorf("no node let the client in: %w", ctx.Err())
	}
	if err != nil {
		return nil, err
	}
	return newLibrary(session, s.options, true), nil
}

// quiet is a logger of gocql, which logs what it returns, too.
type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (l *library) close() {
	if l.own {
		l.session.Close()
	}
}

// sent notes whether a value was made ready to be sent: before that a statement
// has reached no node.
type sent struct {
	value []byte
	out   *bool
}

// MarshalCQL implements gocql.Marshaler.
func (s sent) MarshalCQL(gocql.TypeInfo) ([]byte, error) {
	*s.out = true
	return s.value, nil
}

// uncopied is a value that is not copied: what gocql has read belongs to one
// answer.
type uncopied struct{ p *[]byte }

// UnmarshalCQL implements gocql.Unmarshaler.
func (u uncopied) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	*u.p = data
	return nil
}

// query makes a statement that is sent once. Values that are bytes say whether it
// was sent; out is true from the beginning if there is none.
func (l *library) query(ctx context.Context, text string, args []any) (q *gocql.Query, out *bool) {
	out = new(bool)
	watched := false
	for i, a := range args {
		if v, ok := a.([]byte); ok {
			args[i], watched = sent{v, out}, true
		}
	}
	*out = !watched
	q = l.session.Query(text, args...).WithContext(ctx).
		Consistency(l.level).SerialConsistency(l.agreement).DefaultTimestamp(false).
		RetryPolicy(nil).SetSpeculativeExecutionPolicy(gocql.NonSpeculativeExecution{}).Idempotent(false)
	return q, out
}

func (l *library) cas(ctx context.Context, text string, args ...any) (applied bool, old []byte, err error) {
	within, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	q, out := l.query(within, text, args)
	iter := q.NoSkipMetadata().Iter()
	switch columns := len(iter.Columns()); {
	case columns == 1 && iter.Scan(&applied), columns > 1 && iter.Scan(&applied, uncopied{&old}):
	default:
		if err = iter.Close(); err == nil {
			err = errors.New("the server answered no result of a transaction")
		}
		return false, nil, l.tell(ctx, err, *out)
	}
	return applied, old, l.tell(ctx, iter.Close(), *out)
}

func (l *library) write(ctx context.Context, text string, args ...any) error {
	within, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	q, out := l.query(within, text, args)
	return l.tell(ctx, q.Exec(), *out)
}

func (l *library) row(ctx context.Context, serial bool, text, key string) (r *row, err error) {
	level := l.level
	if serial {
		level = l.serial
	}
	err = l.again(ctx, func(whole context.Context) error {
		q, out := l.query(whole, text, []any{key})
		r = new(row)
		iter := q.RetryPolicy(elsewhere{}).Consistency(level).Iter()
		if !iter.Scan(uncopied{&r.version}, &r.expires, uncopied{&r.index}, uncopied{&r.data}) {
			r = nil
		}
		return l.tell(ctx, iter.Close(), *out)
	})
	return r, err
}

func (l *library) rows(ctx context.Context, p page, text string) (all []row, next []byte, err error) {
	next, err = l.page(ctx, p, text, nil, func(iter *gocql.Iter) bool {
		var r row
		ok := iter.Scan(&r.key, uncopied{&r.version}, &r.expires, uncopied{&r.index}, uncopied{&r.data})
		if ok {
			all = append(all, r)
		}
		return ok
	}, func() { all = nil })
	return all, next, err
}

func (l *library) entries(ctx context.Context, p page, text, field, digest string) (all []entry, next []byte, err error) {
	next, err = l.page(ctx, p, text, []any{field, digest}, func(iter *gocql.Iter) bool {
		var e entry
		ok := iter.Scan(&e.key, uncopied{&e.mark}, &e.written, &e.now)
		if ok && stored.ValidKey(e.key) {
			all = append(all, e)
		}
		return ok
	}, func() { all = nil })
	return all, next, err
}

// page reads one page of rows.
func (l *library) page(ctx context.Context, p page, text string, args []any, scan func(*gocql.Iter) bool, reset func()) (next []byte, err error) {
	err = l.again(ctx, func(whole context.Context) error {
		reset()
		q, out := l.query(whole, text, args)
		iter := q.RetryPolicy(elsewhere{}).PageSize(p.size).PageState(p.from).Iter()
		next = append([]byte(nil), iter.PageState()...)
		for scan(iter) {
		}
		return l.tell(ctx, iter.Close(), *out)
	})
	if len(next) == 0 {
		next = nil
	}
	return next, err
}

func (l *library) texts(ctx context.Context, text string, args ...any) (all []map[string]string, err error) {
	err = l.again(ctx, func(whole context.Context) error {
		q, out := l.query(whole, text, args)
		iter := q.RetryPolicy(elsewhere{}).Consistency(gocql.One).Iter()
		list, _ := iter.SliceMap()
		all = make([]map[string]string, len(list))
		for i, m := range list {
			all[i] = make(map[string]string)
			for name, v := range m {
				if options, ok := v.(map[string]string); ok {
					for option, value := range options {
						all[i][name+"."+option] = value
					}
					continue
				}
				all[i][name] = fmt.Sprint(v)
			}
		}
		return l.tell(ctx, iter.Close(), *out)
	})
	return all, err
}

func (l *library) change(ctx context.Context, text string) error {
	if err := l.write(ctx, text); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	if err := l.session.AwaitSchemaAgreement(waiting); err != nil {
		return fmt.Errorf("%w: %w", errNoAgreement, err)
	}
	return nil
}

// elsewhere has what changes nothing tried on the next node.
type elsewhere struct{}

// Attempt implements gocql.RetryPolicy.
func (elsewhere) Attempt(q gocql.RetryableQuery) bool {
	return q.Attempts() < tries && q.Context().Err() == nil
}

// GetRetryType implements gocql.RetryPolicy.
func (elsewhere) GetRetryType(err error) gocql.RetryType {
	if retriable(kindOfLibrary(err)) {
		return gocql.RetryNextHost
	}
	return gocql.Rethrow
}

// So often something is read, on one node after the other, and then, after a pause,
// on all of them once more.
const (
	tries = 3
	pause = 50 * time.Millisecond
)

func retriable(kind faultKind) bool { return kind == broken || kind == busy }

// again repeats what changes nothing, on another connection, or when nodes were
// busy, while the time of one statement lasts.
func (l *library) again(ctx context.Context, do func(context.Context) error) error {
	whole, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	for try := 1; ; try++ {
		err := do(whole)
		if err == nil || try == tries || !retriable(kindOf(err)) {
			return err
		}
		select {
		case <-whole.Done():
			return err
		case <-time.After(time.Duration(try) * pause): // for a connection that is being made
		}
	}
}

// tell answers an error as the rest of the package knows it.
func (l *library) tell(ctx context.Context, err error, out bool) error {
	f := &fault{err: err, out: out, kind: kindOfLibrary(err)}
	switch {
	case err == nil, errors.Is(err, gocql.ErrNotFound):
		return nil
	case errors.Is(err, gocql.ErrSessionClosed):
		f.err, f.out = fmt.Errorf("%w: %w", driver.ErrClosed, err), false
	case errors.Is(err, gocql.ErrNoConnections):
		f.out = false
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil, errors.Is(err, gocql.ErrTimeoutNoResponse):
		f.err = fmt.Errorf("no answer within %v", l.timeout)
	}
	return f
}

func kindOfLibrary(err error) faultKind {
	var answer gocql.RequestError
	var network net.Error
	switch {
	case errors.As(err, &answer):
		return kindOfCode(answer.Code())
	case errors.Is(err, io.EOF), errors.Is(err, gocql.ErrConnectionClosed), errors.Is(err, gocql.ErrNoConnections),
		errors.As(err, &network) && !network.Timeout():
		return broken
	}
	return unknown
}

func kindOfCode(code int) faultKind {
	switch code {
	case gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized, gocql.ErrCodeInvalid, gocql.ErrCodeConfig, gocql.ErrCodeCredentials,
		gocql.ErrCodeProtocol, gocql.ErrCodeBootstrapping, gocql.ErrCodeUnprepared, gocql.ErrCodeAlreadyExists:
		return refused
	case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeReadTimeout, gocql.ErrCodeReadFailure:
		return busy
	}
	return unknown
}

var _ gocql.HostDialer = (*dialer)(nil)

// DialHost implements gocql.HostDialer.
func (d *dialer) DialHost(ctx context.Context, host *gocql.HostInfo) (*gocql.DialedHost, error) {
	conn, err := d.dial(ctx, host.ConnectAddressAndPort(), host.HostnameAndPort())
	if err != nil {
		return nil, err
	}
	_, encrypted := conn.(*tls.Conn)
	return &gocql.DialedHost{Conn: conn, DisableCoalesce: encrypted}, nil
}
