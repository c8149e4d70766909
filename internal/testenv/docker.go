package testenv

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ory/dockertest/v3"
	dc "github.com/ory/dockertest/v3/docker"
)

// engine is a Docker engine that answers.
type engine struct{ pool *dockertest.Pool }

// dockerEngine looks for an engine once.
var dockerEngine = func() func(context.Context) (*engine, error) {
	var once sync.Once
	var e *engine
	var err error
	return func(ctx context.Context) (*engine, error) {
		once.Do(func() { e, err = findEngine(ctx) })
		return e, err
	}
}()

func findEngine(ctx context.Context) (*engine, error) {
	pool, err := dockertest.NewPool("")
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err = pool.Client.PingWithContext(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("no engine answers: start one, or set DOCKER_HOST: %w", err)
	}
	return &engine{pool}, nil
}

// container is what is run.
type container struct {
	image, variable string // the default, and which variable of the environment overrides it
	env             []string
	cmd             []string
	ports           []int // of the container, each published at a free port of loopback, or, with same, at the same one
	same            bool
}

// run starts a container and answers where each port is published. It is removed
// when it stops, which it does soon after the time-out of this test run at the
// latest.
func (e *engine) run(c container) (addrs []string, stop func() error, err error) {
	image := c.image
	if v := os.Getenv(c.variable); v != "" {
		image = v
	}
	repository, tag := splitImage(image)
	o := &dockertest.RunOptions{
		Repository: repository, Tag: tag, Env: c.env, Cmd: c.cmd,
		Labels:       map[string]string{"websession.test": "1", "websession.test.pid": fmt.Sprint(os.Getpid())},
		PortBindings: make(map[dc.Port][]dc.PortBinding),
	}
	for _, port := range c.ports {
		binding := dc.PortBinding{HostIP: "127.0.0.1", HostPort: "0"}
		if c.same {
			binding.HostPort = fmt.Sprint(port)
		}
		o.ExposedPorts = append(o.ExposedPorts, tcp(port))
		o.PortBindings[dc.Port(tcp(port))] = []dc.PortBinding{binding}
	}
	resource, err := e.pool.RunWithOptions(o, func(h *dc.HostConfig) {
		h.AutoRemove = true
		h.PublishAllPorts = false
	})
	if err != nil {
		return nil, nil, fmt.Errorf("run %s: %w: pull it, or name another one in %s", image, err, c.variable)
	}
	stop = func() error {
		var gone *dc.NoSuchContainer
		if err := e.pool.Purge(resource); !errors.As(err, &gone) {
			return err
		}
		return nil
	}
	if err := resource.Expire(uint(lifetime().Seconds())); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	for _, port := range c.ports {
		addrs = append(addrs, resource.GetHostPort(tcp(port)))
	}
	return addrs, stop, nil
}

func tcp(port int) string { return fmt.Sprint(port, "/tcp") }

// splitImage parts a name from its tag: a colon before a slash is a registry's port.
func splitImage(image string) (repository, tag string) {
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:]
	}
	return image, "latest"
}

// lifetime is how long this test run may take, and a little more.
func lifetime() time.Duration {
	const longest = 4 * time.Hour // where -timeout=0
	d := longest
	if f := flag.Lookup("test.timeout"); f != nil {
		if v, ok := f.Value.(flag.Getter).Get().(time.Duration); ok && v > 0 {
			d = v
		}
	}
	return d + time.Minute
}

// await polls until a server in a container is ready, and removes the container
// if that does not come. Docker's proxy takes connections before the server
// does: any error may pass.
func (e endpoint) await(ctx context.Context, ready func(context.Context) error) (endpoint, error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := ready(one)
		cancel()
		if err == nil {
			return e, nil
		}
		select {
		case <-ctx.Done():
			return endpoint{}, errors.Join(fmt.Errorf("the container does not serve: %w: %w", err, ctx.Err()), e.stop())
		case <-ticker.C:
		}
	}
}
