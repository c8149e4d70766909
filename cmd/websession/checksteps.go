package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// steps answers the operations, in their order.
func (c *checkup) steps() []step {
	list := []step{
		c.ping(), c.create(), c.load(), c.save(), c.touch(), c.merge(), c.update(),
		c.find(), c.list(), c.renew(), c.destroy(), c.saveLate(),
	}
	if c.purge {
		list = append(list, c.purgeExpired())
	}
	return list
}

func (c *checkup) ping() step {
	return step{name: "ping", do: func(ctx context.Context) error {
		info, err := c.manager.Ping(ctx)
		if err == nil {
			c.learn(info)
		}
		return err
	}}
}

func (c *checkup) create() step {
	s := c.manager.NewSession()
	return step{
		name: "create",
		prepare: func(context.Context) error {
			c.setBehind(checkPast)
			return errors.Join(c.set(s, checkUser, c.user), c.set(s, "created", "1"))
		},
		do: func(ctx context.Context) error {
			err := s.Save(ctx)
			c.secrets = append(c.secrets, s.ID().Reveal())
			if err == nil || !driver.WasNotApplied(err) {
				c.ids = append(c.ids, s.ID())
			}
			c.stored = err == nil
			return err
		},
	}
}

func (c *checkup) load() step {
	var s *session.Session
	return step{
		name: "load", session: true,
		do: func(ctx context.Context) (err error) {
			s, err = c.get(ctx)
			return err
		},
		verify: func(context.Context) error { return c.compare(s) },
	}
}

func (c *checkup) save() step {
	var s *session.Session
	return step{
		name: "save", session: true,
		prepare: func(ctx context.Context) (err error) {
			if s, err = c.get(ctx); err != nil {
				return err
			}
			return c.set(s, "saved", "1")
		},
		do:     func(ctx context.Context) error { return s.Save(ctx) },
		verify: c.compareStored,
	}
}

// touch moves the deadline: the session was last written in the past.
func (c *checkup) touch() step {
	var s *session.Session
	return step{
		name: "touch", session: true,
		prepare: func(ctx context.Context) (err error) {
			c.setBehind(0)
			if s, err = c.get(ctx); err == nil && s.Expires().IsZero() {
				err = &reason{resultNotNeeded, "the class keeps no deadlines"}
			}
			return err
		},
		do: func(ctx context.Context) error {
			before := s.Expires()
			if err := s.Save(ctx); err != nil {
				return err
			}
			if err := c.touchError(); err != nil {
				return err
			}
			if !s.Expires().After(before) {
				return errors.New("the deadline was not moved, as if another program had changed the session")
			}
			return nil
		},
		verify: func(ctx context.Context) error {
			again, err := c.get(ctx)
			if err == nil && !again.Expires().Equal(s.Expires()) {
				err = fmt.Errorf("the store has the deadline %v, not %v", again.Expires(), s.Expires())
			}
			return errors.Join(err, c.compareStored(ctx))
		},
	}
}

// merge saves two copies of the session that were loaded at the same time.
func (c *checkup) merge() step {
	var second *session.Session
	return step{
		name: "merge", session: true,
		prepare: func(ctx context.Context) error {
			first, err := c.get(ctx)
			if err != nil {
				return err
			}
			if second, err = c.get(ctx); err != nil {
				return err
			}
			if err := errors.Join(c.set(first, "first", "1"), c.set(second, "second", "1")); err != nil {
				return err
			}
			return first.Save(ctx)
		},
		do:     func(ctx context.Context) error { return second.Save(ctx) },
		verify: c.compareStored,
	}
}

func (c *checkup) update() step {
	return step{
		name: "update", session: true,
		do: func(ctx context.Context) error {
			return c.manager.Update(ctx, c.id(), func(s *session.Session) error { return c.set(s, "updated", "1") })
		},
		verify: c.compareStored,
	}
}

func (c *checkup) find() step {
	return step{name: "find", session: true, do: func(ctx context.Context) error {
		found := 0
		for _, err := range c.manager.Find(ctx, checkUser, c.user) {
			if err != nil {
				return err
			}
			found++
		}
		if found != 1 {
			return fmt.Errorf("%d sessions were found, not 1", found)
		}
		return nil
	}}
}

// list ends at the first session: any will do.
func (c *checkup) list() step {
	return step{name: "list", session: true, do: func(ctx context.Context) error {
		next, stop := iter.Pull2(c.manager.All(ctx))
		defer stop()
		_, err, some := next()
		if !some {
			err = errors.New("no session was listed")
		}
		return err
	}}
}

func (c *checkup) renew() step {
	var s *session.Session
	return step{
		name: "renew", session: true,
		prepare: func(ctx context.Context) (err error) {
			s, err = c.manager.Load(ctx, c.id())
			return err
		},
		do: func(ctx context.Context) error {
			defer s.Finish()
			if err := s.Renew(ctx); err != nil {
				return err
			}
			c.ids = append(c.ids, s.ID())
			c.secrets = append(c.secrets, s.ID().Reveal())
			return nil
		},
		verify: func(ctx context.Context) error {
			if _, err := c.manager.Load(ctx, c.ids[0]); !errors.Is(err, session.ErrNotFound) {
				return orElse(err, "the old id is still good")
			}
			return c.compareStored(ctx)
		},
	}
}

func (c *checkup) destroy() step {
	return step{
		name: "destroy", session: true,
		prepare: func(ctx context.Context) (err error) {
			c.late, err = c.get(ctx)
			return err
		},
		do: func(ctx context.Context) error { return c.manager.Destroy(ctx, c.id()) },
		verify: func(ctx context.Context) error {
			err := c.gone(ctx)
			c.stored = err != nil
			return err
		},
	}
}

// saveLate saves the session after its end, as a slow request would.
func (c *checkup) saveLate() step {
	return step{
		name:   "save after destroy",
		remark: "refused, as it should be",
		prepare: func(context.Context) error {
			if c.late == nil || c.stored {
				return &reason{resultSkipped, "the session was not destroyed"}
			}
			return c.set(c.late, "late", "1")
		},
		do: func(ctx context.Context) error {
			if err := c.late.Save(ctx); !errors.Is(err, session.ErrNotFound) {
				return orElse(err, "it was accepted")
			}
			return nil
		},
		verify: func(ctx context.Context) error {
			err := c.gone(ctx)
			c.ended = err == nil
			return err
		},
	}
}

func (c *checkup) purgeExpired() step {
	return step{name: "purge", do: func(ctx context.Context) error {
		_, err := c.manager.Purge(ctx)
		return err
	}}
}
