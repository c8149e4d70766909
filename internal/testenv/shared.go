package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// The ways to a server.
const (
	byAddress = "address"
	byDocker  = "docker"
	byLocal   = "local"
)

// startTimeout bounds a start; a Docker engine may have to pull an image first, and
// three nodes of Cassandra take minutes on a machine that is busy.
const startTimeout = 5 * time.Minute

// endpoint is where a server can be reached.
type endpoint struct {
	addrs   []string
	service string // of a Sentinel set
	dsn     string // of SQL
	stop    func() error
}

// shared is a server that all tests of this test binary share.
type shared struct {
	name     string // for people
	variable string // of the environment, which may hold its address
	form     string // of that address
	install  string // the Debian package

	parse  func(value string) (endpoint, error)
	check  func(context.Context, endpoint) error // whether an address answers
	docker func(context.Context, *engine) (endpoint, error)
	local  func(context.Context) (endpoint, error)

	once sync.Once
	endpoint
	how string
	err error
}

// get starts the server if nobody has yet, and fails the test if there is none.
func (s *shared) get(tb testing.TB) {
	tb.Helper()
	skipShort(tb, s.name)
	s.once.Do(func() {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		var tried error
		if tried, s.err = s.start(ctx, os.Getenv); s.err != nil {
			return
		}
		if tried != nil {
			tb.Logf("testenv: %s: %v", s.name, tried)
		}
		onExit(s.stop)
		tb.Logf("testenv: %s by %s at %s, ready after %.2f s", s.name, s.how, strings.Join(s.addrs, " "), time.Since(begin).Seconds())
	})
	if s.err != nil {
		tb.Fatal(s.err)
	}
}

// start finds the way and takes it. What failed before another way did is
// answered too.
func (s *shared) start(ctx context.Context, getenv func(string) string) (tried, err error) {
	value, forced := getenv(s.variable), getenv("WEBSESSION_TEST_SERVERS")
	s.how = forced
	switch forced {
	case byAddress:
		return nil, s.useAddress(ctx, value)
	case byDocker:
		return nil, s.useDocker(ctx)
	case byLocal:
		return nil, s.useLocal(ctx)
	case "":
	default:
		return nil, fmt.Errorf("testenv: WEBSESSION_TEST_SERVERS is %q: give %s, %s or %s, or nothing", forced, byAddress, byDocker, byLocal)
	}
	if value != "" {
		s.how = byAddress
		return nil, s.useAddress(ctx, value)
	}
	s.how = byDocker
	noDocker := s.useDocker(ctx)
	if noDocker == nil {
		return nil, nil
	}
	s.how = byLocal
	noLocal := s.useLocal(ctx)
	if noLocal == nil {
		return noDocker, nil
	}
	return nil, fmt.Errorf("testenv: there is no %s: %w", s.name, errors.Join(
		fmt.Errorf("no address: set %s to %s", s.variable, s.form), noDocker, noLocal))
}

func (s *shared) useAddress(ctx context.Context, value string) (err error) {
	if value == "" {
		return fmt.Errorf("testenv: %s is not set: give %s", s.variable, s.form)
	}
	if s.endpoint, err = s.parse(value); err != nil {
		return fmt.Errorf("testenv: %s: %w: give %s", s.variable, err, s.form)
	}
	s.stop = func() error { return nil }
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.check(ctx, s.endpoint); err != nil {
		return fmt.Errorf("testenv: %s does not lead to a %s: %w", s.variable, s.name, err)
	}
	return nil
}

func (s *shared) useDocker(ctx context.Context) error {
	e, err := dockerEngine(ctx)
	if err == nil {
		s.endpoint, err = s.docker(ctx, e)
	}
	if err != nil {
		return fmt.Errorf("by Docker: %w", err)
	}
	return nil
}

func (s *shared) useLocal(ctx context.Context) (err error) {
	if s.endpoint, err = s.local(ctx); err != nil {
		return fmt.Errorf("by a local program of the package %s: %w", s.install, err)
	}
	return nil
}
