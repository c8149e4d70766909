package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// errRole says that a server is no master.
type errRole struct{ addr, role string }

func (e errRole) Error() string {
	at := ""
	if e.addr != "" {
		at = " at " + e.addr
	}
	switch e.role {
	case "slave":
		return "the server" + at + " is a replica: name the master, or use Sentinel"
	case "sentinel":
		return "the server" + at + " is a Sentinel: put its address into sentinels, and set service"
	}
	return fmt.Sprintf("the server%s says that its role is %.20q: name a master", at, e.role)
}

// identity is what a server says about itself when a connection opens.
type identity struct{ role, run string }

// identify asks a server for its role and its run id. What the access list of the
// server forbids stays "".
func identify(do func(args ...any) (any, error)) (id identity, err error) {
	a, err := do("ROLE")
	if err != nil && !refuses(err) {
		return id, err
	}
	if list, ok := a.([]any); ok && len(list) > 0 {
		id.role, _ = list[0].(string)
	}
	a, err = do("INFO", "server")
	if err != nil && !refuses(err) {
		return id, err
	}
	text, _ := a.(string)
	id.run = field(text, "run_id")
	return id, nil
}

// asking answers how to ask a server of several.
func asking(ctx context.Context, n node) func(args ...any) (any, error) {
	return func(args ...any) (any, error) { return n.do(ctx, cmd("", args...)) }
}

// refuses reports whether a server does not allow a command, or has none of that
// name.
func refuses(err error) bool {
	r := reply(err)
	return strings.HasPrefix(r, "NOPERM") || strings.HasPrefix(r, "ERR unknown command")
}

// field answers a value of what INFO answers.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value
		}
	}
	return ""
}

// primary notices that another server is the master, or that a master has
// started again: both may have lost the last writes. Servers are told apart by
// run id.
type primary struct {
	changed func()

	mu       sync.Mutex
	run      map[string]string // by address; a single server has the address ""
	complete bool              // all masters are known: another one is news
}

// see takes note of a master.
func (p *primary) see(addr, run string) {
	if run == "" {
		return
	}
	p.mu.Lock()
	if p.run == nil {
		p.run = make(map[string]string)
	}
	before, known := p.run[addr]
	p.run[addr] = run
	news := known && before != run || !known && p.complete
	p.mu.Unlock()
	if news {
		p.changed()
	}
}

// isComplete says that all masters were seen.
func (p *primary) isComplete() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complete = true
}

// onConnect refuses a server that is no master, and takes note of it.
func (p *primary) onConnect(ctx context.Context, c *goredis.Conn) error {
	both := c.Pipeline()
	role, info := once{goredis.NewCmd(ctx, "ROLE")}, once{goredis.NewCmd(ctx, "INFO", "server")}
	both.Process(ctx, role)
	both.Process(ctx, info)
	both.Exec(ctx)
	id, err := identify(func(args ...any) (any, error) {
		if args[0] == "ROLE" {
			return role.Result()
		}
		return info.Result()
	})
	if err != nil {
		return err
	}
	if id.role != "" && id.role != "master" {
		return errRole{role: id.role}
	}
	p.see("", id.run)
	return nil
}

// isRole reports whether err says that a server is no master.
func isRole(err error) bool { return errors.As(err, new(errRole)) }
