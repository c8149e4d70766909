package redis

import (
	"context"
	"errors"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/websession/websession/session/driver"
)

// DefaultPrefix is what the names of all keys begin with, unless another prefix
// is chosen.
const DefaultPrefix = "websession:"

// Options are what may be chosen for New.
type Options struct {
	// Prefix is what the names of all keys begin with; "" means DefaultPrefix.
	// Stores with the same prefix share sessions. It has no braces, which would
	// bring all sessions into one slot of a cluster, and no control characters.
	Prefix string

	// WaitReplicas is how many replicas must have a write before it is answered
	// as applied; 0 means none. WaitTimeout is how long that may take; 0 means a
	// second. It must be shorter than the client's ReadTimeout.
	WaitReplicas int
	WaitTimeout  time.Duration

	// NoPipelining keeps every call on a connection of its own, also when there
	// are many at the same time.
	NoPipelining bool

	// Warn takes remarks for people; PrimaryChanged is called when the client has
	// come to talk to another master. Both are nil or safe for concurrent use.
	Warn           func(string)
	PrimaryChanged func()
}

// Bounds of Options.
const (
	defaultWait  = time.Second
	mostReplicas = 100
	mostPrefix   = 256
)

// withDefaults answers a copy of o, which may be nil, without zero fields.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.WaitTimeout == 0 {
		c.WaitTimeout = defaultWait
	}
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	if c.PrimaryChanged == nil {
		c.PrimaryChanged = func() {}
	}
	return c
}

// check reports options that mean nothing.
func (o Options) check() error {
	switch {
	case checkPrefix(o.Prefix) != nil:
		return errors.New("the prefix " + checkPrefix(o.Prefix).Error())
	case o.WaitReplicas < 0 || o.WaitReplicas > mostReplicas:
		return errors.New("the number of replicas to wait for must be from 0 to 100")
	case o.WaitTimeout < time.Millisecond:
		return errors.New("the time to wait for replicas must be a millisecond at least")
	}
	return nil
}

// checkPrefix reports what cannot be a prefix, as a phrase that follows the name
// of the property.
func checkPrefix(p string) error {
	switch {
	case len(p) > mostPrefix:
		return errors.New("must have 256 bytes at most")
	case strings.ContainsAny(p, "{}"):
		return errors.New("must not contain braces, which would bring all sessions into one slot of a cluster")
	case strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("must not contain spaces or control characters")
	}
	return nil
}

// New answers a store that uses a client of the application: a *redis.Client,
// also one that NewFailoverClient made, or a *redis.ClusterClient. It asks the
// server what it is, and refuses one that cannot keep sessions. o may be nil.
//
// The client must talk to masters: one that reads from replicas is refused. Its
// time-outs hold; a call ends with the deadline of its context, whatever they
// are. One with a cache of its own is refused, too. Mutations are sent once,
// whatever its MaxRetries is. New adds a hook to the client, which notices when it
// dials.
//
// Close does not close the client. When many calls are in flight the store sends
// them in pipelines; for those of a cluster it uses the client's
// AsyncAutoPipeline, which ends with the client.
func New(client goredis.UniversalClient, o *Options) (driver.Store, error) {
	options := o.withDefaults()
	if err := options.check(); err != nil {
		return nil, errors.New("redis: new: " + err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), openFor)
	defer cancel()
	s, err := attach(ctx, client, options)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openFor bounds how long New asks the server.
const openFor = 10 * time.Second
